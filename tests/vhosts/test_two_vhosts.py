"""Vhosts of one process with settings and upstreams of their own, under real publishers and players."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edge.service.refusal import Reason
from tests.httpd.feeding import Source
from tests.httpd.hls_watching import pushed
from tests.net.live import ended, eventually, pictures, send_video, status
from tests.runtime.nodes import RunningNode, running
from tests.vhosts.giving import give_vhosts

Vhosts = Mapping[str, Mapping[str, Any]]


def server_of(edge: RunningNode, vhost: str) -> str:
    """Where the pull of a vhost runs."""
    upstream = edge.node.units[0].upstream
    assert upstream is not None
    (pull,) = [pull for key, pull in upstream.pulls.items() if key.vhost == vhost]
    return pull.server.endpoint if pull.server is not None else ""


def queue_lengths(one: RunningNode) -> dict[str, int]:
    streams = one.node.units[0].registry.streams
    return {key.vhost: stream.config.queue_length_s for key, stream in streams.items()}


async def test_two_vhosts_have_origins_and_queues_of_their_own_and_a_third_is_its_own_origin() -> None:
    async with running() as first, running() as second, running("-rebalance_after_ms=100") as edge:
        one, other = (f"127.0.0.1:{origin.port()}" for origin in (first, second))
        shared = {"proxy_to": one, "queue_length_s": 7}
        vhosts = {"a.example": shared, "b.example": {"proxy_to": other, "queue_length_s": 9}, "c.example": {}}
        give_vhosts(edge, vhosts, a_example="*.a.example")
        at_first = await first.publisher("s?vhost=a.example")
        await second.publisher("s?vhost=b.example", pictures=3)
        here = await edge.publisher("s?vhost=c.example")
        players = [await edge.player(f"s?vhost={name}") for name in ("x.a.example", "b.example", "c.example")]
        for player, last in zip(players, (0, 2, 0), strict=True):
            await pictures(player, last)
        assert queue_lengths(edge) == {"a.example": 7, "b.example": 9, "c.example": 30}
        assert (server_of(edge, "a.example"), server_of(edge, "b.example")) == (one, other)
        assert [key.vhost for key in first.node.units[0].registry.streams] == ["a.example"]

        # A change of one vhost reaches its stream, and no other hears of it.
        streams = edge.node.units[0].registry.streams
        before = {key.vhost: stream.rules for key, stream in streams.items()}
        give_vhosts(edge, {**vhosts, "c.example": {"queue_length_s": 11}}, a_example="*.a.example")
        after = {key.vhost: stream.rules for key, stream in streams.items()}
        assert [name for name in before if before[name] is not after[name]] == ["c.example"]
        assert queue_lengths(edge)["c.example"] == 11
        send_video(here, 1)
        await pictures(players[2], 1)

        # Another upstream for a vhost: what runs goes over to it, and its player misses nothing.
        async with running(f"-proxy_to={one}") as shield:
            place = f"127.0.0.1:{shield.port()}"
            give_vhosts(edge, {**vhosts, "a.example": {**shared, "proxy_to": place}}, a_example="*.a.example")
            number = 0
            while server_of(edge, "a.example") != place:
                number += 1
                send_video(at_first, number)
                await pictures(players[0], number)
                await asyncio.sleep(0.1)
            send_video(at_first, number + 1)
            await pictures(players[0], number + 1)
            assert server_of(edge, "b.example") == other
            for each in (edge, shield, first, second):
                await each.close()


async def test_publishes_go_to_the_origin_of_their_vhost_by_the_name_that_it_has_there() -> None:
    async with running() as origin, running() as edge:
        upstream = {"proxy_to": f"127.0.0.1:{origin.port()}", "proxy_vhost": "up-[vhost]"}
        give_vhosts(edge, {"a.example": upstream, "b.example": {}})
        await edge.publisher("s?vhost=a.example")
        await edge.publisher("s?vhost=b.example")
        player = await origin.player("s?vhost=up-a.example")
        await pictures(player, 0)
        assert [str(key) for key in origin.node.units[0].registry.streams] == ["up-a.example/live/s"]
        for each in (edge, origin):
            await each.close()


async def test_VC14_clients_of_a_vhost_that_is_removed_are_told_and_others_stay() -> None:
    async with running() as one:
        give_vhosts(one, {"a.example": {}, "b.example": {}})
        publishers = [await one.publisher(f"s?vhost={name}.example") for name in "ab"]
        players = [await one.player(f"s?vhost={name}.example") for name in "ab"]
        for player in players:
            await pictures(player, 0)
        give_vhosts(one, {"b.example": {}})
        assert "VhostNotFound" in (await status(players[0], "NetStream.Play.UnpublishNotify"))["description"]
        assert "VhostNotFound" in (await status(publishers[0], "NetStream.Publish.BadName"))["description"]
        for client in (players[0], publishers[0]):
            await ended(client)
        send_video(publishers[1], 1)
        await pictures(players[1], 1)
        newcomer = await one.client()
        newcomer.play("s?vhost=a.example")
        assert (await status(newcomer, "NetStream.Play.StreamNotFound"))["description"].startswith("VhostNotFound")
        code, text = await one.get("/live/s.flv?vhost=a.example")
        assert (code, "a.example" in text) == (404, True)
        assert Reason.NO_VHOST.value in str(await one.facts.counters())


async def test_a_name_that_becomes_an_alias_takes_its_streams_along() -> None:
    async with running() as one:
        give_vhosts(one, {"a.example": {}, "b.example": {}})
        publisher = await one.publisher("s?vhost=a.example")
        give_vhosts(one, {"b.example": {}}, b_example="a.example")
        await ended(publisher)
        await one.publisher("s?vhost=a.example")
        await pictures(await one.player("s?vhost=b.example"), 0)


async def test_VC14_who_drains_a_vhost_serves_those_who_are_there() -> None:
    async with running("-vhost_remove_action=drain") as one:
        give_vhosts(one, {"a.example": {}, "b.example": {}})
        publisher, player = await one.publisher("s?vhost=a.example"), await one.player("s?vhost=a.example")
        await pictures(player, 0)
        give_vhosts(one, {"b.example": {}})
        send_video(publisher, 1)
        await pictures(player, 1)
        publisher.peer.abort()
        await eventually(lambda: not one.node.units[0].registry.streams, "the end of the stream")


@pytest.mark.parametrize("after", [{}, {"a.example": {}}], ids=["gone", "its own origin"])
async def test_what_is_pulled_for_a_vhost_that_has_no_upstream_any_more_survives_a_lost_link(after: Vhosts) -> None:
    async with running() as origin, running("-vhost_remove_action=drain") as edge:
        give_vhosts(edge, {"a.example": {"proxy_to": f"127.0.0.1:{origin.port()}"}, "b.example": {}})
        publisher, player = await origin.publisher("s?vhost=a.example"), await edge.player("s?vhost=a.example")
        await pictures(player, 0)
        give_vhosts(edge, {**after, "b.example": {}})
        upstream = edge.node.units[0].upstream
        assert upstream is not None
        (pull,) = upstream.pulls.values()
        lost = pull.connection
        assert lost is not None
        lost.close_now("lost")
        await eventually(lambda: pull.connection not in (None, lost), "the next link")
        send_video(publisher, 1)
        await pictures(player, 1)
        for each in (edge, origin):
            await each.close()


@pytest.mark.parametrize("flags", [(), ("-hls=false",)], ids=["beside others", "alone"])
async def test_HLS_that_a_vhost_gets_is_made_of_what_runs_already(flags: tuple[str, ...]) -> None:
    async with running(*flags) as one:
        give_vhosts(one, {"a.example": {"hls": False}})
        source = await Source.at(one, "s?vhost=a.example")
        await pushed(one, source, 110)
        path = "/live/s.ll.media.m3u8?vhost=a.example"
        assert (await one.get(path))[0] == 404
        give_vhosts(one, {"a.example": {"hls": True}})
        code, text = await one.get(path)
        assert (code, "#EXT-X-PART:" in text) == (200, True)


async def test_a_file_of_SRS_gives_each_vhost_its_origin_and_a_reload_another_one(tmp_path: Path) -> None:
    conf = tmp_path / "edge.conf"

    def write(a_port: int, b_port: int, length: int) -> None:
        conf.write_text(
            f"vhost a.example {{ cluster {{ mode remote; origin 127.0.0.1:{a_port}; }} queue_length {length}; }}"
            f"vhost b.example {{ cluster {{ mode remote; origin 127.0.0.1:{b_port}; }} }}"
            "vhost c.example { max_players 1; }"
        )

    async with running() as first, running() as second:
        write(first.port(), second.port(), 7)
        await first.publisher("s?vhost=a.example")
        await second.publisher("s?vhost=b.example")
        async with running(f"-c={conf}", "-rebalance_after_ms=100") as edge:
            players = [await edge.player(f"s?vhost={name}.example") for name in "ab"]
            for player in players:
                await pictures(player, 0)
            assert queue_lengths(edge) == {"a.example": 7, "b.example": 30}
            ports = [int(server_of(edge, f"{name}.example").rpartition(":")[2]) for name in "ab"]
            assert ports == [first.port(), second.port()]
            async with running(f"-proxy_to=127.0.0.1:{first.port()}") as shield:
                write(shield.port(), second.port(), 9)
                assert (await edge.reloader.reload("test")).state == "done"
                place = f"127.0.0.1:{shield.port()}"
                await eventually(lambda: server_of(edge, "a.example") == place, "the other origin", 5)
                assert queue_lengths(edge) == {"a.example": 9, "b.example": 30}
                await edge.publisher("s?vhost=c.example")
                await pictures(await edge.player("s?vhost=c.example"), 0)
                newcomer = await edge.client()
                newcomer.play("s?vhost=c.example")
                assert "LimitReached" in (await status(newcomer, "NetStream.Play.Failed"))["description"]
                for each in (edge, shield, first, second):
                    await each.close()


async def test_streams_of_a_match_have_an_origin_of_their_own(tmp_path: Path) -> None:
    conf = tmp_path / "edge.conf"
    async with running() as origin:
        conf.write_text(f"vhost _ {{ match far/* {{ proxy_to 127.0.0.1:{origin.port()}; }} }}")
        async with running(f"-c={conf}") as edge:
            await origin.publisher("s?app=far")
            await edge.publisher("s")
            for name in ("s", "s?app=far"):
                await pictures(await edge.player(name), 0)
            upstream = edge.node.units[0].upstream
            assert upstream is not None
            assert [str(key) for key in upstream.pulls] == ["_/far/s"]
            for each in (edge, origin):
                await each.close()
