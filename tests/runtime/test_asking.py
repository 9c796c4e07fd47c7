"""An edge that asks its origin about each client: who comes second is judged like who came first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from edge.access.edge_scheme import EdgeScheme
from edge.access.token import Asked
from edge.facts.orders import SetFlag
from edge.net.aio import wall_ms
from edge.tools.hook_demo import HookDemo
from tests.net.live import eventually, pictures, status
from tests.runtime.nodes import RunningNode, running
from tests.runtime.test_access import SIGN_KEY, signed

#: However busy the machine is.
_PATIENT = "-hook_timeout_ms=20000"


@asynccontextmanager
async def chain(
    tmp_path: Path, *flags: str, origin_flags: tuple[str, ...] = (), is_proven: bool = True, is_fed: bool = False
) -> AsyncIterator[tuple[RunningNode, RunningNode]]:
    """An origin whose players need a signature, with a publisher, and an edge that asks it."""
    keys, secret = tmp_path / "sign.keys", tmp_path / "node.secret"
    keys.write_bytes(SIGN_KEY)
    secret.write_text("a secret of this fleet alone\n")
    secret.chmod(0o600)
    proof = (f"-node_secret_file={secret}",) if is_proven else ()
    gate = origin_flags or ("-play_auth=sign", f"-sign_keys_file={keys}")
    async with AsyncExitStack() as stack:
        origin = await stack.enter_async_context(running(*gate, *proof))
        if is_fed:
            await origin.publisher("s", pictures=2)
        to_origin = f"-proxy_to=127.0.0.1:{origin.port()}"
        edge = await stack.enter_async_context(running(to_origin, "-auth_upstream=ask", _PATIENT, *proof, *flags))
        yield origin, edge


async def refused(edge: RunningNode, name: str) -> str:
    client = await edge.client()
    client.play(name)
    return str((await status(client, "NetStream.Play.Failed"))["description"])


@pytest.mark.parametrize("is_proven", [True, False], ids=["proven", "ordinary"])
async def test_each_player_is_judged_while_the_stream_is_there_already(tmp_path: Path, is_proven: bool) -> None:
    async with chain(tmp_path, is_proven=is_proven, is_fed=True) as (origin, edge):
        player = await edge.player(f"s?{signed('s')}")
        await pictures(player, 0)
        assert await refused(edge, "s?exp=1893456000&sig=wrong") == "TokenInvalid"
        assert await refused(edge, "s") == "TokenMissing"
        assert await refused(edge, f"s?{signed('other')}") == "TokenInvalid"
        code, text = await edge.get("/live/s.flv?exp=1893456000&sig=wrong")
        assert (code, text) == (403, "TokenInvalid\n")
        assert (await edge.get("/live/s.m3u8?exp=1893456000&sig=wrong"))[0] == 403
        assert (await edge.get(f"/live/s.m3u8?{signed('s')}"))[0] != 403
        second = await edge.player(f"s?{signed('s', within_s=1800)}")
        await pictures(second, 0)
        (stream,) = origin.node.units[0].registry.streams.values()
        assert stream.player_count == 1, "questions are no players"
        assert [play.client.is_hop for play in stream.roster.plays()] == [True]
        samples = {each.metric: each.value for each in await edge.facts.samples() if not each.labels}
        assert samples["upstream_asked_yes_count"] >= 2 and samples["upstream_asked_no_count"] >= 4


async def test_each_edge_of_a_chain_asks_the_next_one(tmp_path: Path) -> None:
    async with chain(tmp_path, is_fed=True) as (origin, shield):
        secret = f"-node_secret_file={tmp_path / 'node.secret'}"
        to_shield = f"-proxy_to=127.0.0.1:{shield.port()}"
        async with running(to_shield, "-auth_upstream=ask", _PATIENT, secret) as edge:
            await pictures(await edge.player(f"s?{signed('s')}"), 0)
            assert await refused(edge, f"s?{signed('other')}") == "TokenInvalid"
            assert [unit.rtmp.may_desk.answered_count for unit in (*shield.node.units, *origin.node.units)] == [2, 2]
            (stream,) = origin.node.units[0].registry.streams.values()
            assert stream.player_count == 1
            for each in (edge, shield):
                await each.close()


async def test_a_node_that_is_believed_asks_for_the_clients_own_address(tmp_path: Path) -> None:
    flags = ("-play_deny=127.0.0.1,127.0.0.2", "-play_allow=203.0.113.0/24")
    async with chain(tmp_path, "-trusted_proxies=127.0.0.1", origin_flags=("-refer_play=good.example",)) as (_, edge):
        code, text = await edge.get("/live/s.flv")
        assert (code, text) == (403, "RefererDenied\n")
    async with chain(tmp_path, origin_flags=flags) as (_, edge):
        assert await refused(edge, "s") == "AccessDenied"


async def test_a_publisher_is_asked_about_before_it_takes_the_place_of_another(tmp_path: Path) -> None:
    gate = ("-publish_auth=sign", f"-sign_keys_file={tmp_path / 'sign.keys'}")
    async with chain(tmp_path, origin_flags=gate) as (origin, edge):
        asked = Asked("publish", "_", "live", "s", "", "", wall_ms() / 1000)
        tokens = [EdgeScheme().sign(asked, SIGN_KEY, int(asked.now_s) + 3600 + number) for number in range(2)]
        await edge.publisher(f"s?{tokens[0]}", pictures=2)
        upstream, streams = edge.node.units[0].upstream, edge.node.units[0].registry.streams
        assert upstream is not None
        await eventually(lambda: [push.state for push in upstream.pushes.values()] == ["live"], "the push")
        (first,) = [stream.publisher for stream in streams.values()]
        client = await edge.client()
        client.publish(f"s?{signed('s')}")  # a player's
        found = await status(client, "NetStream.Publish.Rejected")
        assert found["description"] == "TokenInvalid"
        assert [stream.publisher for stream in streams.values()] == [first]
        await edge.publisher(f"s?{tokens[1]}", pictures=2)
        assert [stream.publisher for stream in streams.values()] != [first]
        assert len(origin.node.units[0].service.publishes) == 1, "questions are no publishers"


async def test_an_origin_that_is_away_lets_in_whom_it_has_let_in_and_nobody_else(tmp_path: Path) -> None:
    async with chain(tmp_path, is_fed=True) as (origin, edge):
        token = signed("s")
        player = await edge.player(f"s?{token}")
        await pictures(player, 0)
        for client in origin.clients:
            client.peer.abort()
        await origin.node.close()
        assert (await refused(edge, f"s?{signed('s', within_s=1800)}")) == "UpstreamUnavailable"
        code, text = await edge.get(f"/live/s.flv?{signed('s', within_s=1700)}")
        assert (code, text) == (503, "UpstreamUnavailable\n")
        player.peer.abort()
        client = await edge.client()
        client.play(f"s?{token}")
        await status(client, "NetStream.Play.Start")


async def test_hooks_of_the_origin_hear_an_end_of_each_question_and_of_no_viewer_twice(tmp_path: Path) -> None:
    demo = HookDemo()
    await demo.start()
    try:
        hooks = tuple(f"-hooks_on_{word}={demo.url('/' + word)}" for word in ("play", "stop"))
        async with chain(tmp_path, origin_flags=(*hooks, _PATIENT), is_fed=True) as (origin, edge):
            player = await edge.player("s?a=1")
            await pictures(player, 0)
            await eventually(lambda: demo.actions() == ["on_play", "on_stop"], "the question and its end")
            demo.say("no Not paid", "on_play")
            assert await refused(edge, "s?a=2") == "HookDenied: Not paid"
            assert demo.told[0].what["param"] == "?a=1"
            await origin.node.hooks.close()  # its connections to the demo are younger than the edge
    finally:
        await demo.close()


async def test_it_is_asked_where_it_is_said_from_then_on_and_no_longer(tmp_path: Path) -> None:
    async with chain(tmp_path) as (_, edge):
        admission, watchers = edge.node.units[0].service.admission, edge.node.units[0].service.watchers
        (rule,) = admission.rules
        assert admission.entry_rules == [rule] and rule in watchers
        outcome = edge.reloader.set_value(SetFlag("auth_upstream", "pass", "page"), "test")
        assert outcome.result.value == "done", outcome
        assert not admission.rules and not admission.entry_rules and rule not in watchers
        edge.reloader.set_value(SetFlag("play_deny", "10.0.0.1", "page"), "test")
        edge.reloader.set_value(SetFlag("auth_upstream", "ask", "page"), "test")
        (gates,) = edge.node.access.gates
        assert admission.rules == [gates, rule], "what this node knows itself costs nobody a question"
