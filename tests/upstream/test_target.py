"""Which server to ask."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from edge.errors import ConfigError, NoServerError
from edge.upstream.config import UpstreamConfig
from edge.upstream.target import MAX_DISABLED, Target
from naming.node import ServerNode
from tests.harness.virtual import ScriptedChecks
from tests.naming.fakes import FakeResolver

CONFIG = UpstreamConfig(slow_start_ms=0)


def servers(count: int) -> tuple[ServerNode, ...]:
    return tuple(ServerNode("10.0.0.1", port) for port in range(1, count + 1))


async def started(count: int, config: UpstreamConfig = CONFIG) -> Target:
    text = ",".join(server.endpoint for server in servers(count))
    target = Target(f"list://{text}", "rr", config, entropy=random.Random(1).randrange)
    assert await target.start()
    await target.close()  # a list does not change; no task is left behind, nor anybody who makes health checks
    return target


def picks(target: Target, now_ms: int, count: int = 40, key: str = "_/live/a") -> Counter[ServerNode | None]:
    return Counter(target.select(key, now_ms=now_ms) for _ in range(count))


async def test_plain_address_is_one_server_without_a_balancer() -> None:
    target = Target("origin:1935", "", CONFIG, resolver=FakeResolver(origin=["10.0.0.1"]))
    assert target.select("_/live/a", now_ms=0) is None and not target.has_answer
    assert await target.start()
    only = ServerNode("10.0.0.1", 1935)
    assert target.select("_/live/a", {only}, now_ms=0) == only
    assert target.snapshot(0)["balancer"] == ""
    await target.close()


async def test_unresolvable_name_starts_with_an_empty_list() -> None:
    target = Target("origin:1935", "", CONFIG, resolver=FakeResolver())
    assert await target.start(within_ms=1000) is False
    assert target.select("_/live/a", now_ms=0) is None
    assert target.snapshot(0)["naming_failed_count"] == 1
    await target.close()
    await target.close()


@pytest.mark.parametrize(
    ("proxy_to", "proxy_lb", "complaint"),
    [
        ("zk://origin", "rr", r'unknown naming scheme "zk".*valid: list, '),
        ("origin", "", "port is missing"),
        ("", "", "host is missing"),
        ("list://a:1,b", "rr", "port is missing"),
        ("list://a:1", "best", r'unknown load balancer "best" \(valid: rr, wrr, '),
        ("origin:1", "best", r'unknown load balancer "best"'),
        ("list://a:1", "rr:x", "expected name=value"),
        ("list://a:1", "c_md5:replicas=0", "replicas"),
    ],
)
def test_N9_bad_configuration_names_the_valid_words(proxy_to: str, proxy_lb: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Target(proxy_to, proxy_lb, CONFIG)


def test_missing_balancer_is_rr_and_one_plain_server_needs_none() -> None:
    assert Target("list://10.0.0.1:1", "", CONFIG).snapshot(0)["balancer"] == "rr"
    plain = Target("10.0.0.1:1", "c_md5", CONFIG)
    assert (plain.snapshot(0)["balancer"], plain.why_unusable) == ("", "")


@pytest.mark.parametrize(
    ("proxy_to", "proxy_lb", "why"),
    [
        ("bns://name", "rr", 'not acted on yet: naming scheme "bns"'),
        ("bns://name", "la", 'not acted on yet: naming scheme "bns"'),
    ],
)
async def test_what_is_not_built_says_so_at_each_selection(proxy_to: str, proxy_lb: str, why: str) -> None:
    target = Target(proxy_to, proxy_lb, CONFIG)
    assert target.why_unusable == why == target.snapshot(0)["why_unusable"]
    assert not await target.start()
    with pytest.raises(NoServerError, match=why):
        target.select("_/live/a", now_ms=0)
    await target.close()


async def test_tried_servers_are_stepped_over() -> None:
    target = await started(3)
    one, two, three = servers(3)
    assert target.select("k", {one, three}, now_ms=0) == two
    assert target.select("k", {one, two, three}, now_ms=0) in servers(3)


async def test_key_with_a_lone_surrogate_is_hashed() -> None:
    assert (await started(2)).select("_/live/\ud800", now_ms=0) is not None


async def test_refused_server_is_isolated_for_100_ms() -> None:
    target = await started(2)
    bad, good = servers(2)
    target.report(bad, False, 1, 1000)
    assert picks(target, 1099) == {good: 40}
    # The first request after it tries the server out; the others wait for its end, or for timeout_ms.
    assert picks(target, 1100) == {bad: 1, good: 39}
    assert picks(target, 1100 + CONFIG.timeout_ms - 1) == {good: 40}
    assert picks(target, 1100 + CONFIG.timeout_ms) == {bad: 1, good: 39}
    target.report(bad, True, 5, 2200)
    assert picks(target, 2200) == {bad: 20, good: 20}


async def test_of_servers_that_were_all_tried_the_first_one_is_asked_again() -> None:
    target = await started(3)
    one, two, three = servers(3)
    assert {target.select("k", [three, one, two], now_ms=0) for _ in range(5)} == {three}
    target.report(three, False, 1, 0)
    assert {target.select("k", [three, one, two], now_ms=1) for _ in range(5)} == {one}


async def test_N14_isolation_doubles_up_to_30_s() -> None:
    target = await started(2)
    bad, now_ms, lengths = servers(2)[0], 0, []
    for _ in range(11):
        target.report(bad, False, 1, now_ms)
        lengths.append(target.snapshot(now_ms)["servers"][0]["isolated_for_ms"])
        now_ms += lengths[-1]
    assert lengths == [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]


async def test_N14_flapping_server_keeps_doubling_until_it_holds_30_s() -> None:
    target = await started(2)
    bad, now_ms, lengths = servers(2)[0], 0, []
    for _ in range(4):
        target.report(bad, False, 1, now_ms)
        lengths.append(target.snapshot(now_ms)["servers"][0]["isolated_for_ms"])
        now_ms += lengths[-1]
        target.report(bad, True, 1, now_ms)
        now_ms += 100
    assert lengths == [100, 200, 400, 800]
    now_ms += 30_000
    target.report(bad, False, 1, now_ms)
    assert target.snapshot(now_ms)["servers"][0]["isolated_for_ms"] == 100


async def test_failures_of_one_moment_count_once() -> None:
    target = await started(2)
    bad = servers(2)[0]
    for now_ms in range(1000, 1300, 10):  # 30 attempts that all began before the first failed
        target.report(bad, False, now_ms - 990, now_ms)
    described = target.snapshot(1050)["servers"][0]
    assert (described["isolated_for_ms"], described["failure_count"]) == (50, 30)


async def test_success_ends_the_isolation() -> None:
    target = await started(2)
    bad, good = servers(2)
    target.report(bad, False, 1, 1000)
    target.report(bad, True, 1, 1010)
    assert picks(target, 1010) == {bad: 20, good: 20}


@pytest.mark.parametrize(("count", "isolated"), [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2)])
async def test_N14_at_most_half_is_isolated_and_the_only_server_never(count: int, isolated: int) -> None:
    target = await started(count)
    for server in servers(count):
        target.report(server, False, 1, 1000)
    states = Counter(each["state"] for each in target.snapshot(1001)["servers"])
    assert states["isolated"] == isolated
    assert len(picks(target, 1001)) == count - isolated and None not in picks(target, 1001)


async def test_N14_those_with_the_longest_wait_stay_isolated() -> None:
    target = await started(2)
    worse, better = servers(2)
    target.report(worse, False, 1, 1000)
    target.report(worse, False, 1, 1100)
    target.report(better, False, 1, 1150)
    assert picks(target, 1151) == {better: 40}


async def test_N12_server_without_data_is_passed_over_for_that_key_only() -> None:
    target = await started(2)
    silent, good = servers(2)
    target.disable(silent, "_/live/a", 1000)
    assert picks(target, 5999) == {good: 40}
    assert picks(target, 5999, key="_/live/b") == {silent: 20, good: 20}
    assert picks(target, 6000) == {silent: 20, good: 20}


async def test_N12_the_only_server_left_is_not_banned() -> None:
    target = await started(2)
    silent, down = servers(2)
    target.disable(silent, "_/live/a", 1000)
    assert target.has_alternative(silent, "_/live/a", now_ms=1000)
    target.report(down, False, 1, 1000)
    assert not target.has_alternative(silent, "_/live/a", now_ms=1001)
    assert picks(target, 1001) == {silent: 40}


async def test_N12_among_servers_without_data_the_untried_come_first() -> None:
    target = await started(3)
    one, two, three = servers(3)
    for server in (one, two, three):
        target.disable(server, "k", 1000)
    for _ in range(10):
        assert target.select("k", {one, two}, now_ms=1001) == three


async def test_disable_can_be_switched_off() -> None:
    target = await started(2, replace(CONFIG, disable_server_duration=0))
    target.disable(servers(2)[0], "_/live/a", 1000)
    assert len(picks(target, 1000)) == 2


async def test_passed_over_pairs_are_forgotten_and_bounded() -> None:
    target = await started(2)
    server = servers(2)[0]
    for number in range(MAX_DISABLED + 10):
        target.disable(server, str(number), 1000)
    assert target.snapshot(1000)["servers"][0]["disabled_keys_count"] == MAX_DISABLED
    target.disable(server, "late", 7000)
    assert len(target._disabled) == 1


async def test_removed_server_is_forgotten() -> None:
    target = await started(2)
    gone, stays = servers(2)
    target.report(gone, False, 1, 1000)
    target._on_update((stays,))
    target.report(gone, False, 1, 1001)
    assert target.servers == (stays,)
    assert target.select("k", {stays}, now_ms=1002) == stays
    target._on_update((gone, stays))
    assert [row["failure_count"] for row in target.snapshot(1003)["servers"]] == [0, 0]


async def test_O1_own_addresses_are_left_out() -> None:
    own = ServerNode("10.0.0.1", 1)
    target = Target("list://10.0.0.1:1,10.0.0.2:2", "rr", CONFIG, accepts=lambda server: server != own)
    assert await target.start()
    assert target.servers == (ServerNode("10.0.0.2", 2),)
    await target.close()


async def test_snapshot_is_plain_data() -> None:
    target = await started(1)
    target.report(servers(1)[0], True, 3, 1000)
    assert target.snapshot(1000) == {
        "target": "list://10.0.0.1:1",
        "balancer": "rr",
        "why_unusable": "",
        "has_answer": True,
        "naming_failed_count": 0,
        "naming_empty_count": 0,
        "naming_skipped_count": 0,
        "servers": [
            {
                "endpoint": "10.0.0.1:1",
                "priority": 0,
                "state": "up",
                "last_error": "",
                "last_error_age_s": None,
                "tag": "",
                "streams_count": 0,
                "disabled_keys_count": 0,
                "isolated_for_ms": 0,
                "check_in_ms": 0,
                "check_count": 0,
                "share_pct": 100,
                "ok_count": 1,
                "failure_count": 0,
            }
        ],
    }


async def started_with(balancer: str, config: UpstreamConfig = CONFIG) -> Target:
    target = Target("list://10.0.0.1:1,10.0.0.1:2,10.0.0.1:3", balancer, config, entropy=random.Random(1).randrange)
    assert await target.start()
    await target.close()
    return target


async def test_key_stays_with_its_server_behind_a_hashing_balancer() -> None:
    target, other = await started_with("c_murmurhash"), await started_with("C_MurmurHash:replicas=100")
    for number in range(20):
        chosen = picks(target, 0, 5, f"_/live/{number}")
        assert len(chosen) == 1 and picks(other, 0, 5, f"_/live/{number}") == chosen


async def test_points_per_server_are_those_of_the_config_unless_given() -> None:
    keys = [f"_/live/{number}" for number in range(200)]
    config = replace(CONFIG, chash_num_replicas=4)
    few, same, many = [
        [target.select(key, now_ms=0) for key in keys]
        for target in (
            await started_with("c_ketama", config),
            await started_with("c_ketama:replicas=4"),
            await started_with("c_ketama:replicas=100", config),
        )
    ]
    assert few == same != many
    with pytest.raises(ConfigError, match="multiple of 4"):
        Target("list://10.0.0.1:1", "c_ketama", replace(CONFIG, chash_num_replicas=6))


async def test_hot_server_overflows_with_a_load_factor() -> None:
    target = await started_with("c_murmurhash:load_factor=1.25")
    owner = target.select("_/live/a", now_ms=0)
    assert owner is not None
    target.occupy(owner)
    assert target.snapshot(0)["servers"][servers(3).index(owner)]["streams_count"] == 1
    assert target.select("_/live/a", now_ms=0) not in (owner, None)
    target.vacate(owner)
    assert target.select("_/live/a", now_ms=0) == owner


async def test_balancer_learns_from_reports_and_their_time() -> None:
    target = await started_with("la")
    slow = servers(3)[0]
    for number in range(100):
        now_ms = 100 * number
        chosen = target.select("_/live/a", now_ms=now_ms)
        assert chosen is not None
        target.report(chosen, True, 60 if chosen == slow else 5, now_ms + 60)
    assert picks(target, 10000, 1000)[slow] < 150


async def test_last_error_of_a_server_is_shown_until_the_next() -> None:
    target = await started(2)
    bad = servers(2)[0]
    target.report(bad, False, 1, 0, "connect: Connection refused")
    target.report(bad, True, 1, 200)
    assert target.snapshot(200)["servers"][0]["last_error"] == "connect: Connection refused"


async def test_what_is_known_of_a_server_outlives_a_change_of_its_weight() -> None:
    """A change of weight is another tag, and that another node; streams that run know the old one."""
    target = Target("list://10.0.0.1:1 4,10.0.0.1:2 4,10.0.0.1:3 4", "wrr", CONFIG)
    assert await target.start()
    await target.close()
    old = target.servers[0]
    target.occupy(old)
    target.report(old, True, 1, 0)
    target.disable(old, "_/live/a", 0)
    target.report(target.servers[1], False, 1, 0, "refused")
    target._on_update(tuple(replace(server, tag="7") for server in target.servers))
    first, second, _ = target.snapshot(1)["servers"]
    assert (first["tag"], first["streams_count"], first["ok_count"], first["disabled_keys_count"]) == ("7", 1, 1, 1)
    assert (second["failure_count"], second["last_error"]) == (1, "refused")
    assert target.is_passed_over(old, "_/live/a", 1)
    assert not target.is_away(old, "_/live/a", 1)
    target.report(old, True, 1, 1)
    target.vacate(old)
    row = target.snapshot(1)["servers"][0]
    assert (row["ok_count"], row["streams_count"]) == (2, 0)
    tried = {target.select("_/live/b", [old], now_ms=1) for _ in range(9)}
    assert {server.port for server in tried if server is not None} == {3}


def checked(count: int, proxy_lb: str = "rr", **config: int) -> tuple[Target, ScriptedChecks]:
    checks = ScriptedChecks()
    target = Target(
        "list://10.0.0.1:1",
        proxy_lb,
        replace(CONFIG, **config),
        entropy=random.Random(1).randrange,
        checks=checks,
    )
    target._on_update(servers(count))
    return target, checks


def fail(target: Target, checks: ScriptedChecks, server: ServerNode, now_ms: int) -> None:
    checks.time_ms = now_ms
    target.report(server, False, 1, now_ms, "refused")


async def test_server_that_is_down_is_asked_by_nobody_before_a_connect_works() -> None:
    target, checks = checked(2)
    bad, good = servers(2)
    fail(target, checks, bad, 1000)
    assert picks(target, 1099) == {good: 40}
    now_ms = checks.end(bad, "Connection refused")
    assert now_ms == 1100 and picks(target, now_ms + 2999) == {good: 40}
    assert not target.has_alternative(good, "k", now_ms=now_ms)
    now_ms = checks.end(bad, "")
    assert now_ms == 4100
    assert picks(target, now_ms) == {bad: 1, good: 39}, "one request tries it out"
    target.report(bad, True, 5, now_ms + 5)
    assert picks(target, now_ms + 5) == {bad: 20, good: 20}


async def test_tried_server_is_asked_again_rather_than_one_that_is_down() -> None:
    target, checks = checked(2)
    bad, good = servers(2)
    fail(target, checks, bad, 1000)
    now_ms = checks.end(bad, "Connection refused")
    assert {target.select("k", [good], now_ms=now_ms) for _ in range(10)} == {good}


async def test_of_four_servers_three_that_are_down_are_asked_by_nobody() -> None:
    target, checks = checked(4)
    *down, up = servers(4)
    for server in down:
        fail(target, checks, server, 1000)
    assert len(picks(target, 1001)) == 2, "nothing is known of the third yet: at most half is kept out"
    now_ms = checks.begin()
    for server in down:
        checks.going_on.pop(server)("Connection refused")
    assert picks(target, now_ms) == {up: 40}


async def test_when_all_are_down_each_is_asked_in_its_turn() -> None:
    target, checks = checked(3)
    for server in servers(3):
        fail(target, checks, server, 1000)
    checks.begin()
    for server in servers(3):
        checks.going_on.pop(server)("Connection refused")
    asked: list[ServerNode] = []
    for now_ms in (1200, 1201, 1202, 2200, 2201, 2202):
        server = target.select("k", asked, now_ms=now_ms)
        assert server is not None
        target.report(server, False, 1, now_ms + 1)
        asked = [*(other for other in asked if other != server), server]
        if now_ms == 1202:
            assert set(asked) == set(servers(3))
            asked = []
    assert set(asked) == set(servers(3))


async def test_home_that_is_down_is_no_home() -> None:
    target, checks = checked(3, "c_murmurhash")
    home = target.home_of("_/live/a", 0)
    assert home is not None
    fail(target, checks, home, 1000)
    now_ms = checks.end(home, "Connection refused")
    assert target.home_of("_/live/a", now_ms + 500) is None
    now_ms = checks.end(home, "")
    assert target.home_of("_/live/a", now_ms) == home


async def test_home_that_is_down_beyond_half_of_the_servers_is_no_home() -> None:
    target, checks = checked(4, "c_murmurhash")
    homes = {target.home_of(f"_/live/{number}", 0): f"_/live/{number}" for number in range(100)}
    down = [server for server in servers(4) if server != target.home_of("_/live/a", 0)]
    for server in down:
        fail(target, checks, server, 1000)
    now_ms = checks.begin()
    for server in down:
        checks.going_on.pop(server)("Connection refused")
    assert [target.home_of(homes[server], now_ms) for server in down] == [None, None, None]


@pytest.mark.parametrize("proxy_lb", ["la", "p2c"])
async def test_servers_that_are_shut_are_asked_when_the_others_are_isolated(proxy_lb: str) -> None:
    target, checks = checked(3, proxy_lb)
    *shut, last = servers(3)
    for server in shut:
        fail(target, checks, server, 1000)
    now_ms = checks.begin()
    for server in shut:
        checks.going_on.pop(server)("Connection refused")
    fail(target, checks, last, now_ms)
    assert target.select("k", now_ms=now_ms + 1) in shut


async def test_server_that_failed_alone_is_checked_once_the_list_has_another() -> None:
    target, checks = checked(1)
    fail(target, checks, servers(1)[0], 1000)
    assert checks.due_ms == []
    checks.time_ms = 5000
    target._on_update(servers(2))
    assert checks.due_ms == [5000]


def shares_of(target: Target, server: ServerNode, now_ms: int, count: int = 3000) -> float:
    """Share of ``server`` among picks at one moment, each with an answer after 5 ms."""
    chosen: Counter[ServerNode | None] = Counter()
    for number in range(count):
        picked = target.select(f"_/live/{number}", now_ms=now_ms)
        assert picked is not None
        chosen[picked] += 1
        target.report(picked, True, 5, now_ms)
    return chosen[server] / count


@pytest.mark.parametrize("proxy_lb", ["rr", "random", "wrr:default_weight=1", "wr:default_weight=1", "la", "p2c"])
async def test_share_of_a_server_that_is_back_grows_in_slow_start_ms(proxy_lb: str) -> None:
    target, checks = checked(3, proxy_lb, slow_start_ms=10_000)
    bad = servers(3)[0]
    assert shares_of(target, bad, 0) == pytest.approx(1 / 3, abs=0.06), "no slow start at the start"
    fail(target, checks, bad, 60_000)
    back_ms = checks.end(bad, "")
    target.report(bad, True, 5, back_ms)
    first, half = shares_of(target, bad, back_ms + 1), shares_of(target, bad, back_ms + 5000)
    learns = proxy_lb in ("la", "p2c")  # these distrust a server that has failed for a while beside
    assert first <= 0.12 and half <= 0.55
    assert learns or 0.02 < first < half > 0.12
    assert target.snapshot(back_ms + 5000)["servers"][0]["share_pct"] == 50
    assert target.snapshot(back_ms + 10_000)["servers"][0]["state"] == "up"
    assert learns or shares_of(target, bad, back_ms + 10_000) == pytest.approx(1 / 3, abs=0.02)


@pytest.mark.parametrize("proxy_lb", ["c_murmurhash", "c_md5:load_factor=1.25"])
async def test_owner_of_a_key_has_no_slow_start(proxy_lb: str) -> None:
    target, checks = checked(3, proxy_lb, slow_start_ms=10_000)
    owner = target.select("_/live/a", now_ms=0)
    assert owner is not None
    fail(target, checks, owner, 1000)
    back_ms = checks.end(owner, "")
    assert target.select("_/live/a", now_ms=back_ms) == owner
    target.report(owner, True, 5, back_ms)
    assert picks(target, back_ms, key="_/live/a") == {owner: 40}


async def test_server_in_its_slow_start_is_asked_when_the_others_are_down_or_tried() -> None:
    target, checks = checked(2, slow_start_ms=10_000)
    slow, other = servers(2)
    fail(target, checks, slow, 1000)
    back_ms = checks.end(slow, "")
    target.report(slow, True, 5, back_ms)
    assert {target.select("k", [other], now_ms=back_ms) for _ in range(20)} == {slow}
    target.disable(other, "k", back_ms)
    assert {target.select("k", now_ms=back_ms) for _ in range(20)} == {slow}
    fail(target, checks, other, back_ms)
    assert picks(target, back_ms + 1) == {slow: 40}


async def test_server_that_is_new_in_a_list_in_force_begins_slowly() -> None:
    target, _ = checked(2, slow_start_ms=10_000)
    target._on_update(servers(3))
    new = servers(3)[2]
    assert 0.005 < shares_of(target, new, 1) < 0.08
    assert shares_of(target, new, 10_000) == pytest.approx(1 / 3, abs=0.01)


async def test_closing_ends_the_checks() -> None:
    target, checks = checked(2)
    fail(target, checks, servers(2)[0], 1000)
    await target.close()
    assert checks.is_closed and not checks.going_on


@pytest.mark.parametrize("proxy_lb", ["rr", "wrr", "p2c", "la", "c_murmurhash"])
async def test_dead_server_that_is_listed_with_two_tags_is_tried_once_per_request_and_isolated(proxy_lb: str) -> None:
    target = Target("list://10.0.0.1:1 1,10.0.0.1:1 2,10.0.0.1:2 2", proxy_lb, CONFIG, checks=ScriptedChecks())
    target._on_update((ServerNode("10.0.0.1", 1, "1"), ServerNode("10.0.0.1", 1, "2"), ServerNode("10.0.0.1", 2, "2")))
    tries = 0
    for number in range(40):
        chosen = target.select(f"_/live/{number}", now_ms=number)
        assert chosen is not None
        if chosen.port == 1:
            tries += 1
            target.report(chosen, False, 1, number, "refused")
            chosen = target.select(f"_/live/{number}", [chosen], now_ms=number)
        assert chosen == ServerNode("10.0.0.1", 2, "2")
    assert tries == 1
    rows = target.snapshot(50)["servers"]
    assert [(row["endpoint"], row["state"]) for row in rows] == [
        ("10.0.0.1:1", "isolated"),
        ("10.0.0.1:1", "isolated"),
        ("10.0.0.1:2", "up"),
    ]


def test_only_server_with_a_weight_is_asked_on_after_a_failure() -> None:
    target = Target("list://10.0.0.1:1 5,10.0.0.1:2 0", "wrr", CONFIG, checks=ScriptedChecks())
    only, drained = ServerNode("10.0.0.1", 1, "5"), ServerNode("10.0.0.1", 2, "0")
    target._on_update((only, drained))
    target.report(only, False, 1, 0, "reset")
    assert picks(target, 1) == {only: 40}
    assert not target.has_alternative(only, "_/live/a", now_ms=1)
    target.report(drained, False, 1, 2, "reset")  # a stream that was there already
    assert [row["state"] for row in target.snapshot(3)["servers"]] == ["failing", "up"]


def test_owner_that_is_listed_with_two_tags_is_no_reason_to_move() -> None:
    target = Target("list://10.0.0.1:1 1,10.0.0.1:1 2", "c_murmurhash", CONFIG)
    both = ServerNode("10.0.0.1", 1, "1"), ServerNode("10.0.0.1", 1, "2")
    target._on_update(both)
    assert target.select("_/live/a", now_ms=0) == both[0], "brpc: the smaller tag owns the points"
    assert not any(target.is_away(server, "_/live/a", 0) for server in both)
