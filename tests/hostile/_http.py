"""HTTP at the server under attack: a stream that all outputs can carry, and requests whose every byte is given."""

from __future__ import annotations

import re
import time

from tests.harness.clock import deadline, wait_until_sync
from tests.harness.raw_http import RawAnswer, parse_answer, upgrade_lines
from tests.hostile._arena import Row
from tests.hostile._wire import AAC_SEQUENCE_HEADER, AUDIO, AVC_SEQUENCE_HEADER, VIDEO, RawPeer

#: Suffix of the path, and header lines, of each output.
OUTPUTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "flv": (".flv", ()),
    "ws": (".flv", upgrade_lines()),
    "ts": (".ts", ()),
}
#: What begins a body of media: a file header, a frame with one, a packet of a transport stream.
MEDIA = re.compile(rb"\r\n\r\n(FLV\x01|\x82[^F]{1,9}FLV|G@)", re.DOTALL)


def picture(number: int) -> bytes:
    """An H.264 picture of one slice, each 25th a keyframe."""
    unit = (b"\x65" if number % 25 == 0 else b"\x41") + bytes(500)
    return (b"\x17" if number % 25 == 0 else b"\x27") + b"\x01\0\0\0" + len(unit).to_bytes(4, "big") + unit


class Broadcast:
    """A publisher of pictures and sounds.

    Attributes:
        name: of the stream, in the app ``live``.
        peer: its connection.
    """

    def __init__(self, row: Row) -> None:
        self.name = row.arena.new_name()
        self.peer: RawPeer = row.publisher(self.name)
        self._number = 0
        self.peer.media(VIDEO, AVC_SEQUENCE_HEADER)
        self.peer.media(AUDIO, AAC_SEQUENCE_HEADER)
        self.push(30)
        self._row = row
        wait_until_sync(lambda: self._next_index() >= 60, deadline(3), "the first second")

    def _next_index(self) -> int:
        return next((int(row["next_index"]) for row in self._row.server.streams() if row["stream"] == self.name), 0)

    def push(self, count: int) -> None:
        """So many pictures and sounds, 40 ms each."""
        for _ in range(count):
            self.peer.media(VIDEO, picture(self._number), at=self._number * 40)
            self.peer.media(AUDIO, b"\xaf\x01" + bytes(50), at=self._number * 40)
            self._number += 1

    def path(self, output: str = "flv") -> str:
        """Where it is played."""
        return f"/live/{self.name}{OUTPUTS[output][0]}"

    def request(self, output: str = "flv", *lines: str, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
        """The head that asks for it."""
        return head(self.path(output), *OUTPUTS[output][1], *lines, method=method, version=version)


def head(target: str, *lines: str, method: str = "GET", version: str = "HTTP/1.1", host: str = "localhost") -> bytes:
    """A head of a request; ``host`` may be "" for none."""
    named = (f"Host: {host}",) if host else ()
    return "\r\n".join([f"{method} {target} {version}", *named, *lines, "", ""]).encode("latin-1")


def receive(peer: RawPeer, within_s: float, *, until: bytes = b"") -> bytes:
    """What comes up to ``until``, which must, or to the end of the connection or of the time."""
    data, limit = b"", time.monotonic() + within_s
    while not peer.is_closed and time.monotonic() < limit and not (until and until in data):
        data += peer.receive(0.05)
    assert until in data, f"no {until!r} in {data[:300]!r}"
    return data


#: Heads of answers that refuse a play, and what each is counted as.
_REFUSED_PLAY = re.compile(rb"HTTP/1\.1 (\d+) [^\r]*\r\n(?:[^\r]+\r\n)*?x-bd-error-code: ")
_REASONS = {b"400": "bad_name", b"404": "not_found", b"502": "unreachable", b"503": "overload", b"504": "silent"}


def ask(row: Row, data: bytes, within_s: float = 2.0) -> RawAnswer:
    """Send ``data`` on a connection of its own and read until the server closes it, which it must."""
    peer = row.raw()
    peer.send(data)
    found = receive(peer, deadline(within_s))
    assert peer.is_closed, f"the connection stays open after {found[:200]!r}"
    peer.close()
    for status in _REFUSED_PLAY.findall(found):
        row.fails(_REASONS[status])
    return parse_answer(found, "fin")


def play(row: Row, broadcast: Broadcast, output: str = "flv", *lines: str, receive_buffer: int = 0) -> RawPeer:
    """A player that has got the beginning of the stream."""
    peer = row.raw(receive_buffer=receive_buffer)
    peer.send(broadcast.request(output, *lines))
    found = b""

    def has_begun() -> bool:
        nonlocal found
        found += peer.receive(0.05)
        assert not peer.is_closed, f"closed: {found[:300]!r}"
        return MEDIA.search(found) is not None

    wait_until_sync(has_begun, deadline(3), "media")
    return peer


def player_count(row: Row) -> float:
    """Players at the server now."""
    return row.server.counters()["player_count"]
