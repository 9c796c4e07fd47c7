"""What may go through a connection of HTTP/2 and what ends it, by tables of frames."""

from __future__ import annotations

import pytest

from edge.net.config import Http2Config
from edge.net.h2_frames import ACK, END_HEADERS, END_STREAM, PREFACE, Code, Kind, encode_frame, goaway
from edge.net.h2_watch import (
    MAX_CONTINUATIONS,
    MAX_CONTROL_FRAMES,
    PERIOD_MS,
    SMALL_DATA_BYTES,
    Http2Fault,
    Http2Watch,
)

SETTINGS = encode_frame(Kind.SETTINGS)
LIMITS = Http2Config(h2_max_resets=10, h2_max_concurrent_streams=4)


#: A large header that is kept, and then meant a thousand times.
BOMB = encode_frame(
    Kind.HEADERS, b"\x40\x01a\x7f\x81\x1e" + b"x" * 3968 + b"\xbe" * 1000, flags=END_HEADERS, stream_id=1
)


def headers(stream_id: int = 1, *, flags: int = END_HEADERS | END_STREAM, size: int = 10) -> bytes:
    return encode_frame(Kind.HEADERS, b"\x82" * size, flags=flags, stream_id=stream_id)


def window_update(more: int, stream_id: int = 0) -> bytes:
    return encode_frame(Kind.WINDOW_UPDATE, more.to_bytes(4, "big"), stream_id=stream_id)


def reset(stream_id: int = 1) -> bytes:
    return encode_frame(Kind.RST_STREAM, bytes(4), stream_id=stream_id)


def begun(config: Http2Config = LIMITS) -> Http2Watch:
    """One whose client has begun as it must."""
    watch = Http2Watch(config, 0)
    assert watch.client_sent(PREFACE + SETTINGS, 0) is None
    return watch


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (headers(2), Code.PROTOCOL_ERROR),
        (headers(0), Code.PROTOCOL_ERROR),
        (headers(5) + reset(5) + headers(3), Code.PROTOCOL_ERROR),
        (encode_frame(Kind.DATA, b"x", stream_id=1), Code.PROTOCOL_ERROR),
        (encode_frame(Kind.DATA, b"x"), Code.PROTOCOL_ERROR),
        (reset(7), Code.PROTOCOL_ERROR),
        (window_update(1, 9), Code.PROTOCOL_ERROR),
        (encode_frame(Kind.SETTINGS, stream_id=1), Code.PROTOCOL_ERROR),
        (encode_frame(Kind.PUSH_PROMISE, bytes(9), stream_id=1), Code.PROTOCOL_ERROR),
        (encode_frame(Kind.PING, bytes(7)), Code.FRAME_SIZE_ERROR),
        (encode_frame(Kind.PRIORITY, bytes(4), stream_id=1), Code.FRAME_SIZE_ERROR),
        (encode_frame(Kind.RST_STREAM, bytes(5), stream_id=1), Code.FRAME_SIZE_ERROR),
        (encode_frame(Kind.WINDOW_UPDATE, bytes(3)), Code.FRAME_SIZE_ERROR),
        (encode_frame(Kind.SETTINGS, bytes(5)), Code.FRAME_SIZE_ERROR),
        (encode_frame(Kind.SETTINGS, bytes(6), flags=ACK), Code.FRAME_SIZE_ERROR),
        (window_update(0), Code.PROTOCOL_ERROR),
        (window_update((1 << 31) - 1), Code.FLOW_CONTROL_ERROR),
        (headers(1) + window_update((1 << 31) - 1, 1), Code.FLOW_CONTROL_ERROR),
        (encode_frame(Kind.SETTINGS, bytes.fromhex("000480000000")), Code.FLOW_CONTROL_ERROR),
        (encode_frame(Kind.SETTINGS, bytes.fromhex("000500003fff")), Code.PROTOCOL_ERROR),
        (encode_frame(Kind.SETTINGS, bytes.fromhex("000501000000")), Code.PROTOCOL_ERROR),
        (encode_frame(Kind.SETTINGS, bytes.fromhex("000200000002")), Code.PROTOCOL_ERROR),
        (headers(1) + encode_frame(Kind.DATA, flags=8, stream_id=1), Code.PROTOCOL_ERROR),
        (encode_frame(Kind.HEADERS, b"\xff\x82", flags=12, stream_id=1), Code.PROTOCOL_ERROR),
        (encode_frame(Kind.HEADERS, b"\x80", flags=4, stream_id=1), Code.COMPRESSION_ERROR),
        (BOMB, Code.ENHANCE_YOUR_CALM),
    ],
)
def test_frames_that_may_not_be_end_it(sent: bytes, code: Code) -> None:
    fault = begun().client_sent(sent, 0)
    assert fault is not None and (fault.code, fault.is_told) == (code, False) and fault.detail


def test_frames_of_streams_that_are_over_may_still_come() -> None:
    watch = begun()
    assert watch.client_sent(headers(1, flags=END_HEADERS), 0) is None
    watch.server_sent(headers(1), 1)
    late = encode_frame(Kind.DATA, b"x", stream_id=1) + window_update(5, 1) + reset(1)
    assert watch.client_sent(late + encode_frame(Kind.PRIORITY, bytes(5), stream_id=9), 2) is None


def outcome(fault: Http2Fault | None) -> tuple[Code, str] | None:
    return None if fault is None else (fault.code, fault.reason)


def test_an_ordinary_call_goes_through() -> None:
    watch = begun()
    assert (
        watch.client_sent(headers(1, flags=END_HEADERS) + encode_frame(Kind.DATA, b"m", flags=1, stream_id=1), 1)
        is None
    )
    answer = headers(1, flags=END_HEADERS) + encode_frame(Kind.DATA, b"a", stream_id=1) + headers(1)
    assert watch.server_sent(SETTINGS + answer, 2) is None
    assert (watch.stream_count, watch.last_stream_id, watch.is_server_between) == (1, 1, True)


@pytest.mark.parametrize(
    ("sent", "code", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", Code.PROTOCOL_ERROR, "h2_protocol"),
        (PREFACE + headers(), Code.PROTOCOL_ERROR, "h2_protocol"),
        (PREFACE + encode_frame(Kind.SETTINGS, flags=ACK), Code.PROTOCOL_ERROR, "h2_protocol"),
        (PREFACE + PREFACE, Code.FRAME_SIZE_ERROR, "h2_frame_size"),
        (
            PREFACE + SETTINGS + encode_frame(Kind.DATA, bytes(16385), stream_id=1),
            Code.FRAME_SIZE_ERROR,
            "h2_frame_size",
        ),
        (PREFACE + SETTINGS + encode_frame(Kind.CONTINUATION, b"", stream_id=1), Code.PROTOCOL_ERROR, "h2_protocol"),
        (PREFACE + SETTINGS + headers(flags=0) + SETTINGS, Code.PROTOCOL_ERROR, "h2_protocol"),
    ],
    ids=["http1", "no_settings", "settings_ack", "two_prefaces", "too_large", "continuation_of_nothing", "in_a_block"],
)
def test_what_breaks_the_rules_ends_it(sent: bytes, code: Code, reason: str) -> None:
    assert outcome(Http2Watch(LIMITS, 0).client_sent(sent, 0)) == (code, reason)
    by_bytes, found = Http2Watch(LIMITS, 0), None
    for at in range(len(sent)):
        found = found or by_bytes.client_sent(sent[at : at + 1], 0)
    assert outcome(found) == (code, reason)


@pytest.mark.parametrize("is_of_server", [False, True])
def test_resets_are_counted_whoever_sends_them_and_forgotten_after_a_while(is_of_server: bool) -> None:
    def sent(watch: Http2Watch, count: int, now_ms: int) -> Http2Fault | None:
        found = None
        for _ in range(count):
            found = found or (watch.server_sent if is_of_server else watch.client_sent)(reset(), now_ms)
        return found

    watch = begun()
    watch.client_sent(headers(1), 0)
    assert sent(watch, 10, 1) is None
    assert sent(watch, 10, PERIOD_MS) is None
    assert outcome(sent(watch, 1, PERIOD_MS + 1)) == (Code.ENHANCE_YOUR_CALM, "h2_resets")


@pytest.mark.parametrize(
    "frame",
    [
        SETTINGS,
        encode_frame(Kind.PING, bytes(8)),
        encode_frame(Kind.PRIORITY, bytes(5), stream_id=1),
        encode_frame(Kind.DATA, stream_id=1),
        encode_frame(Kind.DATA, bytes(SMALL_DATA_BYTES - 1), stream_id=1),
        encode_frame(Kind.DATA, flags=END_STREAM, stream_id=1),
        window_update(1),
        encode_frame(77, b"unknown"),
    ],
    ids=["settings", "ping", "priority", "empty_data", "small_data", "end_of_nothing", "window_update", "unknown"],
)
def test_small_frames_are_counted_together(frame: bytes) -> None:
    watch = begun()
    watch.client_sent(headers(1), 0)
    assert watch.client_sent(frame * (MAX_CONTROL_FRAMES - 1), 1) is None  # the first SETTINGS was one
    assert outcome(watch.client_sent(frame, 1)) == (Code.ENHANCE_YOUR_CALM, "h2_control_frames")


def test_header_blocks_of_a_stream_that_is_open_are_counted_with_them() -> None:
    watch = begun()
    assert watch.client_sent(headers(1, flags=END_HEADERS) * MAX_CONTROL_FRAMES, 1) is None  # the first opens it
    assert outcome(watch.client_sent(headers(1), 1)) == (Code.ENHANCE_YOUR_CALM, "h2_control_frames")


def test_calls_and_their_messages_are_not_counted_with_them() -> None:
    watch = begun()
    message = encode_frame(Kind.DATA, bytes(SMALL_DATA_BYTES), stream_id=1)
    assert watch.client_sent(headers(1, flags=END_HEADERS) + message * (2 * MAX_CONTROL_FRAMES), 1) is None
    for number in range(3, 4 * MAX_CONTROL_FRAMES, 2):
        end = encode_frame(Kind.DATA, b"m", flags=END_STREAM, stream_id=number)
        assert watch.client_sent(headers(number, flags=END_HEADERS) + end, 1) is None
        watch.server_sent(headers(number), 1)


def test_header_blocks_have_an_end() -> None:
    piece = encode_frame(Kind.CONTINUATION, b"\x82", stream_id=1)
    watch = begun()
    assert watch.client_sent(headers(flags=0) + piece * MAX_CONTINUATIONS, 0) is None
    assert outcome(watch.client_sent(piece, 0)) == (Code.ENHANCE_YOUR_CALM, "h2_header_block")
    large = encode_frame(Kind.CONTINUATION, bytes(16384), stream_id=1)
    assert outcome(begun().client_sent(headers(flags=0, size=1) + large * 2, 0)) == (
        Code.ENHANCE_YOUR_CALM,
        "h2_header_block",
    )


def test_what_the_server_says_of_the_end_is_counted_and_not_said_twice() -> None:
    watch = begun()
    assert watch.server_sent(goaway(Code.NO_ERROR), 0) is None
    fault = watch.server_sent(goaway(Code.COMPRESSION_ERROR, 0, "bad block"), 0)
    assert fault == Http2Fault(Code.COMPRESSION_ERROR, "h2_protocol", "COMPRESSION_ERROR bad block", is_told=True)
    assert outcome(begun().server_sent(encode_frame(Kind.GOAWAY, bytes(7) + b"\x77"), 0)) == (
        Code.PROTOCOL_ERROR,
        "h2_protocol",
    )


# --- time -------------------------------------------------------------------------


def ends_at(watch: Http2Watch) -> tuple[int | None, tuple[Code, str] | None]:
    """When time would end a connection, and how."""
    at_ms = watch.next_deadline_ms()
    if at_ms is None:
        return None, None
    assert watch.handle_timer(at_ms - 1) is None
    return at_ms, outcome(watch.handle_timer(at_ms))


def test_who_says_nothing_after_the_preface_is_not_waited_for() -> None:
    watch = Http2Watch(LIMITS, 0)
    assert watch.client_sent(PREFACE, 5) is None
    assert ends_at(watch) == (10_000, (Code.SETTINGS_TIMEOUT, "h2_header_timeout"))


def test_a_header_block_that_goes_on_and_on_ends_by_its_first_byte() -> None:
    watch = begun()
    assert watch.client_sent(headers(flags=0), 1000) is None
    assert watch.client_sent(encode_frame(Kind.CONTINUATION, b"x", stream_id=1), 9000) is None
    assert ends_at(watch) == (11_000, (Code.ENHANCE_YOUR_CALM, "h2_header_timeout"))


def test_a_request_without_an_end_does_not_keep_its_place() -> None:
    watch = begun()
    watch.client_sent(headers(1, flags=END_HEADERS), 1000)
    watch.client_sent(headers(3, flags=END_HEADERS), 2000)
    ping = encode_frame(Kind.PING, bytes(8), flags=ACK)
    watch.client_sent(ping + encode_frame(Kind.DATA, b"m", stream_id=1), 9000)
    assert ends_at(watch) == (11_000, (Code.ENHANCE_YOUR_CALM, "h2_request_timeout"))
    watch.client_sent(encode_frame(Kind.DATA, b"m", flags=END_STREAM, stream_id=1), 9500)
    assert ends_at(watch)[0] == 12_000


@pytest.mark.parametrize("end", ["client", "reset", "trailers", "server", "answer"])
def test_a_request_that_is_over_or_being_answered_is_not_waited_for(end: str) -> None:
    watch = begun()
    watch.client_sent(headers(1, flags=END_HEADERS), 1000)
    if end == "client":
        watch.client_sent(encode_frame(Kind.DATA, flags=END_STREAM, stream_id=1), 2000)
    elif end == "answer":
        watch.server_sent(headers(1, flags=END_HEADERS), 2000)
    else:
        sent = watch.server_sent if end == "server" else watch.client_sent
        sent(headers(1) if end == "trailers" else reset(1), 2000)
    assert ends_at(watch)[1] == (Code.NO_ERROR, "h2_idle")


def test_who_does_not_even_answer_pings_has_gone() -> None:
    watch = begun()
    assert watch.client_sent(headers(), 7000) is None
    assert watch.server_sent(encode_frame(Kind.PING, bytes(8)), 30_000) is None
    assert ends_at(watch) == (67_000, (Code.NO_ERROR, "h2_idle"))
    assert watch.client_sent(encode_frame(Kind.PING, bytes(8), flags=ACK), 30_001) is None
    assert ends_at(watch)[0] == 90_001


STALLED = (Code.ENHANCE_YOUR_CALM, "write_stall")


def test_a_window_that_stays_shut_ends_it() -> None:
    watch = begun()
    watch.client_sent(headers(1), 0)
    for _ in range(4):
        watch.server_sent(encode_frame(Kind.DATA, bytes(16383), stream_id=1), 500)
    assert ends_at(watch) == (60_000, (Code.NO_ERROR, "h2_idle"))
    watch.server_sent(encode_frame(Kind.DATA, bytes(3), stream_id=1), 600)
    assert ends_at(watch) == (10_600, STALLED)
    watch.client_sent(window_update(100), 700)  # the stream's own is shut
    assert ends_at(watch) == (10_600, STALLED)
    watch.client_sent(window_update(100, 1), 800)
    assert ends_at(watch)[1] == (Code.NO_ERROR, "h2_idle")


def test_windows_may_be_shut_from_the_beginning_and_opened_by_settings() -> None:
    watch = begun()
    watch.client_sent(encode_frame(Kind.SETTINGS, bytes.fromhex("000400000000")) + headers(1), 100)
    assert ends_at(watch) == (10_100, STALLED)
    watch.client_sent(encode_frame(Kind.SETTINGS, bytes.fromhex("000400000001")), 200)
    assert ends_at(watch)[1] == (Code.NO_ERROR, "h2_idle")


@pytest.mark.parametrize("end", ["client", "server", "answer"])
def test_streams_that_are_over_wait_for_nothing(end: str) -> None:
    watch = begun()
    watch.client_sent(encode_frame(Kind.SETTINGS, bytes.fromhex("000400000000")) + headers(1), 100)
    if end == "client":
        watch.client_sent(reset(1), 200)
    else:
        watch.server_sent(reset(1) if end == "server" else headers(1), 200)
    assert ends_at(watch)[1] == (Code.NO_ERROR, "h2_idle")


def test_no_more_windows_are_kept_than_streams_may_be_open() -> None:
    watch = begun()
    watch.client_sent(b"".join(headers(number) for number in range(1, 2001, 2)), 0)
    assert watch.stream_count == 1000
    assert len(watch._windows) == LIMITS.h2_max_concurrent_streams + 1


def test_limits_may_be_off() -> None:
    off = Http2Config(http_header_timeout_ms=0, http_keepalive_ms=0, write_stall_timeout_ms=0)
    watch = Http2Watch(off, 0)
    watch.client_sent(PREFACE, 0)
    assert watch.next_deadline_ms() is None and watch.handle_timer(10**9) is None


def test_priority_and_padding_are_no_headers() -> None:
    padded = encode_frame(Kind.HEADERS, b"\x03" + bytes(5) + b"\x82" + bytes(3), flags=0x2D, stream_id=1)
    assert begun().client_sent(padded, 0) is None
