"""HTTP/2 and gRPC that no honest client sends: frames, floods, headers, messages, deadlines.

Where the library behind gives another code than one would expect, or serves what it may, the stream or the
connection has to be over in time all the same, and everybody else is served.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest

from edge.control.server import MAX_PUBLIC_STREAMS
from tests.harness.clock import deadline
from tests.hostile._arena import Row
from tests.hostile._h2 import (
    ACK,
    CHECK,
    CONTINUATION,
    DATA,
    EMPTY,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH,
    RST,
    SETTINGS,
    WATCH,
    WINDOW,
    H2Peer,
    block,
    call,
    frame,
    literal,
    literal_kept,
)

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = range(4)
FRAME_SIZE_ERROR, COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 6, 9, 11
OK, INVALID_ARGUMENT, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL = 0, 3, 4, 8, 12, 13


def begun(stream: int = 1) -> bytes:
    """Headers of a call whose message is yet to come."""
    return frame(HEADERS, block(), flags=END_HEADERS, stream=stream)


def whole(headers: bytes, stream: int = 1) -> bytes:
    """A call with odd headers."""
    return frame(HEADERS, headers, flags=END_HEADERS, stream=stream) + frame(
        DATA, EMPTY, flags=END_STREAM, stream=stream
    )


def ended_with(row: Row, sent: bytes, code: int, reason: str, settings: bytes = b"") -> None:
    """H2C(code): the end of the connection, of which its client is told, and which is counted."""
    peer = H2Peer(row, settings)
    peer.send(sent)
    assert peer.closes().goaway == code, peer.told
    row.fails(reason)
    row.logs(reason, peer.raw, "I")


LARGE = bytes(16385)
BROKEN = {
    "too_large": (begun() + frame(DATA, LARGE, stream=1), FRAME_SIZE_ERROR),
    "larger_than_any": (frame(DATA, b"", stream=1, size=0xFFFFFF), FRAME_SIZE_ERROR),
    "even_id": (begun(2), PROTOCOL_ERROR),
    "id_zero": (begun(0), PROTOCOL_ERROR),
    "decreasing_id": (call(5) + begun(3), PROTOCOL_ERROR),
    "data_on_idle": (frame(DATA, b"x", stream=7), PROTOCOL_ERROR),
    "data_on_none": (frame(DATA, b"x"), PROTOCOL_ERROR),
    "padding_of_nothing": (begun() + frame(DATA, flags=PADDED, stream=1), PROTOCOL_ERROR),
    "promise": (frame(PUSH, bytes(4) + block(), flags=END_HEADERS, stream=1), PROTOCOL_ERROR),
    "short_ping": (frame(PING, bytes(7)), FRAME_SIZE_ERROR),
    "settings_on_stream": (frame(SETTINGS, stream=1), PROTOCOL_ERROR),
    "split_by_others": (frame(HEADERS, block(), stream=1) + frame(PING, bytes(8)), PROTOCOL_ERROR),
}


@pytest.mark.parametrize("name", BROKEN)
def test_G1_frames_that_may_not_be(row: Row, name: str) -> None:
    sent, code = BROKEN[name]
    ended_with(row, sent, code, "h2_frame_size" if code == FRAME_SIZE_ERROR else "h2_protocol")


def test_G1_padding_that_is_longer_than_what_it_is_in(row: Row) -> None:
    padded = frame(HEADERS, b"\xff" + block(), flags=END_HEADERS | PADDED, stream=1)
    ended_with(row, padded, PROTOCOL_ERROR, "h2_protocol")
    peer = H2Peer(row)
    peer.send(begun(), frame(DATA, b"\xffxx", flags=PADDED, stream=1))
    assert peer.ends().statuses.get(1) != OK, peer.told


def test_P6_preface_twice(row: Row) -> None:
    ended_with(row, PREFACE, FRAME_SIZE_ERROR, "h2_frame_size")


def test_G2_requests_that_are_reset_at_once(row: Row) -> None:
    flood = b"".join(begun(stream) + frame(RST, bytes(4), stream=stream) for stream in range(1, 2001, 2))
    ended_with(row, flood, ENHANCE_YOUR_CALM, "h2_resets")


def test_G2_resets_that_we_are_made_to_send(row: Row) -> None:
    """Each padding that cannot be makes the server reset one of its own streams; they are sent as it keeps up."""
    peer = H2Peer(row)
    for first in range(1, 1001, 100):
        streams = range(first, first + 100, 2)
        peer.send(*(begun(stream) + frame(DATA, b"\xffxx", flags=PADDED, stream=stream) for stream in streams))
        if peer.ends(streams[-1]).goaway is not None or peer.raw.is_closed:
            break
    told = peer.closes()
    assert 100 < len(told.resets) < 500 and told.goaway in (ENHANCE_YOUR_CALM, None)
    row.fails("h2_resets")


FLOODS = {
    "settings": frame(SETTINGS),
    "ping": frame(PING, bytes(8)),
    "priority": frame(PRIORITY, bytes(5), stream=1),
    "empty_data": frame(DATA, stream=1),
    "window_update": frame(WINDOW, b"\0\0\0\1", stream=1),
    "unknown": frame(77),
}


@pytest.mark.parametrize("name", FLOODS)
def test_G3_floods_of_small_frames(row: Row, name: str) -> None:
    ended_with(row, begun() + FLOODS[name] * 20_000, ENHANCE_YOUR_CALM, "h2_control_frames")


def test_G3_a_header_block_without_an_end(row: Row) -> None:
    piece = frame(CONTINUATION, b"", stream=1)
    ended_with(row, frame(HEADERS, block(), stream=1) + piece * 20_000, ENHANCE_YOUR_CALM, "h2_header_block")
    large = frame(CONTINUATION, bytes(5000), stream=1)
    ended_with(row, frame(HEADERS, b"", stream=1) + large * 2, ENHANCE_YOUR_CALM, "h2_header_block")


BOMB = block() + literal_kept(b"a", b"x" * 3900) + b"\xbe" * 4000
COMPRESSED = {
    "table_above_the_limit": b"\x3f\xe1\xff\xff\x03" + block(),
    "table_changed_inside": block() + b"\x20",
    "table_changed_a_hundred_times": b"\x20" * 100 + block(),
    "endless_number": b"\xff" * 12 + b"\x7f",
    "index_of_nothing": b"\xff\x80\x01",
}


@pytest.mark.parametrize("name", COMPRESSED)
def test_G4_header_blocks_that_are_nonsense(row: Row, name: str) -> None:
    ended_with(row, whole(COMPRESSED[name]), COMPRESSION_ERROR, "h2_protocol")


def test_G4_small_blocks_of_huge_headers(row: Row) -> None:
    ended_with(row, whole(BOMB), ENHANCE_YOUR_CALM, "h2_header_list")
    ended_with(
        row, whole(block(CHECK, *((b"a%d" % n, b"x" * 200) for n in range(60)))), ENHANCE_YOUR_CALM, "h2_header_block"
    )


def test_G4_text_that_cannot_be_decoded_harms_nobody(row: Row) -> None:
    peer = H2Peer(row)
    peer.send(whole(block() + b"\x00\x01a\x84\xff\xff\xff\xff"))
    peer.ends()
    H2Peer(row).answers(1)


WINDOWS = {
    "nothing": (begun() + frame(WINDOW, bytes(4), stream=1), b"", PROTOCOL_ERROR),
    "nothing_for_all": (frame(WINDOW, bytes(4)), b"", PROTOCOL_ERROR),
    "too_much": (begun() + frame(WINDOW, b"\x7f\xff\xff\xff", stream=1), b"", FLOW_CONTROL_ERROR),
    "too_much_for_all": (frame(WINDOW, b"\x7f\xff\xff\xff"), b"", FLOW_CONTROL_ERROR),
    "too_large_at_first": (b"", bytes.fromhex("000480000000"), FLOW_CONTROL_ERROR),
    "frames_too_small": (b"", bytes.fromhex("000500000001"), PROTOCOL_ERROR),
    "frames_too_large": (b"", bytes.fromhex("0005ffffffff"), PROTOCOL_ERROR),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_G5_windows_and_settings_out_of_range(row: Row, name: str) -> None:
    sent, settings, code = WINDOWS[name]
    ended_with(row, sent, code, "h2_protocol", settings)


def test_G6_a_client_that_never_opens_its_window(custom: Callable[..., Row]) -> None:
    row = custom("-write_stall_timeout_ms=300")
    peer = H2Peer(row, bytes.fromhex("000400000000"))
    peer.send(*(call(stream) for stream in range(1, 101, 2)))
    assert peer.closes(3).goaway == ENHANCE_YOUR_CALM
    row.fails("write_stall")
    H2Peer(row).answers(1)


def test_G7_more_requests_at_once_than_may_be(row: Row) -> None:
    """The library resets them by ENHANCE_YOUR_CALM, where REFUSED_STREAM would say that they may be sent again."""
    peer = H2Peer(row)
    streams = range(1, 2 * 101, 2)
    peer.send(*(frame(HEADERS, block(WATCH), flags=END_HEADERS, stream=stream) for stream in streams))
    peer.ends(201)
    assert peer.told.resets == dict.fromkeys(streams[MAX_PUBLIC_STREAMS:], ENHANCE_YOUR_CALM), peer.told
    peer.raw.close()
    row.wait_gone()


ODD_HEADERS = {
    "upper_case": whole(block(CHECK, (b"Upper", b"x"))),
    "late_pseudo": whole(block(CHECK, (b":path", CHECK.encode()))),
    "second_path": whole(block() + literal(b":path", b"/edge.v1.Node/Status")),
    "unknown_pseudo": whole(block(CHECK, (b":odd", b"x"))),
    "line_break": whole(block(CHECK, (b"a", b"x\r\ny: z"))),
    "zero": whole(block(CHECK, (b"a", b"x\0"))),
    "no_text": whole(block(CHECK, (b"a", b"\xbe\xff"))),
    "connection": whole(block(CHECK, (b"connection", b"close"))),
    "transfer_encoding": whole(block(CHECK, (b"transfer-encoding", b"chunked"))),
    "length": call(1, EMPTY, CHECK, (b"content-length", b"99")),
    "no_path": whole(block(leave_out=(b":path",))),
}


#: Of those that the library refuses: with which status; None where it resets the stream.
REFUSED_HEADERS = {"upper_case": INTERNAL, "unknown_pseudo": INTERNAL, "second_path": UNIMPLEMENTED, "no_path": None}


@pytest.mark.parametrize("name", ODD_HEADERS)
def test_G8_headers_that_may_not_be(row: Row, name: str) -> None:
    """The library refuses names that cannot be, and answers a call with the rest of them as it would without.

    That is no PROTOCOL_ERROR, but harms nobody: a value is bytes that nothing of ours reads, of a name that stands
    twice the last value holds, fields of a connection mean nothing to it, and where a message ends its own prefix
    says, not ``content-length``. Nothing is passed on as HTTP/1.1, where these would become something else.
    """
    peer = H2Peer(row)
    peer.send(ODD_HEADERS[name])
    told = peer.ends()
    assert told.statuses.get(1) == REFUSED_HEADERS.get(name, OK), told
    assert (1 in told.resets) or told.statuses.get(1) in (OK, UNIMPLEMENTED), told
    H2Peer(row).answers(1)


BOMB_MESSAGE = gzip.compress(bytes(20_000_000))
SMALL = gzip.compress(b"")
MESSAGES = {
    "longest": (b"\0\xff\xff\xff\xff", (), RESOURCE_EXHAUSTED),
    "above_the_cap": (b"\0" + (4194305).to_bytes(4, "big"), (), RESOURCE_EXHAUSTED),
    "shorter_than_said": (b"\0\0\0\0\x05ab", (), INTERNAL),
    "longer_than_said": (b"\0\0\0\0\0abcd", (), OK),
    "compressed_by_nothing": (b"\1\0\0\0\0", (), INTERNAL),
    "unknown_encoding": (b"\1\0\0\0\0", ((b"grpc-encoding", b"odd"),), INTERNAL),
    "gzip": (b"\1" + len(SMALL).to_bytes(4, "big") + SMALL, ((b"grpc-encoding", b"gzip"),), UNIMPLEMENTED),
    "gzip_bomb": (
        b"\1" + len(BOMB_MESSAGE).to_bytes(4, "big") + BOMB_MESSAGE[:16000],
        ((b"grpc-encoding", b"gzip"),),
        UNIMPLEMENTED,
    ),
    "none": (b"", (), INTERNAL),
    "two": (EMPTY * 2, (), INVALID_ARGUMENT),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_G9_messages_that_lie_or_swell(row: Row, name: str) -> None:
    """No compression is taken, so that nothing is inflated: the library says UNIMPLEMENTED before it reads a byte.

    It says INTERNAL of an encoding that it has never heard of, and takes what is left behind a whole message, too
    little for another one, for nothing.
    """
    message, more, status = MESSAGES[name]
    peer = H2Peer(row)
    peer.send(call(1, message, CHECK, *more))
    told = peer.ends()
    assert told.statuses[1] == status, told
    H2Peer(row).answers(1)


@pytest.mark.parametrize("path", ["/no.Such/Check", "/grpc.health.v1.Health/No", "/edge.v1.Node/Status", "/", "x"])
def test_G10_calls_of_nothing(row: Row, path: str) -> None:
    peer = H2Peer(row)
    peer.send(call(1, EMPTY, path))
    assert peer.ends().statuses[1] == UNIMPLEMENTED, peer.told
    H2Peer(row).answers(1)


@pytest.mark.parametrize("kind", [b"text/html", b"application/grpcfoo", b""])
def test_G10_other_content_types_get_no_more(row: Row, kind: bytes) -> None:
    """The library looks at no content type, where 415 would be right: it answers what it would, and as gRPC alone.

    Health is there for everybody; all else is not on this port, and changes are refused to what a browser sends.
    """
    for path, status in ((CHECK, OK), ("/edge.v1.Node/Status", UNIMPLEMENTED)):
        peer = H2Peer(row)
        peer.send(call(1, EMPTY, path, (b"content-type", kind)))
        told = peer.ends()
        assert told.statuses[1] == status and b"application/grpc" in told.raw and b"html" not in told.raw, told


@pytest.mark.parametrize("path", ["/status", "/vars", "/api/streams", "/flags", "/health", "/live/canary.flv", "/"])
def test_G10_X1_pages_are_not_there_by_http2(row: Row, path: str) -> None:
    """The library resets a GET, for which 405 would be right: it has no answers of HTTP."""
    peer = H2Peer(row)
    get = block(path, (b":method", b"GET"), leave_out=(b"te", b"content-type"))
    peer.send(frame(HEADERS, get, flags=END_HEADERS | END_STREAM, stream=1))
    told = peer.ends()
    assert told.kinds[DATA] == told.kinds[HEADERS] == 0 and told.resets == {1: INTERNAL_ERROR}, told


@pytest.mark.parametrize(
    ("timeout", "status"), [(b"0n", DEADLINE_EXCEEDED), (b"soon", INTERNAL), (b"99999999H", OK), (b"", INTERNAL)]
)
def test_G11_deadlines_that_are_odd(row: Row, timeout: bytes, status: int) -> None:
    """The library refuses a call whose deadline it cannot read, rather than let it have none."""
    peer = H2Peer(row)
    peer.send(call(1, EMPTY, CHECK, (b"grpc-timeout", timeout)))
    assert peer.ends().statuses[1] == status, peer.told


def test_G11_a_message_that_never_comes_is_not_waited_for(custom: Callable[..., Row]) -> None:
    row = custom("-grpc_default_timeout_ms=300")
    for more in ((), ((b"grpc-timeout", b"99999999H"),)):
        for path in (CHECK, WATCH):
            peer = H2Peer(row)
            peer.send(frame(HEADERS, block(path, *more), flags=END_HEADERS, stream=1))
            assert peer.ends().statuses.get(1) == DEADLINE_EXCEEDED, peer.told


@pytest.mark.parametrize("message", [b"\xff\xff\xff", b"\x0b" * 10_000, b"\x0a\xff"], ids=["nonsense", "nested", "cut"])
def test_G12_messages_that_are_none(row: Row, message: bytes) -> None:
    peer = H2Peer(row)
    peer.send(call(1, b"\0" + len(message).to_bytes(4, "big") + message))
    assert peer.ends().statuses.get(1) == INVALID_ARGUMENT, peer.told
    H2Peer(row).answers(1)


def test_G12_whoever_hangs_up_leaves_nothing(row: Row) -> None:
    H2Peer(row).answers(1)  # what is loaded late is there
    threads, fds = row.server.thread_count, row.server.fds
    for _ in range(30):
        peer = H2Peer(row)
        peer.send(*(call(stream, EMPTY, WATCH) for stream in range(1, 41, 2)))
        peer.take(0.01)
        peer.raw.close()
    row.wait_gone()
    H2Peer(row).answers(1)
    assert row.server.thread_count <= threads + 4 and row.server.fds <= fds + 8


def test_G3_a_ping_and_a_goaway_of_a_client_are_ordinary(row: Row) -> None:
    peer = H2Peer(row)
    peer.send(frame(PING, b"12345678"))
    while not peer.told.kinds[PING]:
        peer.take(deadline(1))
    assert frame(PING, b"12345678", flags=ACK) in peer.told.raw
    peer.send(call(1), frame(GOAWAY, bytes(8)))
    assert peer.ends().statuses[1] == OK and peer.told.goaway in (NO_ERROR, None)
