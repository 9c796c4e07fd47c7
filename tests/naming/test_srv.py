"""``srv://``: priorities, weights, targets."""

from __future__ import annotations

import pytest

from naming.base import NamingContext, NamingError, NamingOptions
from naming.srv import SrvService
from tests.naming.dns_server import FakeDns, refusal, serving_dns
from tests.naming.fakes import FakeResolver
from tests.naming.web import Followed, following

NAME = "_rtmp._tcp.live.default.svc.cluster.local"
OPTIONS = NamingOptions(dns_timeout_ms=500)


def records(*lines: str) -> str:
    return "\n".join(f"{NAME} 30 SRV {line}" for line in lines)


def url(fake: FakeDns) -> str:
    return f"srv://{NAME}?server=127.0.0.1:{fake.port}"


def priorities(followed: Followed) -> list[int]:
    return [node.priority for node in followed.watcher.servers]


async def test_all_priorities_with_their_weights_and_without_targets_that_are_withdrawn() -> None:
    async with serving_dns() as fake:
        fake.rules = {
            f"{NAME} SRV": records("10 5 1935 a", "10 0 1936 b", "20 1 1935 c"),
            "a A": "a 30 A 10.0.0.1\na 30 A 10.0.0.2",
            "b AAAA": "b 20 AAAA fd00::1",
            "c A": "c 60 A 10.0.0.3",
        }
        async with following(url(fake), OPTIONS) as followed:
            assert followed.servers == ["10.0.0.1:1935 5", "10.0.0.2:1935 5", "[fd00::1]:1936 1", "10.0.0.3:1935 1"]
            assert priorities(followed) == [10, 10, 10, 20]
            fake.rules["a A"] = fake.rules["b *"] = refusal("SERVFAIL")
            await followed.steps.next_round()
            assert len(followed.servers) == 4, "an outage of names keeps what they had"
            fake.rules[f"{NAME} SRV"] = records("10 5 1935 gone", "20 7 1935 c")
            await followed.steps.next_round()
            assert followed.servers == ["10.0.0.3:1935 7"] and priorities(followed) == [20]
            assert followed.steps.waits == [20, 5, 30]


async def test_spare_group_stays_when_the_names_of_the_first_are_withdrawn() -> None:
    async with serving_dns() as fake:
        fake.rules = {
            f"{NAME} SRV": records("10 1 1935 a", "20 1 1935 b"),
            "a A": "a 30 A 10.0.0.1",
            "b A": "b 30 A 10.0.0.2",
        }
        async with following(url(fake), OPTIONS) as followed:
            assert followed.servers == ["10.0.0.1:1935 1", "10.0.0.2:1935 1"] and priorities(followed) == [10, 20]
            del fake.rules["a A"]
            await followed.steps.next_round()
            assert followed.servers == ["10.0.0.2:1935 1"]


async def test_outage_of_one_backup_keeps_it_while_the_first_priority_has_no_address() -> None:
    async with serving_dns() as fake:
        fake.rules = {
            f"{NAME} SRV": records("10 1 1935 gone", "20 1 1935 b", "20 1 1935 c"),
            "b A": "b 30 A 10.0.0.2",
            "c A": "c 30 A 10.0.0.3",
        }
        async with following(url(fake), OPTIONS) as followed:
            fake.rules["c A"] = refusal("SERVFAIL")
            await followed.steps.next_round()
            assert followed.servers == ["10.0.0.2:1935 1", "10.0.0.3:1935 1"]


async def test_server_that_stands_by_for_itself_is_none_of_the_spare_ones() -> None:
    async with serving_dns() as fake:
        fake.rules = {
            f"{NAME} SRV": records("20 1 1935 a", "10 1 1935 a", "20 9 1935 a", "20 1 1935 b"),
            "a A": "a 30 A 10.0.0.9",
            "b A": "b 30 A 10.0.0.1",
        }
        async with following(url(fake), OPTIONS) as followed:
            assert followed.servers == ["10.0.0.9:1935 1", "10.0.0.1:1935 1"] and priorities(followed) == [10, 20]


async def test_change_of_a_priority_alone_is_handed_on() -> None:
    async with serving_dns() as fake:
        fake.rules = {f"{NAME} SRV": records("10 1 1935 a", "10 1 1935 b")}
        fake.rules |= {"a A": "a 30 A 10.0.0.1", "b A": "b 30 A 10.0.0.2"}
        async with following(url(fake), OPTIONS) as followed:
            fake.rules[f"{NAME} SRV"] = records("20 1 1935 a", "10 1 1935 b")
            await followed.steps.next_round()
            assert followed.servers == ["10.0.0.2:1935 1", "10.0.0.1:1935 1"] and priorities(followed) == [10, 20]


async def test_N3_spare_servers_are_the_first_to_be_cut_off_a_list_that_is_too_long() -> None:
    async with serving_dns() as fake:
        fake.rules = {f"{NAME} SRV": records("20 1 1935 a", "10 1 1935 b", "10 1 1935 c")}
        fake.rules |= {f"{name} A": f"{name} 30 A 10.0.0.{number}" for number, name in enumerate("abc", 1)}
        async with following(url(fake), NamingOptions(dns_timeout_ms=500, ns_max_servers=2)) as followed:
            assert followed.servers == ["10.0.0.2:1935 1", "10.0.0.3:1935 1"]


async def check_outage(fake: FakeDns, followed: Followed) -> None:
    await followed.steps.next_round()
    assert followed.servers == ["10.0.0.1:1935 5"]


async def test_N1_N5_outages_and_the_target_dot_keep_the_list() -> None:
    async with serving_dns() as fake:
        fake.rules = {f"{NAME} SRV": records("10 5 1935 a"), "a A": "a 30 A 10.0.0.1"}
        async with following(url(fake), OPTIONS) as followed:
            fake.rules[f"{NAME} SRV"] = refusal("SERVFAIL")
            await check_outage(fake, followed)
            fake.rules[f"{NAME} SRV"] = records("10 5 1935 gone")
            await check_outage(fake, followed)
            assert (followed.watcher.failed_count, followed.watcher.skipped_count) == (2, 1)
            fake.rules[f"{NAME} SRV"] = records("0 0 0 .")
            await check_outage(fake, followed)
            assert followed.watcher.empty_count == 1


@pytest.mark.parametrize("name", ["", "_rtmp._tcp.a:1935", "a b", "a?x=1"])
def test_bad_names(name: str) -> None:
    context = NamingContext(NamingOptions(), FakeResolver(), lambda detail: None)
    with pytest.raises(NamingError):
        SrvService(context).check_name(name)
