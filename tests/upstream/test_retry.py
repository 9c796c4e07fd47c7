"""When to try again: the table of the reference, then the defaults.

A script is a list of ``(when the link ended, was it useful, was it a notice)``;
the expected answers are the moment of the next link, or the word of the end.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.upstream.config import UpstreamConfig
from edge.upstream.retry import RetryPolicy

DEFAULTS = UpstreamConfig()
# Settings that make it behave like the reference.
MS = replace(DEFAULTS, max_retry_duration_ms=10000, pull_wait_for_stream=False)

Link = tuple[int, bool]


def run(config: UpstreamConfig, script: list[Link], *, jitter: float = 0.0, notice: bool = False) -> list[int | str]:
    policy = RetryPolicy(config, now_ms=0, jitter=lambda: jitter)
    answers: list[int | str] = []
    for ended_ms, useful in script:
        decision = policy.on_link_ended(ended_ms, was_useful=useful, is_notice=notice)
        answers.append(decision.why if decision.give_up else decision.at_ms)
    return answers


MS_TABLE = {
    "stream does not exist upstream": ([(5, False), (10, False), (15, False)], [5, 10, "never_useful"]),
    "upstream refuses tcp": ([(0, False), (1, False), (1, False)], [0, 1, "never_useful"]),
    "upstream is silent": ([(1000, False), (2000, False), (3000, False)], [1000, 2000, "never_useful"]),
    "was playing 3 s and dies at 20000": (
        [(20000, True), (20001, False), (20002, False), (21001, False), (22001, False)],
        [20000, 20001, 21001, 22001, 23001],
    ),
    "last failure before the end of 10 s is retried": (
        [(20000, True), (20001, False), (20002, False), (30000, False)],
        [20000, 20001, 21001, 30000],
    ),
    "first failure after 10 s ends it": (
        [(20000, True), (20001, False), (20002, False), (30001, False)],
        [20000, 20001, 21001, "retry_expired"],
    ),
    "comes back within 10 s, clock restarts at the next loss": (
        [(20000, True), (20001, False), (29000, True), (38999, False)],
        [20000, 20001, 29000, 38999],
    ),
    "dies within 3 s of the restart of the clock: fast retries are not replenished": (
        [(20000, True), (20001, False), (22999, True), (23500, False)],
        [20000, 20001, 22999, 23999],
    ),
    "dies 3 s after the restart of the clock: fast retries are replenished": (
        [(20000, True), (20001, False), (23000, True), (23001, False), (23002, False)],
        [20000, 20001, 23000, 23001, 24001],
    ),
    "upstream flaps and each link delivers": (
        [(number * 9000, True) for number in range(1, 8)],
        [number * 9000 for number in range(1, 8)],
    ),
}


@pytest.mark.parametrize("row", MS_TABLE)
def test_table_of_the_reference(row: str) -> None:
    script, expected = MS_TABLE[row]
    assert run(MS, script) == expected


def test_a_server_that_has_said_that_it_stops_is_asked_sooner_for_5_s() -> None:
    policy = RetryPolicy(DEFAULTS, now_ms=0, jitter=lambda: 0.0)
    policy.on_link_useful()
    policy.on_server_leaving()
    answers = []
    now_ms, was_useful = 20000, True
    while now_ms < 27000:
        decision = policy.on_link_ended(now_ms, was_useful=was_useful)
        answers.append((decision.at_ms, decision.why))
        now_ms, was_useful = max(decision.at_ms, now_ms + 1), False
    assert answers[:4] == [(20000, "fast"), (20001, "fast"), (20101, "restart"), (20201, "restart")]
    assert [at_ms for at_ms, why in answers if why == "interval"] == [26001, 27001]
    # It is back: when it is lost without a word the next time it has not been stopped.
    assert [run_on(policy, at_ms, at_ms == 40000) for at_ms in (40000, 40001, 40002)] == ["fast", "fast", "interval"]


def run_on(policy: RetryPolicy, ended_ms: int, was_useful: bool) -> str:
    return policy.on_link_ended(ended_ms, was_useful=was_useful).why


def test_N10_all_servers_refuse() -> None:
    config = replace(DEFAULTS, pull_wait_for_stream=False, max_retry_duration_ms=2000)
    assert run(config, [(0, False), (1, False), (2, False)]) == [0, 1, "never_useful"]
    # After it has played: two fast retries, then one per interval until the duration is over.
    script = [(9000, True), (9001, False), (9002, False), (10001, False), (11001, False)]
    assert run(config, script) == [9000, 9001, 10001, 11001, "retry_expired"]


def test_N13_stream_not_found_everywhere() -> None:
    config = replace(DEFAULTS, pull_wait_for_stream=False, max_retry_duration_ms=2000)
    assert run(config, [(5, False), (10, False), (15, False)], notice=True) == [5, 10, "never_useful"]


def test_no_fast_retries_and_never_useful_is_one_attempt() -> None:
    assert run(replace(MS, fast_retry_count=0), [(5, False)]) == ["never_useful"]


def test_negative_duration_still_ends_streams_that_were_never_useful() -> None:
    config = replace(MS, max_retry_duration_ms=-1)
    assert run(config, [(1, False), (2, False), (3, False)]) == [1, 2, "never_useful"]
    after_play = [(9000, True), (9001, False), (9002, False), (10_000_000, False)]
    assert run(config, after_play) == [9000, 9001, 10001, 10_000_000]


@pytest.mark.parametrize("useful", [False, True])
def test_duration_0_never_retries(useful: bool) -> None:
    assert run(replace(DEFAULTS, max_retry_duration_ms=0), [(5, useful)]) == ["retry_disabled"]


def test_default_waits_for_a_stream_that_never_was() -> None:
    script = [(5, False), (10, False), (15, False), (1015, False), (2015, False), (10**9, False)]
    assert run(DEFAULTS, script) == [5, 10, 1010, 2010, 3010, 10**9]


def test_waiting_is_bounded_by_a_duration() -> None:
    config = replace(DEFAULTS, max_retry_duration_ms=2000)
    assert run(config, [(5, False), (10, False), (15, False), (2001, False)]) == [5, 10, 1010, "retry_expired"]


def test_a_push_does_not_wait_for_its_first_acceptance() -> None:
    policy = RetryPolicy(DEFAULTS, now_ms=0, jitter=lambda: 0.0, waits_for_stream=False)
    assert [policy.on_link_ended(now_ms, was_useful=False).why for now_ms in (1, 2, 3)] == [
        "fast",
        "fast",
        "never_useful",
    ]


def test_default_retries_a_lost_upstream_until_the_clients_leave() -> None:
    script = [(9000, True), (9001, False), (9002, False), (10001, False), (10**9, False)]
    assert run(DEFAULTS, script) == [9000, 9001, 10001, 11001, 10**9]


def test_interval_is_measured_from_the_real_creation() -> None:
    policy = RetryPolicy(replace(DEFAULTS, fast_retry_count=0), now_ms=0, jitter=lambda: 0.0)
    assert policy.on_link_ended(5, was_useful=False).at_ms == 1000
    policy.on_link_created(1300)  # it had to wait for its turn
    assert policy.on_link_ended(1305, was_useful=False).at_ms == 2300


@given(jitter=st.floats(0, 1, exclude_max=True), interval=st.integers(1, 100_000))
def test_jitter_adds_up_to_a_fifth_and_never_shortens(jitter: float, interval: int) -> None:
    config = replace(DEFAULTS, fast_retry_count=0, retry_interval_ms=interval)
    answer = run(config, [(0, False)], jitter=jitter)[0]
    assert isinstance(answer, int) and interval <= answer <= interval * 1.2


def test_publisher_gone_keeps_players_publisher_return_ms() -> None:
    policy = RetryPolicy(DEFAULTS, now_ms=0, jitter=lambda: 0.0)
    policy.on_link_useful()
    assert policy.deadline_ms is None
    assert policy.on_link_ended(50_000, was_useful=True, is_notice=True).at_ms == 50_000
    assert policy.deadline_ms == 60_000
    for now_ms in range(50_001, 60_000, 1000):
        assert not policy.on_link_ended(now_ms, was_useful=False, is_notice=True).give_up
    decision = policy.on_link_ended(60_000, was_useful=False, is_notice=True)
    assert (decision.give_up, decision.why) == (True, "publisher_gone")


def test_publisher_that_comes_back_stops_the_clock() -> None:
    policy = RetryPolicy(DEFAULTS, now_ms=0, jitter=lambda: 0.0)
    policy.on_link_ended(50_000, was_useful=True, is_notice=True)
    policy.on_link_useful()
    assert policy.deadline_ms is None
    assert not policy.on_link_ended(70_000, was_useful=True).give_up
    assert policy.deadline_ms is None


def test_a_new_notice_after_data_starts_the_clock_anew() -> None:
    policy = RetryPolicy(DEFAULTS, now_ms=0, jitter=lambda: 0.0)
    policy.on_link_ended(50_000, was_useful=True, is_notice=True)
    policy.on_link_ended(58_000, was_useful=True, is_notice=True)
    assert policy.deadline_ms == 68_000


def test_loss_without_a_notice_starts_no_clock_and_not_found_afterwards_does() -> None:
    policy = RetryPolicy(DEFAULTS, now_ms=0, jitter=lambda: 0.0)
    policy.on_link_ended(50_000, was_useful=True)
    policy.on_link_ended(90_000, was_useful=False)
    assert policy.deadline_ms is None
    policy.on_link_ended(90_010, was_useful=False, is_notice=True)
    policy.on_link_ended(95_000, was_useful=False)  # the server fails too: the notice stands
    assert policy.deadline_ms == 100_010


def test_notice_for_a_stream_that_never_was_starts_no_clock() -> None:
    policy = RetryPolicy(DEFAULTS, now_ms=0, jitter=lambda: 0.0)
    for now_ms in range(0, 60_000, 1000):
        assert not policy.on_link_ended(now_ms, was_useful=False, is_notice=True).give_up
    assert policy.deadline_ms is None


def test_publisher_return_0_ends_at_the_notice() -> None:
    config = replace(DEFAULTS, publisher_return_ms=0)
    assert run(config, [(5000, True)], notice=True) == ["publisher_gone"]


def test_link_left_in_order_counts_as_a_loss_of_now() -> None:
    """A stream that has run for long goes to another server; when that fails it is not too late to retry."""
    policy = RetryPolicy(UpstreamConfig(max_retry_duration_ms=5000), now_ms=0, jitter=lambda: 0.0)
    policy.on_link_useful()
    policy.on_link_left(100_000)
    policy.on_link_created(100_000)
    decision = policy.on_link_ended(100_500, was_useful=False)
    assert (decision.give_up, decision.why) == (False, "fast")


def test_search_through_the_servers_is_no_retry() -> None:
    policy = RetryPolicy(replace(DEFAULTS, max_search_servers=3), now_ms=0, jitter=lambda: 0.0)
    words = [policy.on_link_ended(0, was_useful=False, is_notice=True, is_search=True).why for _ in range(6)]
    assert words == ["search"] * 3 + ["fast"] * 2 + ["interval"]
    policy.on_link_useful()
    assert policy.on_link_ended(10, was_useful=True, is_notice=True, is_search=True).why == "search"


def test_search_does_not_outlive_the_wait_for_a_publisher() -> None:
    policy = RetryPolicy(DEFAULTS, now_ms=0, jitter=lambda: 0.0)
    assert not policy.on_link_ended(0, was_useful=True, is_notice=True).give_up
    late = policy.on_link_ended(DEFAULTS.publisher_return_ms, was_useful=False, is_notice=True, is_search=True)
    assert late.why == "publisher_gone"
