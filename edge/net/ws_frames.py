"""Frames of a WebSocket (RFC 6455 §5.2), without I/O: what we send, and what little a player says."""

from __future__ import annotations

from dataclasses import dataclass

#: Payload of a control frame, at most (§5.5).
MAX_CONTROL_BYTES = 125
# Of a client's control frame: head, mask and payload. The head of a data frame is shorter.
_MAX_FRAME_BYTES = 2 + 4 + MAX_CONTROL_BYTES

_FINAL = 0x80
_MASKED = 0x80
_CLOSE, _PING, _PONG = 0x8, 0x9, 0xA
_BINARY = 0x2
_KNOWN = frozenset({0x0, 0x1, _BINARY, _CLOSE, _PING, _PONG})

#: Codes of a close (§7.4.1): as it should be, we go away, a rule was broken.
NORMAL, GOING_AWAY, PROTOCOL_ERROR = 1000, 1001, 1002


def binary_header(size: int) -> bytes:
    """What stands before a message of ``size`` bytes that goes in one frame; a server masks nothing (§5.1)."""
    return _header(_BINARY, size)


def close_frame(code: int) -> bytes:
    """The last frame that we send."""
    return _header(_CLOSE, 2) + code.to_bytes(2, "big")


def pong_frame(payload: bytes) -> bytes:
    """The answer to a ping with ``payload`` (§5.5.3)."""
    return _header(_PONG, len(payload)) + payload


def _header(opcode: int, size: int) -> bytes:
    if size <= MAX_CONTROL_BYTES:
        return bytes((_FINAL | opcode, size))
    if size <= 0xFFFF:
        return bytes((_FINAL | opcode, 126)) + size.to_bytes(2, "big")
    return bytes((_FINAL | opcode, 127)) + size.to_bytes(8, "big")


@dataclass(frozen=True, slots=True)
class Ping:
    """The client wants ``payload`` back."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Closing:
    """The client says that it is done, or has broken a rule: ``answer`` is the code to close with."""

    answer: int


Event = Ping | Closing


class ClientFrames:
    """Reads what a client sends that has nothing to say: pings and the close are told, all else is passed over.

    Bytes of data frames are not kept, however many there are. After a ``Closing`` nothing more is read.
    """

    __slots__ = ("_head", "_is_over", "_skip_bytes")

    def __init__(self) -> None:
        self._head = b""  # of a frame that is not whole yet
        self._skip_bytes = 0
        self._is_over = False

    def state(self) -> tuple[bytes, int, bool]:
        """What of a frame has come, what of one is still to be passed over, and whether it is over."""
        return self._head, self._skip_bytes, self._is_over

    def go_on(self, head: bytes, skip_bytes: int, is_over: bool) -> None:
        """Go on where another process has stopped, as ``state`` says."""
        self._head, self._skip_bytes, self._is_over = head, skip_bytes, is_over

    def receive_data(self, data: bytes) -> list[Event]:
        """What the bytes complete, in order."""
        events: list[Event] = []
        buffer = self._head + data if self._head else data
        at, end = 0, len(buffer)
        while at < end and not self._is_over:
            if self._skip_bytes:
                taken = min(self._skip_bytes, end - at)
                self._skip_bytes -= taken
            else:
                taken = self._read_frame(buffer[at : at + _MAX_FRAME_BYTES], events)
            if not taken:
                break
            at += taken
        self._head = buffer[at:]
        return events

    def _read_frame(self, buffer: bytes, events: list[Event]) -> int:
        """Bytes of a control frame, or of the head of a data frame; 0 while more are needed."""
        if len(buffer) < 2:
            return 0
        opcode, size = buffer[0] & 0x0F, buffer[1] & 0x7F
        is_control = opcode >= _CLOSE
        is_broken = bool(buffer[0] & 0x70) or opcode not in _KNOWN or not buffer[1] & _MASKED
        if is_broken or (is_control and (size > MAX_CONTROL_BYTES or not buffer[0] & _FINAL)):
            return self._end(buffer, events, PROTOCOL_ERROR)
        start = {126: 4, 127: 10}.get(size, 2)
        if len(buffer) < start:
            return 0
        if start > 2:
            size = int.from_bytes(buffer[2:start], "big")
            if size >> 63:
                return self._end(buffer, events, PROTOCOL_ERROR)
        if not is_control:
            self._skip_bytes = 4 + size
            return start
        if len(buffer) < start + 4 + size:
            return 0
        if opcode == _CLOSE:
            payload = _unmask(buffer[start : start + 4], buffer[start + 4 : start + 4 + size])
            return self._end(buffer, events, _answer_to_close(payload))
        if opcode == _PING:
            events.append(Ping(_unmask(buffer[start : start + 4], buffer[start + 4 : start + 4 + size])))
        return start + 4 + size

    def _end(self, buffer: bytes, events: list[Event], code: int) -> int:
        self._is_over = True
        events.append(Closing(code))
        return len(buffer)


def _unmask(mask: bytes, payload: bytes) -> bytes:
    return bytes(byte ^ mask[position & 3] for position, byte in enumerate(payload))


def _answer_to_close(payload: bytes) -> int:
    """The code to close with: that of the client, or that a rule was broken (§7.4)."""
    if not payload:
        return NORMAL
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not (1000 <= code <= 1014 or 3000 <= code <= 4999) or code in (1004, 1005, 1006):
        return PROTOCOL_ERROR
    return code
