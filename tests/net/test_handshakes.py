"""Who goes on next and for how long, at times of the test's choice."""

from __future__ import annotations

import heapq

import pytest

from edge.net.handshakes import Budget, HandshakeQueue


def new_queue(max_pending: int = 2, timeout_ms: int = 5000) -> HandshakeQueue[str]:
    return HandshakeQueue(max_pending=max_pending, timeout_ms=timeout_ms, now_us=0, cpu_us=0)


def step(queue: HandshakeQueue[str], now_ms: int = 0, *, is_over: bool = False) -> str | None:
    """Give the next a step that costs nothing."""
    queue.begin_turn(now_ms * 1000, 0)
    item = queue.take(now_ms * 1000, 0)
    if item is not None:
        queue.stepped(item, now_ms * 1000, 0, is_over=is_over)
    return item


def test_only_so_many_are_in_progress_and_the_rest_keep_their_order() -> None:
    queue = new_queue()
    assert (queue.delay_ms(0), len(queue)) == (None, 0)
    for name in "abcd":
        queue.add(name, 0)
    assert (queue.delay_ms(0), queue.waiting_count, len(queue)) == (0, 4, 4)
    assert [step(queue) for _ in range(3)] == ["a", "b", None]
    assert (queue.delay_ms(0), queue.waiting_count) == (None, 2)
    queue.wake("b")
    queue.wake("b")
    assert queue.delay_ms(0) == 0
    assert [step(queue, is_over=True), step(queue), step(queue)] == ["b", "c", None]
    queue.remove("a")
    assert [step(queue), step(queue)] == ["d", None]


def test_old_and_new_take_turns() -> None:
    queue = new_queue(max_pending=10)
    for name in "ab":
        queue.add(name, 0)
    assert [step(queue), step(queue)] == ["a", "b"]
    for name in "cde":
        queue.add(name, 1)
    queue.wake("b")
    queue.wake("a")
    found = [step(queue) for _ in range(6)]
    assert [name for name in found if name in ("a", "b")] == ["b", "a"]
    assert [name for name in found if name in ("c", "d", "e")] == ["c", "d", "e"]
    assert found.index("c") < 2 and found.index("b") < 2 and found[5] is None


def test_many_small_steps_keep_nobody_out() -> None:
    queue = new_queue(max_pending=10)
    queue.add("dribbling", 0)
    step(queue)
    queue.add("new", 1)
    found = []
    for _ in range(3):
        queue.wake("dribbling")
        found.append(step(queue))
    assert "new" in found


def test_what_is_over_has_no_turn() -> None:
    queue = new_queue()
    queue.add("a", 0)
    queue.add("b", 0)
    queue.remove("a")
    queue.remove("a")
    assert [step(queue), step(queue)] == ["b", None]
    queue.wake("b")
    queue.remove("b")
    queue.wake("b")
    assert (step(queue), len(queue)) == (None, 0)


@pytest.mark.parametrize(
    ("now_ms", "gone"),
    [
        (999, {}),
        (1000, {"a": "not done within 1000 ms while others wait"}),
        (2499, {"a": "not done within 1000 ms while others wait"}),
        (2500, {"c": "2 others in progress for 2500 ms"}),
        (
            5000,
            {"a": "not done within 5000 ms", "b": "not done within 5000 ms", "c": "2 others in progress for 2500 ms"},
        ),
    ],
)
def test_S1_S9_nobody_stays_for_ever(now_ms: int, gone: dict[str, str]) -> None:
    queue = new_queue()
    for name in "abc":
        queue.add(name, 0)
    assert [step(queue), step(queue)] == ["a", "b"]
    queue.wake("b")  # it waits for us, not we for it
    assert dict(queue.overdue(now_ms)) == gone
    assert len(queue) == 3 - len(gone)
    assert queue.overdue(now_ms) == []


def test_patience_is_short_only_while_others_wait() -> None:
    queue = new_queue(max_pending=1)
    queue.add("a", 0)
    assert step(queue) == "a"
    assert queue.overdue(4999) == []
    queue.add("b", 4000)
    assert [item for item, _ in queue.overdue(4999)] == ["a"]
    assert step(queue, 4999) == "b"


def test_without_a_timeout_nobody_is_given_up_while_there_are_places() -> None:
    queue = new_queue(max_pending=2, timeout_ms=0)
    queue.add("a", 0)
    queue.add("b", 0)
    assert step(queue) == "a"
    assert queue.overdue(10**9) == []


def test_without_a_time_limit_silent_ones_keep_a_place_for_a_second_once_others_wait() -> None:
    queue = new_queue(max_pending=1, timeout_ms=0)
    queue.add("silent", 0)
    assert step(queue) == "silent"
    assert queue.overdue(1000) == []
    queue.add("waiting", 1000)
    assert queue.overdue(999) == []
    assert queue.overdue(1000) == [("silent", "not done within 1000 ms while others wait")]
    assert step(queue, 1000) == "waiting"
    assert queue.overdue(10**9) == []


def test_a_turn_has_its_time_and_what_was_overdrawn_is_waited_for() -> None:
    budget = Budget(0, 0)
    for _ in range(4):
        assert (budget.has_some, budget.delay_ms(0)) == (True, 0)
        budget.spend(1200, 1200)
    assert not budget.has_some  # 800 us too much, and 850 us come back each ms
    assert [budget.delay_ms(now_us) for now_us in (0, 500, 1000)] == [1, 1, 0]
    budget.begin_turn(1000, 4800)
    assert budget.has_some
    budget.spend(1000, 1000)
    assert [budget.delay_ms(now_us) for now_us in (1000, 2000, 3000)] == [2, 1, 0]
    # However long nothing happens, no more than a turn is saved up.
    budget.begin_turn(150_000, 5800)
    budget.spend(4000, 4000)
    assert not budget.has_some


@pytest.mark.parametrize("slowdown", [1, 3])
@pytest.mark.parametrize(("others_pct", "share_pct"), [(0, 85), (30, 55), (45, 40), (100, 40), (140, 40)])
def test_the_share_is_what_others_leave_and_never_nothing(others_pct: int, share_pct: int, slowdown: int) -> None:
    """Where other programs have most of the core, everything takes longer than its CPU time."""
    budget = Budget(0, 0)
    budget.spend(60_000, 60_000 // slowdown)
    cpu_us = 60_000 // slowdown + 4000 * others_pct // slowdown
    budget.begin_turn(400_000, cpu_us)
    assert abs(budget.share_pct - share_pct) <= 1
    budget.begin_turn(800_000, cpu_us)
    assert budget.share_pct == 85


class Flood:
    """A loop on which players take some of the time, and clients come by the second; microseconds of virtual time."""

    def __init__(self, *, per_s: int, step_us: int, players_pct: int, seconds: int) -> None:
        self.queue = HandshakeQueue[int](max_pending=256, timeout_ms=5000, now_us=0, cpu_us=0)
        self.now_us = self.cpu_us = self.players_us = 0
        self.longest_turn_us = 0
        self.done: list[int] = []
        self.given_up = 0
        self._steps_left: dict[int, int] = {}
        self._answers: list[tuple[int, int]] = []
        arrived = 0
        while self.now_us < seconds * 1_000_000:
            while arrived * 1_000_000 // per_s <= self.now_us:
                self.queue.add(arrived, arrived * 1000 // per_s)
                self._steps_left[arrived] = 2
                arrived += 1
            self._turn(step_us, players_pct)

    def _turn(self, step_us: int, players_pct: int) -> None:
        while self._answers and self._answers[0][0] <= self.now_us:
            self.queue.wake(heapq.heappop(self._answers)[1])
        began_us = self.now_us
        self.queue.begin_turn(self.now_us, self.cpu_us)
        while (item := self.queue.take(self.now_us, self.cpu_us)) is not None:
            # The first step signs; the second is a tenth of that.
            left = self._steps_left[item] = self._steps_left[item] - 1
            self._use(step_us if left else step_us // 10)
            self.queue.stepped(item, self.now_us, self.cpu_us, is_over=not left)
            if left:
                heapq.heappush(self._answers, (self.now_us + 50_000, item))
            else:
                self.done.append(self.now_us)
        self.longest_turn_us = max(self.longest_turn_us, self.now_us - began_us)
        self.given_up += len(self.queue.overdue(self.now_us // 1000))
        # The players do what has come due meanwhile.
        due_us = self.now_us * players_pct // 100 - self.players_us
        self.players_us += max(due_us, 0)
        self._use(max(due_us, 0))
        self.now_us += 500

    def _use(self, us: int) -> None:
        self.now_us += us
        self.cpu_us += us


@pytest.mark.parametrize("step_us", [600, 1200, 5000])  # P-256, RSA-2048, RSA-4096
@pytest.mark.parametrize("players_pct", [0, 30, 55])
def test_S9_a_flood_leaves_players_their_time_and_is_served(step_us: int, players_pct: int) -> None:
    flood = Flood(per_s=1000, step_us=step_us, players_pct=players_pct, seconds=20)
    assert flood.longest_turn_us <= 4000 + step_us
    least_pct = max(40, 85 - players_pct)
    served = len([at for at in flood.done if at >= 10_000_000]) / 10
    # Nearly all of the share becomes handshakes that succeed, also once those given up are many.
    assert served >= min(950, 0.7 * least_pct / 100 * 1_000_000 / (step_us * 1.1))
    assert flood.players_us >= players_pct * 180_000


def test_S9_clients_that_stop_halfway_do_not_keep_others_out() -> None:
    """300 a second say hello and no more: as many as there are places, every second."""
    queue = HandshakeQueue[str](max_pending=256, timeout_ms=5000, now_us=0, cpu_us=0)
    served = 0
    for now_ms in range(0, 10_000, 10):
        for number in range(3):
            queue.add(f"silent {now_ms} {number}", now_ms)
        if now_ms % 100 == 0:
            queue.add(f"honest {now_ms}", now_ms)
        queue.overdue(now_ms)
        queue.begin_turn(now_ms * 1000, 0)
        while (item := queue.take(now_ms * 1000, 0)) is not None:
            is_honest = item.startswith("honest")
            queue.stepped(item, now_ms * 1000, 0, is_over=is_honest)
            served += is_honest
    assert served >= 70
