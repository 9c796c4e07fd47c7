"""Sessions under any cut of the bytes, and under any bytes at all."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import RemoteProtocolError
from edge.rtmp.events import Noticed, SessionEnded
from edge.rtmp.session import Session
from tests.harness.link import SIMPLIFIED, Peer, command, connect, data, drain, media, message, new_client

SESSION = b"".join(
    (
        SIMPLIFIED,
        connect(stream_multiplexing=True),
        message(1, (256).to_bytes(4, "big"), 0, 2),
        command("createStream", 2, None),
        command("publish", 3, None, "cam", "live", message_stream_id=1),
        data("@setDataFrame", "onMetaData", {"width": 640}),
        media(),
        command("createStream", 4, {"CommandName": "play", "StreamName": "dog"}),
        command("pause", 0, None, True, 0, message_stream_id=2),
        media(bytes(100)),
        command("unknown", 6, None),
        command("createStream", 5, None),
        command("play", 0, None, "..", message_stream_id=3),
        message(4, b"\0\6\0\0\0\1", 0, 2),
        command("FCUnpublish", 7, None, "cam"),
        command("deleteStream", 0, None, 2),
        media(b"x"),
        b"\xc9",
    )
)


def run(cuts: list[int]) -> tuple[list[Any], bytes]:
    peer = Peer()
    sent = b""
    for start, stop in pairwise([0, *cuts, len(SESSION)]):
        peer.send(SESSION[start:stop])
        sent += peer.session.data_to_send()
    return peer.events, sent


WHOLE = run([])


@given(cuts=st.sets(st.integers(1, len(SESSION) - 1), max_size=12))
def test_any_split_gives_the_same_events_and_replies(cuts: set[int]) -> None:
    events, sent = run(sorted(cuts))
    assert [event for event in events if not isinstance(event, SessionEnded)] == [
        event for event in WHOLE[0] if not isinstance(event, SessionEnded)
    ]
    assert events[-1].error.reason == WHOLE[0][-1].error.reason == "chunk_no_header"
    assert sent == WHOLE[1]


def check_survives(session: Session, pieces: list[bytes]) -> None:
    events: list[Any] = []
    for now_ms, piece in enumerate(pieces):
        session.receive_data(piece, now_ms)
        events += drain(session)
    session.handle_timer(10**9)
    session.receive_eof()
    events += drain(session)
    ends = [event for event in events if isinstance(event, SessionEnded)]
    assert len(ends) == 1
    assert events[-1] is ends[0]
    assert ends[0].error is None or isinstance(ends[0].error, RemoteProtocolError)
    assert all(event.reason for event in events if isinstance(event, Noticed))
    session.receive_data(SESSION, 0)
    assert not session.events


@given(garbage=st.lists(st.binary(max_size=200), max_size=8))
def test_garbage_never_escapes_the_server(garbage: list[bytes]) -> None:
    peer = Peer()
    peer.send(SIMPLIFIED, connect(), command("createStream", 2, None))
    check_survives(peer.session, garbage)


@given(garbage=st.lists(st.binary(max_size=200), max_size=8), is_simplified=st.booleans())
def test_garbage_never_escapes_the_client(garbage: list[bytes], is_simplified: bool) -> None:
    session = new_client(is_simplified=is_simplified)
    session.open_play("cam")
    check_survives(session, garbage)


@settings(max_examples=200)
@given(position=st.integers(5, len(SESSION) - 2), value=st.integers(0, 255))
def test_one_wrong_byte_never_escapes(position: int, value: int) -> None:
    damaged = SESSION[:position] + bytes((value,)) + SESSION[position + 1 :]
    check_survives(Peer().session, [damaged])
    client = new_client(is_simplified=True)
    client.open_play("cam")
    check_survives(client, [damaged[5:]])


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.text(max_size=8)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = ("createStream", "deleteStream", "closeStream", "publish", "play", "pause", "seek", "FCPublish", "FCUnpublish")


@given(
    commands=st.lists(
        st.tuples(
            st.sampled_from((*NAMES, "_result", "_error", "onStatus", "x")), st.floats(), st.lists(VALUES, max_size=5)
        ),
        max_size=8,
    ),
    message_stream_id=st.integers(0, 2),
    is_multiplexing=st.booleans(),
)
def test_commands_with_any_arguments_never_escape(
    commands: list[tuple[str, float, list[Any]]], message_stream_id: int, is_multiplexing: bool
) -> None:
    script = [command(name, number, *values, message_stream_id=message_stream_id) for name, number, values in commands]
    peer = Peer()
    peer.send(SIMPLIFIED, connect(stream_multiplexing=is_multiplexing), command("createStream", 2, None), *script)
    if peer.end_reason is None:
        check_survives(peer.session, [])
    client = new_client(is_simplified=True)
    client.open_play("cam")
    check_survives(client, script)
