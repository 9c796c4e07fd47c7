"""Events are told in order, each once, however slow the server is."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

from edge.hooks.caller import Reply
from edge.hooks.config import HookConfig
from edge.hooks.event import Action, Event, Segment
from edge.hooks.figures import Figures
from edge.hooks.form import Call
from edge.hooks.judge import Signing
from edge.hooks.teller import Teller
from tests.hooks.virtual_time import Scripted, nothing, now_ms, run, yes

CONFIG = HookConfig(hooks_on_stop=("http://h/",), hooks_on_hls_notify=("http://a/[stream]", "http://b/"))
EVENT = Event(Action.STOP, app="live", stream="a")


def new_teller(caller: Scripted, limit: int = 256) -> Teller:
    return Teller(caller, Signing(lambda: "1", lambda: 0), Figures(now_ms), limit, now_ms)


def told(caller: Scripted) -> list[str]:
    return [json.loads(call.body)["client_id"] for call in caller.calls]


def test_events_of_a_stream_are_told_one_after_the_other() -> None:
    async def main() -> None:
        caller = Scripted(yes, takes_s=0.5)
        teller = new_teller(caller)
        for number in range(4):
            teller.tell("a", replace(EVENT, client_id=str(number)), CONFIG)
        teller.tell("b", replace(EVENT, client_id="b"), CONFIG)
        began_ms = now_ms()
        await teller.wait_idle("a", 60)
        assert now_ms() - began_ms == 2000
        assert told(caller) == ["0", "b", "1", "2", "3"]
        assert caller.most == 2
        await teller.wait_idle("a", 60)
        assert now_ms() - began_ms == 2000

    run(main())


def test_no_more_are_told_at_a_time_than_may_be() -> None:
    async def main() -> None:
        caller = Scripted(yes)
        teller = new_teller(caller, limit=10)
        for number in range(100):
            teller.tell(number, EVENT, CONFIG)
        await teller.drain(60)
        assert (caller.most, len(caller.calls)) == (10, 100)

    run(main())


def test_a_server_that_is_not_reached_is_tried_once_more() -> None:
    async def main() -> None:
        caller = Scripted()
        caller.is_refusing = True
        teller = new_teller(caller)
        teller.tell("a", EVENT, CONFIG)
        await asyncio.sleep(0.5)
        caller.is_refusing = False
        began_ms = now_ms()
        await teller.wait_idle("a", 60)
        assert now_ms() - began_ms == 510
        assert len(caller.calls) == 2
        # One that is silent, or says no, is not.
        for react in (nothing, lambda _: Reply(500, "", b"")):
            caller.calls.clear()
            caller.react = react
            teller.tell("a", EVENT, CONFIG)
            await teller.wait_idle("a", 60)
            assert len(caller.calls) == 1

    run(main())


def test_the_end_waits_for_what_is_still_to_be_told_but_not_for_ever() -> None:
    async def main() -> None:
        caller = Scripted(nothing)
        teller = new_teller(caller)
        for _ in range(3):
            teller.tell("a", EVENT, CONFIG)
        began_ms = now_ms()
        await teller.drain(2)
        assert now_ms() - began_ms == 2000
        assert teller.lanes.dropped_count == 2
        assert teller.lanes.is_idle("a")
        caller.react = yes
        teller.tell("b", EVENT, CONFIG)
        await teller.drain(2)
        assert now_ms() - began_ms == 2010

    run(main())


def test_one_of_those_who_fetch_segments_is_told_in_turn() -> None:
    async def main() -> None:
        caller = Scripted(lambda _: Reply(204, "", b"whatever"))
        teller = new_teller(caller)
        for number in range(3):
            segment = Segment(number, 2.0, "f", "u", "m", "v")
            teller.tell("a", replace(EVENT, action=Action.HLS_NOTIFY, segment=segment), CONFIG)
        await teller.drain(10)
        assert caller.calls == [Call("GET", "http://a/a"), Call("GET", "http://b/"), Call("GET", "http://a/a")]

    run(main())


def test_what_nobody_wants_to_hear_is_not_told() -> None:
    async def main() -> None:
        teller = new_teller(Scripted())
        teller.tell("a", replace(EVENT, action=Action.UNPUBLISH), CONFIG)
        assert teller.lanes.are_idle

    run(main())
