"""The rule that asks the upstream: once for many, again for a while, and not for want of an answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from edge.hooks.answer import Answer, No, Unusable, Yes
from edge.hooks.asking import UpstreamEvent, UpstreamQuestions, UpstreamRule
from edge.hooks.breaker import FAILURES
from edge.hooks.config import HookConfig
from edge.hooks.figures import Figures
from edge.hooks.places import Places
from edge.hub.key import StreamKey
from edge.service.admission import Later, Verdict
from edge.service.names import StreamName
from edge.service.refusal import Reason, Refusal
from edge.service.request import PlayRequest, PublishRequest
from tests.hooks.virtual_time import now_ms, run
from tests.service.fakes import Door, FakeClient

KEY = StreamKey("_", "live", "s")
URL = ("rtmp://up:1935",)
CONFIG = HookConfig(hooks_on_play=URL, hooks_on_publish=URL, hook_timeout_ms=1000, hook_cache_s=2, hook_grace_s=60)
NO = No("", "why", Refusal(Reason.TOKEN_EXPIRED, "the upstream says no: TokenExpired"))


class Rig:
    """The rule of a service, and an upstream that answers as it is told to after a tenth of a second."""

    def __init__(self, config: HookConfig | None = CONFIG) -> None:
        self.door = Door()
        self.says: Answer = Yes()
        self.asked: list[UpstreamEvent] = []
        self.questions = UpstreamQuestions(self._ask, Figures(now_ms, "upstream"), Places(100), now_ms)
        self.rule = UpstreamRule(self.door.service, self.questions, lambda _: config, now_ms)
        self.door.service.admission.rules.append(self.rule)
        self.door.service.watchers.append(self.rule)

    async def _ask(self, event: UpstreamEvent, within_ms: int) -> Answer:
        self.asked.append(event)
        await asyncio.sleep(0.1)
        return self.says

    async def check(self, number: int = 1, query: str = "t=1", **client: object) -> Verdict:
        found: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        made = FakeClient(number, "10.0.0.7:5000", **client)  # type: ignore[arg-type]
        verdict = self.rule.check(PlayRequest(made, StreamName(KEY, query)), found.set_result)
        return await found if isinstance(verdict, Later) else verdict


def test_many_who_ask_the_same_are_one_question_and_its_yes_is_good_for_a_while() -> None:
    async def main() -> None:
        rig = Rig()
        assert await asyncio.gather(*(rig.check(number) for number in range(50))) == [None] * 50
        assert await rig.check() is None and len(rig.asked) == 1
        assert (rig.asked[0].ip, rig.asked[0].param, rig.asked[0].key) == ("10.0.0.7", "t=1", KEY)
        await asyncio.sleep(3)
        assert await rig.check() is None and len(rig.asked) == 2
        await rig.check(authorization="Basic eA==")
        await rig.check(query="t=2")
        assert len(rig.asked) == 4, "who says something else asks something else"

    run(main())


def test_a_no_is_told_in_the_upstreams_words_and_is_not_kept() -> None:
    async def main() -> None:
        rig = Rig()
        rig.says = NO
        assert await rig.check() == await rig.check() == NO.refusal
        assert len(rig.asked) == 2

    run(main())


def test_an_upstream_that_is_away_keeps_out_whom_it_has_not_let_in_and_is_left_alone() -> None:
    async def main() -> None:
        rig = Rig()
        assert await rig.check() is None
        await asyncio.sleep(10)
        rig.says = Unusable("no server")
        assert await rig.check() is None, "it has let him in before"
        for number in range(FAILURES):
            refusal = await rig.check(query=f"other={number}")
            assert isinstance(refusal, Refusal) and refusal.reason is Reason.ASK_UNANSWERED
        count = len(rig.asked)
        assert isinstance(await rig.check(query="one more"), Refusal) and len(rig.asked) == count
        await asyncio.sleep(61)
        assert isinstance(await rig.check(), Refusal), "not for ever"

    run(main())


def test_who_is_here_by_a_yes_may_come_back_however_long_ago_that_was() -> None:
    async def main() -> None:
        rig = Rig()
        service, played = rig.door.service, asyncio.get_running_loop().create_future()
        rig.door.service.registry.claim_publisher(KEY, "p", 0)
        service.play(PlayRequest(FakeClient(1, "10.0.0.7:5000"), StreamName(KEY, "t=1")), played.set_result, now_ms())
        play = await played
        rig.says = Unusable("no server")
        await asyncio.sleep(1000)
        assert await rig.check(2) is None
        service.end_play(play, now_ms())
        await asyncio.sleep(59)
        assert await rig.check(3) is None
        await asyncio.sleep(2)
        assert isinstance(await rig.check(4), Refusal)

    run(main())


def test_nodes_and_streams_that_are_not_asked_about_cost_nobody_a_question() -> None:
    async def main() -> None:
        rig = Rig()
        assert await rig.check(is_proven=True) is None
        rig.door.service.trusts = lambda host: True
        assert await rig.check() is None
        assert await Rig(None).check() is None
        assert not rig.asked

    run(main())


def test_publishers_and_what_is_said_apart_from_the_url_are_asked_about() -> None:
    async def main() -> None:
        rig = Rig()
        found: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        client = FakeClient(1, "10.0.0.7:5000", authorization="Basic eA==", page_url="http://p/")
        rig.rule.check(PublishRequest(client, StreamName(KEY), ("a",), suffix=".flv"), found.set_result)
        assert await found is None
        (event,) = rig.asked
        assert (event.action.value, event.page_url, event.suffix, event.hops) == (
            "on_publish",
            "http://p/",
            ".flv",
            ("a",),
        )
        assert event.authorization == "Basic eA==" and "eA==" not in repr(event)
        assert event.question != replace(event, suffix=".ts").question

    run(main())
