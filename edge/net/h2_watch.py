"""Looks on while HTTP/2 goes through to somebody who cannot be told our limits, without I/O.

The server behind reads headers and messages. What it lets pass is looked for here: frames
that may not be, or not on that stream. What it does not bound is counted, in both
directions: resets, small frames that cost much, header blocks and requests without
an end, and answers that are never fetched. A connection that goes too far is ended.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.net.config import Http2Config
from edge.net.h2_frames import (
    ACK,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    INITIAL_WINDOW_SIZE,
    MAX_WINDOW,
    PREFACE,
    Code,
    FrameHead,
    FrameReader,
    FrameTooLargeError,
    Kind,
    fault_of,
    fragment_of,
    settings_of,
)
from edge.net.hpack_size import HeaderSizes, HpackError

#: Resets and control frames are counted over so long.
PERIOD_MS = 10_000
#: Frames of a period that open no stream and carry hardly anything.
MAX_CONTROL_FRAMES = 1000
#: A piece of a message that is smaller, and not its end, is counted with them: a frame costs as much as so many bytes.
SMALL_DATA_BYTES = 256
#: Frames that one header block may go on in, and bytes that all of it may have: each may stand for a large header.
MAX_CONTINUATIONS = 8
MAX_HEADER_BLOCK_BYTES = 8192
#: Names and values of a request, with what each counts besides.
MAX_HEADER_LIST_BYTES = 32768
#: The most that a frame of the server may have; it says so itself.
_SERVER_FRAME_BYTES = (1 << 24) - 1


@dataclass(frozen=True, slots=True)
class Http2Fault:
    """Why a connection is to end.

    Attributes:
        code: what its peer is told.
        reason: stable word for log and counters.
        is_told: the server behind has told the peer already.
    """

    code: Code
    reason: str
    detail: str
    is_told: bool = False


def _protocol_fault(detail: str) -> Http2Fault:
    return Http2Fault(Code.PROTOCOL_ERROR, "h2_protocol", detail)


@dataclass(slots=True)
class _Tally:
    """Counts over a period, which begins anew with what comes after its end."""

    begun_ms: int
    resets: int = 0
    controls: int = 0


class Http2Watch:
    """One connection: what its client and its server send, in the order of coming.

    Attributes:
        last_stream_id: the newest stream that the client has opened.
        stream_count: streams opened so far.
    """

    def __init__(self, config: Http2Config, now_ms: int) -> None:
        self._config = config
        self._preface = PREFACE
        self._client = FrameReader()
        self._server = FrameReader(_SERVER_FRAME_BYTES)
        self._tally = _Tally(now_ms)
        self._opened_ms = now_ms
        self._is_set_up = False
        self._client_ms = now_ms
        self._block_ms: int | None = None
        self._block = b""
        self._continuations = 0
        self._sizes = HeaderSizes()
        self._window, self._initial_window = DEFAULT_WINDOW, DEFAULT_WINDOW
        self._windows: dict[int, int] = {}
        # When requests began that have no end yet and no answer, the oldest first.
        self._asking: dict[int, int] = {}
        self._stalled_ms: int | None = None
        self.last_stream_id = 0
        self.stream_count = 0

    @property
    def is_server_between(self) -> bool:
        """A frame of ours may follow what the server has sent."""
        return self._server.is_between

    # --- what is sent ----------------------------------------------------------

    def client_sent(self, data: bytes, now_ms: int) -> Http2Fault | None:
        """Count what the client has sent; on a fault none of ``data`` may go through."""
        self._client_ms = now_ms
        if self._preface:
            size = min(len(self._preface), len(data))
            if data[:size] != self._preface[:size]:
                return _protocol_fault("no preface")
            self._preface, data = self._preface[size:], data[size:]
        try:
            for head in self._client.frames(data):
                fault = self._client_frame(head, now_ms)
                if fault is not None:
                    return fault
        except FrameTooLargeError as error:
            return Http2Fault(Code.FRAME_SIZE_ERROR, "h2_frame_size", str(error))
        self._look_at_windows(now_ms)
        return None

    def server_sent(self, data: bytes, now_ms: int) -> Http2Fault | None:
        """Count what the server has sent; on a fault ``data`` goes through first."""
        fault = None
        for head in self._server.frames(data):
            fault = fault or self._server_frame(head, now_ms)
        self._look_at_windows(now_ms)
        return fault

    def _client_frame(self, head: FrameHead, now_ms: int) -> Http2Fault | None:
        kind = head.kind
        wrong = fault_of(head)
        if wrong is not None:
            return Http2Fault(
                wrong[0], "h2_frame_size" if wrong[0] is Code.FRAME_SIZE_ERROR else "h2_protocol", wrong[1]
            )
        if not self._is_set_up:
            if kind != Kind.SETTINGS or head.flags & ACK:
                return _protocol_fault(f"begins with a frame of type {kind}")
            self._is_set_up = True
        if self._block_ms is not None and kind != Kind.CONTINUATION:
            return _protocol_fault(f"a frame of type {kind} in a header block")
        if kind == Kind.HEADERS or kind == Kind.CONTINUATION:
            return self._header_frame(head, now_ms)
        if head.stream_id > self.last_stream_id and kind != Kind.PRIORITY:
            return _protocol_fault(f"a frame of type {kind} on stream {head.stream_id}, which is not open")
        if kind == Kind.RST_STREAM:
            self._forget(head.stream_id)
            return self._count_reset(now_ms)
        if kind == Kind.DATA and head.flags & END_STREAM:
            return None if self._asking.pop(head.stream_id, None) is not None else self._count_control(kind, now_ms)
        if kind == Kind.DATA and head.size >= SMALL_DATA_BYTES:
            return None
        if kind == Kind.WINDOW_UPDATE:
            if not self._open_window(head.stream_id, int.from_bytes(head.payload, "big") & MAX_WINDOW):
                return Http2Fault(Code.FLOW_CONTROL_ERROR, "h2_protocol", f"the window of stream {head.stream_id}")
        elif kind == Kind.SETTINGS and not head.flags & ACK:
            self._take_settings(head.payload)
        return self._count_control(kind, now_ms)

    def _header_frame(self, head: FrameHead, now_ms: int) -> Http2Fault | None:
        fault = None
        if head.kind == Kind.HEADERS:
            self._block_ms, self._block, self._continuations = now_ms, b"", 0
            if head.stream_id <= self.last_stream_id:
                if head.stream_id not in self._windows:
                    return _protocol_fault(f"headers on stream {head.stream_id}, which is not open")
                fault = self._count_control(head.kind, now_ms)
                if head.flags & END_STREAM:
                    self._asking.pop(head.stream_id, None)
            elif not head.stream_id % 2:
                return _protocol_fault(f"headers on stream {head.stream_id}, which is none of a client")
            else:
                self.last_stream_id = head.stream_id
                self.stream_count += 1
                # One more than may be there: who opens more is refused by the server, and counted by its resets.
                if len(self._windows) <= self._config.h2_max_concurrent_streams:
                    self._windows[head.stream_id] = self._initial_window
                    if not head.flags & END_STREAM:
                        self._asking[head.stream_id] = now_ms
        elif self._block_ms is None:
            return _protocol_fault("a continuation of nothing")
        else:
            self._continuations += 1
            fault = self._count_control(head.kind, now_ms)
        fragment = fragment_of(head)
        if fragment is None:
            return _protocol_fault("padding that is longer than what it is in")
        self._block += fragment
        if self._continuations > MAX_CONTINUATIONS or len(self._block) > MAX_HEADER_BLOCK_BYTES:
            detail = f"a header block of {self._continuations + 1} frames and {len(self._block)} bytes"
            return Http2Fault(Code.ENHANCE_YOUR_CALM, "h2_header_block", detail)
        if head.flags & END_HEADERS:
            self._block_ms = None
            return fault or self._measured()
        return fault

    def _measured(self) -> Http2Fault | None:
        """A whole block has come."""
        block, self._block = self._block, b""
        try:
            size = self._sizes.measure(block)
        except HpackError as error:
            return Http2Fault(Code.COMPRESSION_ERROR, "h2_protocol", str(error))
        if size > MAX_HEADER_LIST_BYTES:
            return Http2Fault(Code.ENHANCE_YOUR_CALM, "h2_header_list", f"headers of {size} bytes")
        return None

    def _server_frame(self, head: FrameHead, now_ms: int) -> Http2Fault | None:
        if head.kind == Kind.DATA:
            self._window -= head.size
            if head.stream_id in self._windows:
                self._windows[head.stream_id] -= head.size
        if head.kind == Kind.HEADERS:
            self._asking.pop(head.stream_id, None)
        if head.kind in (Kind.DATA, Kind.HEADERS) and head.flags & END_STREAM:
            self._forget(head.stream_id)
        elif head.kind == Kind.RST_STREAM:
            self._forget(head.stream_id)
            return self._count_reset(now_ms)
        elif head.kind == Kind.GOAWAY:
            code = int.from_bytes(head.payload[4:8], "big")
            if code != Code.NO_ERROR:
                known = Code(code) if code <= max(Code) else Code.PROTOCOL_ERROR
                detail = f"{known.name} {head.payload[8:128].decode('ascii', 'replace')}".strip()
                return Http2Fault(known, "h2_protocol", detail, is_told=True)
        return None

    def _forget(self, stream_id: int) -> None:
        """A stream is over."""
        self._windows.pop(stream_id, None)
        self._asking.pop(stream_id, None)

    # --- counts ------------------------------------------------------------------

    def _tally_at(self, now_ms: int) -> _Tally:
        if now_ms - self._tally.begun_ms >= PERIOD_MS:
            self._tally = _Tally(now_ms)
        return self._tally

    def _count_reset(self, now_ms: int) -> Http2Fault | None:
        tally = self._tally_at(now_ms)
        tally.resets += 1
        if tally.resets <= self._config.h2_max_resets:
            return None
        return Http2Fault(Code.ENHANCE_YOUR_CALM, "h2_resets", f"{tally.resets} resets in {PERIOD_MS // 1000} s")

    def _count_control(self, kind: int, now_ms: int) -> Http2Fault | None:
        tally = self._tally_at(now_ms)
        tally.controls += 1
        if tally.controls <= MAX_CONTROL_FRAMES:
            return None
        detail = f"{tally.controls} control frames in {PERIOD_MS // 1000} s, the last of type {kind}"
        return Http2Fault(Code.ENHANCE_YOUR_CALM, "h2_control_frames", detail)

    # --- windows -----------------------------------------------------------------

    def _open_window(self, stream_id: int, more: int) -> bool:
        """False where a window would be larger than one may be."""
        if not stream_id:
            self._window += more
            return self._window <= MAX_WINDOW
        if stream_id in self._windows:
            self._windows[stream_id] += more
            return self._windows[stream_id] <= MAX_WINDOW
        return True

    def _take_settings(self, payload: bytes) -> None:
        for name, value in settings_of(payload):
            if name == INITIAL_WINDOW_SIZE:
                more, self._initial_window = value - self._initial_window, value
                for stream_id in self._windows:
                    self._windows[stream_id] += more

    def _look_at_windows(self, now_ms: int) -> None:
        """Note since when a stream may be sent nothing, or stop noting it."""
        is_shut = bool(self._windows) and (self._window <= 0 or min(self._windows.values()) <= 0)
        if not is_shut:
            self._stalled_ms = None
        elif self._stalled_ms is None:
            self._stalled_ms = now_ms

    # --- time ----------------------------------------------------------------------

    def next_deadline_ms(self) -> int | None:
        """When ``handle_timer`` is to be asked; None for never."""
        config, found = self._config, []
        if config.http_header_timeout_ms:
            if not self._is_set_up:
                found.append(self._opened_ms + config.http_header_timeout_ms)
            if self._block_ms is not None:
                found.append(self._block_ms + config.http_header_timeout_ms)
            if self._asking:
                found.append(next(iter(self._asking.values())) + config.http_header_timeout_ms)
        if config.write_stall_timeout_ms and self._stalled_ms is not None:
            found.append(self._stalled_ms + config.write_stall_timeout_ms)
        if config.http_keepalive_ms:
            found.append(self._client_ms + config.http_keepalive_ms)
        return min(found, default=None)

    def handle_timer(self, now_ms: int) -> Http2Fault | None:
        """Why the connection is to end by now, if it is."""
        config = self._config
        if _has_passed(self._opened_ms if not self._is_set_up else None, config.http_header_timeout_ms, now_ms):
            return Http2Fault(Code.SETTINGS_TIMEOUT, "h2_header_timeout", "no SETTINGS in time")
        if _has_passed(self._block_ms, config.http_header_timeout_ms, now_ms):
            return Http2Fault(Code.ENHANCE_YOUR_CALM, "h2_header_timeout", "a header block without an end")
        if _has_passed(next(iter(self._asking.values()), None), config.http_header_timeout_ms, now_ms):
            return Http2Fault(Code.ENHANCE_YOUR_CALM, "h2_request_timeout", "a request without an end")
        if _has_passed(self._stalled_ms, config.write_stall_timeout_ms, now_ms):
            return Http2Fault(Code.ENHANCE_YOUR_CALM, "write_stall", "the window for an answer stays shut")
        if _has_passed(self._client_ms, config.http_keepalive_ms, now_ms):
            return Http2Fault(Code.NO_ERROR, "h2_idle", "nothing came, not even an answer to a ping")
        return None


def _has_passed(since_ms: int | None, limit_ms: int, now_ms: int) -> bool:
    return bool(limit_ms) and since_ms is not None and now_ms - since_ms >= limit_ms
