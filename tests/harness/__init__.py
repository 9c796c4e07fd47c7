"""What the black-box tests share: servers, peers, faults and the accounting of what arrived.

The RTMP spoken by these peers is written a second time on purpose, so that an
error in ours cannot hide in both ends. FLV is read by ``edge.media.flv``: whatever
is recorded is held against what ffmpeg or PyAV read from it as well.
"""
