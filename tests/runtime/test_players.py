"""Who plays a stream, as a whole node tells of it."""

from __future__ import annotations

import asyncio

import pytest

from edge.facts.records import PlayerFacts
from edge.rtmp import amf0
from edge.runtime.players import kind_of
from tests.harness.at_once import at_once
from tests.harness.wire import DATA
from tests.net.live import eventually, pictures, send
from tests.runtime.nodes import RunningNode, running


@pytest.mark.parametrize(
    ("protocol", "kind"),
    [
        ("rtmp", "RtmpForwarder"),
        ("rtmps", "RtmpForwarder"),
        ("http-flv", "FlvDownloader"),
        ("ws-flv", "FlvDownloader"),
        ("https-flv", "FlvDownloader"),
        ("http-ts", "TsDownloader"),
        ("hls", "TsQueue"),
        ("hls-https", "TsQueue"),
    ],
)
def test_words_of_media_server(protocol: str, kind: str) -> None:
    assert kind_of(protocol) == kind


def players(one: RunningNode, key: str = "_/live/s") -> list[PlayerFacts]:
    return at_once(one.facts.players(key, 100))


async def test_a_player_by_rtmp_and_one_by_http() -> None:
    async with running() as one:
        await one.publisher(pictures=2)
        player = await one.player()
        await pictures(player, 1)
        reader, writer = await asyncio.open_connection("127.0.0.1", one.port())
        writer.write(b"GET /live/s.flv HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await reader.readuntil(b"FLV")
        first, second = players(one)
        assert (first.protocol, first.kind, first.is_node) == ("rtmp", "RtmpForwarder", False)
        assert (second.protocol, second.kind) == ("http-flv", "FlvDownloader")
        listed = {seen.id: seen.peer for seen in at_once(one.facts.connections())}
        for each in (first, second):
            assert each.connection is not None and listed[each.connection] == each.peer
            assert each.sent_bytes > 0 and each.age_ms >= 0 and each.jump_count == 0
            assert each.play_delay_ms is not None and each.play_delay_ms >= 0
            assert each.behind_ms == 0, "all there is has been sent"
        counts = {each.protocol: each.player_count for each in at_once(one.facts.audience())}
        assert counts == {"rtmp": 1, "http-flv": 1}
        assert len(at_once(one.facts.players("_/live/s", 1))) == 1
        assert players(one, "_/live/none") == []
        writer.close()
        await writer.wait_closed()


async def test_a_push_is_a_publish_proxy() -> None:
    async with running() as origin, running(f"-proxy_to=127.0.0.1:{origin.port()}") as edge:
        publisher = await edge.publisher(pictures=2)
        await eventually(lambda: at_once(origin.facts.streams()), "the push")
        (push,) = players(edge, "_/live/s.pubproxy")
        assert (push.kind, push.is_node, push.peer) == ("PublishProxy", True, f"127.0.0.1:{origin.port()}")
        (server,) = at_once(edge.facts.servers())
        assert server.streams == ("_/live/s.pubproxy",)
        publisher.peer.abort()


async def test_a_stream_is_found_and_ended_by_its_name_in_short() -> None:
    async with running() as one:
        await one.publisher(pictures=2)
        await eventually(lambda: at_once(one.facts.streams()), "the stream")
        assert (await one.get("/players/live/s"))[1].startswith("[ _/live/s ]\n")
        assert "/live/s.flv" in (await one.get("/urls/live/s"))[1]
        assert (await one.get("/players/live/none"))[1] == "No players on live/none\n"
        assert (await one.get("/api/end?key=live/s", method="POST"))[0] == 200
        assert at_once(one.facts.streams()) == []


async def test_details_of_a_stream() -> None:
    async with running() as one:
        publisher = await one.publisher(pictures=2)
        send(publisher, DATA, 0, amf0.encode_all("@setDataFrame", "onMetaData", {"framerate": 25.0, "note": "x" * 500}))
        await eventually(lambda: at_once(one.facts.details("_/live/s"))[0].metadata, "the metadata")
        (details,) = at_once(one.facts.details("_/live/s"))
        known = dict(details.metadata)
        assert known["framerate"] == "25.0"
        assert len(known["note"]) == 200, "of any length, and shown to some"
        assert details.publisher.startswith("127.0.0.1:") and details.keyframes_held == 1
        assert details.video_header.startswith("17") and details.audio_header.startswith("af")
        assert details.last_media_age_ms is not None
        assert at_once(one.facts.details("_/live/none")) == []
