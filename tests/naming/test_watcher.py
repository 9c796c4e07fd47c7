"""What all naming services share."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from naming.base import NamingError, NamingOptions
from naming.node import ServerNode
from naming.url import parse_address
from naming.watcher import Watcher, sort_key
from tests.naming.fakes import FakeResolver, Steps


def node(number: int, port: int = 1, tag: str = "") -> ServerNode:
    return ServerNode(f"10.0.0.{number}", port, tag)


def make_watcher(text: str = "http://origin:1", **kwargs: object) -> tuple[Watcher, list[tuple[ServerNode, ...]]]:
    updates: list[tuple[ServerNode, ...]] = []
    return Watcher(parse_address(text), updates.append, **kwargs), updates  # type: ignore[arg-type]


def test_order_of_lists_has_the_last_octet_first() -> None:
    nodes = [node(2), ServerNode("::1", 1), ServerNode("10.0.1.1", 1), node(1, 2), node(1, 1, "b"), node(1, 1, "a")]
    assert [(each.host, each.port, each.tag) for each in sorted(nodes, key=sort_key)] == [
        ("10.0.0.1", 1, "a"),
        ("10.0.0.1", 1, "b"),
        ("10.0.0.1", 2, ""),
        ("10.0.1.1", 1, ""),
        ("10.0.0.2", 1, ""),
        ("::1", 1, ""),
    ]


async def test_only_changes_are_handed_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    watcher, updates = make_watcher()
    watcher.apply([node(2), node(1), node(2)])
    watcher.apply([node(1), node(2)])
    watcher.apply([node(1), node(2, tag="w")])
    watcher.apply([node(1), replace(node(2, tag="w"), priority=20)])
    watcher.apply([node(1)])
    assert updates == [(node(1), node(2)), (node(1), node(2, tag="w")), (node(1), node(2, tag="w")), (node(1),)]
    assert [server.priority for server in updates[2]] == [0, 20]
    assert caplog.messages == [
        'HttpService("origin:1"): added 2 (10.0.0.1:1, 10.0.0.2:1)',
        'HttpService("origin:1"): retagged 1 (10.0.0.2:1)',
        'HttpService("origin:1"): regrouped 1 (10.0.0.2:1)',
        'HttpService("origin:1"): removed 1 (10.0.0.2:1)',
    ]


async def test_another_name_of_a_server_is_a_change(caplog: pytest.LogCaptureFixture) -> None:
    """Its certificate must be for that."""
    caplog.set_level(logging.INFO)
    watcher, updates = make_watcher()
    watcher.apply([replace(node(1), name="a.test"), node(2)])
    watcher.apply([replace(node(1), name="b.test"), node(2)])
    watcher.apply([replace(node(1), name="b.test"), node(2)])
    assert [[server.name for server in update] for update in updates] == [["a.test", ""], ["b.test", ""]]
    assert caplog.messages[1:] == ['HttpService("origin:1"): renamed 1 (10.0.0.1:1)']


async def test_of_a_long_list_the_log_names_the_first_few(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    watcher, _ = make_watcher()
    watcher.apply([node(9)])
    watcher.apply([node(number) for number in range(1, 6)])
    assert caplog.messages[-1].endswith("added 5 (10.0.0.1:1, 10.0.0.2:1, 10.0.0.3:1, ...) removed 1 (10.0.0.9:1)")


async def test_a_source_that_answers_again_says_so_also_with_the_list_unchanged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    resolver, steps = FakeResolver(origin=["10.0.0.1"]), Steps()
    watcher, updates = make_watcher(resolver=resolver, sleep=steps.sleep)
    await watcher.start()
    answers = resolver.answers.pop("origin")
    await steps.next_round()
    await steps.next_round()
    assert watcher.describe()["state"] == "kept in outage"
    assert watcher.describe()["last_error"] == 'cannot resolve "origin"'
    resolver.answers["origin"] = answers
    caplog.clear()
    await steps.next_round()
    await steps.next_round()
    (line,) = caplog.messages
    assert line.startswith('HttpService("origin:1") answers again after_ms=') and line.endswith(", 1 servers")
    assert len(updates) == 1 and watcher.describe()["state"] == "current"
    await watcher.close()


async def test_repeats_of_a_warning_are_counted_and_none_is_not_mentioned(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher, _ = make_watcher()
    watcher.apply([node(1)])
    watcher.apply([])
    assert caplog.messages[-1].endswith("keeping 1 servers")
    watcher.apply([])
    watcher.apply([])
    loop = asyncio.get_running_loop()
    later = loop.time() + 61
    monkeypatch.setattr(loop, "time", lambda: later)
    watcher.apply([])
    monkeypatch.undo()
    assert caplog.messages[-1].endswith("keeping 1 servers (2 more since)")


async def test_N5_list_that_outlives_an_empty_answer_is_shown_as_an_old_one() -> None:
    watcher, _ = make_watcher()
    assert watcher.describe()["state"] == "waiting"
    watcher.apply([node(1)])
    assert watcher.describe()["state"] == "current"
    watcher.apply([])
    wanted = {"state": "kept at empty answer", "servers_count": 1, "empty_count": 1, "answer_age_s": 0}
    assert watcher.describe().items() >= wanted.items()
    watcher, _ = make_watcher(options=NamingOptions(ns_ignore_empty_list=False))
    watcher.apply([node(1)])
    watcher.apply([])
    assert watcher.describe().items() >= {"state": "current", "servers_count": 0}.items()


async def test_one_server_in_two_spellings_of_ipv6_is_one() -> None:
    watcher, updates = make_watcher()
    watcher.apply([ServerNode("2001:DB8:0:0::1", 1), ServerNode("2001:db8::1", 1)])
    assert updates == [(ServerNode("2001:db8::1", 1),)]


async def test_a_change_that_could_not_be_handed_on_is_handed_on_with_the_next_answer() -> None:
    resolver, steps, told = FakeResolver(origin=["10.0.0.1"]), Steps(), []

    def fail_once(servers: tuple[ServerNode, ...]) -> None:
        told.append(servers)
        if len(told) == 1:
            raise KeyError("a fault of the receiver")

    watcher = Watcher(parse_address("http://origin:1"), fail_once, resolver=resolver, sleep=steps.sleep)
    await watcher.start()
    await steps.next_round()
    await steps.next_round()
    assert told == [(node(1),), (node(1),)] and watcher.failed_count == 1
    await watcher.close()


async def test_N5_empty_answer_keeps_the_list() -> None:
    watcher, updates = make_watcher()
    watcher.apply([node(1)])
    watcher.apply([])
    assert watcher.servers == (node(1),) and watcher.empty_count == 1 and len(updates) == 1


async def test_N5_empty_answer_is_applied_with_the_flag_off() -> None:
    watcher, updates = make_watcher(options=NamingOptions(ns_ignore_empty_list=False))
    watcher.apply([node(1)])
    watcher.apply([])
    assert watcher.servers == () and updates == [(node(1),), ()]


async def test_N3_unusable_own_and_too_many_servers_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    watcher, _ = make_watcher(options=NamingOptions(ns_max_servers=2), accepts=lambda each: each != node(1))
    watcher.apply([ServerNode("0.0.0.0", 1), ServerNode("224.0.0.1", 1), node(9, 0), node(1), node(3), node(2)])
    assert watcher.servers == (node(2), node(3))
    assert "3 unusable servers and 1 of our own addresses" in caplog.text
    watcher, _ = make_watcher(options=NamingOptions(ns_max_servers=2))
    watcher.apply([node(number) for number in range(1, 5)])
    assert len(watcher.servers) == 2 and "4 servers, only 2 are used" in caplog.text


async def test_follows_a_name_through_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    resolver, steps = FakeResolver(origin=["10.0.0.1"]), Steps()
    watcher, updates = make_watcher(resolver=resolver, sleep=steps.sleep)
    assert await watcher.start()
    resolver.answers.clear()
    for _ in range(3):
        await steps.reach_sleep()
        await steps.next_round()
    assert watcher.servers == (node(1),) and watcher.failed_count == 3
    assert caplog.text.count("reason=ns_failed") == 1
    resolver.answers["origin"] = ["10.0.0.2"]
    await steps.next_round()
    assert updates == [(node(1),), (node(2),)]
    await watcher.close()
    await watcher.close()
    assert watcher.servers == (node(2),)


async def test_N1_start_with_an_outage_runs_with_an_empty_list() -> None:
    resolver, steps = FakeResolver(), Steps()
    watcher, updates = make_watcher(resolver=resolver, sleep=steps.sleep)
    assert await watcher.start() is False
    assert watcher.servers == () and updates == []
    resolver.answers["origin"] = ["10.0.0.1"]
    await steps.next_round()
    assert watcher.has_answer and watcher.servers == (node(1),)
    await watcher.close()


async def test_N2_start_waits_no_longer_than_told() -> None:
    class Silent(FakeResolver):
        async def resolve(self, host: str) -> list[str]:
            await Steps().sleep(0)
            raise AssertionError("never reached")

    watcher, _ = make_watcher(resolver=Silent())
    assert await watcher.start(within_ms=10) is False
    await watcher.close()


async def test_N4_bad_items_do_not_end_the_wait_for_the_first_answer(caplog: pytest.LogCaptureFixture) -> None:
    address = parse_address("list://origin:1")
    object.__setattr__(address, "name", "bad,origin:1")
    watcher = Watcher(address, lambda servers: None, resolver=FakeResolver(origin=["10.0.0.1"]))
    assert await watcher.start()
    assert (watcher.skipped_count, watcher.failed_count) == (1, 0) and "reason=ns_skipped" in caplog.text
    await watcher.close()


async def test_plain_address_needs_no_scheme() -> None:
    watcher, updates = make_watcher("[::1]:1935")
    assert await watcher.start()
    assert updates == [(ServerNode("::1", 1935),)]
    await watcher.close()


async def test_fault_of_a_service_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(FakeResolver):
        async def resolve(self, host: str) -> list[str]:
            raise KeyError(host)

    steps = Steps()
    watcher, _ = make_watcher(resolver=Broken(), sleep=steps.sleep)
    assert await watcher.start() is False
    await steps.next_round()
    assert watcher.failed_count == 2 and "KeyError" in caplog.text
    await watcher.close()


async def test_other_settings_ask_the_source_anew_and_keep_the_list_meanwhile() -> None:
    first, steps = FakeResolver(origin=["10.0.0.1", "10.0.0.2"]), Steps()
    watcher, updates = make_watcher(resolver=first, sleep=steps.sleep)
    assert await watcher.start()
    watcher.reconfigure(NamingOptions())
    await steps.next_round()
    assert (len(first.asked), len(updates)) == (2, 1)
    watcher.reconfigure(NamingOptions(ns_max_servers=1))
    assert len(watcher.servers) == 2
    for _ in range(20):
        await asyncio.sleep(0)
    assert (len(first.asked), len(watcher.servers), len(updates)) == (3, 1, 2)
    await watcher.close()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("naming ")]


async def test_other_settings_before_the_start_count_from_the_start() -> None:
    watcher, _ = make_watcher(resolver=FakeResolver(origin=["10.0.0.1", "10.0.0.2"]))
    watcher.reconfigure(NamingOptions(ns_max_servers=1))
    assert await watcher.start()
    assert len(watcher.servers) == 1
    await watcher.close()


async def test_name_that_can_never_work_ends_the_watch() -> None:
    address = parse_address("http://origin:1")
    object.__setattr__(address, "name", "origin:x")
    watcher = Watcher(address, lambda servers: None, resolver=FakeResolver())
    assert await watcher.start() is False
    assert '"x" is not a port' in watcher.fault
    assert watcher.describe()["state"] == "unusable" and '"x" is not a port' in watcher.describe()["last_error"]
    await watcher.close()


def test_scheme_that_is_not_built() -> None:
    with pytest.raises(NamingError, match="not acted on yet"):
        make_watcher("bns://name")


async def test_secrets_stay_out_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    watcher, _ = make_watcher("remotefile://a/b?token=hunter2")
    watcher.apply([node(1)])
    assert caplog.messages == ['RemoteFileService("a/b?token=***"): added 1 (10.0.0.1:1)']
