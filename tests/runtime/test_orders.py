"""Orders, carried out on a whole node."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import pytest

from edge.facts.orders import Drain, EndStream, Kick, Outcome, Reload, Result, SaveFlags, SetFlag
from edge.runtime.alarms import cause_of
from tests.harness.at_once import at_once
from tests.harness.client import RtmpClient, decode_command
from tests.harness.clock import deadline
from tests.harness.wire import COMMAND
from tests.net.live import WAIT_S, eventually, pictures
from tests.runtime.nodes import RunningNode, running
from tests.runtime.test_why import why

WHO = "127.0.0.1:5"
OPERATOR = "Kicked: an operator ended this"


async def last_words(client: RtmpClient) -> list[list[object]]:
    """The commands up to the end of the connection."""
    found = []
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        async with asyncio.timeout(deadline(WAIT_S)):
            while True:
                message = await client.next_message()
                if message.type_id == COMMAND:
                    found.append(decode_command(message))
    return found


def status_of(commands: list[list[object]]) -> tuple[object, object]:
    """Code and description of the last status."""
    information = next(command[-1] for command in reversed(commands) if command[0] == "onStatus")
    assert isinstance(information, dict)
    return information["code"], information["description"]


def number_of(one: RunningNode, role: str) -> int:
    return next(seen.id for seen in at_once(one.facts.connections()) if seen.role == role)


async def test_a_kicked_player_is_told_and_the_stream_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as one:
        await one.publisher(pictures=2)
        player, other = await one.player(), await one.player()
        await pictures(player, 1)
        number = number_of(one, "play")
        with caplog.at_level(logging.WARNING):
            outcome = await one.orders.carry_out(Kick(number), WHO)
        assert outcome.result is Result.DONE
        assert f"order by {WHO}: kick c{number} result=done" in caplog.text
        assert status_of(await last_words(player)) == ("NetConnection.Connect.Closed", f"{OPERATOR} connection")
        (stream,) = at_once(one.facts.streams())
        assert (stream.state, stream.players) == ("live", 1)
        other.peer.abort()


async def test_the_stream_of_a_kicked_publisher_ends_at_once() -> None:
    """It is not waited for, as a node of ours or one that broke off would be."""
    async with running() as one:
        publisher, player = await one.publisher(pictures=2), await one.player()
        await pictures(player, 1)
        outcome = await one.orders.carry_out(Kick(number_of(one, "publish")), WHO)
        assert outcome.result is Result.DONE
        assert at_once(one.facts.streams()) == []
        assert status_of(await last_words(publisher)) == ("NetConnection.Connect.Closed", f"{OPERATOR} connection")


async def test_the_end_of_a_stream_is_told_to_all_of_it() -> None:
    async with running() as one:
        publisher, player = await one.publisher(pictures=2), await one.player()
        await pictures(player, 1)
        outcome = await one.orders.carry_out(EndStream("_/live/s"), WHO)
        assert (outcome.result, outcome.text) == (Result.DONE, "_/live/s was ended.")
        assert at_once(one.facts.streams()) == []
        code, description = status_of(await last_words(publisher))
        assert (code, description) == ("NetStream.Publish.BadName", f"{OPERATOR} stream")
        player.peer.abort()


async def test_a_pull_ends_with_its_stream() -> None:
    async with running() as origin, running(f"-proxy_to=127.0.0.1:{origin.port()}") as edge:
        publisher = await origin.publisher(pictures=2)
        player = await edge.player()
        await pictures(player, 1)
        outcome = await edge.orders.carry_out(EndStream("_/live/s"), WHO)
        assert outcome.result is Result.DONE
        assert at_once(edge.facts.streams()) == []
        await eventually(lambda: at_once(origin.facts.streams())[0].players == 0, "the pull to end")
        assert at_once(origin.facts.streams())[0].state == "live"
        publisher.peer.abort()


async def test_what_is_not_there_and_what_may_not_be_kicked(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as origin, running(f"-proxy_to=127.0.0.1:{origin.port()}") as edge:
        publisher = await origin.publisher(pictures=2)
        player = await edge.player()
        await pictures(player, 1)
        taker = edge.orders
        assert (await taker.carry_out(Kick(99_999), WHO)).result is Result.NOT_FOUND
        assert (await taker.carry_out(EndStream("_/live/none"), WHO)).result is Result.NOT_FOUND
        assert (await taker.carry_out(EndStream("_/live/s", "merge"), WHO)).result is Result.NOT_FOUND
        outcome = await taker.carry_out(Kick(number_of(edge, "upstream")), WHO)
        assert outcome.result is Result.REFUSED and "come again" in outcome.text
        assert at_once(edge.facts.streams())[0].state == "live"
        assert caplog.text.count(f"order by {WHO}") == 4, "each is logged, whatever came of it"
        told = [record for record in caplog.records if record.name == "edge.runtime.orders"]
        assert len({cause_of(record) for record in told}) > 1, "a minute has a warning for each of them"
        publisher.peer.abort()


async def test_a_name_that_somebody_made_up_is_quoted_in_part(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as one:
        outcome = await one.orders.carry_out(EndStream("x" * 8000), WHO)
        assert outcome.text == f"There is no stream {'x' * 256} any more."
        assert len(caplog.messages[-1]) < 700


async def test_the_body_of_a_kicked_player_by_http_ends() -> None:
    async with running() as one:
        publisher = await one.publisher(pictures=2)
        reader, writer = await asyncio.open_connection("127.0.0.1", one.port())
        writer.write(b"GET /live/s.flv HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await reader.readuntil(b"FLV")
        (player,) = at_once(one.facts.players("_/live/s", 10))
        assert player.connection is not None
        outcome = await one.orders.carry_out(Kick(player.connection), WHO)
        assert (outcome.result, outcome.text) == (Result.DONE, f"{player.peer} was disconnected.")
        async with asyncio.timeout(deadline(WAIT_S)):
            await reader.read()
        await eventually(lambda: at_once(one.facts.players("_/live/s", 10)) == [], "its leave")
        assert at_once(one.facts.streams())[0].state == "live"
        writer.close()
        await writer.wait_closed()
        publisher.peer.abort()


async def test_a_drain_is_told_to_whoever_runs_the_process(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as one:
        assert (await one.orders.carry_out(Drain(), WHO)).result is Result.REFUSED
        orders = []

        def on_drain(order: Drain) -> Outcome:
            orders.append(order)
            return Outcome(Result.DONE, "It drains.")

        one.node.on_drain = on_drain
        with caplog.at_level(logging.WARNING):
            assert (await one.orders.carry_out(Drain(within_s=5), WHO)).result is Result.DONE
        assert orders == [Drain(5)]
        assert f"order by {WHO}: drain within_s=5 result=done" in caplog.text


async def test_flags_are_set_saved_and_read_again_by_orders(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as one:
        done = await one.orders.carry_out(SetFlag("queue_length_s", "25", way="control"), WHO)
        assert (done.result, one.node.settings.hub.queue_length_s) == (Result.DONE, 25)
        facts = next(each for each in one.reloader.book.facts() if each.name == "queue_length_s")
        assert facts.origin == f"control {WHO}"
        for order, result in (
            (SetFlag("queue_length_s", "x"), Result.BAD_VALUE),
            (SetFlag("bind", "1"), Result.REFUSED),
            (SetFlag("nothing", "1"), Result.NOT_FOUND),
            (SaveFlags(), Result.REFUSED),  # there is no -save_flagfile
            (Reload(), Result.DONE),
        ):
            assert (await one.orders.carry_out(order, WHO)).result is result, order
        assert "order by 10.0.0.9:5: reload result=done Changed: nothing." in caplog.text.replace(WHO, "10.0.0.9:5")
        assert one.node.settings.hub.queue_length_s == 25


async def test_X3_nothing_is_read_again_for_a_page_while_flags_are_immutable() -> None:
    async with running("-immutable_flags") as one:
        assert (await one.orders.carry_out(Reload(), WHO)).result is Result.REFUSED
        assert (await one.orders.carry_out(SetFlag("v", "1"), WHO)).result is Result.REFUSED
        assert (await one.reloader.reload("SIGHUP")).state == "unchanged"


async def told(one: RunningNode, **asked: str) -> tuple[str, list[str]]:
    """The verdict of ``/why`` and the texts of the story behind it, the newest first."""
    found = await why(one, **asked)
    answer = found["about_stream"] or found["about_address"]
    rows = answer["nodes"][0]["story"] if "nodes" in answer else answer["story"]
    return answer["verdict"], [row["text"] for row in rows]


async def test_why_says_that_an_operator_has_kicked_the_publisher() -> None:
    async with running() as one:
        await one.publisher(pictures=2)
        await one.orders.carry_out(Kick(number_of(one, "publish")), WHO)
        verdict, story = await told(one, stream="live/s")
        assert "; an operator has kicked the client that published it, " in verdict
        assert story[0].startswith("an operator has kicked") and "the publisher has ended it" not in story
        verdict, _ = await told(one, address="127.0.0.1")
        assert verdict.endswith("(_/live/s): an operator has kicked the client that published it")


async def test_why_says_that_an_operator_has_kicked_a_player() -> None:
    async with running() as one:
        await one.publisher(pictures=2)
        player = await one.player()
        await pictures(player, 1)
        await one.orders.carry_out(Kick(number_of(one, "play")), WHO)
        assert "an operator has kicked the client" in (await told(one, stream="live/s"))[1]
        verdict, _ = await told(one, address="127.0.0.1")
        assert verdict.endswith("(_/live/s): an operator has kicked the client")


async def test_why_says_that_an_operator_has_kicked_a_client_without_a_stream() -> None:
    async with running() as one:
        await one.client()
        await eventually(lambda: at_once(one.facts.connections()), "the connection")
        await one.orders.carry_out(Kick(number_of(one, "idle")), WHO)
        assert (await told(one, address="127.0.0.1"))[1] == ["an operator has kicked the client"]


async def test_why_says_that_an_operator_has_ended_the_stream_at_an_edge() -> None:
    async with running() as origin, running(f"-proxy_to=127.0.0.1:{origin.port()}") as edge:
        publisher = await origin.publisher(pictures=2)
        player = await edge.player()
        await pictures(player, 1)
        await edge.orders.carry_out(EndStream("_/live/s"), WHO)
        found = (await why(edge, stream="live/s"))["about_stream"]
        cause = next(cause for cause in found["causes"] if cause["kind"] == "operator_ended")
        assert cause["text"] == "an operator has ended it" and cause["advice"].startswith("Who asked is in the log")
        assert cause["is_in_force"] and "an operator has ended it" in found["verdict"]
        player.peer.abort()
        publisher.peer.abort()


async def test_why_says_that_an_operator_has_ended_the_stream_and_its_publisher() -> None:
    async with running() as one:
        await one.publisher(pictures=2)
        await one.orders.carry_out(EndStream("_/live/s"), WHO)
        verdict, story = await told(one, stream="live/s")
        assert story[0] == "an operator has ended it" and "; an operator has ended it, " in verdict
