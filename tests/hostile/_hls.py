"""Requests for HLS at the server under attack, many on one connection, and what is in their answers."""

from __future__ import annotations

import time
from collections.abc import Iterable
from urllib.parse import urljoin

from tests.harness.clock import deadline, wait_until_sync
from tests.harness.m3u8 import Media, parse
from tests.harness.raw_http import RawAnswer, parse_answer
from tests.hostile._arena import Row
from tests.hostile._http import Broadcast, head, receive

CLOSE = "Connection: close"
#: By scheme: suffix of the entry, and of the media playlist.
SCHEMES = {
    "two-level": (".m3u8", ".dynamic.m3u8"),
    "classic": (".classic.m3u8", ".classic.media.m3u8"),
    "low-latency": (".ll.m3u8", ".ll.media.m3u8"),
}


def get(row: Row, path: str, *lines: str, method: str = "GET", host: str = "localhost") -> RawAnswer:
    """One request on a connection of its own."""
    peer = row.raw()
    peer.send(head(path, CLOSE, *lines, method=method, host=host))
    found = receive(peer, deadline(5))
    assert peer.is_closed, f"the connection stays open after {found[:200]!r}"
    peer.close()
    return parse_answer(found, "fin")


def get_all(row: Row, paths: Iterable[str]) -> list[RawAnswer]:
    """Many requests one behind the other; their answers, none of which is chunked, in order."""
    peer, paths = row.raw(), list(paths)
    peer.send(b"".join(head(path) for path in paths[:-1]) + head(paths[-1], CLOSE))
    data, found = receive(peer, deadline(20)), []
    while data:
        answer = parse_answer(data, "fin")
        size = int(answer.headers["content-length"])
        data, answer.body = answer.body[size:], answer.body[:size]
        found.append(answer)
    assert len(found) == len(paths)
    return found


def media_of(answer: RawAnswer) -> Media:
    """A media playlist that keeps all rules."""
    assert answer.status == 200, answer
    found = parse(answer.body.decode())
    assert isinstance(found, Media)
    return found


def beside(path: str, uri: str) -> str:
    """The path that a URI in a playlist means."""
    return urljoin(f"http://h{path}", uri).removeprefix("http://h")


class Watched:
    """A broadcast of which each scheme has a playlist with a whole segment."""

    def __init__(self, row: Row) -> None:
        self.row, self.broadcast = row, Broadcast(row)
        self.name = self.broadcast.name
        self.broadcast.push(5)  # a playlist of what has begun is waited for longer
        peers = [row.raw() for _ in SCHEMES]
        for peer, (_, suffix) in zip(peers, SCHEMES.values(), strict=True):
            peer.send(head(self.path(suffix), CLOSE))
        key = self.name

        def is_watched() -> bool:
            return any(each["stream"] == key and each["players"] for each in row.server.streams())

        wait_until_sync(is_watched, deadline(3), "the viewers")
        self.broadcast.push(110)
        limit = time.monotonic() + deadline(5)
        for peer in peers:
            while not (found := peer.receive(0.2)):
                assert time.monotonic() < limit, "a playlist is missing"
                self.broadcast.push(25)  # who came late, on a busy machine, began late
            assert found.startswith(b"HTTP/1.1 200")
            peer.close()

    def path(self, suffix: str) -> str:
        return f"/live/{self.name}{suffix}"

    def media(self, scheme: str) -> Media:
        return media_of(get(self.row, self.path(SCHEMES[scheme][1])))

    def segment(self, scheme: str, index: int = 0) -> str:
        """Path of a segment that is complete."""
        return self.path("").rpartition("/")[0] + "/" + self.media(scheme).segments[index].uri
