"""What a foreign server plays again after a cut, and what follows it."""

from __future__ import annotations

from itertools import count

from edge.hub.config import HubConfig
from edge.hub.hop import HopReceiver
from edge.hub.key import StreamKey
from edge.hub.publisher import Publisher
from edge.hub.stream import Stream
from edge.media.frame import AUDIO, DATA, MEDIA, VIDEO, Epoch, Frame
from edge.media.mark import Mark
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
        self.receiver = ForeignReceiver(self.publisher, self.new_epoch)
        self.receiver.begin()

    def new_epoch(self) -> Epoch:
        return Epoch(f"e{next(self._numbers)}")

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


AAC, AAC_2, SOUND, G711 = b"\xaf\x00one", b"\xaf\x00two", b"\xaf\x01", b"\x82"


def headers_of(server: Server) -> list[bytes]:
    """What a newcomer gets before the next frame."""
    queue = server.stream.queue
    return [frame.payload for frame in queue.headers_at(queue.end)]


def play_sound(server: Server, numbers: range, *, first: bytes = SOUND) -> None:
    for n in numbers:
        server.receiver.push(AUDIO, n * 40, first + b"sound %d" % n, server.now_ms)


def test_headers_of_another_film_are_those_that_it_has() -> None:
    """Moved to another server: the publish there has no sound."""
    server = Server()
    server.receiver.push(AUDIO, 0, AAC, 0)
    server.play(range(25))
    assert headers_of(server) == [HEADER, AAC]
    server.receiver.begin()
    server.play(range(30), film=b"b")
    assert headers_of(server) == [HEADER]


def test_headers_stay_where_the_same_film_goes_on() -> None:
    """A silent track's too, of which the other server says nothing."""
    server = Server()
    server.receiver.push(AUDIO, 0, AAC, 0)
    server.play(range(25))
    server.receiver.begin()
    server.play(range(10, 40))
    assert headers_of(server) == [HEADER, AAC]


def test_header_that_changes_among_frames_that_are_compared_stands_in_its_place() -> None:
    server = Server()
    server.receiver.push(AUDIO, 0, AAC, 0)
    play_sound(server, range(20))
    server.receiver.begin()
    server.receiver.push(AUDIO, 0, AAC, 0)
    play_sound(server, range(100, 103))
    server.receiver.push(AUDIO, 0, AAC_2, 0)
    play_sound(server, range(103, 120))
    bodies = [frame.payload for frame in server.stream.queue.frames]
    assert bodies[bodies.index(AAC_2) + 1] == SOUND + b"sound 103"
    assert bodies.index(AAC_2) > bodies.index(SOUND + b"sound 102")
    assert headers_of(server) == [AAC_2]


def test_codec_that_is_withheld_and_back_at_another_server_has_its_header() -> None:
    server = Server()
    server.receiver.push(AUDIO, 0, AAC, 0)
    play_sound(server, range(20))
    play_sound(server, range(20, 30), first=G711)
    assert headers_of(server) == []
    server.receiver.begin()
    play_sound(server, range(15, 20))
    play_sound(server, range(20, 30), first=G711)
    play_sound(server, range(30, 40))
    assert (headers_of(server), server.stream.stats.gap_count) == ([AAC], 0)


def test_node_of_ours_after_a_foreign_server_brings_its_own_headers() -> None:
    server = Server()
    server.receiver.push(AUDIO, 0, AAC, 0)
    server.play(range(25))
    hop = HopReceiver(server.publisher)
    hop.push(DATA, 0, Mark("origin", 70, 2800, 0).encode(), 0)
    for type_id, body in ((AUDIO, AAC_2), (AUDIO, SOUND + b"70"), (AUDIO, SOUND + b"71")):
        hop.push(type_id, 2800, body, 0)
    assert headers_of(server) == [AAC_2]
