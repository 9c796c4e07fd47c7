"""What we learned of the servers, and whom that keeps from being asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.upstream.config import UpstreamConfig
from edge.upstream.health import MAX_ISOLATION_MS, MIN_SHARE_PCT, HealthTable
from naming.node import ServerNode

CONFIG = UpstreamConfig()
INTERVAL_MS = CONFIG.health_check_interval * 1000
A, B, C, D = (ServerNode("10.0.0.1", port) for port in range(1, 5))


def table(*servers: ServerNode, slow_start_ms: int = 10_000) -> HealthTable:
    health = HealthTable(replace(CONFIG, slow_start_ms=slow_start_ms), has_slow_start=True)
    health.follow(servers, 0)
    return health


def fail(health: HealthTable, now_ms: int, *servers: ServerNode) -> None:
    for server in servers:
        health.fail(server, 1, now_ms, "refused")


def check(health: HealthTable, error: str) -> int:
    """Let the next connects end in their time, all alike; returns that time."""
    now_ms = health.next_check_ms()
    assert now_ms is not None
    for server in health.begin_checks(now_ms, 100):
        health.end_check(server, error, now_ms)
    return now_ms


def state(health: HealthTable, server: ServerNode, now_ms: int) -> str:
    return str(health.describe(server, now_ms, is_barred=server in health.barred(now_ms))["state"])


def share(health: HealthTable, server: ServerNode, now_ms: int) -> int:
    return int(health.describe(server, now_ms, is_barred=False)["share_pct"])


def test_server_goes_round_the_circle_of_states() -> None:
    health = table(A, B)
    assert state(health, A, 0) == "up"
    fail(health, 1000, A)
    assert (state(health, A, 1099), health.barred(1099)) == ("isolated", {A})
    assert (state(health, A, 1100), health.barred(1100)) == ("checking", {A})
    assert check(health, "Connection refused") == 1100
    assert (state(health, A, 1101), health.barred(1101)) == ("checking", {A})
    now_ms = check(health, "")
    assert now_ms == 1100 + INTERVAL_MS
    assert (state(health, A, now_ms), health.barred(now_ms)) == ("trial", frozenset())
    health.begin_attempt(A, now_ms)
    assert health.barred(now_ms + CONFIG.timeout_ms - 1) == {A}, "one request at a time tries it out"
    assert health.barred(now_ms + CONFIG.timeout_ms) == frozenset(), "the request has ended without a word"
    health.succeed(A, now_ms + 5)
    assert (state(health, A, now_ms + 5), health.barred(now_ms + 5)) == ("slow start", frozenset())
    assert state(health, A, now_ms + 10_000) == "up"
    assert health.next_check_ms() is None


def test_nothing_is_planned_while_no_server_is_down() -> None:
    health = table(A, B)
    health.succeed(A, 5)
    assert health.next_check_ms() is None
    fail(health, 1000, A)
    assert health.next_check_ms() == 1100
    health.succeed(A, 1050)
    assert health.next_check_ms() is None


def test_server_that_listens_again_is_found_within_an_interval() -> None:
    health = table(A, B)
    fail(health, 0, A)
    moments = [check(health, "Connection refused") for _ in range(20)]
    assert moments == [100 + INTERVAL_MS * number for number in range(20)]


def test_one_connect_at_a_time_per_server() -> None:
    health = table(A, B)
    fail(health, 0, A)
    assert health.begin_checks(100, 10) == [A]
    fail(health, 150, A)  # nobody else was up
    assert health.next_check_ms() is None and health.begin_checks(5000, 10) == []
    health.end_check(A, "no answer in 500 ms", 600)
    assert health.next_check_ms() == 100 + INTERVAL_MS


def test_connect_that_takes_longer_than_the_interval_is_followed_by_the_next_at_once() -> None:
    health = table(A, B)
    fail(health, 0, A)
    health.begin_checks(100, 10)
    health.end_check(A, "no answer", 100 + INTERVAL_MS + 7)
    assert health.next_check_ms() == 100 + INTERVAL_MS + 7


def test_connects_beyond_the_limit_begin_later_and_the_longest_due_first() -> None:
    health = table(A, B, C, D)
    fail(health, 0, B)
    fail(health, 1, A, C)
    assert health.begin_checks(500, 2) == [B, A]
    assert health.next_check_ms() == 101


def test_N12_silent_server_is_isolated_for_longer_after_each_trial() -> None:
    health, now_ms, lengths = table(A, B), 0, []
    for _ in range(11):
        fail(health, now_ms, A)
        lengths.append(health.describe(A, now_ms, is_barred=True)["isolated_for_ms"])
        end_ms = now_ms + lengths[-1]
        while (checked_ms := check(health, "")) < end_ms:
            assert health.barred(checked_ms) == {A}, "that it accepts connections does not shorten its isolation"
        assert checked_ms == end_ms and state(health, A, end_ms) == "trial"
        now_ms = end_ms + CONFIG.timeout_ms
    assert lengths == [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]


def test_trial_that_has_failed_is_over() -> None:
    health = table(A, B)
    fail(health, 0, A)
    health.begin_attempt(A, check(health, ""))
    fail(health, 120, A)
    again_ms = check(health, "")
    assert again_ms == 320 and health.barred(again_ms) == frozenset()


def test_N14_flapping_server_keeps_doubling_until_it_holds_30_s() -> None:
    health, now_ms, lengths = table(A, B), 0, []
    for _ in range(5):
        fail(health, now_ms, A)
        lengths.append(health.describe(A, now_ms, is_barred=True)["isolated_for_ms"])
        now_ms = check(health, "")
        health.succeed(A, now_ms + 1)
        now_ms += 100
    assert lengths == [100, 200, 400, 800, 1600]
    now_ms += MAX_ISOLATION_MS
    fail(health, now_ms, A)
    assert health.describe(A, now_ms, is_barred=True)["isolated_for_ms"] == 100


def test_server_asked_while_it_is_down_is_not_isolated_for_longer_than_the_next_check() -> None:
    health = table(A, B)
    fail(health, 0, A, B)
    check(health, "Connection refused")
    for now_ms in range(200, 3000, 200):
        fail(health, now_ms, A, B)
    assert health.next_check_ms() == 100 + INTERVAL_MS
    check(health, "")
    assert state(health, A, 100 + INTERVAL_MS) == "trial"


def test_those_that_are_down_are_not_barred_when_none_is_up() -> None:
    health = table(A, B, C)
    fail(health, 0, A, B, C)
    assert len(health.barred(50)) == 1
    check(health, "Connection refused")
    assert health.barred(100) == frozenset() and health.down(100) == {A, B, C}


def test_N14_at_most_half_is_barred_and_what_is_down_beyond_is_known() -> None:
    health = table(A, B, C, D)
    fail(health, 0, A, B, C)
    assert len(health.barred(50)) == 2 and health.down(50) == frozenset()
    assert sorted(state(health, server, 50) for server in (A, B, C, D)) == ["failing", "isolated", "isolated", "up"]
    check(health, "Connection refused")
    assert len(health.barred(100)) == 2 and health.down(100) == {A, B, C}


def spare(server: ServerNode) -> ServerNode:
    return replace(server, priority=20)


def test_group_of_one_dead_server_is_barred_while_a_spare_one_is_up() -> None:
    health = table(A, spare(B), spare(C))
    fail(health, 0, A)
    assert health.barred(50) == {A} and state(health, A, 50) == "isolated"
    check(health, "Connection refused")
    assert health.barred(100) == {A} and state(health, A, 100) == "checking"
    check(health, "")
    assert health.barred(100 + INTERVAL_MS) == frozenset()
    health.begin_attempt(A, 100 + INTERVAL_MS)
    assert health.barred(101 + INTERVAL_MS) == {A}, "one request at a time tries it out"


def test_half_of_a_group_is_barred_whatever_the_size_of_the_spare_one() -> None:
    health = table(A, B, spare(C), spare(D), spare(ServerNode("10.0.0.1", 5)))
    fail(health, 0, A, D)
    assert health.barred(50) == {A, D}
    fail(health, 60, B)
    assert health.barred(70) == {A, B, D} == health.out(70), "another group works"


def test_when_no_group_has_a_server_that_is_up_half_of_the_list_is_barred() -> None:
    health = table(A, spare(B))
    fail(health, 0, A)
    fail(health, 10, spare(B))
    assert health.barred(50) == {B} and health.out(50) == {A, B}


def test_server_alone_is_neither_barred_nor_checked() -> None:
    health = table(A)
    fail(health, 0, A)
    assert (health.barred(50), health.down(5000), health.next_check_ms()) == (frozenset(), frozenset(), None)
    assert state(health, A, 50) == state(health, A, 5000) == "failing"


def test_server_that_failed_alone_is_checked_once_there_is_another() -> None:
    health = table(A)
    fail(health, 0, A)
    health.follow((A, B), 5000)
    assert health.next_check_ms() == 5000 and health.barred(5000) == {A}
    health.follow((A,), 6000)
    assert health.next_check_ms() is None and health.barred(6000) == frozenset()


def test_without_checks_the_first_request_after_the_isolation_is_the_test() -> None:
    health = table(A, B)
    health.is_checked = False
    fail(health, 1000, A)
    assert health.next_check_ms() is None and health.barred(1099) == {A}
    assert state(health, A, 1100) == "trial"
    health.begin_attempt(A, 1100)
    assert health.barred(1101) == {A}


def test_server_that_left_is_not_checked() -> None:
    health = table(A, B, C)
    fail(health, 0, A)
    assert health.begin_checks(100, 10) == [A]
    health.follow((B, C), 200)
    assert health.end_check(A, "refused", 300) is None
    assert health.next_check_ms() is None
    fail(health, 400, B)
    health.follow((C, D), 450)
    assert health.next_check_ms() is None


def test_check_tells_what_has_changed() -> None:
    health = table(A, B)
    fail(health, 0, A)
    changes = []
    for error in ("refused", "refused", "", ""):
        now_ms = health.next_check_ms() or 0
        health.begin_checks(now_ms, 1)
        changes.append(health.end_check(A, error, now_ms))
    assert changes == [True, None, False, None]
    described = health.describe(A, 7000, is_barred=False)
    assert (described["check_count"], described["last_error"]) == (3, "health check: refused")


def test_failure_of_a_request_that_began_before_the_first_one_is_no_news() -> None:
    health = table(A, B)
    fail(health, 1000, A)
    health.fail(A, 500, 1090, "refused")
    assert health.barred(1100) == {A} and health.next_check_ms() == 1100
    assert health.describe(A, 1050, is_barred=True)["failure_count"] == 2


@pytest.mark.parametrize(("after_ms", "pct"), [(0, 10), (999, 10), (1000, 10), (5000, 50), (9999, 99), (10_000, 100)])
def test_share_of_a_server_that_is_back_grows(after_ms: int, pct: int) -> None:
    health = table(A, B)
    fail(health, 0, A)
    back_ms = check(health, "")
    health.succeed(A, back_ms + 20)
    assert share(health, A, back_ms + after_ms) == pct
    assert health.slow(back_ms + after_ms) == ({A: pct} if pct < 100 else {})


def test_share_does_not_climb_while_one_request_at_a_time_tries_the_server_out() -> None:
    health = table(A, B)
    fail(health, 0, A)
    back_ms = check(health, "")
    for after_ms in (0, 5000, 20_000):
        assert (state(health, A, back_ms + after_ms), share(health, A, back_ms + after_ms)) == ("trial", 0)
    health.succeed(A, back_ms + 5000)
    assert (state(health, A, back_ms + 5000), share(health, A, back_ms + 5000)) == ("slow start", 50)


def test_error_of_a_server_that_is_up_again_is_shown_with_its_age() -> None:
    health = table(A, B)

    def error(now_ms: int) -> tuple[object, object]:
        row = health.describe(A, now_ms, is_barred=False)
        return row["last_error"], row["last_error_age_s"]

    assert error(5000) == ("", None)
    fail(health, 1000, A)
    assert error(1999) == ("refused", 0)
    at_ms = check(health, "unreachable")
    assert error(at_ms + 2000) == ("health check: unreachable", 2)
    health.succeed(A, at_ms + 3000)
    assert error(at_ms + 90_500) == ("health check: unreachable", 90), "nothing has failed since"


def test_slow_start_begins_anew_after_a_failure_and_with_the_first_success_without_a_check() -> None:
    health = table(A, B)
    fail(health, 0, A)
    back_ms = check(health, "")
    health.succeed(A, back_ms)
    fail(health, 5000, A)
    assert health.slow(5001) == {}
    health.succeed(A, 5010)  # of a request that was under way
    assert health.slow(5010) == {A: MIN_SHARE_PCT} and health.slow(10_010) == {A: 50}


def test_slow_start_can_be_switched_off() -> None:
    health = table(A, B, slow_start_ms=0)
    fail(health, 0, A)
    health.succeed(A, 50)
    assert health.slow(50) == {} and state(health, A, 50) == "up"


def test_servers_of_the_first_list_are_not_new() -> None:
    health = table(A, B)
    assert health.slow(0) == {}
    health.follow((A, B, C), 1000)
    assert health.slow(1000) == {C: 10} and state(health, C, 1000) == "slow start"
    health.follow((B, C), 2000)
    health.follow((A, B, C), 3000)
    assert health.slow(3000) == {A: 10, C: 20}, "A was away"


def test_server_with_another_weight_is_not_new() -> None:
    health = table(A, B)
    health.follow((replace(A, tag="5"), B), 1000)
    assert health.slow(1000) == {}


def test_server_whose_connection_broke_is_looked_at_before_a_stream_asks_it() -> None:
    health = table(A, B)
    health.succeed(A, 0)
    for _ in range(1000):
        health.suspect(A, 1000)
    assert (state(health, A, 1000), health.slow(1000), health.next_check_ms()) == ("up", {}, 1000)
    assert check(health, "Connection refused") == 1000
    assert state(health, A, 1001) == "checking"
    found = health.describe(A, 1001, is_barred=True)
    assert (found["failure_count"], found["check_count"]) == (1, 1)
    assert found["last_error"] == "health check: Connection refused"
    assert check(health, "") == 1000 + INTERVAL_MS
    assert state(health, A, 1000 + INTERVAL_MS) == "trial"


def test_server_that_is_there_although_a_connection_broke_keeps_its_share() -> None:
    health = table(A, B)
    health.suspect(A, 1000)
    check(health, "")
    assert (state(health, A, 1001), share(health, A, 1001), health.next_check_ms()) == ("up", 100, None)
    health.suspect(A, 2000)
    health.succeed(A, 2000)
    assert health.next_check_ms() is None, "a stream has found it to be there"


def test_only_server_of_a_list_is_not_looked_at() -> None:
    health = table(A)
    health.suspect(A, 1000)
    health.suspect(B, 1000)
    assert health.next_check_ms() is None
