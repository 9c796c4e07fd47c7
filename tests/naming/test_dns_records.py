"""``dns://``: followed at the pace of the time to live, against a fake and against dnsmasq."""

from __future__ import annotations

from pathlib import Path

import pytest

from naming.base import NamingContext, NamingError, NamingOptions
from naming.dns_records import DnsService
from tests.naming.dns_server import refusal, serving_dns
from tests.naming.fakes import FakeResolver
from tests.naming.programs import Dnsmasq
from tests.naming.web import following


async def test_N1_N3_followed_for_the_time_to_live_and_through_outages() -> None:
    async with serving_dns() as fake:
        fake.rules["origin.test A"] = "origin.test 60 A 10.0.0.1\norigin.test 60 A 10.0.0.2"
        text = f"dns://origin.test:1935?server=127.0.0.1:{fake.port}"
        async with following(text, NamingOptions(dns_timeout_ms=500)) as followed:
            assert followed.servers == ["10.0.0.1:1935", "10.0.0.2:1935"]
            fake.rules["origin.test A"] = refusal("SERVFAIL")
            await followed.steps.next_round()
            fake.rules["origin.test A"] = "origin.test 0 A 10.0.0.2\norigin.test 0 A 10.0.0.1"
            await followed.steps.next_round()
            await followed.steps.next_round()
            assert followed.watcher.failed_count == 1 and len(followed.updates) == 1
            # One minute as the records say, then the interval: after a failure, and for a time to live of 0.
            assert followed.steps.waits == [60, 5, 5, 5]


@pytest.mark.parametrize("name", ["", "a:0", "a:x", "a/path", "a?x=1"])
def test_bad_names(name: str) -> None:
    context = NamingContext(NamingOptions(), FakeResolver(), lambda detail: None)
    with pytest.raises(NamingError):
        DnsService(context).check_name(name)


@pytest.mark.interop
async def test_real_server_and_an_alias_whose_time_is_shorter(tmp_path: Path) -> None:
    server = Dnsmasq(tmp_path)
    try:
        server.start(
            *("--host-record=one.live.test,127.0.0.21,40", "--cname=alias.live.test,one.live.test,20"),
            *("--srv-host=_rtmp._tcp.live.test,one.live.test,1935,10,30", "--local-ttl=30"),
        )
        for text, expected, ttl_s in (
            ("dns://one.live.test:80", "127.0.0.21:80", 40),
            ("dns://alias.live.test:80", "127.0.0.21:80", 20),
            ("srv://_rtmp._tcp.live.test", "127.0.0.21:1935 30", 30),
        ):
            async with following(f"{text}?server=127.0.0.1:{server.port}") as followed:
                await followed.steps.reach_sleep()
                assert followed.servers == [expected] and followed.steps.waits == [ttl_s]
    finally:
        server.kill()
