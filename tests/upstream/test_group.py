"""Which group of servers to ask, and which server of it."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from edge.upstream.config import UpstreamConfig
from edge.upstream.group import Rank, ServerGroup, Standing, in_order
from edge.upstream.target import Target
from lb import registry as balancers
from naming.node import ServerNode
from tests.harness.virtual import ScriptedChecks

CONFIG = UpstreamConfig(slow_start_ms=0)
KEY = "_/live/a"
EVERY_BALANCER = pytest.mark.parametrize("proxy_lb", sorted(balancers.known()))
A, B = (ServerNode("10.0.0.1", port, "1", 10) for port in (1, 2))
C, D = (ServerNode("10.0.0.1", port, "1", 20) for port in (3, 4))


def target_of(
    *servers: ServerNode, proxy_lb: str = "rr", config: UpstreamConfig = CONFIG
) -> tuple[Target, ScriptedChecks]:
    checks = ScriptedChecks()
    target = Target("list://10.0.0.1:1", proxy_lb, config, entropy=random.Random(1).randrange, checks=checks)
    target._on_update(servers)
    return target, checks


def picks(target: Target, now_ms: int, *excluded: ServerNode, count: int = 60) -> set[ServerNode | None]:
    """Who is asked for many keys."""
    return {target.select(f"_/live/{number}", excluded, now_ms=now_ms) for number in range(count)}


def fail(target: Target, checks: ScriptedChecks, now_ms: int, *servers: ServerNode) -> None:
    checks.time_ms = now_ms
    for server in servers:
        target.report(server, False, 1, now_ms, "refused")


def end_checks(checks: ScriptedChecks, error: str) -> int:
    """Let the connects that are due end; returns their moment."""
    now_ms = checks.begin()
    for server in list(checks.going_on):
        checks.going_on.pop(server)(error)
    return now_ms


# --- a group ------------------------------------------------------------------


def group_of(*servers: ServerNode, priority: int = 10) -> ServerGroup:
    group = ServerGroup(priority, balancers.create("rr", entropy=random.Random(1).randrange))
    group.follow((A, B, C, D), servers)
    return group


@pytest.mark.parametrize(
    ("standing", "rank"),
    [
        (Standing(), Rank.FRESH),
        (Standing(passed_over=frozenset([A])), Rank.FRESH),
        (Standing(passed_over=frozenset([A]), out=frozenset([B])), Rank.WITHOUT_DATA),
        (Standing(passed_over=frozenset([A, B])), Rank.WITHOUT_DATA),
        (Standing(passed_over=frozenset([A]), tried=(B,)), Rank.WITHOUT_DATA),
        (Standing(out=frozenset([A, B])), Rank.DOWN),
        (Standing(out=frozenset([A, B]), barred=frozenset([A])), Rank.DOWN),
        (Standing(out=frozenset([A]), barred=frozenset([A]), tried=(B,)), Rank.TRIED),
        (Standing(tried=(A, B)), Rank.TRIED),
        (Standing(barred=frozenset([A, B])), Rank.NOBODY),
    ],
)
def test_rank_is_that_of_the_best_server(standing: Standing, rank: Rank) -> None:
    assert group_of(A, B).rank(standing) is rank


def test_group_takes_its_own_servers_only_and_the_list_stays_the_same_object() -> None:
    group = group_of(A, C)
    before = group.servers
    group.follow((A, B, D), (A, B, D))
    assert group.servers is before == (A, B) and group.choosable == (A, B)


def test_group_without_a_server_that_has_a_weight_offers_nobody() -> None:
    assert group_of(C).rank(Standing()) is Rank.NOBODY


def test_groups_are_asked_in_the_order_of_what_they_offer_then_of_their_numbers() -> None:
    better, spare = group_of(A, B), group_of(C, D, priority=20)
    groups = (better, spare)
    assert in_order(groups, Standing()) == [better, spare]
    assert in_order(groups, Standing(tried=(A, B))) == [spare, better]
    assert in_order(groups, Standing(tried=(A, B, C, D))) == [better, spare]
    assert in_order(groups, Standing(tried=(C, A, D, B))) == [spare, better], "the one tried first is next"


# --- groups of a target -------------------------------------------------------


@EVERY_BALANCER
def test_spare_servers_are_not_asked_while_one_of_the_better_group_is_up(proxy_lb: str) -> None:
    target, checks = target_of(A, B, C, D, proxy_lb=proxy_lb)
    assert picks(target, 0) == {A, B}
    fail(target, checks, 1000, A)
    assert picks(target, 1001) == {B}
    assert picks(target, end_checks(checks, "Connection refused")) == {B}


@EVERY_BALANCER
def test_group_that_is_wholly_down_is_left_at_once_and_for_as_long_as_it_is(proxy_lb: str) -> None:
    target, checks = target_of(A, B, C, D, proxy_lb=proxy_lb)
    fail(target, checks, 1000, A, B)
    assert picks(target, 1001) == {C, D}
    now_ms = end_checks(checks, "Connection refused")
    assert picks(target, now_ms) == picks(target, now_ms + 2000) == {C, D}
    now_ms = end_checks(checks, "")
    assert picks(target, now_ms, count=1) <= {A, B}, "one request tries it out"
    for server in (A, B):
        target.report(server, True, 1, now_ms + 1)
    assert picks(target, now_ms + 2) == {A, B}


@EVERY_BALANCER
def test_single_server_that_is_dead_is_not_asked_on_while_its_spare_is_up(proxy_lb: str) -> None:
    target, checks = target_of(A, C, proxy_lb=proxy_lb)
    fail(target, checks, 1000, A)
    now_ms = end_checks(checks, "Connection refused")
    assert picks(target, 1050) == picks(target, now_ms) == {C}
    assert picks(target, now_ms, C) == {C}, "nor when the spare one has been tried"
    fail(target, checks, now_ms, C)
    assert None not in picks(target, now_ms + 1)
    assert {target.select(KEY, tried, now_ms=now_ms + 5000) for tried in ([A], [C])} == {A, C}, "each in its turn"


@EVERY_BALANCER
def test_stream_that_the_better_group_does_not_have_is_looked_for_in_the_next(proxy_lb: str) -> None:
    target, _ = target_of(A, B, C, proxy_lb=proxy_lb)
    tried: list[ServerNode] = []
    for _ in range(5):
        server = target.select(KEY, tried, now_ms=0)
        assert server is not None
        tried = [*(other for other in tried if other != server), server]
    assert tried[0] == C and set(tried[1:]) == {A, B}, "all were asked, and then the first two again"


def test_key_without_data_in_the_better_group_goes_to_the_next_until_that_is_over() -> None:
    target, _ = target_of(A, B, C)
    for server in (A, B):
        target.disable(server, KEY, 0)
    assert target.select(KEY, now_ms=1) == C
    assert target.has_alternative(A, KEY, now_ms=1) and not target.has_alternative(C, KEY, now_ms=1)
    assert picks(target, 1) == {A, B}, "other keys stay"
    assert target.select(KEY, [C], now_ms=1) in (A, B), "passed over is better than tried"
    assert target.select(KEY, now_ms=CONFIG.disable_server_duration * 1000) in (A, B)


def test_weights_count_within_the_group() -> None:
    heavy = replace(A, tag="3"), B, replace(C, tag="100")
    target, _ = target_of(*heavy, proxy_lb="wrr")
    assert Counter(target.select(KEY, now_ms=0) for _ in range(400)) == {heavy[0]: 300, B: 100}


def test_share_of_a_server_that_is_back_grows_within_its_group() -> None:
    target, checks = target_of(A, B, C, D, config=UpstreamConfig(slow_start_ms=10_000))
    fail(target, checks, 1000, A, B)
    now_ms = end_checks(checks, "")
    target.report(A, True, 1, now_ms)
    assert picks(target, now_ms + 1, count=1) == {B}, "its trial"
    target.report(B, True, 1, now_ms + 1)
    assert picks(target, now_ms + 2) == {A, B}, "both begin slowly, and nobody else is in their group"
    assert picks(target, now_ms + 2, A, B) == {C, D}


def test_owner_of_a_key_is_that_of_the_better_group_alone() -> None:
    target, checks = target_of(A, B, C, D, proxy_lb="c_murmurhash")
    alone, _ = target_of(A, B, proxy_lb="c_murmurhash")
    keys = [f"_/live/{number}" for number in range(50)]
    assert [target.select(key, now_ms=0) for key in keys] == [alone.select(key, now_ms=0) for key in keys]
    assert {target.home_of(key, 0) for key in keys} == {A, B}
    fail(target, checks, 1000, A, B)
    now_ms = end_checks(checks, "Connection refused")
    spare, _ = target_of(C, D, proxy_lb="c_murmurhash")
    assert [target.home_of(key, now_ms) for key in keys] == [spare.select(key, now_ms=0) for key in keys]


@EVERY_BALANCER
def test_stream_at_a_spare_server_is_away_once_the_better_group_is_up(proxy_lb: str) -> None:
    target, checks = target_of(A, C, proxy_lb=proxy_lb)
    assert target.is_away(C, KEY, 0) and not target.is_away(A, KEY, 0)
    target.disable(A, KEY, 0)
    assert not target.is_away(C, KEY, 1), "the better one has no data for it"
    assert not target.is_away(A, KEY, 1), "nobody goes to a spare server while all is well"
    fail(target, checks, 6000, A)
    assert not target.is_away(C, KEY, 6001)
    assert not target.is_away(C, KEY, end_checks(checks, "Connection refused"))
    assert target.is_away(C, KEY, end_checks(checks, ""))


def test_owner_in_a_spare_group_is_where_streams_go_while_the_better_one_is_down() -> None:
    target, checks = target_of(A, C, D, proxy_lb="c_murmurhash")
    fail(target, checks, 1000, A)
    owner = target.home_of(KEY, 1001)
    assert owner in (C, D)
    assert target.is_away(C if owner == D else D, KEY, 1001)


def test_server_that_becomes_a_spare_one_keeps_what_is_known_of_it() -> None:
    target, checks = target_of(A, B, C)
    target.occupy(A)
    target.report(A, True, 1, 0)
    fail(target, checks, 1000, B)
    target._on_update((B, replace(A, priority=20), C))
    assert picks(target, 1001) == {A, C}
    assert target.is_away(A, KEY, 1500) is False
    rows = {row["endpoint"]: row for row in target.snapshot(1001)["servers"]}
    row = rows[A.endpoint]
    assert (row["priority"], row["streams_count"], row["ok_count"], row["share_pct"]) == (20, 1, 1, 100)
    assert rows[B.endpoint]["state"] == "isolated"
    target.report(A, True, 1, 1002)  # by a pull that knows it as it was
    assert target.snapshot(1002)["servers"][1]["ok_count"] == 2


@pytest.mark.parametrize("proxy_lb", ["la", "p2c"])
def test_balancer_of_a_group_learns_of_its_servers_only(proxy_lb: str) -> None:
    target, checks = target_of(A, B, C, D, proxy_lb=proxy_lb)
    counts: Counter[ServerNode] = Counter()
    for now_ms in range(0, 1000, 10):
        server = target.select(KEY, now_ms=now_ms)
        assert server is not None
        counts[server] += 1
        target.report(server, True, 100 if server == A else 1, now_ms)
    assert counts.keys() <= {A, B} and counts[B] > 2 * counts[A]
    fail(target, checks, 1000, A, B)
    assert picks(target, 1001) == {C, D}


# --- recovery of rr and random ------------------------------------------------


@pytest.mark.parametrize("name", ["rr", "random"])
def test_after_all_were_down_the_first_that_is_back_gets_a_part_only(name: str) -> None:
    target, checks = target_of(A, B, replace(C, priority=10), proxy_lb=f"{name}:min_working_instances=4 hold_seconds=2")
    fail(target, checks, 1000, A, B)
    assert None not in picks(target, 1000), "one is up"
    fail(target, checks, 1000, C)
    assert picks(target, 1001) == {None}
    now_ms = end_checks(checks, "Connection refused")
    assert picks(target, now_ms) == {None}
    now_ms = checks.begin()
    for server in (A, B, C):
        checks.going_on.pop(server)("" if server == A else "Connection refused")
    asked = Counter(target.select(KEY, now_ms=now_ms + 20) for _ in range(100))
    assert asked == {A: 1, None: 99}, "its trial"
    target.report(A, True, 1, now_ms + 30)
    asked = Counter(target.select(KEY, now_ms=now_ms + 50) for _ in range(1000))
    assert asked.keys() == {A, None} and 200 < asked[A] < 300
    assert picks(target, now_ms + 50 + 2001) == {A}, "for so long that has not changed"


def test_spare_servers_get_what_a_group_that_recovers_refuses() -> None:
    target, checks = target_of(A, B, C, proxy_lb="rr:min_working_instances=2 hold_seconds=2")
    fail(target, checks, 1000, A, B)
    assert picks(target, 1001) == {C}
    now_ms = checks.begin()
    for server in (A, B):
        checks.going_on.pop(server)("" if server == A else "Connection refused")
    while target.select(KEY, now_ms=now_ms) != A:
        now_ms += 20
    target.report(A, True, 1, now_ms)
    asked = Counter(target.select(KEY, now_ms=now_ms + 20) for _ in range(1000))
    assert asked.keys() == {A, C} and 400 < asked[A] < 600
    assert picks(target, now_ms + 20 + 2001) == {A}


def test_only_server_is_asked_again_after_its_isolation_whatever_recovery_holds_back() -> None:
    target, checks = target_of(A, proxy_lb="rr:min_working_instances=2 hold_seconds=1")
    fail(target, checks, 1000, A)
    assert picks(target, 1099) == {None}
    assert picks(target, 1120) == {A, None}
