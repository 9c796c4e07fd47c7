"""Clients of other nodes, judged by the rules of this one."""

from __future__ import annotations

from dataclasses import replace

from edge.net.rtmp.may import CANNOT_SAY, MAX_OPEN, MayDesk, client_of
from edge.rtmp.events import MayAsked
from edge.service.admission import LATER, Answer, Later, StreamRequest, Verdict
from edge.service.names import parse_tc_url
from edge.service.refusal import Reason, Refusal
from edge.service.request import PublishRequest
from edge.service.watch import GrantWatcher
from tests.service.fakes import Door

URL = parse_tc_url("rtmp://127.0.0.1/live")
ASKED = MayAsked(1, False, "cam?a=1", "203.0.113.7", "http://p/", "Basic eA==", ".flv", "http-flv", "curl")


class Rule(GrantWatcher):
    """Says what it is told to, at once or later."""

    def __init__(self, verdict: Verdict | Later = None) -> None:
        self.verdict = verdict
        self.asked: list[StreamRequest] = []
        self.judged: list[StreamRequest] = []
        self.laters: list[Answer] = []

    def check(self, request: StreamRequest, later: Answer) -> Verdict | Later:
        self.asked.append(request)
        self.laters.append(later)
        return self.verdict

    def on_judged(self, request: StreamRequest) -> None:
        self.judged.append(request)


def desk_with(rule: Rule) -> tuple[MayDesk, Door]:
    door = Door()
    door.service.admission.rules.append(rule)
    door.service.watchers.append(rule)
    return MayDesk(door.service), door


def ask(desk: MayDesk, asked: MayAsked = ASKED, *, is_proven: bool = True, number: int = 1) -> list[tuple[str, str]]:
    told: list[tuple[str, str]] = []
    node = client_of(number, "10.0.0.9:5000", URL, is_proven=is_proven)
    desk.answer(node, asked, lambda code, words: told.append((code, words)))
    return told


def test_the_client_is_judged_as_it_is_and_no_play_begins() -> None:
    rule = Rule()
    desk, door = desk_with(rule)
    assert ask(desk) == [("", "")]
    (request,) = rule.asked
    assert rule.judged == [request] and not door.service.registry.streams
    client = request.client
    assert (client.peer, client.page_url, client.authorization) == ("203.0.113.7:0", "http://p/", "Basic eA==")
    assert (client.protocol, client.said.user_agent, request.suffix) == ("http-flv", "curl", ".flv")
    assert not client.is_proven and (request.name.key.text, request.name.query) == ("_/live/cam", "a=1")
    assert ask(desk, replace(ASKED, is_publish=True)) == [("", "")] and isinstance(rule.asked[1], PublishRequest)


def test_what_an_unknown_node_says_of_an_address_is_not_believed() -> None:
    rule = Rule()
    desk, door = desk_with(rule)
    ask(desk, is_proven=False)
    assert rule.asked[0].client.peer == "10.0.0.9:5000"
    door.service.trusts = lambda host: host == "10.0.0.9"
    ask(desk, is_proven=False)
    assert rule.asked[1].client.peer == "203.0.113.7:0"
    ask(desk, replace(ASKED, address="no address"))
    assert rule.asked[2].client.peer == "10.0.0.9:5000"


def test_a_no_is_told_as_a_client_here_would_hear_it_and_want_of_an_answer_apart() -> None:
    rule = Rule(Refusal(Reason.TOKEN_EXPIRED, "it ended at 1893456000"))
    desk, _ = desk_with(rule)
    assert ask(desk) == [("NetStream.Play.Failed", "TokenExpired")] and not rule.judged
    assert ask(desk, replace(ASKED, is_publish=True)) == [("NetStream.Publish.Rejected", "TokenExpired")]
    rule.verdict = Refusal(Reason.HOOK_UNAVAILABLE, "http://backend/ is away")
    assert ask(desk) == [(CANNOT_SAY, "HookUnavailable")]


def test_questions_that_wait_are_bounded_by_connection() -> None:
    rule = Rule(LATER)
    desk, _ = desk_with(rule)
    told = [ask(desk) for _ in range(MAX_OPEN)]
    assert not any(told)
    assert ask(desk) == [(CANNOT_SAY, "too many questions at a time")]
    assert ask(desk, number=2) == [], "others may ask"
    rule.laters[0](None)
    assert told[0] == [("", "")] and ask(desk) == []


def test_question_in_a_circle_is_a_loop() -> None:
    desk, door = desk_with(Rule())
    ((code, words),) = ask(desk, replace(ASKED, hops=("x", door.service.service_id)))
    assert code == "NetStream.Play.StreamNotFound" and words.startswith("proxy_loop")
