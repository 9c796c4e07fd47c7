"""The peers of the tests against each other: what one sends the other reads, through any slicing and each fault."""

from __future__ import annotations

import asyncio

import pytest

from tests.harness.clock import deadline, wait_until
from tests.harness.fault_proxy import FaultProxy
from tests.harness.sink import SinkServer
from tests.harness.synth import Script, SynthPublisher
from tests.harness.wire import RtmpPeer, WireError, decode_amf, encode_amf


def test_amf_values_survive() -> None:
    values = ["name", 1.5, True, None, {"a": 1.0, "b": {"c": "d"}}]
    assert decode_amf(encode_amf(*values)) == values


def test_amf_cut_short_is_an_error() -> None:
    with pytest.raises(WireError):
        decode_amf(encode_amf("name", 1.5)[:-1])


@pytest.mark.parametrize("slice_bytes", [1, 7, 65536])
async def test_publisher_reaches_the_sink_whole_through_any_slicing(slice_bytes: int) -> None:
    script = Script(speed=4, start_timestamp=(1 << 24) - 500, video_bytes=5000 if slice_bytes > 7 else 300)
    async with SinkServer() as sink, FaultProxy(sink.port) as proxy:
        proxy.up.slice_bytes = slice_bytes
        async with SynthPublisher(f"rtmp://{proxy.address}/live/a", script) as publisher:
            await wait_until(lambda: sink.publications and len(sink.publications[0].deliveries) > 60, deadline(4), "60")
        publication = sink.publications[0]
    assert publication.name == "a"
    assert publication.events[:3] == ["metadata", "avc_header", "keyframe"]
    published = {frame.sequence: timestamp for frame, timestamp in publisher.sent}
    assert all(published[each.frame.sequence] == each.timestamp for each in publication.deliveries)
    assert publication.deliveries[-1].timestamp > 1 << 24


async def test_reset_of_the_proxy_is_a_loss_and_the_publisher_comes_back() -> None:
    async with SinkServer() as sink, FaultProxy(sink.port) as proxy:
        publisher = SynthPublisher(f"rtmp://{proxy.address}/live/a", does_reconnect=True)
        async with publisher:
            assert await proxy.reset_all() == 1
            await wait_until(lambda: 2 in publisher.first_sent_at, deadline(2), "the second generation")
            await proxy.refuse()
            await proxy.reset_all()
            await asyncio.sleep(0.3)
            assert not publisher.is_connected and proxy.accepted_count == 2
            await proxy.start()
            await wait_until(lambda: 3 in publisher.first_sent_at, deadline(2), "the third generation")


async def test_cut_and_stall_act_on_one_direction() -> None:
    async with SinkServer() as sink, FaultProxy(sink.port) as proxy:
        async with SynthPublisher(f"rtmp://{proxy.address}/live/a") as publisher:
            await wait_until(lambda: sink.publications and sink.publications[0].deliveries, deadline(2), "a frame")
            proxy.up.is_flowing.clear()
            await asyncio.sleep(0.1)
            before = len(sink.publications[0].deliveries)
            await asyncio.sleep(0.3)
            assert len(sink.publications[0].deliveries) <= before + 2
            proxy.up.is_flowing.set()
            await wait_until(lambda: len(sink.publications[0].deliveries) > before + 10, deadline(2), "the rest")
        proxy.up.cut_after_bytes = 8000
        async with SynthPublisher(f"rtmp://{proxy.address}/live/b") as publisher:
            await wait_until(lambda: publisher.error is not None, deadline(4), "the cut")


async def test_close_sends_what_is_queued_although_answers_come_that_nobody_reads() -> None:
    got = bytearray()
    ended = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                got.extend(data)
                writer.write(b"an acknowledgement")
                await asyncio.sleep(0)
            ended.set_result("FIN")
        except OSError as error:
            ended.set_result(error)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        peer = RtmpPeer(*await asyncio.open_connection(*server.sockets[0].getsockname()))
        peer.send_bytes(bytes(20_000_000))
        await peer.close()
        assert await ended == "FIN"
    assert len(got) == 20_000_000
