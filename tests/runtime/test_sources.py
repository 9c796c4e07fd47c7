"""Another upstream for an edge that serves: its players stay, and what runs goes over to it."""

from __future__ import annotations

import asyncio

import pytest

from edge.facts.orders import Result, SetFlag
from tests.net.live import eventually, pictures, send_video
from tests.runtime.nodes import RunningNode, running

WHO = "127.0.0.1:5"


async def change(one: RunningNode, name: str, value: str) -> tuple[Result, str]:
    outcome = await one.orders.carry_out(SetFlag(name, value), WHO)
    return outcome.result, outcome.text


def server_of(edge: RunningNode) -> str:
    """Where its only pull runs."""
    upstream = edge.node.units[0].upstream
    assert upstream is not None
    (pull,) = upstream.pulls.values()
    return pull.server.endpoint if pull.server is not None else ""


def servers_of(edge: RunningNode) -> list[str]:
    upstream = edge.node.units[0].upstream
    assert upstream is not None
    return [server.endpoint for server in upstream.aims.pull.servers]


async def test_a_running_pull_moves_to_the_new_upstream_and_its_player_loses_nothing() -> None:
    async with running() as origin:
        address = f"127.0.0.1:{origin.port()}"
        async with running(f"-proxy_to={address}", "-rebalance_after_ms=100") as edge:
            publisher, player = await origin.publisher(), await edge.player()
            await pictures(player, 0)
            async with running(f"-proxy_to={address}") as shield:
                shield_address = f"127.0.0.1:{shield.port()}"
                assert (await change(edge, "proxy_to", shield_address))[0] is Result.DONE
                assert edge.facts.service_facts()[0].pulls_from == shield_address
                number = 0
                for _ in range(100):
                    number += 1
                    send_video(publisher, number)
                    await pictures(player, number)  # each, in order, or this fails
                    if server_of(edge) == shield_address:
                        break
                    await asyncio.sleep(0.1)
                assert server_of(edge) == shield_address
                send_video(publisher, number + 1)
                await pictures(player, number + 1)
                for one in (edge, shield, origin):  # each of them holds an end of what another one has opened
                    await one.close()


async def test_the_old_servers_serve_until_the_new_source_has_answered_and_readiness_stays() -> None:
    async with running("-proxy_to=list://127.0.0.1:1", "-proxy_lb=rr", "-ns_access_interval=1") as edge:
        await eventually(lambda: servers_of(edge) == ["127.0.0.1:1"], "the first list")
        assert (await change(edge, "proxy_to", "file:///nowhere/servers.list"))[0] is Result.DONE
        upstream = edge.node.units[0].upstream
        assert upstream is not None
        target = upstream.aims.pull
        await eventually(lambda: target.naming()["state"] != "ok" and target.naming()["last_error"], "a failure")
        assert (servers_of(edge), upstream.has_answer) == (["127.0.0.1:1"], True)
        assert (await change(edge, "proxy_to", "127.0.0.1:2"))[0] is Result.DONE
        await eventually(lambda: servers_of(edge) == ["127.0.0.1:2"], "the new server")


async def test_the_balancer_changes_alone() -> None:
    async with running("-proxy_to=list://127.0.0.1:1,127.0.0.1:2", "-proxy_lb=rr") as edge:
        await eventually(lambda: len(servers_of(edge)) == 2, "the list")
        assert (await change(edge, "proxy_lb", "c_murmurhash"))[0] is Result.DONE
        upstream = edge.node.units[0].upstream
        assert upstream is not None
        home = upstream.aims.pull.home_of("_/live/s", 0)
        assert home is not None and home.endpoint in servers_of(edge)


async def test_a_merge_tier_stays_while_what_is_behind_it_changes() -> None:
    flags = ("-proxy_to=127.0.0.1:1", "-cdn_merge_to=127.0.0.1:2", "-cdn_merge_port=0", "-cdn_merge_lb=c_md5")
    async with running(*flags) as edge:
        assert (await change(edge, "proxy_to", "127.0.0.1:3"))[0] is Result.DONE
        front, merge = (unit.upstream for unit in edge.node.units)
        assert front is not None and merge is not None
        found = [target.address.text for target in (front.aims.pull, front.aims.push, merge.aims.pull)]
        assert found == ["127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:3"]


@pytest.mark.parametrize(
    ("flags", "name", "value", "said"),
    [
        ((), "proxy_to", "127.0.0.1:1", "at a start only"),
        (("-proxy_to=127.0.0.1:1",), "proxy_to", "", "at a start only"),
        (("-proxy_to=127.0.0.1:1",), "proxy_to", "nowhere://a", "nowhere"),
        (("-proxy_to=127.0.0.1:1",), "proxy_to", "bns://a", "not acted on yet"),
        (("-proxy_to=list://127.0.0.1:1",), "proxy_lb", "nobody", "nobody"),
        (("-proxy_to=127.0.0.1:1", "-upstream_ca_file=/nowhere"), "proxy_to", "rtmps://127.0.0.1:1", "/nowhere"),
    ],
)
async def test_what_cannot_be_used_changes_nothing(flags: tuple[str, ...], name: str, value: str, said: str) -> None:
    async with running(*flags) as one:
        before = getattr(one.node.settings.upstream, name)
        result, text = await change(one, name, value)
        assert result is Result.BAD_VALUE and said in text
        assert getattr(one.node.settings.upstream, name) == before


async def test_a_balancer_for_nothing_is_harmless() -> None:
    async with running() as origin:
        assert (await change(origin, "proxy_lb", "rr"))[0] is Result.DONE
        assert origin.node.units[0].upstream is None
