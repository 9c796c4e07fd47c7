"""Media that wait for the answer to their publish: all of them, or the headers where they are too many."""

from __future__ import annotations

from edge.media.frame import AUDIO, DATA, VIDEO
from edge.net.rtmp.held_media import MAX_HELD_BYTES, HeldMedia
from tests.net.fakes import AUDIO_HEADER_BODY, VIDEO_HEADER_BODY

PICTURE = b"\x17\x01\0\0\0" + bytes(100_000)
SOUND = b"\xaf\x01" + bytes(1000)


def test_all_is_kept_in_order_while_there_is_room() -> None:
    held = HeldMedia()
    messages = [(VIDEO, 0, VIDEO_HEADER_BODY), (VIDEO, 0, PICTURE), (AUDIO, 5, SOUND), (DATA, 5, b"\x02\0\1x")]
    for message in messages:
        held.add(*message)
    assert held.size_bytes == sum(len(message[2]) for message in messages)
    assert held.take() == messages
    assert (held.take(), held.size_bytes) == ([], 0)


def test_of_too_much_the_headers_stay_and_no_picture_is_kept_behind_the_gap() -> None:
    held = HeldMedia()
    held.add(VIDEO, 0, VIDEO_HEADER_BODY)
    for number in range(30):
        held.add(VIDEO, number, PICTURE)
        held.add(AUDIO, number, SOUND)
        assert held.size_bytes <= MAX_HELD_BYTES
    held.add(AUDIO, 31, AUDIO_HEADER_BODY)
    assert held.take() == [(VIDEO, 0, VIDEO_HEADER_BODY), (AUDIO, 31, AUDIO_HEADER_BODY)]


def test_headers_fill_no_more_room_either() -> None:
    held = HeldMedia()
    for number in range(30):
        held.add(VIDEO, number, VIDEO_HEADER_BODY + bytes(100_000))
    assert 0 < held.size_bytes <= MAX_HELD_BYTES
