"""What a foreign server plays again after a cut, and what follows it."""

from __future__ import annotations

from itertools import count

from edge.hub.config import HubConfig
from edge.hub.key import StreamKey
from edge.hub.publisher import Publisher
from edge.hub.stream import Stream
from edge.media.frame import MEDIA, VIDEO, Epoch, Frame
from edge.upstream.foreign import ForeignReceiver

HEADER, OTHER_HEADER = b"\x17\x00\0\0\0one", b"\x17\x00\0\0\0two"
_GOP = 10


class Server:
    """A foreign server with one film, and the stream that we make of it."""

    def __init__(self) -> None:
        self.stream = Stream(StreamKey("_", "live", "s"), HubConfig(), 0)
        self.publisher = Publisher(self.stream, "", 0)
        self.stream.feed.see(self.publisher, 0)
        self.now_ms = 0
        self._numbers = count(1)
        self.connect()

    def connect(self) -> None:
        self.receiver = ForeignReceiver(self.publisher, lambda: Epoch(f"e{next(self._numbers)}"))
        self.receiver.begin()

    def play(self, pictures: range, *, header: bytes = HEADER, film: bytes = b"a") -> None:
        """Play these pictures of the film at once, with the clock beginning at 0."""
        self.receiver.push(VIDEO, 0, header, self.now_ms)
        for n in pictures:
            first = b"\x17\x01" if n % _GOP == 0 else b"\x27\x01"
            self.receiver.push(VIDEO, (n - pictures[0]) * 40, first + b"%s %d" % (film, n), self.now_ms)

    @property
    def frames(self) -> list[Frame]:
        return [frame for frame in self.stream.queue.frames if frame.kind == MEDIA]

    @property
    def numbers(self) -> list[int]:
        return [int(frame.payload.split()[1]) for frame in self.frames]


def test_overlap_after_a_cut_is_left_out_and_the_clock_goes_on() -> None:
    server = Server()
    server.play(range(25))
    server.receiver.begin()
    server.play(range(10, 40))
    assert server.numbers == list(range(40))
    assert [frame.dts_ms for frame in server.frames] == [n * 40 for n in range(40)]
    assert (server.stream.stats.gap_count, server.stream.epoch) == (0, server.frames[0].epoch)


def test_another_film_is_a_gap_with_an_epoch_and_headers_of_its_own() -> None:
    server = Server()
    server.play(range(25))
    first = server.stream.epoch
    server.receiver.begin()
    server.play(range(30), header=OTHER_HEADER, film=b"b")
    assert server.numbers == [*range(25), *range(30)]
    assert server.stream.stats.gap_count == 1
    assert server.stream.epoch is not None and first is not None
    assert (first.id, server.stream.epoch.id) == ("e1", "e2")
    queue = server.stream.queue
    assert [frame.payload for frame in queue.headers_at(queue.end)] == [OTHER_HEADER]


def test_frames_of_a_node_of_ours_count_as_overlap() -> None:
    server = Server()
    server.play(range(25))
    server.connect()
    server.play(range(10, 40))
    assert server.numbers == list(range(40))
    assert server.stream.stats.gap_count == 0


def test_nothing_is_taken_once_somebody_else_feeds_the_stream() -> None:
    server = Server()
    server.play(range(5))
    server.stream.feed.see(Publisher(server.stream, "another", 0), 0)
    server.play(range(5, 10))
    assert server.numbers == list(range(5))
