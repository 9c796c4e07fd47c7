"""Requests that wait: what is held for them, and what becomes of it, with real clients of a rule that is slow."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from edge.hub.stream import Stream
from edge.net.rtmp.asked import Asked
from edge.net.rtmp.server import RtmpServerConnection
from edge.service.admission import LATER, Admission, Answer, Asking, Later
from edge.service.refusal import Reason, Refusal
from edge.service.request import PlayRequest, PublishRequest
from tests.harness.client import RtmpClient
from tests.harness.wire import AUDIO, VIDEO
from tests.hub.test_events import Ears
from tests.net.fakes import AUDIO_HEADER_BODY, VIDEO_HEADER_BODY, video
from tests.net.live import (
    LiveServer,
    ended,
    eventually,
    number_of,
    pictures,
    send,
    send_video,
    serving,
    status,
    status_of,
    until,
)
from tests.service.test_admission import REQUEST, Says

NO = Refusal(Reason.FORBIDDEN, "not today")
LATE_S = 0.05


def waiting() -> tuple[Asking, list[object]]:
    admission, answers = Admission(), []
    admission.rules.append(Says(LATER))
    return admission.ask(REQUEST, answers.append), answers


def test_media_are_held_for_a_publish_beside_others_and_left_with_the_client_of_one_alone() -> None:
    asked = Asked()
    asked.add(1, waiting()[0], is_publish=True, is_alone=True)
    assert asked.is_reading_put_off
    asked.hold(1, 9, 0, b"not read")
    assert asked.answered(1) == []
    assert not asked.is_reading_put_off

    asked.add(1, waiting()[0], is_publish=False, is_alone=True)
    asked.add(2, waiting()[0], is_publish=True, is_alone=False)
    assert not asked.is_reading_put_off
    for number in (1, 2, 3):
        asked.hold(number, 8, 0, b"%d" % number)
    assert asked.answered(2) == [(8, 0, b"2")]
    assert (len(asked), 1 in asked, 2 in asked) == (1, True, False)


def test_what_is_withdrawn_is_not_answered() -> None:
    asked = Asked()
    each = {number: waiting() for number in (1, 2, 3)}
    for number, (asking, _) in each.items():
        asked.add(number, asking, is_publish=True, is_alone=number == 1)
    asked.withdraw(1)
    asked.withdraw(1)
    assert [asking.is_open for asking, _ in each.values()] == [False, True, True]
    asked.withdraw_all()
    assert not any(asking.is_open for asking, _ in each.values())
    assert (len(asked), asked.is_reading_put_off) == (0, False)
    assert not any(answers for _, answers in each.values())


class Slow:
    """A rule that answers 50 ms after it was asked, or when it is told to.

    Attributes:
        asked: names that it was asked about.
    """

    def __init__(self, server: LiveServer, verdict: Refusal | None = None, *, only: str = "", by_hand: bool = False):
        self.verdict, self.only, self.by_hand = verdict, only, by_hand
        self.asked: list[str] = []
        self.answer: Answer | None = None
        server.service.admission.rules.append(self)

    def check(self, request: PlayRequest | PublishRequest, later: Answer) -> Refusal | Later | None:
        name = request.name.key.stream_name
        if self.only and name != self.only:
            return None
        self.asked.append(name)
        self.answer = later
        if not self.by_hand:
            asyncio.get_running_loop().call_later(LATE_S, later, self.verdict)
        return LATER

    def say(self, refusal: Refusal | None = None) -> None:
        assert self.answer is not None
        self.answer(refusal)


def reset_when_closed(client: RtmpClient) -> None:
    sock = client.peer._writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def asked(slow: Slow, server: LiveServer, count: int = 1) -> RtmpServerConnection:
    """The connection that was asked about last."""
    await eventually(lambda: len(slow.asked) >= count, "the question")
    return server.connections[-1]


def kept(server: LiveServer, name: str = "s") -> list[int]:
    """Numbers of the pictures that a stream holds."""
    frames = server.stream(name).queue.frames
    return [int(frame.payload[5:13]) for frame in frames if frame.type_id == VIDEO and frame.payload[5:13].isdigit()]


# --- plays -------------------------------------------------------------------


async def test_play_that_is_granted_later_begins_then() -> None:
    async with serving() as server:
        publisher = await server.publisher()
        send_video(publisher, 0, is_keyframe=True)
        slow = Slow(server)
        player = await server.player()
        assert slow.asked == ["s"]
        send_video(publisher, 1)
        assert [number_of(m) for m in await pictures(player, 1) if number_of(m) >= 0] == [0, 1]
        assert server.stream().player_count == 1


async def test_play_that_is_refused_later_is_told_why() -> None:
    async with serving() as server:
        await server.publisher()
        Slow(server, NO)
        player = await server.client()
        player.play("s")
        assert (await status(player, "NetStream.Play.Failed"))["description"] == "forbidden: not today"
        await ended(player)
        assert server.counters["error_forbidden_count"] == 1
        assert server.stream().player_count == 0


@pytest.mark.parametrize("how", ["gone", "kicked", "ended"])
async def test_play_is_not_granted_to_who_is_there_no_more(how: str) -> None:
    async with serving() as server:
        await server.publisher()
        slow = Slow(server, by_hand=True)
        player = await server.client()
        player.play("s")
        connection = await asked(slow, server)
        if how == "gone":
            player.peer.abort()
            await eventually(lambda: connection.state == "closed", "the loss")
        elif how == "kicked":
            connection.close_gracefully("kicked")
        else:
            player.peer.send_command(0, "deleteStream", 0, None, player.message_stream_id)
            await player.call("createStream", None)
        slow.say()
        await asyncio.sleep(0)
        assert (server.stream().player_count, len(connection.plays)) == (0, 0)


async def test_play_of_another_stream_takes_the_place_of_one_that_waits() -> None:
    async with serving() as server:
        await server.publisher("a")
        await server.publisher("b")
        slow = Slow(server, only="a", by_hand=True)
        player = await server.client()
        player.play("a")
        connection = await asked(slow, server)
        player.play("b")
        await status(player, "NetStream.Play.Start")
        slow.say()
        assert connection.keys == ["_/live/b"]
        assert (server.stream("a").player_count, server.stream("b").player_count) == (0, 1)


# --- publishes ---------------------------------------------------------------


def send_headers(client: RtmpClient, message_stream_id: int | None = None) -> None:
    send(client, VIDEO, 0, VIDEO_HEADER_BODY, message_stream_id)
    send(client, AUDIO, 0, AUDIO_HEADER_BODY, message_stream_id)


async def test_publish_that_is_granted_later_has_all_that_was_sent_meanwhile() -> None:
    async with serving() as server:
        slow = Slow(server, by_hand=True)
        client = await server.client()
        client.publish("s")
        send_headers(client)
        for number in range(30):
            send_video(client, number, is_keyframe=number == 0)
        await client.peer.drain()
        connection = await asked(slow, server)
        read = connection.received_bytes
        for number in range(30, 60):
            send(client, VIDEO, number * 40, video(number, size=20_000))
        await client.peer.drain()
        await asyncio.sleep(LATE_S)
        assert connection.received_bytes == read, "it is not read"
        assert not server.registry.streams
        slow.say()
        await status(client, "NetStream.Publish.Start")
        await eventually(lambda: server.stream().stats.video_frames == 60, "all pictures")
        assert kept(server)[:1] == [0]
        assert server.stream().codec_of(VIDEO) == "H264"
        assert connection.role == "publish"


async def test_publish_that_is_refused_later_is_told_why() -> None:
    async with serving() as server:
        Slow(server, NO)
        client = await server.client()
        client.publish("s")
        send_headers(client)
        assert (await status(client, "NetStream.Publish.BadName"))["description"] == "forbidden: not today"
        await ended(client)
        assert not server.registry.streams


@pytest.mark.parametrize("how", ["gone", "broken", "kicked"])
async def test_publish_is_not_granted_to_who_is_there_no_more(how: str) -> None:
    async with serving() as server:
        slow = Slow(server, by_hand=True)
        client = await server.client()
        client.publish("s")
        connection = await asked(slow, server)
        if how == "kicked":
            connection.close_gracefully("kicked")
        else:
            if how == "broken":
                reset_when_closed(client)
                send_video(client, 0)
            client.peer.abort()
            await eventually(lambda: connection.state == "closed", "the loss")
        slow.say()
        await asyncio.sleep(0)
        assert not server.registry.streams
        assert not server.rtmp.ingest.publishers
        assert not server.service.publishes


async def test_publish_that_was_cut_off_behind_media_runs_as_far_as_they_go() -> None:
    async with serving() as server:
        slow = Slow(server, by_hand=True)
        client = await server.client()
        client.publish("s")
        await client.peer.drain()
        connection = await asked(slow, server)
        send_headers(client)
        for number in range(10):
            send_video(client, number, is_keyframe=number == 0)
        await client.peer.drain()
        await asyncio.sleep(LATE_S)
        client.peer.abort()
        await asyncio.sleep(LATE_S)
        assert connection.state == "open"
        ends: list[Stream] = []
        server.registry.observers.append(Ears(on_ended=ends.append))
        slow.say()
        await eventually(lambda: ends, "the end")
        assert ends[0].stats.video_frames == 10


async def test_publish_that_was_over_before_its_answer_runs_and_ends_in_order() -> None:
    async with serving() as server:
        slow = Slow(server, by_hand=True)
        client = await server.client()
        client.publish("s")
        send_headers(client)
        send_video(client, 0, is_keyframe=True)
        client.delete_stream("s")
        await client.peer.drain()
        await asked(slow, server)
        slow.say()
        assert server.has_stream() is False, "all of it was at hand"
        await status(client, "NetStream.Publish.Start")
        await status(client, "NetStream.Unpublish.Success")


async def second_stream(client: RtmpClient) -> int:
    return int((await client.call("createStream", None))[3])


async def test_publish_beside_a_play_is_held_while_the_rest_is_read() -> None:
    async with serving() as server:
        source = await server.publisher("a")
        slow = Slow(server, only="b", by_hand=True)
        client = await server.client(stream_multiplexing=True)
        other = await second_stream(client)
        client.play("a")
        await status(client, "NetStream.Play.Start")
        client.peer.send_command(other, "publish", 0, None, "b", "live")
        connection = await asked(slow, server)
        send_headers(client, other)
        for number in range(10):
            send(client, VIDEO, number * 40, video(number, is_keyframe=number == 0), other)
        await client.call("createStream", None)  # so all has been read
        send_video(source, 0, is_keyframe=True)
        await until(client, lambda m: m.type_id == VIDEO and number_of(m) == 0)
        assert not server.has_stream("b")
        slow.say()
        await until(client, lambda m: status_of(m).get("code") == "NetStream.Publish.Start")
        assert kept(server, "b") == list(range(10))
        assert connection.role == "publish+play"


async def test_of_more_than_a_publish_may_send_meanwhile_the_headers_are_kept() -> None:
    async with serving() as server:
        slow = Slow(server, only="b", by_hand=True)
        client = await server.client(stream_multiplexing=True)
        other = await second_stream(client)
        client.publish("a")
        await status(client, "NetStream.Publish.Start")
        client.peer.send_command(other, "publish", 0, None, "b", "live")
        await asked(slow, server)
        send_headers(client, other)
        for number in range(30):
            send(client, VIDEO, number * 40, video(number, is_keyframe=number == 0, size=50_000), other)
            send(client, VIDEO, number * 40, video(number, is_keyframe=number == 0))
            await client.peer.drain()
        await eventually(lambda: len(kept(server, "a")) == 30, "the stream beside it")
        slow.say()
        assert server.stream("b").stats.video_frames == 0
        send(client, VIDEO, 1200, video(30, is_keyframe=True), other)
        await eventually(lambda: kept(server, "b") == [30], "what came later")
        assert server.stream("b").codec_of(VIDEO) == "H264"
