"""Media that are delivered past the events come in the order of the events, however the bytes are cut."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.rtmp import amf0
from edge.rtmp.chunk_writer import encode_message
from edge.rtmp.commands import encode_command
from edge.rtmp.config import RtmpConfig
from edge.rtmp.events import ConnectRequested, MediaReceived, PublishRequested
from edge.rtmp.server import ServerSession

CHUNK = 128


def command(message_stream_id: int, *values: Any) -> bytes:
    return encode_message(3, 20, message_stream_id, 0, encode_command(*values), CHUNK)


def media(chunk_stream_id: int, type_id: int, message_stream_id: int, at_ms: int, body: bytes) -> bytes:
    return encode_message(chunk_stream_id, type_id, message_stream_id, at_ms, body, CHUNK)


PIECES = {
    "picture": media(6, 9, 1, 40, b"\x27\x01\0\0\0" + bytes(50)),
    "long picture": media(6, 9, 1, 80, b"\x17\x01\0\0\0" + bytes(1000)),
    "sound": media(4, 8, 1, 20, b"\xaf\x01" + bytes(40)),
    "short": media(4, 8, 1, 30, b"\xaf\x01"),
    "empty": media(4, 8, 1, 30, b""),
    "late": media(6, 9, 1, 0x1000000, b"\x27\x01\0\0\0" + bytes(20)),
    "other stream": media(6, 9, 7, 40, b"\x27\x01\0\0\0" + bytes(20)),
    "data": media(5, 18, 1, 50, amf0.encode_all("onMetaData", {"width": 16})),
    "aggregate": media(4, 22, 1, 60, b"\x09\0\0\x0a\0\0\0\0\0\0\0" + b"\x27\x01\0\0\0abcde" + (21).to_bytes(4, "big")),
    "ping": encode_message(2, 4, 0, 0, b"\0\x06\0\0\0\x07", CHUNK),
    "close": command(1, "closeStream", 0, None),
    "publish": command(1, "publish", 5, None, "a", "live"),
    "create": command(0, "createStream", 6, None),
    "delete": command(0, "deleteStream", 7, None, 1),
    "unknown": media(8, 77, 1, 0, b"x"),
    "broken": b"\xc9",
}


def publishing() -> ServerSession:
    session = ServerSession(RtmpConfig(), entropy=random.Random(1).randbytes, now_ms=0)
    session.receive_data(b"\x03BDMS", 0)
    for piece in (command(0, "connect", 1, {"app": "live"}), command(0, "createStream", 2, None), PIECES["publish"]):
        session.receive_data(piece, 0)
        answer(session, session)
    return session


def answer(session: ServerSession, taken: Any) -> list[Any]:
    """What a shell does with events: questions are answered, all are noted."""
    noted: list[Any] = []
    while (event := session.next_event()) is not None:
        if isinstance(event, ConnectRequested):
            session.accept_connect(event.request_id)
        elif isinstance(event, PublishRequested):
            session.accept_publish(event.request_id)
        noted.append(event)
    return noted


def heard(names: list[str], cuts: list[int], *, is_delivered: bool) -> tuple[list[Any], bytes]:
    session, found = publishing(), []
    session.data_to_send()
    if is_delivered:

        def take(run: list[tuple[int, int, bytes]], now_ms: int) -> None:
            found.extend(MediaReceived(1, *each) for each in run)

        session.deliver_media(1, take)
    data = b"".join(PIECES[name] for name in names)
    for start, end in pairwise([0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]):
        session.receive_data(data[start:end], 0)
        found += answer(session, found)
    return [repr(event) for event in found], session.data_to_send()


@given(st.lists(st.sampled_from(sorted(PIECES)), max_size=20), st.lists(st.integers(0, 10_000), max_size=20))
@settings(max_examples=300, deadline=None)
def test_the_order_and_the_answers_are_those_of_the_events(names: list[str], cuts: list[int]) -> None:
    assert heard(names, cuts, is_delivered=True) == heard(names, cuts, is_delivered=False)


def test_media_alone_make_no_events() -> None:
    session, runs = publishing(), []
    session.deliver_media(1, lambda run, now_ms: runs.append((run, now_ms)))
    session.receive_data(PIECES["picture"] + PIECES["sound"] + PIECES["long picture"], 5)
    assert not session.events
    assert [(len(run), now_ms) for run, now_ms in runs] == [(3, 5)]
    session.deliver_media(0, None)
    session.receive_data(PIECES["picture"], 6)
    assert [type(event) for event in session.events] == [MediaReceived]
    assert len(runs) == 1
