"""What an RTMP player is sent alone: its clock, its message stream, headers."""

from __future__ import annotations

import pytest

from edge.hub.config import HubConfig
from edge.hub.frame_queue import FrameQueue
from edge.hub.key import StreamKey
from edge.hub.log import LogPlace, StreamLog
from edge.hub.stream import Stream
from edge.media.frame import AUDIO, AUDIO_HEADER, MEDIA, TRACK_BIT, VIDEO, VIDEO_HEADER, Frame
from edge.net.rtmp.form import RtmpForm
from edge.net.rtmp.opening import FAR_BEHIND_MS, RtmpOpening
from tests.net.fakes import AUDIO_HEADER_BODY, VIDEO_HEADER_BODY, audio, decode, video

FORM = RtmpForm(4096)


def held(picture_ms: int, sound_ms: int) -> FrameQueue:
    """Headers, a keyframe and a sound."""
    queue = FrameQueue()
    queue.push(Frame(VIDEO, picture_ms, VIDEO_HEADER_BODY, VIDEO_HEADER))
    queue.push(Frame(AUDIO, sound_ms, AUDIO_HEADER_BODY, AUDIO_HEADER))
    queue.push(Frame(VIDEO, picture_ms, video(1, is_keyframe=True), MEDIA, is_keyframe=True))
    queue.push(Frame(AUDIO, sound_ms, audio(2), MEDIA))
    return queue


def place(queue: FrameQueue, seq: int = 2, since: int | None = None) -> LogPlace:
    return LogPlace(queue, StreamLog(queue, FORM), seq, since)


def test_clock_reads_0_at_the_first_frame_and_goes_on_after_a_jump() -> None:
    queue, opening = held(7000, 7010), RtmpOpening(FORM, 5, offset_ms=300)
    data = opening.start(place(queue))
    data += opening.first(queue[2]) + opening.first(queue[3])
    assert opening.missing == TRACK_BIT[18]
    queue.push(Frame(VIDEO, 9000, video(3, is_keyframe=True), MEDIA, is_keyframe=True))
    assert opening.start(place(queue, 4, 4)) == b""
    assert opening.missing == FORM.tracks
    data += opening.first(queue[4])
    assert opening.base_ms == 7000
    messages = decode(data, 4096)
    assert [m.wire_timestamp for m in messages] == [300, 300, 300, 310, 2300]
    assert {m.message_stream_id for m in messages} == {5}


@pytest.mark.parametrize("behind_ms", [FAR_BEHIND_MS, FAR_BEHIND_MS + 1])
def test_track_far_behind_has_a_clock_of_its_own(behind_ms: int) -> None:
    queue, opening = held(60_000, 60_000 - behind_ms), RtmpOpening(FORM, 1)
    opening.start(place(queue))
    [message] = decode(opening.first(queue[3]), 4096)
    assert message.wire_timestamp == 0
    is_far = behind_ms > FAR_BEHIND_MS
    assert (opening.low_bases is not None) == is_far
    assert bool(opening.missing & TRACK_BIT[AUDIO]) != is_far, "one that catches up is stamped 0 until then"
    queue.push(Frame(AUDIO, 60_000 - behind_ms + 80, audio(3), MEDIA))
    stamps = [m.wire_timestamp for m in decode(opening.start(place(queue, 4)), 4096)]
    assert stamps == ([0, 80, 0] if is_far else [0, 0, 0]), "the picture that is shown comes last"


def test_opening_is_as_the_stream_is_configured() -> None:
    config = HubConfig(timestamp_offset=40, original_timestamp_domains=frozenset({"own"}))
    for vhost, wanted in (("own", 40 + 5_007_000), ("other", 40)):
        stream = Stream(StreamKey(vhost, "live", "s"), config, 0)
        assert stream.timeline.map(VIDEO, 5_000_000, 0) == 0
        queue, opening = held(7000, 7010), RtmpOpening.of(stream, FORM, 1)
        assert {m.wire_timestamp for m in decode(opening.start(place(queue)), 4096)} == {wanted}


def test_form_of_one_medium_misses_no_other_track() -> None:
    queue, form = held(0, 10), RtmpForm(4096, TRACK_BIT[AUDIO])
    opening = RtmpOpening(form, 1)
    [header] = decode(opening.start(LogPlace(queue, StreamLog(queue, form), 2)), 4096)
    assert header.payload == AUDIO_HEADER_BODY
    opening.first(queue[3])
    assert opening.missing == 0
