"""Streams over gRPC: pages of them, what becomes of them, their end, and why."""

from __future__ import annotations

import grpc

from proto.edge.v1 import streams_pb2
from tests.control.calling import calling, refusal, within
from tests.net.live import ended, eventually

Event = streams_pb2.StreamEvent


async def test_streams_are_listed_in_pages() -> None:
    async with calling() as calls:
        for name in ("c", "a", "b"):
            await calls.one.publisher(name)
        first = await calls.streams.List(streams_pb2.ListStreamsRequest(page_size=2), timeout=within())
        assert [stream.key for stream in first.streams] == ["_/live/a", "_/live/b"]
        assert first.stream_count == 3 and first.streams[0].state == "live"
        token = first.next_page_token
        rest = await calls.streams.List(streams_pb2.ListStreamsRequest(page_size=2, page_token=token), timeout=within())
        assert [stream.key for stream in rest.streams] == ["_/live/c"] and not rest.next_page_token
        one = await calls.streams.List(streams_pb2.ListStreamsRequest(key="_/live/b"), timeout=within())
        assert [stream.stream for stream in one.streams] == ["b"] and one.stream_count == 1
        short = await calls.streams.List(streams_pb2.ListStreamsRequest(key="live/b"), timeout=within())
        assert [stream.key for stream in short.streams] == ["_/live/b"]


async def test_a_watch_tells_what_is_there_what_begins_changes_and_ends() -> None:
    async with calling() as calls:
        await calls.one.publisher("first")
        seen: list[tuple[int, str]] = []
        await calls.one.publisher("other")
        request = streams_pb2.WatchStreamsRequest(key="live/first", interval_ms=500)
        async for answer in calls.streams.Watch(request, timeout=within()):
            assert [event.stream.key for event in answer.events] == ["_/live/first"]
            break
        watch = calls.streams.Watch(streams_pb2.WatchStreamsRequest(interval_ms=500), timeout=within())

        async def until(kind: int, name: str) -> streams_pb2.Stream:
            async for answer in watch:
                for event in answer.events:
                    seen.append((event.kind, event.stream.stream))
                    if seen[-1] == (kind, name):
                        return event.stream
            raise AssertionError(f"no {kind} of {name} among {seen}")

        await until(Event.KIND_PRESENT, "first")
        second = await calls.one.publisher("second")
        await until(Event.KIND_BEGUN, "second")
        await calls.one.player("first")
        assert (await until(Event.KIND_CHANGED, "first")).players == 1
        second.peer.abort()
        await until(Event.KIND_ENDED, "second")
        watch.cancel()


async def test_a_stream_is_ended_for_all() -> None:
    async with calling() as calls:
        publisher = await calls.one.publisher("s")
        player = await calls.one.player("s")
        answer = await calls.streams.End(streams_pb2.EndStreamRequest(key="live/s"), timeout=within())
        assert answer.text == "_/live/s was ended."
        await ended(player)
        await ended(publisher)
        await eventually(lambda: not calls.one.node.units[0].registry.streams, "its end")
        again = calls.streams.End(streams_pb2.EndStreamRequest(key="_/live/s"), timeout=within())
        assert (await refusal(again))[0] is grpc.StatusCode.NOT_FOUND


async def test_why_says_what_the_page_says() -> None:
    async with calling() as calls:
        await calls.one.publisher("cam")
        request = streams_pb2.WhyStreamRequest(stream="live/cam")
        diagnosis = (await calls.streams.Why(request, timeout=within())).diagnosis
        assert (diagnosis.stream, diagnosis.plays, diagnosis.state) == ("_/live/cam", True, "plays")
        assert diagnosis.nodes[0].publisher == "client"
        request.stream = "live/cma"
        diagnosis = (await calls.streams.Why(request, timeout=within())).diagnosis
        assert not diagnosis.plays and diagnosis.causes and list(diagnosis.near) == ["_/live/cam"]
