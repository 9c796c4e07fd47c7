"""HTTP-FLV, FLV in WebSocket and HTTP-TS from a whole node: what a player gets, and when it ends."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any, NamedTuple
from unittest.mock import Mock

import pytest
from aiohttp.test_utils import make_mocked_request

from edge.httpd.config import HttpConfig
from edge.httpd.live import LivePlayer, forwarded_query
from edge.httpd.routes import Target
from edge.net.flv_form import FlvForm
from edge.net.log_connection import LogConnection
from edge.net.poller import READ, Pollable
from edge.rtmp import amf0
from tests.harness.clock import deadline, wait_until
from tests.harness.http_media import FlvReader, TsReader, WsFlvReader, reader_of
from tests.harness.judge import GOOD, NOT_FOUND, REFUSED, SILENT, Judge
from tests.harness.portable import IS_HIDDEN
from tests.harness.ports import free_port
from tests.harness.raw_http import RawHttp, raw_request, request_head, upgrade_lines
from tests.harness.wire import AUDIO, VIDEO
from tests.httpd.feeding import AAC_HEADER, H264_HEADER, SPEEX_SOUND, Source, picture
from tests.net.live import send
from tests.runtime.nodes import RunningNode, running


class Tried(NamedTuple):
    """An output that carries pictures; ``reader_of`` reads it by its URL."""

    scheme: str
    suffix: str
    protocol: str
    content_type: str = ""


OUTPUTS = {
    "flv": Tried("http", "flv", "http-flv", "video/x-flv"),
    "ws": Tried("ws", "flv", "ws-flv"),
    "ts": Tried("http", "ts", "http-ts", "video/mp2t"),
}
every_output = pytest.mark.parametrize("output", OUTPUTS)
VIDEO_PID, AUDIO_PID = 0x100, 0x101

Reader = FlvReader | TsReader


def url(node: RunningNode, output: str, name: str = "s", query: str = "") -> str:
    tried = OUTPUTS[output]
    return f"{tried.scheme}://127.0.0.1:{node.port()}/live/{name}.{tried.suffix}{query}"


def edge_flags(*ports: int) -> tuple[str, ...]:
    servers = ",".join(f"127.0.0.1:{port}" for port in ports)
    return (f"-proxy_to=list://{servers}", "-proxy_lb=rr", "-retry_interval_ms=100", "-timeout_ms=500")


@asynccontextmanager
async def chain(*edge: str) -> AsyncIterator[tuple[RunningNode, RunningNode]]:
    async with running() as origin, running(*edge_flags(origin.port()), *edge) as node:
        try:
            yield origin, node
        finally:
            for client in origin.clients:
                client.peer.abort()  # before the edge looks for what is left


async def has_pictures(reader: Reader, count: int) -> None:
    """So many pictures, and whole ones, have come."""
    if isinstance(reader, TsReader):
        await reader.wait_pes(VIDEO_PID, count, 3)
    else:
        await reader.wait_for(lambda: len(reader.timeline_ms(VIDEO)) >= count, 3, f"{count} pictures")


@every_output
async def test_player_gets_the_stream_from_its_newest_keyframe(output: str) -> None:
    async with running() as node:
        source = await Source.at(node)
        source.push(60)
        async with reader_of(url(node, output)) as reader:
            assert reader.status == (101 if output == "ws" else 200)
            await has_pictures(reader, 10)
            source.push(5)
            await has_pictures(reader, 15)
            assert reader.keyframe_count == 1
            assert reader.headers["Access-Control-Allow-Origin"] == "*"
            assert reader.headers["Server"] == "edge"
            if output != "ws":
                assert reader.headers["Connection"] == "close"
                assert reader.headers["Content-Type"] == OUTPUTS[output].content_type
            if isinstance(reader, WsFlvReader):
                assert reader.cut_message_count == 0


async def test_flv_bears_the_clock_of_the_stream() -> None:
    async with running() as node:
        source = await Source.at(node)
        source.push(60)
        async with reader_of(url(node, "flv")) as reader:
            await has_pictures(reader, 10)
            assert reader.timeline_ms(VIDEO)[0] == 2000
            assert reader.events[:3] == [("video_header", 2000), ("audio_header", 2000), ("keyframe", 2000)]


async def test_metadata_are_stamped_0() -> None:
    """Of metadata with another stamp ffmpeg makes a text track."""
    async with running("-max_metadata_per_s=1000") as node:
        source = await Source.at(node)
        source.push_data(amf0.encode_all("@setDataFrame", "onMetaData", amf0.EcmaArray({"width": 640.0})))
        source.push(60)
        async with reader_of(url(node, "flv")) as reader:
            await has_pictures(reader, 10)
            source.push_data(amf0.encode_all("@setDataFrame", "onMetaData", amf0.EcmaArray({"width": 320.0})))
            source.push(5)
            await has_pictures(reader, 15)
            assert [at_ms for kind, at_ms in reader.events if kind == "data"] == [0, 0]


@pytest.mark.parametrize(
    ("query", "has_audio", "has_video"),
    [("", True, True), ("?only-audio=1", True, False), ("?only-video=1", False, True)],
)
@every_output
async def test_one_medium_only(output: str, query: str, has_audio: bool, has_video: bool) -> None:
    async with running() as node:
        source = await Source.at(node)
        source.push(50)
        async with reader_of(url(node, output, query=query)) as reader:
            source.push(25)
            if isinstance(reader, TsReader):
                await reader.wait_pes(VIDEO_PID if has_video else AUDIO_PID, 20, 3)
                assert (bool(reader.of(AUDIO_PID)), bool(reader.of(VIDEO_PID))) == (has_audio, has_video)
                return
            await reader.wait_items(40 if has_audio and has_video else 20, 3)
            assert reader.names_tracks == (has_audio, has_video)
            assert {frame.type_id for frame in reader.frames} == ({AUDIO} if has_audio else set()) | (
                {VIDEO} if has_video else set()
            )


@pytest.mark.parametrize(("has_audio", "has_video"), [(True, False), (False, True)])
@every_output
async def test_stream_of_one_medium(output: str, has_audio: bool, has_video: bool) -> None:
    """A file header that named a track which never comes would keep players waiting for it."""
    async with running() as node:
        source = await Source.at(node, has_audio=has_audio, has_video=has_video)
        source.push(30)
        async with reader_of(url(node, output)) as reader:
            source.push(30)
            if isinstance(reader, TsReader):
                await reader.wait_pes(VIDEO_PID if has_video else AUDIO_PID, 20, 3)
            else:
                await reader.wait_items(20, 3)
                assert reader.names_tracks == (has_audio, has_video)


@pytest.mark.parametrize(
    ("has_audio", "query", "words"),
    [(True, "?only-video=1", b"there are no pictures"), (False, "?only-audio=1", b"there is no sound")],
)
@every_output
async def test_medium_that_the_stream_lacks_is_waited_for(
    output: str, has_audio: bool, query: str, words: bytes
) -> None:
    """It was answered 200, and nothing followed."""
    async with running("-pull_nodata_timeout_ms=300") as node:
        source = await Source.at(node, has_audio=has_audio, has_video=not has_audio)
        source.push(60)
        async with reader_of(url(node, output, query=query)) as reader:
            assert reader.status == 504
            assert output == "ws" or words in reader.refusal
        waiting = asyncio.create_task(_status_of(url(node, output, query=query)))
        (stream,) = node.node.units[0].registry.streams.values()
        await wait_until(lambda: stream.player_count, deadline(2), "the player")
        both = [
            (AUDIO, AAC_HEADER),
            (VIDEO, H264_HEADER),
            (VIDEO, picture(is_keyframe=True)),
            (AUDIO, b"\xaf\x01" + bytes(20)),
        ]
        for type_id, payload in both:
            send(source.client, type_id, 2400, payload)
        assert await waiting == (101 if output == "ws" else 200)


@every_output
async def test_end_of_the_broadcast_ends_the_body(output: str) -> None:
    async with running() as node:
        source = await Source.at(node)
        source.push(30)
        async with reader_of(url(node, output)) as reader:
            await has_pictures(reader, 5)
            source.end()
            await reader.wait_end(2)
            assert reader.error is None
            if isinstance(reader, WsFlvReader):
                assert reader.close_code == 1000
        await wait_until(lambda: not node.node.context.fanout.player_count, deadline(2), "the end")


@every_output
async def test_loss_of_the_upstream_does_not(output: str) -> None:
    async with chain() as (origin, edge):
        source = await Source.at(origin)
        source.push(30)
        async with reader_of(url(edge, output)) as reader:
            await has_pictures(reader, 5)
            upstream = next(one for one in edge.node.context.connections if one.role == "upstream")
            upstream.abort("lost")
            await wait_until(
                lambda: any(one.role == "upstream" for one in edge.node.context.connections), deadline(3), "the retry"
            )
            source.push(30)
            await has_pictures(reader, 35)
            assert not reader.has_ended


@every_output
async def test_request_at_an_edge_pulls(output: str) -> None:
    async with chain() as (origin, edge):
        source = await Source.at(origin, "cam?token=1")
        source.push(30)
        async with reader_of(url(edge, output, "cam", "?token=1&p=x&only-video=1")) as reader:
            await has_pictures(reader, 5)
            (stream,) = edge.node.units[0].registry.streams.values()
            assert list(stream.roster.plays_of("token=1"))


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/live/cam.flv?app=secret", 404),
        ("/live/cam%3Fapp=secret.flv", 400),
        ("/live%3Fvhost=other.example/cam.flv", 400),
        ("/r/other.example%3Fapp=secret/live/cam.flv", 400),
    ],
)
async def test_what_an_edge_asks_for_cannot_be_made_another_stream(target: str, status: int) -> None:
    async with chain("-http_flv_missing=404", "-pull_nodata_timeout_ms=3000") as (origin, edge):
        for name in ("cam?app=secret", "cam?vhost=other.example"):
            (await Source.at(origin, name)).push(30)
        async with reader_of(f"http://127.0.0.1:{edge.port()}{target}") as reader:
            assert reader.status == status


@every_output
async def test_H10_unknown_stream_of_an_origin(output: str) -> None:
    async with running() as node, reader_of(url(node, output)) as reader:
        assert reader.status == 404
        if output != "ws":
            assert reader.refusal == b"Fail to find key=_/live/s\n"
        assert node.node.context.counters["error_not_found_count"] == 1


@pytest.mark.parametrize(
    ("missing", "timeout_ms", "least_ms"), [("404", 600_000, 0), ("wait", 300, 300)], ids=["at once", "after a while"]
)
async def test_H10_stream_that_the_upstream_does_not_have(missing: str, timeout_ms: int, least_ms: int) -> None:
    flags = (f"-http_flv_missing={missing}", f"-pull_nodata_timeout_ms={timeout_ms}")
    async with chain(*flags) as (_, edge):
        began = edge.node.context.now_ms()
        async with asyncio.timeout(deadline(5)), reader_of(url(edge, "flv")) as reader:
            assert reader.status == 404
        assert edge.node.context.now_ms() - began >= least_ms


async def test_publisher_that_comes_while_a_player_waits() -> None:
    async with chain() as (origin, edge):
        task = asyncio.create_task(_first_pictures(url(edge, "flv")))
        await wait_until(lambda: edge.node.units[0].registry.streams, deadline(2), "the pull")
        source = await Source.at(origin)
        source.push(30)
        assert await asyncio.wait_for(task, deadline(5)) == 200


async def _first_pictures(address: str) -> int:
    async with reader_of(address) as reader:
        await has_pictures(reader, 5)
        return reader.status


async def test_H10_upstreams_that_cannot_be_reached() -> None:
    async with (
        running(*edge_flags(free_port()), "-pull_nodata_timeout_ms=300") as edge,
        reader_of(url(edge, "flv")) as reader,
    ):
        assert reader.status == 502


@every_output
async def test_H10_upstream_that_says_nothing(output: str) -> None:
    async with (
        Judge(lambda name: SILENT) as origin,
        running(*edge_flags(origin.port), "-pull_nodata_timeout_ms=300", "-first_data_timeout_ms=200") as edge,
        reader_of(url(edge, output)) as reader,
    ):
        assert reader.status == 504


@pytest.mark.parametrize("missing", ["wait", "404"])
async def test_who_brings_a_wrong_token_is_refused_and_the_others_play(missing: str) -> None:
    """The upstream judges each query by itself; what it forbids is no missing stream."""
    async with (
        Judge(lambda name: GOOD if "good" in name else REFUSED) as origin,
        running(*edge_flags(origin.port), f"-http_flv_missing={missing}") as edge,
    ):
        asked = (_status_of(url(edge, "flv", query=f"?token={token}")) for token in ("bad", "good", "worse", "bad"))
        assert await asyncio.gather(*asked) == [403, 200, 403, 403]


@pytest.mark.parametrize(("token", "status"), [("good", 200), ("bad", 404)])
async def test_stream_that_is_not_there_for_a_wrong_token(token: str, status: int) -> None:
    async with (
        Judge(lambda name: GOOD if "good" in name else NOT_FOUND) as origin,
        running(*edge_flags(origin.port), "-http_flv_missing=404") as edge,
    ):
        assert await _status_of(url(edge, "flv", query=f"?token={token}")) == status


async def test_publisher_that_has_sent_nothing() -> None:
    async with running("-pull_nodata_timeout_ms=300") as node:
        await Source.at(node)
        async with reader_of(url(node, "flv")) as reader:
            assert reader.status == 504


async def test_server_that_is_being_stopped() -> None:
    async with running() as node:
        source = await Source.at(node)
        source.push(30)
        node.node.units[0].service.is_draining = True
        async with reader_of(url(node, "flv")) as reader:
            assert (reader.status, reader.refusal) == (503, b"this server is being stopped\n")


async def test_server_that_is_stopped_while_a_player_waits() -> None:
    async with (
        running(*edge_flags(free_port())) as edge,
        await RawHttp.open(url(edge, "flv")) as client,
    ):
        await client.send(b"GET /live/s.flv HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await _only_stream(edge)
        await edge.node.close()
        answer = await client.read_head()
        assert (answer.status, answer.body) == (503, b"this server is being stopped\n")


async def test_codec_that_ts_has_no_place_for() -> None:
    async with running() as node:
        source = await Source.at(node, has_audio=False)
        for number in range(30):
            source.push(1)
            send(source.client, AUDIO, number * 40, SPEEX_SOUND)
        async with reader_of(url(node, "ts")) as refused:
            assert (refused.status, refused.refusal) == (415, b"MPEG-TS has no place for Speex\n")
        async with reader_of(url(node, "ts", query="?only-video=1")) as reader:
            await has_pictures(reader, 5)


async def test_fault_of_ours_before_the_first_byte_gives_the_play_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(FlvForm, "of", fail)
    async with running() as node:
        (await Source.at(node)).push(30)
        async with reader_of(url(node, "flv")) as reader:
            assert reader.status == 500
        stream = await _only_stream(node)
        assert stream.player_count == 0
        assert not stream.readers
        node.node.http.counters.clear()  # it was wanted


async def test_player_that_cannot_be_watched_gives_the_play_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as node:
        (await Source.at(node)).push(30)
        stream = await _only_stream(node)
        poller = node.node.context.poller
        add = poller.add

        def add_others(fd: int, owner: Pollable, events: int = READ) -> None:
            if isinstance(owner, LogConnection):
                raise OSError(errno.ENOSPC, "No space left on device")
            add(fd, owner, events)

        monkeypatch.setattr(poller, "add", add_others)
        client = await RawHttp.open(url(node, "flv"))
        await client.send(b"GET /live/s.flv HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert await client.read(2.0) == b""
        assert (stream.player_count, stream.readers) == (0, [])
        await client.close()
        poller.internal_error_count = 0  # it was wanted


async def test_client_that_leaves_while_it_waits_is_given_up() -> None:
    async with running(*edge_flags(free_port())) as edge:
        client = await RawHttp.open(url(edge, "flv"))
        await client.send(b"GET /live/s.flv HTTP/1.1\r\nHost: localhost\r\n\r\n")
        stream = await _only_stream(edge)
        assert stream.player_count == 1
        await client.close()
        await wait_until(lambda: not stream.player_count, deadline(2), "the play to be given back")
        assert not edge.node.context.counters["error_not_found_count"]


async def _only_stream(node: RunningNode) -> Any:
    streams = node.node.units[0].registry.streams
    await wait_until(lambda: streams, deadline(2), "a stream")
    return next(iter(streams.values()))


@pytest.mark.parametrize("start", ["HEAD /live/s.flv HTTP/1.1", "GET /live/s.flv HTTP/1.0"])
async def test_who_may_not_upgrade_is_answered_as_if_it_had_not_asked(start: str) -> None:
    async with running() as node:
        (await Source.at(node)).push(30)
        async with await RawHttp.open(url(node, "ws")) as client:
            await client.send("\r\n".join((start, "Host: localhost", *upgrade_lines(), "", "")).encode())
            answer = await client.read_head()
            assert answer.status == 200, answer
            assert answer.headers["connection"] == "close"
            assert "upgrade" not in answer.headers


async def test_H5_head_tells_what_a_get_would() -> None:
    async with running() as node:
        for suffix, status in {"flv": 404, "ts": 404}.items():
            assert await _head(url(node, suffix)) == status
        source = await Source.at(node, has_audio=False)
        source.push(5)
        send(source.client, AUDIO, 0, SPEEX_SOUND)
        stream = await _only_stream(node)
        await wait_until(lambda: stream.queue.end >= 7, deadline(2), "the sound")
        assert (await _head(url(node, "flv")), await _head(url(node, "ts"))) == (200, 415)
        node.node.units[0].service.is_draining = True
        assert (await _head(url(node, "flv")), stream.player_count) == (503, 0)


async def test_H5_head_starts_no_pull() -> None:
    async with chain() as (_, edge):
        assert await _head(url(edge, "flv")) == 200
        assert not edge.node.units[0].registry.streams


async def _head(address: str) -> int:
    answer = await raw_request(address, request_head(address, "Connection: close", method="HEAD"), deadline(2))
    assert (answer.end, answer.headers["access-control-allow-origin"]) == ("fin", "*")
    assert not answer.body
    return answer.status


@every_output
async def test_R6_who_waits_is_told_that_the_server_is_stopped(output: str) -> None:
    async with running(*edge_flags(free_port())) as edge:
        waiting = asyncio.create_task(_status_of(url(edge, output)))
        await _only_stream(edge)
        await asyncio.wait_for(edge.node.close(), deadline(2))
        assert await waiting == 503


async def _status_of(address: str) -> int:
    async with reader_of(address) as reader:
        return reader.status


async def test_client_that_has_gone_before_its_request_is_looked_at_begins_no_pull() -> None:
    """It had been sent behind another one."""
    async with running(*edge_flags(free_port())) as edge:
        service = edge.node.units[0].service
        live = LivePlayer(HttpConfig(), edge.node.context, {"public": service})
        gone = Mock(role="public", peer="-", on_lost=None)
        request = make_mocked_request("GET", "/live/s.flv", headers={"Host": "h"}, protocol=gone)
        gone.transport = None
        await asyncio.wait_for(live.play_flv(request, Target("/live/s.flv")), deadline(2))
        assert not service.registry.streams


@every_output
async def test_of_a_request_only_the_player_stays(output: str) -> None:
    """None of the types that many players add objects of is one of those that serve HTTP."""
    async with running() as node:
        (await Source.at(node)).push(60)
        where = url(node, output)
        head = request_head(where, *(upgrade_lines() if output == "ws" else ()))
        with ExitStack() as stack:

            async def join(count: int) -> None:
                for _ in range(count):
                    sock = stack.enter_context(socket.socket())
                    sock.setblocking(False)
                    loop = asyncio.get_running_loop()
                    await loop.sock_connect(sock, ("127.0.0.1", node.port()))
                    await loop.sock_sendall(sock, head)
                    assert (await loop.sock_recv(sock, 65536)).startswith(b"HTTP/1.1 ")

            await join(5)  # what is made once is there
            before = objects_by_type()
            await join(50)
            added = {name for name, count in (objects_by_type() - before).items() if count >= 50}
        assert {"edge.net.fan.player.Player", "edge.service.request.HttpClient"} <= added
        theirs = {name for name in added if name.startswith(("aiohttp", "asyncio", "uvloop", "edge.httpd"))}
        if IS_HIDDEN:
            theirs.discard("asyncio.events.Handle")  # the loop's own, of a descriptor that it watches
        assert not theirs


def objects_by_type() -> Counter[str]:
    """All that is alive, but for cancelled timers, which a loop forgets some time later."""
    gc.collect()
    alive = (each for each in gc.get_objects() if not (isinstance(each, asyncio.TimerHandle) and each.cancelled()))
    return Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in alive)


@every_output
async def test_page_shows_the_player(output: str) -> None:
    async with running() as node:
        source = await Source.at(node)
        source.push(30)
        async with reader_of(url(node, output)) as reader:
            await has_pictures(reader, 5)
            (player,) = [one for one in node.node.context.connections if one.role == "play"]
            facts = player.describe()
            assert (facts.protocol, facts.keys) == (OUTPUTS[output].protocol, ("_/live/s",))
            await wait_until(lambda: player.total_sent_bytes() > len(reader.data), deadline(1), "the count")


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", ""),
        ("a=1&b", "a=1&b"),
        ("_HLS_msn=3&_HLS_part=1&CMCD=bl%3D1&p=x&lssid=4&hls_ctx=5&token=1", "token=1"),
        ("pp=1&xlssid=2", "pp=1&xlssid=2"),
    ],
)
def test_what_only_players_mean_something_by_goes_nowhere(query: str, wanted: str) -> None:
    assert forwarded_query(query) == wanted
