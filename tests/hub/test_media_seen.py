"""Sound, picture or both: what can be told of a stream that begins."""

from __future__ import annotations

import pytest

from edge.hub.media_seen import MediaSeen, media_seen
from edge.hub.stream import Stream
from edge.media.frame import AUDIO, DATA, VIDEO
from edge.rtmp import amf0
from tests.service.fakes import Door

AUDIO_HEADER, SOUND = b"\xaf\x00\x12\x10", b"\xaf\x01a"
VIDEO_HEADER, KEY, NEXT = b"\x17\x00\0\0\0\x01", b"\x17\x01\0\0\0k", b"\x27\x01\0\0\0n"
ALL = {"videocodecid": 7.0, "width": 640.0, "audiocodecid": 10.0}
PICTURE = {"videocodecid": 7.0, "width": 640.0}
NONE, BOTH = (False, False, False), (True, True, True)

Message = tuple[int, int, bytes]


def metadata(fields: dict[str, float]) -> Message:
    return (DATA, 0, amf0.encode_all("onMetaData", amf0.EcmaArray(fields)))


def stream_of(*messages: Message) -> Stream:
    door = Door()
    publish = door.publish()
    for type_id, at_ms, payload in messages:
        publish.publisher.push(type_id, at_ms, payload, door.now_ms + at_ms)
        publish.publisher.commit()
    return publish.stream


H264, AAC = (VIDEO, 0, VIDEO_HEADER), (AUDIO, 0, AUDIO_HEADER)


@pytest.mark.parametrize(
    ("messages", "wanted"),
    [
        pytest.param([], NONE, id="nothing"),
        pytest.param([metadata(ALL), H264, AAC], NONE, id="headers alone"),
        pytest.param([metadata(ALL), H264, AAC, (VIDEO, 0, KEY)], BOTH, id="both headers"),
        pytest.param([H264, (VIDEO, 0, KEY)], (False, True, False), id="sound may still come"),
        pytest.param([metadata(ALL), H264, (VIDEO, 0, KEY)], (False, True, False), id="sound was announced"),
        pytest.param([metadata(PICTURE), H264, (VIDEO, 0, KEY)], (False, True, True), id="picture alone, as announced"),
        pytest.param(
            [metadata(ALL), H264, (VIDEO, 0, KEY), (VIDEO, 1000, NEXT)], (False, True, True), id="sound never came"
        ),
        pytest.param([AAC, (AUDIO, 0, SOUND)], (True, False, False), id="the picture may still come"),
        pytest.param([AAC, (AUDIO, 0, SOUND), (AUDIO, 1000, SOUND)], (True, False, True), id="sound alone"),
        pytest.param([metadata(PICTURE), AAC, (AUDIO, 0, SOUND)], (True, False, False), id="the picture was announced"),
        pytest.param(
            [metadata({"encoder": 1.0}), H264, (VIDEO, 0, KEY)], (False, True, False), id="metadata say nothing"
        ),
        pytest.param([(VIDEO, 0, b"\x22n"), (AUDIO, 0, b"\x2fm")], BOTH, id="codecs without headers"),
    ],
)
def test_media_of_a_stream(messages: list[Message], wanted: tuple[bool, bool, bool]) -> None:
    seen = media_seen(stream_of(*messages))
    assert seen == MediaSeen(*wanted)
    assert bool(seen) is (wanted != NONE)
