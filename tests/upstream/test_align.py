"""Where a foreign upstream goes on after a cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.media.frame import AUDIO, VIDEO
from edge.upstream.align import MIN_RUN, Alignment, RunAligner

STEP_MS = 20
KEY, PICTURE, SOUND = b"\x17\x01", b"\x27\x01", b"\xaf\x01"

#: A message: track, time on the source's clock, payload.
Sent = tuple[int, int, bytes]


def body(number: int) -> bytes:
    return b"frame %d" % number


def relayed(numbers: range, shift_ms: int = 0, kind: type[RunAligner] = RunAligner) -> RunAligner:
    aligner = kind()
    for n in numbers:
        aligner.remember(VIDEO if n % 2 else AUDIO, body(n), n * 20 + shift_ms)
    return aligner


def feed(aligner: RunAligner, numbers: range, begin_ms: int | None = None) -> tuple[Alignment, list[int]]:
    """Give a new link's messages, its clock starting at 0, at once until the aligner has decided."""
    aligner.begin()
    base_ms = numbers[0] * 20 if begin_ms is None else begin_ms
    for position, n in enumerate(numbers):
        result, rest = aligner.add(VIDEO if n % 2 else AUDIO, (n * 20 - base_ms) & 0xFFFFFFFF, body(n), 0)
        if result is not Alignment.PENDING:
            kept = [int(arrived.payload.split()[1]) for arrived in rest]
            return result, kept + list(numbers[position + 1 :])
    return Alignment.PENDING, []


def film(seconds: float, *, gop_s: float, loop_s: float | None = None, still: bool = False) -> list[Sent]:
    """Picture and sound by turns, a message every ``STEP_MS``; with ``loop_s`` the content comes again and again."""
    sent = []
    for n in range(int(seconds * 1000) // STEP_MS):
        at = n if loop_s is None else n % (int(loop_s * 1000) // STEP_MS)
        is_key = at * STEP_MS % int(gop_s * 1000) == 0
        name = b"" if still else b"%d" % at
        if at % 2:
            sent.append((AUDIO, n * STEP_MS, SOUND + name))
        else:
            sent.append((VIDEO, n * STEP_MS, (KEY if is_key else PICTURE) + name))
    return sent


def sound_of(contents: Iterable[bytes]) -> list[Sent]:
    return [(AUDIO, n * STEP_MS, SOUND + content) for n, content in enumerate(contents)]


def after(source: Sequence[Sent], have_ms: int) -> RunAligner:
    """One that has relayed what came before ``have_ms``."""
    aligner = RunAligner()
    for type_id, time_ms, payload in source:
        if time_ms < have_ms:
            aligner.remember(type_id, payload, time_ms + 7000)
    return aligner


def play(
    aligner: RunAligner, source: Sequence[Sent], begin_ms: int, now_ms: int, lump_ms: int = 1
) -> tuple[Alignment, int, int]:
    """Play from ``begin_ms`` of the source, at whose ``now_ms`` we come: what is older is sent at once, the rest live.

    ``lump_ms``: the server writes that often. Returns the result, how long the first message was held, and the
    place in the source of what is relayed first.
    """
    aligner.begin()
    began_ms: int | None = None
    for type_id, time_ms, payload in source:
        if time_ms < begin_ms:
            continue
        arrives_ms = max(-(-time_ms // lump_ms) * lump_ms, now_ms)
        began_ms = arrives_ms if began_ms is None else began_ms
        result, rest = aligner.add(type_id, time_ms - begin_ms, payload, arrives_ms)
        if result is not Alignment.PENDING:
            first_ms = rest[0].wire_timestamp + begin_ms if rest else time_ms + STEP_MS
            return result, arrives_ms - began_ms, first_ms
    return Alignment.PENDING, 0, 0


def test_overlap_is_dropped_and_the_clock_found() -> None:
    aligner = relayed(range(100), shift_ms=5000)
    assert aligner.has_tail
    result, rest = feed(aligner, range(80, 130))
    assert result is Alignment.MATCHED
    assert rest == list(range(100, 130))
    assert aligner.shift_ms == 80 * 20 + 5000


def test_overlap_longer_than_the_least_run_is_followed_to_its_end() -> None:
    result, rest = feed(relayed(range(1000)), range(750, 1200))
    assert result is Alignment.MATCHED
    assert rest == list(range(1000, 1200))


def test_overlap_of_exactly_the_run() -> None:
    result, rest = feed(relayed(range(100)), range(100 - MIN_RUN, 120))
    assert result is Alignment.MATCHED
    assert rest == list(range(100, 120))


def test_too_short_an_overlap_is_a_gap() -> None:
    result, rest = feed(relayed(range(100)), range(100 - MIN_RUN + 1, 120))
    assert result is Alignment.GAP
    assert rest[0] == 100 - MIN_RUN + 1


def test_no_overlap_is_a_gap_and_nothing_is_held_back() -> None:
    result, rest = feed(relayed(range(100)), range(150, 200))
    assert result is Alignment.GAP
    assert rest == list(range(150, 200))


def test_first_link_has_no_tail() -> None:
    assert not RunAligner().has_tail


def test_same_content_at_other_distances_is_no_overlap() -> None:
    """Only time tells one repetition from the other."""
    aligner = RunAligner()
    for n in range(50):
        aligner.remember(AUDIO, b"tone %d" % (n % 2), n * 20)
    aligner.begin()
    results = [aligner.add(AUDIO, n * 25, b"tone %d" % (n % 2), 0)[0] for n in range(MIN_RUN)]
    assert results[-1] is Alignment.GAP


def test_times_may_differ_by_rounding() -> None:
    aligner = relayed(range(50))
    aligner.begin()
    result = Alignment.PENDING
    for n in range(40, 50):
        result, _ = aligner.add(VIDEO if n % 2 else AUDIO, (n - 40) * 20 + n % 2, body(n), 0)
        if result is not Alignment.PENDING:
            break
    assert result is Alignment.MATCHED


def test_clock_of_the_link_may_wrap() -> None:
    result, rest = feed(relayed(range(100)), range(80, 130), begin_ms=85 * 20)
    assert result is Alignment.MATCHED
    assert rest == list(range(100, 130))


@pytest.mark.parametrize(("agreeing", "first"), [(40, 300), (20, 100)], ids=["burst", "maybe_live"])
def test_overlap_that_breaks_off_is_a_gap(agreeing: int, first: int) -> None:
    """What surely came from a cache has been relayed before; of less nobody knows, and it is not lost."""
    aligner = relayed(range(200))
    aligner.begin()
    result, rest = Alignment.PENDING, []
    for n, number in enumerate([*range(100, 100 + agreeing), *range(300, 320)]):
        result, rest = aligner.add(VIDEO if number % 2 else AUDIO, n * 20, body(number), 0)
        if result is not Alignment.PENDING:
            break
    assert result is Alignment.GAP
    assert int(rest[0].payload.split()[1]) == first


def test_long_overlap_is_cheap() -> None:
    """Each message of the overlap is compared once, not with all of the run each time."""
    compared = 0

    class Counted(RunAligner):
        def _agrees(self, *arguments) -> bool:
            nonlocal compared
            compared += 1
            return super()._agrees(*arguments)

    aligner = Counted()
    for type_id, time_ms, payload in (source := film(90, gop_s=35)):
        aligner.remember(type_id, payload, time_ms)
    result, _, _ = play(aligner, [*source, (AUDIO, 90000, SOUND)], 35000, 90000)
    assert result is Alignment.MATCHED
    assert compared < 2 * len(source)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(have=st.integers(20, 120), back=st.integers(1, 60), more=st.integers(20, 60), shift_ms=st.integers(0, 10**9))
def test_any_overlap_gives_each_message_once(have: int, back: int, more: int, shift_ms: int) -> None:
    start = max(have - back, 0)
    aligner = relayed(range(have), shift_ms)
    result, rest = feed(aligner, range(start, have + more))
    if back >= MIN_RUN:
        assert result is Alignment.MATCHED
        assert rest == list(range(have, have + more))
        assert aligner.shift_ms == start * 20 + shift_ms
    else:
        assert result is Alignment.GAP
        assert rest == list(range(start, have + more))


# --- what a cache may hold ---------------------------------------------------------


@pytest.mark.parametrize("gop_s", [1, 2, 10])
@pytest.mark.parametrize("older", [0, 1, 2], ids=["newest_group", "one_more", "two_more"])
def test_cache_of_whole_groups_is_joined_exactly(gop_s: int, older: int) -> None:
    source = film(50, gop_s=gop_s)
    have_ms = 40000 + gop_s * 500
    result, held_ms, first_ms = play(after(source, have_ms), source, 40000 - older * gop_s * 1000, have_ms + 300)
    assert (result, first_ms) == (Alignment.MATCHED, have_ms)
    assert held_ms == 0


def test_first_group_of_all_is_joined_however_long() -> None:
    source = film(40, gop_s=60)
    result, _, first_ms = play(after(source, 30000), source, 0, 30300)
    assert (result, first_ms) == (Alignment.MATCHED, 30000)


def test_cache_of_sound_alone_is_joined_exactly() -> None:
    source = sound_of(b"%d" % n for n in range(1000))
    result, _, first_ms = play(after(source, 15000), source, 9500, 15400)
    assert (result, first_ms) == (Alignment.MATCHED, 15000)


@pytest.mark.parametrize("gop_s", [1, 4])
def test_place_that_no_cache_reaches_is_a_gap(gop_s: int) -> None:
    source = film(60, gop_s=gop_s)
    result, held_ms, first_ms = play(after(source, 50000), source, 20000, 50300)
    assert (result, first_ms) == (Alignment.GAP, 20000)
    assert held_ms == 0


def test_outage_longer_than_a_group_is_a_gap_from_the_keyframe_on() -> None:
    source = film(30, gop_s=2)
    result, _, first_ms = play(after(source, 11000), source, 16000, 17000)
    assert (result, first_ms) == (Alignment.GAP, 16000)


# --- content that comes again ------------------------------------------------------


@pytest.mark.parametrize("loop_s", [10, 30])
@pytest.mark.parametrize("rounds", [1, 2])
def test_looped_film_is_not_taken_for_its_last_round(loop_s: int, rounds: int) -> None:
    """Players froze for a whole round: what came live had been seen a round before."""
    source = film(loop_s * rounds + 20, gop_s=1, loop_s=loop_s)
    begin_ms = (loop_s * rounds + 1) * 1000
    result, held_ms, first_ms = play(after(source, begin_ms - 400), source, begin_ms, begin_ms)
    assert (result, first_ms) == (Alignment.GAP, begin_ms)
    assert held_ms < 200


@pytest.mark.parametrize(
    ("loop_s", "gop_s", "have_s", "begin_s"),
    [(2, 1, 6.7, 7), (2, 2, 6.7, 8), (6, 2, 15.5, 16), (10, 10, 25.0, 30)],
    ids=["2s", "2s_one_group", "6s_three_groups", "10s_one_group"],
)
@pytest.mark.parametrize("lump_ms", [1, 350])
def test_short_loop_that_comes_live_is_held_for_a_moment_only(
    loop_s: float, gop_s: float, have_s: float, begin_s: float, lump_ms: int
) -> None:
    source = film(begin_s + 20, gop_s=gop_s, loop_s=loop_s)
    have_ms, begin_ms = int(have_s * 1000), int(begin_s * 1000)
    result, held_ms, first_ms = play(after(source, have_ms), source, begin_ms, begin_ms, lump_ms)
    assert (result, first_ms) == (Alignment.GAP, begin_ms), "nothing of it has been relayed before"
    assert held_ms <= 1000


def test_short_loop_out_of_a_cache_is_joined_at_its_youngest_place() -> None:
    source = film(30, gop_s=1, loop_s=2)
    result, held_ms, first_ms = play(after(source, 20700), source, 20000, 20900)
    assert (result, first_ms) == (Alignment.MATCHED, 20700)
    assert held_ms == 0


def test_first_repeat_of_a_long_group_that_comes_live_ends_after_two_seconds() -> None:
    """Nothing in the tail says that the film is a loop; its pace does."""
    source = film(60, gop_s=20, loop_s=20)
    result, held_ms, first_ms = play(after(source, 19500), source, 20000, 20000)
    assert (result, first_ms) == (Alignment.GAP, 20000)
    assert 1900 <= held_ms <= 2400


def test_other_server_that_is_a_little_behind_is_joined_exactly() -> None:
    source = film(40, gop_s=2)
    result, held_ms, first_ms = play(after(source, 21500), source, 20000, 20400)
    assert (result, first_ms) == (Alignment.MATCHED, 21500)
    assert 1000 <= held_ms <= 1200


def test_slow_link_that_outruns_the_clock_is_joined_exactly() -> None:
    source = film(40, gop_s=10)
    aligner = after(source, 38000)
    aligner.begin()
    for type_id, time_ms, payload in source[30000 // STEP_MS :]:
        result, _ = aligner.add(type_id, time_ms, payload, (time_ms - 30000) // 3)
        if result is not Alignment.PENDING:
            break
    assert result is Alignment.MATCHED


def test_stream_of_few_messages_is_not_held_until_the_run_is_full() -> None:
    source = [(VIDEO, n * 1000, KEY + b"%d" % n) for n in range(60)]
    result, held_ms, first_ms = play(after(source, 30000), source, 31000, 31000)
    assert (result, first_ms) == (Alignment.GAP, 31000)
    assert held_ms == 2000


# --- silence and slates ------------------------------------------------------------


def silence_between(talk: int, silence: int) -> list[Sent]:
    def contents() -> Iterable[bytes]:
        number = 0
        while True:
            for _ in range(talk):
                number += 1
                yield b"%d" % number
            yield from [b"silence"] * silence

    return sound_of(islice(contents(), 4000))


def test_silence_is_no_proof_of_a_silence_farther_back() -> None:
    """Messages: 200 of talk, 100 of silence, and so on, all 20 ms."""
    source = silence_between(200, 100)
    have_ms = 13000  # in the third talk
    result, held_ms, first_ms = play(after(source, have_ms), source, 16500, 16500)
    assert (result, first_ms) == (Alignment.GAP, 16500)
    assert held_ms <= 700


def test_silence_without_end_is_a_gap_of_which_nothing_is_dropped() -> None:
    source = sound_of([b"silence"] * 2000)
    for begin_ms, now_ms in ((20400, 20400), (17000, 20400)):
        result, held_ms, first_ms = play(after(source, 20000), source, begin_ms, now_ms)
        assert (result, first_ms) == (Alignment.GAP, begin_ms)
        assert held_ms <= 700


def test_silence_in_a_cache_is_joined_by_the_talk_behind_it() -> None:
    source = silence_between(200, 100)
    result, held_ms, first_ms = play(after(source, 12600), source, 11000, 13000)
    assert (result, first_ms) == (Alignment.MATCHED, 12600)
    assert held_ms == 0


def test_silence_under_a_picture_does_not_matter() -> None:
    source = [(t, ms, SOUND if t == AUDIO else content) for t, ms, content in film(40, gop_s=2)]
    result, _, first_ms = play(after(source, 21500), source, 20000, 21900)
    assert (result, first_ms) == (Alignment.MATCHED, 21500)


@pytest.mark.parametrize("begin_s", [22, 23], ids=["next_group", "later"])
def test_slate_that_comes_live_is_held_for_a_moment_only(begin_s: int) -> None:
    """All its pictures are equal, and so is its sound: a loop as long as a group."""
    source = film(60, gop_s=2, still=True)
    result, held_ms, _ = play(after(source, 21500), source, begin_s * 1000, begin_s * 1000)
    assert result is not Alignment.PENDING
    assert held_ms <= 600


def test_slate_out_of_a_cache_is_joined_at_its_youngest_place() -> None:
    source = film(60, gop_s=2, still=True)
    result, held_ms, first_ms = play(after(source, 21500), source, 20000, 21900)
    assert (result, first_ms) == (Alignment.MATCHED, 21500)
    assert held_ms == 0


@pytest.mark.parametrize("content", [lambda n: b"", lambda n: b"%d" % (n % 2)], ids=["equal", "by_turns"])
def test_silence_is_cheap(content: Callable[[int], bytes]) -> None:
    compared = 0

    class Counted(RunAligner):
        def _agrees(self, *arguments) -> bool:
            nonlocal compared
            compared += 1
            return super()._agrees(*arguments)

    aligner = Counted()
    source = sound_of([*map(content, range(4096)), *[b"talk %d" % n for n in range(20)]])
    for type_id, time_ms, payload in source:
        aligner.remember(type_id, payload, time_ms)
    again = sound_of(map(content, range(3000)))
    result, _, _ = play(aligner, again, 0, 60000)
    assert result is Alignment.GAP
    assert compared < 20 * 4096


@pytest.mark.parametrize("older", [1, 2])
def test_cache_with_several_video_tracks_is_joined_exactly(older: int) -> None:
    """A keyframe message of each track: three of them are one group of pictures, not three."""
    source: list[Sent] = []
    for time_ms, payload in ((time_ms, payload) for type_id, time_ms, payload in film(30, gop_s=4) if type_id == VIDEO):
        source.append((VIDEO, time_ms, payload))
        for track in (1, 2, 3):
            first = 0x96 if payload.startswith(KEY) else 0xA6
            source.append((VIDEO, time_ms, bytes((first, 1)) + b"avc1" + bytes((track,)) + payload))
    begin_ms = (5 - older) * 4000
    assert play(after(source, 23_000), source, begin_ms, 23_000)[0] is Alignment.MATCHED


@pytest.mark.parametrize("factor", [44.1 / 48, 0.5, 2.0], ids=["slow", "half", "double"])
def test_cache_of_a_stream_with_a_wrong_clock_is_joined_exactly(factor: float) -> None:
    source = [(t, int(ms * factor) if t == AUDIO else ms, payload) for t, ms, payload in film(600, gop_s=2)]
    have, begin = len(source) - 100, len(source) - 400
    for place in (begin, begin + 1):
        aligner = RunAligner()
        for type_id, time_ms, payload in source[:have]:
            aligner.remember(type_id, payload, time_ms)
        aligner.begin()
        result = Alignment.PENDING
        for number in range(place, len(source)):
            type_id, time_ms, payload = source[number]
            result, rest = aligner.add(type_id, (time_ms - source[place][1]) & 0xFFFFFFFF, payload, 0)
            if result is not Alignment.PENDING:
                break
        assert result is Alignment.MATCHED
        assert number - len(rest) == have - 1
