"""A silent publisher is asked; its bytes, or its kernel's acknowledgement, are an answer."""

from __future__ import annotations

import pytest

from edge.net.liveness import Liveness, Verdict

QUIET_MS, ANSWER_MS, TICK_MS = 5000, 3000, 250


def watch(
    *, until_ms: int, reads_at: tuple[int, ...] = (), acknowledges_from: int | None = None
) -> list[tuple[int, str]]:
    """What is decided at which time, from a last byte at 0 on, WAIT left out; ends with GONE."""
    liveness, found = Liveness(), []
    for now in range(TICK_MS, until_ms + 1, TICK_MS):
        last_read = max((at for at in reads_at if at <= now), default=0)
        verdict = liveness.judge(
            now,
            last_read_ms=last_read,
            has_acknowledged=acknowledges_from is not None and now >= acknowledges_from,
            quiet_ms=QUIET_MS,
            answer_ms=ANSWER_MS,
        )
        if verdict is not Verdict.WAIT:
            found.append((now, verdict.value))
        if verdict is Verdict.GONE:
            break
    return found


def test_one_that_answers_nothing_is_gone_after_the_time_for_an_answer() -> None:
    assert watch(until_ms=60_000) == [(5250, "ask"), (8250, "gone")]


def test_one_whose_kernel_acknowledges_stays_and_is_asked_now_and_then() -> None:
    found = watch(until_ms=60_000, acknowledges_from=0)
    assert {word for _, word in found} == {"ask"}
    assert 8 <= len(found) <= 12


@pytest.mark.parametrize("answers_after_ms", [50, 250, 2750])
def test_one_that_answers_stays(answers_after_ms: int) -> None:
    found = watch(until_ms=10_000, reads_at=(5250 + answers_after_ms,))
    assert found[0] == (5250, "ask")
    assert "gone" not in [word for _, word in found]


def test_one_that_answers_too_late_is_gone() -> None:
    assert watch(until_ms=60_000, reads_at=(8500,))[-1] == (8250, "gone")


def test_bytes_of_any_kind_spare_the_question() -> None:
    assert watch(until_ms=60_000, reads_at=tuple(range(0, 60_000, 4000))) == []


def test_one_that_dies_later_is_gone_later() -> None:
    found = watch(until_ms=60_000, reads_at=tuple(range(0, 20_001, 4000)))
    assert found == [(25_250, "ask"), (28_250, "gone")]


def test_old_question_is_no_fault_of_one_that_has_sent_since() -> None:
    """It was asked, sent media again for a minute, which nobody judged, and fell silent once more."""
    liveness = Liveness()
    options = {"has_acknowledged": False, "quiet_ms": QUIET_MS, "answer_ms": ANSWER_MS}
    assert liveness.judge(6000, last_read_ms=0, **options) is Verdict.ASK
    assert liveness.judge(70_000, last_read_ms=64_000, **options) is Verdict.WAIT
    assert liveness.judge(70_250, last_read_ms=64_000, **options) is Verdict.ASK
    assert liveness.judge(73_250, last_read_ms=64_000, **options) is Verdict.GONE
