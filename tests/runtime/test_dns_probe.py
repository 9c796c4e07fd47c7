"""Names at a DNS server of their own, before the start."""

from __future__ import annotations

import asyncio
import time

import pytest

from edge.runtime.dns_probe import why_no_answer
from naming.url import parse_address
from tests.naming.dns_server import FakeDns, refusal, serving_dns


async def probe(fake: FakeDns, text: str, budget_s: float = 3.0) -> str:
    address = parse_address(f"{text}?server=127.0.0.1:{fake.port}")
    return await asyncio.to_thread(why_no_answer, address, budget_s)


async def test_names_that_have_an_answer_pass() -> None:
    async with serving_dns() as fake:
        fake.rules["origin.live.test A"] = "origin.live.test. 5 A 10.0.0.1"
        fake.rules["_rtmp._tcp.live.test SRV"] = "_rtmp._tcp.live.test. 5 SRV 1 1 1935 origin.live.test."
        assert await probe(fake, "dns://origin.live.test:1935") == ""
        assert await probe(fake, "srv://_rtmp._tcp.live.test") == ""


async def test_name_without_an_answer_is_told_with_the_reason() -> None:
    async with serving_dns() as fake:
        fake.rules["_rtmp._tcp.live.test SRV"] = "_rtmp._tcp.live.test. 5 SRV 1 1 1935 gone.live.test."
        fake.rules["_none._tcp.live.test SRV"] = "_none._tcp.live.test. 5 SRV 0 0 0 ."
        fake.rules["broken.live.test *"] = refusal("SERVFAIL")
        assert "does not exist" in await probe(fake, "dns://absent.live.test:1935")
        assert "cannot resolve" in await probe(fake, "srv://_absent._tcp.live.test")
        assert 'no target of "_rtmp._tcp.live.test" has an address' in await probe(fake, "srv://_rtmp._tcp.live.test")
        assert "names no server now" in await probe(fake, "srv://_none._tcp.live.test")
        assert "SERVFAIL" in await probe(fake, "dns://broken.live.test:1935", 1.0)


async def test_silent_server_is_told_within_its_time() -> None:
    async with serving_dns() as fake:
        fake.rules["*"] = lambda query: b""
        began = time.monotonic()
        assert await probe(fake, "dns://origin.live.test:1935", 0.2)
        assert time.monotonic() - began < 3


@pytest.mark.parametrize("text", ["dns://origin:1935", "srv://_rtmp._tcp.origin", "list://a:1", "a:1"])
def test_other_targets_are_not_asked_about(text: str) -> None:
    assert why_no_answer(parse_address(text), 0.0) == ""
