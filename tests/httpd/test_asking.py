"""A player by HTTP waits for its first data, or is told why there are none; whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from edge.httpd.asking import FirstData
from edge.hub.stream import Stream
from edge.service.admission import LATER, Answer, Later
from edge.service.grants import Play, Publish
from edge.service.refusal import Reason, Refusal
from edge.service.request import PlayRequest, PublishRequest
from edge.service.source import Standing
from tests.harness.clock import deadline
from tests.service.fakes import VIEWER, Door, NoSource

VIDEO, AUDIO = 9, 8
KEY, SOUND = b"\x22n", b"\x2fm"


def asking(door: Door, *, is_patient: bool = False) -> FirstData:
    return FirstData(door.service, PlayRequest(VIEWER, door.name()), is_patient=is_patient)


def push(publish: Publish, *types: int, at_ms: int = 0) -> None:
    for type_id in types:
        publish.publisher.push(type_id, at_ms, KEY if type_id == VIDEO else SOUND, 1000)
    publish.publisher.commit()


async def ask(first: FirstData, within_ms: int = 60_000) -> Refusal | None:
    return await asyncio.wait_for(first.ask(within_ms), deadline(2))


async def in_a_while(action: Callable[[], object]) -> asyncio.Task[None]:
    async def act() -> None:
        await asyncio.sleep(0.01)
        action()

    return asyncio.create_task(act())


def is_clean(door: Door) -> bool:
    """No play is left, and no reader."""
    return all(stream.player_count == 0 and not stream.readers for stream in door.registry.streams.values())


def published(door: Door) -> Publish:
    publish = door.publish()
    assert isinstance(publish, Publish)
    return publish


async def test_stream_that_runs_is_played_at_once() -> None:
    door = Door()
    push(published(door), VIDEO, AUDIO)
    first = asking(door)
    assert await ask(first) is None
    play = first.take()
    assert (play.stream.player_count, play.stream.readers, play.owner) == (1, [], None)
    door.service.end_play(play, 0)
    assert is_clean(door)


async def test_unknown_stream_of_an_origin_is_refused_at_once() -> None:
    door = Door()
    refusal = await ask(asking(door))
    assert refusal == Refusal(Reason.NOT_FOUND, "Fail to find key=_/live/s")


async def test_publisher_that_has_just_come_is_waited_for() -> None:
    door = Door()
    publish, first = published(door), asking(door)
    task = await in_a_while(lambda: push(publish, VIDEO, AUDIO))
    assert await ask(first) is None
    assert first.take().stream is publish.stream
    await task


async def test_without_a_limit_it_waits_as_long_as_it_takes() -> None:
    door = Door()
    publish, first = published(door), asking(door)
    task = await in_a_while(lambda: push(publish, VIDEO, AUDIO))
    assert await ask(first, 0) is None
    assert first.take().stream is publish.stream
    await task


async def test_second_medium_is_waited_for_a_moment_only() -> None:
    door = Door()
    publish = published(door)
    push(publish, VIDEO)
    first = asking(door)
    assert await ask(first) is None
    assert first.take().stream is publish.stream


async def test_publisher_that_sends_nothing() -> None:
    door = Door()
    published(door)
    refusal = await ask(asking(door), 20)
    assert refusal is not None
    assert (refusal.reason, is_clean(door)) == (Reason.SILENT, True)


async def test_upstream_that_sends_nothing() -> None:
    door = Door()
    door.service.source = NoSource()
    assert await ask(asking(door, is_patient=True), 20) == Refusal(Reason.SILENT, "nothing of _/live/s")
    assert is_clean(door)


def streams(door: Door) -> Stream:
    (stream,) = door.registry.streams.values()
    return stream


def the_play(door: Door) -> Play:
    (play,) = streams(door).roster.plays_of("")
    assert isinstance(play, Play)
    return play


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        pytest.param(lambda door: streams(door).announce_missing("gone"), Reason.NOT_FOUND, id="no publisher"),
        pytest.param(lambda door: the_play(door).tell_nothing_yet(is_known=True), Reason.NOT_FOUND, id="not for it"),
        pytest.param(lambda door: the_play(door).stop(Refusal(Reason.UPSTREAM, "x")), Reason.UPSTREAM, id="refused"),
        pytest.param(lambda door: door.registry.end_stream(streams(door), "over"), Reason.NOT_FOUND, id="given up"),
    ],
)
async def test_a_no_of_the_upstream(happens: Callable[[Door], object], reason: Reason) -> None:
    door = Door()
    door.service.source = NoSource()
    task = await in_a_while(lambda: happens(door))
    refusal = await ask(asking(door))
    await task
    assert refusal is not None
    assert (refusal.reason, is_clean(door)) == (reason, True)


@pytest.mark.parametrize(
    "happens",
    [
        pytest.param(lambda door: streams(door).announce_missing("gone"), id="no publisher"),
        pytest.param(lambda door: the_play(door).tell_nothing_yet(is_known=True), id="not for it"),
        pytest.param(lambda door: the_play(door).tell_nothing_yet(is_known=False), id="nothing known"),
    ],
)
async def test_patient_player_waits_on(happens: Callable[[Door], object]) -> None:
    door = Door()
    door.service.source = NoSource()
    task = await in_a_while(lambda: happens(door))
    refusal = await ask(asking(door, is_patient=True), 50)
    await task
    assert refusal is not None
    assert refusal.reason is Reason.SILENT


async def test_stream_that_is_known_to_be_missing() -> None:
    door = Door()
    door.service.source = source = NoSource()
    source.now = Standing(is_waiting=True, is_missing=True)
    refusal = await ask(asking(door))
    assert refusal is not None
    assert (refusal.reason, is_clean(door)) == (Reason.NOT_FOUND, True)


async def test_client_that_leaves_while_it_waits() -> None:
    door = Door()
    door.service.source = NoSource()
    first = asking(door)
    task = await in_a_while(first.give_up)
    assert await ask(first) is not None
    await task
    assert is_clean(door)


async def test_request_that_is_cancelled_while_it_waits() -> None:
    door = Door()
    door.service.source = NoSource()
    task = asyncio.create_task(asking(door).ask(60_000))
    await asyncio.sleep(0.01)
    assert streams(door).player_count == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert is_clean(door)


class Slow:
    """A rule that takes its time."""

    def __init__(self) -> None:
        self.later: Answer | None = None

    def check(self, request: PlayRequest | PublishRequest, later: Answer) -> Refusal | Later | None:
        self.later = later
        return LATER


@pytest.mark.parametrize("leaves", [False, True])
async def test_rule_that_answers_later(leaves: bool) -> None:
    door, rule = Door(), Slow()
    push(published(door), VIDEO, AUDIO)
    door.service.admission.rules.append(rule)
    first = asking(door)
    task = asyncio.create_task(ask(first))
    await asyncio.sleep(0.01)
    assert rule.later is not None
    if leaves:
        first.give_up()
    rule.later(None)
    refusal = await task
    assert (refusal is None) is not leaves
    if not leaves:
        door.service.end_play(first.take(), 0)
    assert is_clean(door)


async def test_rule_that_never_answers() -> None:
    door = Door()
    door.service.admission.rules.append(Slow())
    refusal = await ask(asking(door), 20)
    assert refusal is not None
    assert refusal.reason is Reason.SILENT


async def test_stop_in_the_moment_before_it_is_taken() -> None:
    """Data have come, and before the request goes on the play is stopped."""
    door = Door()
    publish = published(door)
    first = asking(door)
    task = asyncio.create_task(ask(first))
    await asyncio.sleep(0.01)
    push(publish, VIDEO, AUDIO)
    the_play(door).stop(Refusal(Reason.FORBIDDEN, "kicked"))
    refusal = await task
    assert refusal is not None
    assert (refusal.reason, is_clean(door)) == (Reason.FORBIDDEN, True)


async def test_R6_server_that_is_being_stopped_serves_nobody_new() -> None:
    door = Door()
    push(published(door), VIDEO, AUDIO)
    door.service.is_draining = True
    refusal = await ask(asking(door))
    assert refusal is not None
    assert (refusal.reason, is_clean(door)) == (Reason.OVERLOAD, True)


async def test_R6_who_waits_while_the_server_is_stopped_hears_that_and_not_that_there_is_no_stream() -> None:
    door = Door()
    door.service.source = NoSource()

    def stop() -> None:
        door.service.is_draining = True
        door.registry.end_stream(streams(door), "over")

    task = await in_a_while(stop)
    refusal = await ask(asking(door))
    await task
    assert refusal is not None
    assert (refusal.reason, is_clean(door)) == (Reason.OVERLOAD, True)
