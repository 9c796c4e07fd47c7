"""``http://`` and ``https://``: the addresses of one name."""

from __future__ import annotations

import asyncio

import pytest

from naming.base import NamingError
from naming.dns import DomainService, HttpService, HttpsService
from naming.node import ServerNode
from tests.naming.fakes import FakeResolver, Steps, make_context


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        (HttpService, "origin", ("origin", 80)),
        (HttpsService, "origin", ("origin", 443)),
        (HttpService, "origin:8079/live/x?y=1", ("origin", 8079)),
        (HttpService, "127.0.0.1:8079", ("127.0.0.1", 8079)),
        (HttpService, "[::1]:8079/", ("::1", 8079)),
    ],
)
async def test_names_and_default_ports(kind: type[DomainService], name: str, expected: tuple[str, int]) -> None:
    resolver = FakeResolver(origin=["10.0.0.1"])
    answers = kind(make_context(resolver)).watch(name)
    host, port = expected
    assert await anext(answers) == [ServerNode("10.0.0.1" if host == "origin" else resolver.asked[0], port)]
    assert resolver.asked == [host]
    await answers.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["", "/path", "host:80x/", "host:0", ":80"])
def test_bad_names(name: str) -> None:
    with pytest.raises(NamingError):
        HttpService(make_context()).check_name(name)


async def test_N1_asks_each_interval_and_yields_nothing_during_an_outage() -> None:
    resolver, steps, faults = FakeResolver(origin=["10.0.0.1", "10.0.0.2"]), Steps(), []
    seen: list[list[ServerNode]] = []

    async def follow() -> None:
        async for answer in HttpService(make_context(resolver, steps, faults.append)).watch("origin:1"):
            seen.append(list(answer))

    task = asyncio.get_running_loop().create_task(follow())
    await steps.reach_sleep()
    assert seen == [[ServerNode("10.0.0.1", 1), ServerNode("10.0.0.2", 1)]]
    resolver.answers.clear()
    await steps.next_round()
    assert len(seen) == 1 and len(faults) == 1
    resolver.answers["origin"] = ["10.0.0.3"]
    await steps.next_round()
    assert seen[1:] == [[ServerNode("10.0.0.3", 1)]]
    assert steps.waits == [5, 5, 5] and len(resolver.asked) == 3
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
