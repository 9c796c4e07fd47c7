"""Nodes that ask each other, on the connections that they have."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from edge.hub.key import StreamKey
from edge.net.rtmp.why import HOP_MS, MAX_OF_ALL, MAX_PER_S, WITHIN_MS, WhyDesk, WhyTalk
from edge.rtmp.events import WhyAsked
from edge.service.answers import NodeReport
from edge.service.condition import Condition
from edge.service.insight import Insight, Question
from edge.service.report import decode_nodes, encode_nodes, node_report
from edge.service.story import Kind
from tests.net.live import eventually
from tests.net.serving import Node, Nodes
from tests.service.fakes import Door, NoSource

KEY = StreamKey("_", "live", "s")


class Next:
    """A node that answers as it is told to, or not at all."""

    def __init__(self, edge_id: str = "next", answer: str | None = None, *, can_be_asked: bool = True) -> None:
        self.edge_id = edge_id
        self.answer = answer
        self.can_be_asked = can_be_asked
        self.asked: list[Question] = []
        self.answered: Callable[[str | None], None] | None = None

    def ask_why(self, question: Question, answered: Callable[[str | None], None]) -> bool:
        self.asked.append(question)
        self.answered = answered
        if self.answer is not None:
            answered(self.answer)
        return self.can_be_asked


def desk_before(*others: Next) -> tuple[WhyDesk, Door]:
    """The desk of an edge next to these."""
    door = Door()
    source = door.service.source = NoSource()
    source.known = Insight(
        (), (Condition(Kind.WAITING, "waits"),), tuple((f"{each.edge_id}:1", each) for each in others)
    )
    return WhyDesk(door.service, lambda: door.now_ms), door


def report_of(name: str) -> NodeReport:
    door = Door()
    return replace(node_report(door.service, KEY, 0), id=name)


async def test_reports_of_those_behind_follow_ones_own() -> None:
    other = Next(answer=encode_nodes([report_of("second"), report_of("third")]))
    desk, _ = desk_before(other)
    assert [node.id for node in await desk.nodes(KEY)] == ["me", "second", "third"]
    (question,) = other.asked
    assert question == Question(KEY, ("me",), WITHIN_MS)


async def test_nobody_is_asked_twice() -> None:
    other = Next(edge_id="asker", answer="[]")
    desk, _ = desk_before(other)
    assert len(await desk.nodes(KEY, hops=("asker",))) == 1 and other.asked == []
    assert await desk.nodes(KEY, hops=("asker", "me")) == []


async def test_node_that_does_not_answer_in_time_is_a_condition_of_this_one() -> None:
    other = Next()
    desk, _ = desk_before(other)
    (mine,) = await desk.nodes(KEY, within_ms=30)
    assert mine.conditions[-1].kind == "no_answer" and "next:1" in mine.conditions[-1].text
    assert other.answered is not None
    other.answered("[]")  # too late: nobody minds


@pytest.mark.parametrize("answer", ["", "nonsense", "[]", None])
async def test_answers_without_sense_are_as_good_as_none(answer: str | None) -> None:
    other = Next(answer=answer)
    desk, _ = desk_before(other)
    if answer is None:
        asyncio.get_running_loop().call_soon(lambda: other.answered and other.answered(None))  # its connection ended
    assert [node.id for node in await desk.nodes(KEY)] == ["me"]


async def test_node_that_cannot_be_asked_is_left_out() -> None:
    desk, _ = desk_before(Next(can_be_asked=False))
    (mine,) = await desk.nodes(KEY)
    assert [each.kind for each in mine.conditions] == ["waiting_for_publisher", "absent"]


async def test_time_that_is_left_shrinks_with_each_hop_and_ends() -> None:
    other = Next(answer="[]")
    desk, _ = desk_before(other)
    replies: list[str] = []
    for within_ms in (WITHIN_MS, HOP_MS, 10**6):
        desk.answer(WhyAsked(1, "_", "live", "s", ("asker",), within_ms), replies.append)
    await eventually(lambda: len(replies) == 3, "the answers")
    assert [question.within_ms for question in other.asked] == [WITHIN_MS - HOP_MS, WITHIN_MS - HOP_MS]
    assert all(question.hops == ("asker", "me") for question in other.asked)
    assert [[node.id for node in decode_nodes(reply)] for reply in replies] == [["me"]] * 3
    await desk.close()


async def test_questions_at_a_time_are_bounded_and_end_with_the_service() -> None:
    desk, _ = desk_before(Next())
    replies: list[str] = []
    for _ in range(80):
        desk.answer(WhyAsked(1, "_", "live", "s", (), WITHIN_MS), replies.append)
    await asyncio.sleep(0)
    assert replies and set(replies) == {""}
    await desk.close()


async def test_flood_of_questions_over_many_connections_is_not_answered_in_full() -> None:
    desk, door = desk_before()
    replies: list[str] = []
    for at_ms in (1000, 1200):
        door.now_ms = at_ms
        for _ in range(MAX_OF_ALL + 30):
            desk.answer(WhyAsked(1, "_", "live", "s", (), WITHIN_MS), replies.append)
            await asyncio.sleep(0)
        await eventually(lambda: len(replies) == MAX_OF_ALL + 30, "the answers")
        assert replies.count("") == 30
        replies.clear()
    await desk.close()


def test_connection_is_answered_ten_times_a_second() -> None:
    talk = WhyTalk()
    assert [talk.may_answer(1000) for _ in range(MAX_PER_S + 3)] == [True] * MAX_PER_S + [False] * 3
    assert talk.may_answer(2000)


def test_answers_find_their_question_and_the_oldest_is_given_up() -> None:
    talk, heard = WhyTalk(), list[tuple[int, str | None]]()
    numbers = [talk.ask(lambda text, place=place: heard.append((place, text))) for place in range(MAX_PER_S + 1)]
    assert heard == [(0, None)]
    talk.take_answer(numbers[2], "x")
    talk.take_answer(numbers[2], "again")
    talk.take_answer(999, "nobody asked")
    assert heard == [(0, None), (2, "x")]
    talk.close()
    assert len(heard) == MAX_PER_S + 1 and heard[-1][1] is None


async def _chain(nodes: Nodes) -> tuple[Node, Node, Node]:
    origin, middle, far = nodes.add(name="origin"), nodes.add(name="middle"), nodes.add(name="far")
    await middle.follow(origin.port)
    await far.follow(middle.port)
    return origin, middle, far


async def test_three_nodes_over_real_connections() -> None:
    async with Nodes() as nodes:
        origin, _, far = await _chain(nodes)
        await nodes.player(far)
        await eventually(lambda: origin.registry.find(KEY) is not None, "the pull")
        found = await far.rtmp.why_desk.nodes(KEY)
        assert [node.id for node in found] == ["far", "middle", "origin"]
        assert found[-1].conditions[0].kind == "absent"
        assert {row.client for node in found[1:] for row in node.story} == {""}


async def test_origin_asks_the_node_that_pushes() -> None:
    async with Nodes() as nodes:
        origin, middle, _ = await _chain(nodes)
        await nodes.publisher(middle)
        await eventually(lambda: origin.service.publishes, "the push")
        found = await origin.rtmp.why_desk.nodes(KEY)
        assert [node.id for node in found] == ["origin", "middle"]
        assert "has sent no media" in found[1].conditions[0].text


async def test_connection_asks_no_more_often_than_it_is_answered() -> None:
    async with Nodes() as nodes:
        _, middle, _ = await _chain(nodes)
        await nodes.player(middle)
        assert middle.manager is not None
        await eventually(lambda: middle.manager.insight(KEY).neighbours, "the connection")  # type: ignore[union-attr]
        _, neighbour = middle.manager.insight(KEY).neighbours[0]
        answers: list[str | None] = []
        for batch in range(1, 9):
            for _ in range(MAX_PER_S):
                assert neighbour.ask_why(Question(KEY, ("x",), 100), answers.append)
            await eventually(lambda batch=batch: len(answers) == batch * MAX_PER_S, "the answers")
        assert all(answers[:MAX_PER_S])  # the first ten, in whichever second
        assert "" in answers
