"""Where a foreign upstream goes on after a cut."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.media.frame import AUDIO, VIDEO
from edge.upstream.align import MIN_RUN, Alignment, RunAligner


def body(number: int) -> bytes:
    return b"frame %d" % number


def relayed(numbers: range, shift_ms: int = 0, kind: type[RunAligner] = RunAligner) -> RunAligner:
    aligner = kind()
    for n in numbers:
        aligner.remember(VIDEO if n % 2 else AUDIO, body(n), n * 20 + shift_ms)
    return aligner


def feed(aligner: RunAligner, numbers: range, begin_ms: int | None = None) -> tuple[Alignment, list[int]]:
    """Give a new link's messages, its clock starting at 0, until the aligner has decided."""
    aligner.begin()
    base_ms = numbers[0] * 20 if begin_ms is None else begin_ms
    for position, n in enumerate(numbers):
        result, rest = aligner.add(VIDEO if n % 2 else AUDIO, (n * 20 - base_ms) & 0xFFFFFFFF, body(n))
        if result is not Alignment.PENDING:
            kept = [int(arrived.payload.split()[1]) for arrived in rest]
            return result, kept + list(numbers[position + 1 :])
    return Alignment.PENDING, []


def test_overlap_is_dropped_and_the_clock_found() -> None:
    aligner = relayed(range(100), shift_ms=5000)
    assert aligner.has_tail
    result, rest = feed(aligner, range(80, 130))
    assert result is Alignment.MATCHED
    assert rest == list(range(100, 130))
    assert aligner.shift_ms == 80 * 20 + 5000


def test_overlap_longer_than_the_least_run_is_followed_to_its_end() -> None:
    result, rest = feed(relayed(range(1000)), range(200, 1200))
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
    """Silent sound repeats itself; only time tells one from the other."""
    aligner = RunAligner()
    for n in range(50):
        aligner.remember(AUDIO, b"silence", n * 20)
    aligner.begin()
    results = [aligner.add(AUDIO, n * 25, b"silence")[0] for n in range(MIN_RUN)]
    assert results[-1] is Alignment.GAP


def test_times_may_differ_by_rounding() -> None:
    aligner = relayed(range(50))
    aligner.begin()
    result = Alignment.PENDING
    for n in range(40, 50):
        result, _ = aligner.add(VIDEO if n % 2 else AUDIO, (n - 40) * 20 + n % 2, body(n))
        if result is not Alignment.PENDING:
            break
    assert result is Alignment.MATCHED


def test_clock_of_the_link_may_wrap() -> None:
    result, rest = feed(relayed(range(100)), range(80, 130), begin_ms=85 * 20)
    assert result is Alignment.MATCHED
    assert rest == list(range(100, 130))


def test_overlap_that_breaks_off_is_a_gap() -> None:
    aligner = relayed(range(100))
    aligner.begin()
    result, rest = Alignment.PENDING, []
    for n in [*range(40, 60), *range(300, 320)]:
        result, rest = aligner.add(VIDEO if n % 2 else AUDIO, (n - 40) * 20, body(n))
        if result is not Alignment.PENDING:
            break
    assert result is Alignment.GAP
    assert [int(arrived.payload.split()[1]) for arrived in rest] == [300]


def test_long_overlap_is_cheap() -> None:
    """Each message of the overlap is compared once, not with all of the run each time."""
    compared = 0

    class Counted(RunAligner):
        def _agrees(self, *arguments) -> bool:
            nonlocal compared
            compared += 1
            return super()._agrees(*arguments)

    result, _ = feed(relayed(range(4000), kind=Counted), range(10, 4100))
    assert result is Alignment.MATCHED
    assert compared < 2 * 4000


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
