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


async def test_lowest_priority_with_weights_until_none_of_it_has_an_address() -> None:
    async with serving_dns() as fake:
        fake.rules = {
            f"{NAME} SRV": records("10 5 1935 a", "10 0 1936 b", "20 1 1935 c"),
            "a A": "a 30 A 10.0.0.1\na 30 A 10.0.0.2",
            "b AAAA": "b 20 AAAA fd00::1",
            "c A": "c 60 A 10.0.0.3",
        }
        async with following(url(fake), OPTIONS) as followed:
            assert followed.servers == ["10.0.0.1:1935 5", "10.0.0.2:1935 5", "[fd00::1]:1936 1"]
            fake.rules["a A"] = fake.rules["b *"] = refusal("SERVFAIL")
            await followed.steps.next_round()
            assert len(followed.servers) == 3, "an outage of names keeps what they had"
            fake.rules[f"{NAME} SRV"] = records("10 5 1935 gone", "20 7 1935 c")
            await followed.steps.next_round()
            assert followed.servers == ["10.0.0.3:1935 7"]
            assert followed.steps.waits == [20, 5, 30]


async def test_next_priority_takes_over_when_the_names_of_the_first_are_withdrawn() -> None:
    async with serving_dns() as fake:
        fake.rules = {
            f"{NAME} SRV": records("10 1 1935 a", "20 1 1935 b"),
            "a A": "a 30 A 10.0.0.1",
            "b A": "b 30 A 10.0.0.2",
        }
        async with following(url(fake), OPTIONS) as followed:
            assert followed.servers == ["10.0.0.1:1935 1"]
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
