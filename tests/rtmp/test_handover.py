"""A session that goes on in another object after any byte is the same session."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import HandoverError
from edge.rtmp.config import RtmpConfig
from edge.rtmp.events import SessionEnded
from edge.rtmp.handover import VERSION, export_session, resume_session
from edge.rtmp.server import ServerSession
from tests.harness.link import CONFIG, SIMPLIFIED, Peer, command, connect, entropy, media, message, new_server
from tests.properties.test_session_properties import SESSION

CAPTURES = sorted((Path(__file__).parent.parent / "vectors" / "rtmp").glob("*.bin"))
PING = message(4, b"\0\6\0\0\0\1", 0, 2)


def move(session: ServerSession, config: RtmpConfig = CONFIG) -> ServerSession:
    document = export_session(session)
    assert export_session(session) == document, "looking has changed it"
    moved = resume_session(document, config, entropy=entropy, edge_id="server")
    assert export_session(moved) == document
    return moved


def run(data: bytes, cuts: list[int], *, is_moved: bool, config: RtmpConfig = CONFIG) -> tuple[list[Any], bytes]:
    """Events and replies of a client that sends ``data`` in pieces; the session moves between any two of them."""
    peer, sent = Peer(new_server(config)), b""
    for now_ms, (start, stop) in enumerate(pairwise([0, *cuts, len(data)])):
        peer.send(data[start:stop], now_ms=now_ms)
        if is_moved and not peer.session.is_ended:
            peer.session = move(peer.session, config)  # with what is still to be sent
        sent += peer.session.data_to_send()
    return peer.events, sent


def check_alike(data: bytes, cuts: list[int], config: RtmpConfig = CONFIG) -> None:
    (events, sent), (moved_events, moved_sent) = (run(data, cuts, is_moved=way, config=config) for way in (False, True))
    assert moved_sent == sent
    assert [repr(event) for event in moved_events] == [repr(event) for event in events]
    assert [event for event in moved_events if not isinstance(event, SessionEnded)] == [
        event for event in events if not isinstance(event, SessionEnded)
    ]


@settings(deadline=None)
@given(cuts=st.sets(st.integers(1, len(SESSION) - 1), max_size=12))
def test_a_session_that_moves_anywhere_is_the_same_session(cuts: set[int]) -> None:
    check_alike(SESSION, sorted(cuts))


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_real_publishers_do_not_notice(path: Path) -> None:
    data = path.read_bytes()
    every = max(len(data) // 400, 1)
    check_alike(data, list(range(1, 64)) + list(range(64, len(data), every)))


def test_each_byte_of_a_handshake_and_of_a_session_may_be_the_last_one() -> None:
    check_alike(SESSION, list(range(1, len(SESSION))))
    shake = b"\x03" + bytes(1536) + bytes(1536) + connect()
    check_alike(shake, list(range(1, len(shake), 7)))


def test_a_question_is_answered_in_the_other_process() -> None:
    peer = Peer(is_answering=False)
    (asked,) = [event for event in peer.send(SIMPLIFIED, connect()) if hasattr(event, "request_id")]
    peer.send(command("createStream", 2, None))  # it waits for the answer
    peer.session = move(peer.session)
    peer.session.accept_connect(asked.request_id)
    peer.is_answering = True
    peer.drain()
    assert [values[0] for _, values in peer.received().commands] == ["_result", "onBWDone", "_result"]


def test_a_fault_behind_what_waits_comes_after_it() -> None:
    peer = Peer(is_answering=False)
    (asked,) = [event for event in peer.send(SIMPLIFIED, connect(), PING, b"\xc9") if hasattr(event, "request_id")]
    peer.session = move(peer.session)
    peer.session.accept_connect(asked.request_id)
    peer.drain()
    assert peer.end_reason == "chunk_no_header"


def test_what_waits_for_its_owner_is_not_exported() -> None:
    session = new_server()
    session.receive_data(SIMPLIFIED + connect(), 0)
    with pytest.raises(HandoverError) as refused:
        export_session(session)
    assert refused.value.reason == "handover_busy"
    session.receive_eof()
    session.events.clear()
    with pytest.raises(HandoverError) as refused:
        export_session(session)
    assert refused.value.reason == "handover_refused"


def test_a_document_of_another_version_is_refused_as_such() -> None:
    peer = Peer()
    peer.send(SIMPLIFIED, connect())
    fields = msgspec.msgpack.decode(export_session(peer.session))
    newer = msgspec.msgpack.encode({**fields, "version": VERSION + 1, "whatever": [1]})
    with pytest.raises(HandoverError) as refused:
        resume_session(newer, CONFIG, entropy=entropy)
    assert refused.value.reason == "handover_version"


def test_what_is_no_document_is_refused() -> None:
    peer = Peer()
    peer.send(SIMPLIFIED, connect(), command("createStream", 2, None))
    peer.send(command("publish", 3, None, "cam", message_stream_id=1), media()[:-1])
    document = export_session(peer.session)
    fields = msgspec.msgpack.decode(document)
    not_begun = {**fields, "reader": {**fields["reader"], "opened": [3]}}
    broken = [document[:end] for end in range(0, len(document), 37)] + [document + b"\0", b"", b"\xc1"]
    broken += [msgspec.msgpack.encode(each) for each in (not_begun, {**fields, "state": "x"}, {**fields, "more": 1})]
    for each in broken:
        with pytest.raises(HandoverError) as refused:
            resume_session(each, CONFIG, entropy=entropy)
        assert refused.value.reason == "handover_malformed"
