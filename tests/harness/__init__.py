"""What the black-box tests share: servers, peers, faults and the accounting of what arrived.

Nothing here imports the packages under test: the RTMP spoken by these peers is
written a second time on purpose, so that an error in ours cannot hide in both ends.
"""
