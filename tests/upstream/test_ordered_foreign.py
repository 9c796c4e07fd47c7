"""What a foreign server plays is put into order; what it plays again after a cut is left out all the same."""

from __future__ import annotations

from edge.media.frame import AUDIO, VIDEO
from edge.upstream.ordered_foreign import OrderedForeignReceiver
from tests.upstream.test_foreign import HEADER, Server


class LateSound(Server):
    """Each sound comes three pictures after its own."""

    def connect(self) -> None:
        self.receiver = OrderedForeignReceiver(self.publisher, self.new_epoch)
        self.receiver.begin()
        self.stream.retention.claim()  # all of it is looked at

    def play_both(self, pictures: range) -> None:
        self.receiver.push(VIDEO, 0, HEADER, self.now_ms)
        for n in pictures:
            first = b"\x17\x01" if n % 10 == 0 else b"\x27\x01"
            self.receiver.push(VIDEO, n * 40, first + b"a %d" % n, self.now_ms)
            if n - 3 >= pictures[0]:
                self.receiver.push(AUDIO, (n - 3) * 40 + 10, b"\xaf\x01s %d" % (n - 3), self.now_ms)


def test_sound_that_comes_late_is_put_beside_its_picture_and_the_end_brings_the_rest() -> None:
    server = LateSound()
    server.play_both(range(25))
    assert server.numbers[:8] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert len(server.frames) == 2 * 22
    server.receiver.flush(0)
    assert server.numbers[-6:] == [20, 21, 21, 22, 23, 24]
    assert [frame.dts_ms for frame in server.frames] == sorted(frame.dts_ms for frame in server.frames)


def test_overlap_after_a_cut_is_left_out() -> None:
    server = LateSound()
    server.play_both(range(25))
    server.receiver.begin()
    server.play_both(range(10, 40))
    server.receiver.flush(0)
    assert server.numbers == [0, 0, *(n for n in range(1, 37) for _ in "vs"), 37, 38, 39]
    assert server.stream.stats.gap_count == 0
