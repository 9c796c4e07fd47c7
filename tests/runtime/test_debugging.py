"""The pages for debugging of a node that serves."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from edge.service.spans import FinishedSpan
from tests.net.live import eventually, pictures
from tests.runtime.nodes import RunningNode, running

PAGES = ("/hotspots/cpu", "/hotspots/contention", "/hotspots/growth", "/hotspots/iobuf", "/sockets")
MORE_PAGES = ("/threads", "/tasks", "/bthreads", "/vlog", "/list", "/dir", "/rpcz")
ALL_ON = ("-enable_threads_service", "-enable_dir_service", f"-dir_service_root={Path(__file__).parent}")


@pytest.mark.parametrize("page", [*PAGES, *MORE_PAGES])
async def test_each_page_in_three_forms(page: str) -> None:
    async with running(*ALL_ON) as one:
        status, text = await one.get(f"{page}?seconds=0.05&format=text")
        assert status == 200 and text.strip() and "<html" not in text
        status, told = await one.get(f"{page}?seconds=0.05&format=json")
        assert status == 200 and isinstance(json.loads(told), dict)
        status, html = await one.get(f"{page}?seconds=0.05&console=0")
        assert status == 200 and ("<html" in html or page == "/list")
        assert (await one.get(f"{page}?seconds=0.05&console=1"))[1].startswith(text[:3])


async def test_player_by_its_number() -> None:
    async with running() as one:
        await one.publisher(pictures=2)
        await pictures(await one.player(), 1)
        told = json.loads((await one.get("/status?format=json"))[1])
        (player,) = [row for row in told["connections"] if row["role"] == "play"]
        status, text = await one.get(f"/sockets/{player['id']}")
        facts = dict(line.split("=", 1) for line in text.splitlines())
        assert (status, facts["number"], facts["keys"], facts["state"]) == (200, str(player["id"]), "_/live/s", "open")
        assert (facts["queued_bytes"], facts["behind_bytes"]) == ("0", "0")
        rows = json.loads((await one.get("/hotspots/iobuf?format=json"))[1])["rows"]
        assert player["id"] in [row["id"] for row in rows]
        assert (await one.get("/sockets/999999"))[0] == 200
        assert (await one.get("/sockets/x"))[0] == 404


async def test_routes_are_those_that_are_served() -> None:
    async with running() as one:
        told = json.loads((await one.get("/list"))[1])
        assert {"/status", "/list", "*.flv", "/health"} <= {row["path"] for row in told["routes"]}
        assert [row["role"] for row in told["services"]] == ["origin"]


async def ask(one: RunningNode, path: str) -> int:
    return (await one.get(path))[0]


async def test_X9_others_are_served_while_a_profile_is_made_and_it_ends_with_the_node() -> None:
    async with running() as one:
        await one.get("/health")
        profile = asyncio.ensure_future(ask(one, "/hotspots/cpu?seconds=300"))
        profiler = one.debugging().profiler
        await eventually(lambda: profiler.running == "cpu", "the profile")
        assert await ask(one, "/health") == 200
        assert await ask(one, "/hotspots/contention?seconds=1") == 503
        assert await ask(one, "/hotspots/cpu?seconds=nan") == 400
    assert await profile == 503


async def test_X9_what_is_off_and_who_may_not() -> None:
    async with running() as one:
        for path in ("/threads", "/dir", "/dir/x", "/hotspots/heap"):
            assert await ask(one, path) == 403, path


async def spans_of(one: RunningNode, query: str = "") -> list[dict[str, Any]]:
    spans: list[dict[str, Any]] = json.loads((await one.get(f"/rpcz?format=json{query}"))[1])["spans"]
    return spans


def behind(origin: RunningNode, *flags: str) -> AbstractAsyncContextManager[RunningNode]:
    """An edge that records what it does."""
    return running("-enable_rpcz", f"-proxy_to=127.0.0.1:{origin.port()}", *flags)


async def test_play_through_two_nodes_leaves_spans_of_one_trace_at_both() -> None:
    async with running("-enable_rpcz") as origin:
        await origin.publisher(pictures=2)
        async with behind(origin) as edge:
            await pictures(await edge.player(), 1)
            here, there = await spans_of(edge), await spans_of(origin)
            methods = [row["method"] for row in here]
            assert {"rtmp.connect", "service.play", "upstream.pull"} == set(methods)
            (pull,) = [row for row in here if row["method"] == "upstream.pull"]
            steps = [note["text"].partition(" ")[0] for note in pull["notes"]]
            assert (pull["error"], pull["side"], steps) == ("", "C", ["connection", "accepted", "first"])
            assert pull["hops"] == [origin.node.units[0].service.service_id]
            (asked,) = [row for row in there if row["method"] == "service.play"]
            assert asked["hops"] == [edge.node.units[0].service.service_id]
            assert asked["trace"] == pull["trace"]
            assert {row["method"] for row in there} == {"rtmp.connect", "service.publish", "service.play"}
            connect = next(row for row in there if row["method"] == "rtmp.connect")
            assert connect["request_bytes"] > 3000 and connect["latency_us"] >= 0
            assert (await one_line(edge, f"&trace={pull['trace']}")).count(pull["trace"]) >= 2


async def one_line(one: RunningNode, query: str) -> str:
    return (await one.get(f"/rpcz?format=text{query}"))[1]


async def test_pull_and_push_in_vain_are_told_with_their_reasons() -> None:
    async with running() as origin:
        port = origin.port()
        async with running("-enable_rpcz", f"-proxy_to=127.0.0.1:{port}", "-retry_interval_ms=50") as edge:
            publisher = await edge.publisher("up", pictures=2)
            await eventually(lambda: origin.node.units[0].registry.streams, "the push")
            await eventually(lambda: len(edge.node.context.spans) >= 3, "the spans")
            (push,) = [row for row in await spans_of(edge) if row["method"] == "upstream.push"]
            assert push["error"] == ""
            await origin.node.close()
            await eventually(
                lambda: any(span.method == "upstream.push" and span.error for span in spans_in(edge)), "a push in vain"
            )
            failed = next(span for span in spans_in(edge) if span.method == "upstream.push" and span.error)
            assert failed.error.partition(":")[0] in {"lost", "timeout", "refused", "unpublished"}
            publisher.peer.abort()


def spans_in(one: RunningNode) -> list[FinishedSpan]:
    return list(one.node.context.spans.newest_first())


async def test_client_that_fails_before_it_connects_is_a_span_with_an_error() -> None:
    async with running("-enable_rpcz") as one:
        reader, writer = await asyncio.open_connection("127.0.0.1", one.port())
        writer.write(b"\x03" + bytes(100))
        writer.write_eof()
        await eventually(lambda: spans_in(one), "the span")
        (span,) = spans_in(one)
        assert (span.method, span.subject) == ("rtmp.connect", "") and span.error
        writer.close()
        await reader.read()


async def test_nothing_is_recorded_until_it_is_switched_on() -> None:
    async with running() as one:
        await one.publisher()
        assert spans_in(one) == []
        assert "off" in (await one.get("/rpcz"))[1]
        assert (await one.get("/rpcz/enable"))[0] == 200
        await one.player()
        assert {span.method for span in spans_in(one)} == {"rtmp.connect", "service.play"}
