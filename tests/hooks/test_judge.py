"""Questions: asked once, bounded in time, and decided without an answer where there is none."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from edge.hooks.answer import No, Unusable, Yes
from edge.hooks.caller import Reply
from edge.hooks.config import HookConfig
from edge.hooks.event import Action, Event
from edge.hooks.figures import Figures
from edge.hooks.judge import Ground, Judge, Signing, Verdict
from edge.hooks.places import Places
from tests.hooks.virtual_time import Scripted, no, nothing, now_ms, run, yes

URL = "http://h/play"
CONFIG = HookConfig(hooks_on_play=(URL,))
EVENT = Event(Action.PLAY, client_id="1", ip="10.0.0.1", app="live", stream="a", param="t=1")


class Bench:
    """A judge over a scripted server."""

    def __init__(self, caller: Scripted, limit: int = 256) -> None:
        self.caller = caller
        self.figures = Figures(now_ms)
        self.signing = Signing(lambda: "1", lambda: 1_893_456_000_000)
        self.judge = Judge(caller, self.signing, self.figures, Places(limit), now_ms)

    def ask(self, event: Event = EVENT, config: HookConfig = CONFIG) -> asyncio.Future[Verdict]:
        found: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        at_once = self.judge.ask(event, config, found.set_result)
        if at_once is not None:
            found.set_result(at_once)
        return found


def other(number: int, **more: str) -> Event:
    return replace(EVENT, client_id=str(number), param=f"t={number}", **more)  # type: ignore[arg-type]


def test_the_same_question_at_the_same_time_is_one_call() -> None:
    async def main() -> None:
        bench = Bench(Scripted(yes))
        found = await asyncio.gather(*(bench.ask(replace(EVENT, client_id=str(n))) for n in range(50)))
        assert [verdict.answer for verdict in found] == [Yes()] * 50
        assert [verdict.ground for verdict in found] == [Ground.ASKED, *[Ground.SHARED] * 49]
        assert len(bench.caller.calls) == 1
        assert (await bench.ask()).ground is Ground.ASKED
        assert len(bench.caller.calls) == 2

    run(main())


def test_a_no_is_told_with_its_reason_and_takes_a_yes_back() -> None:
    async def main() -> None:
        bench = Bench(Scripted(yes))
        await bench.ask()
        bench.caller.react = no
        assert await bench.ask() == Verdict(No("not paid", "code 1"), Ground.ASKED)
        bench.caller.react = nothing
        verdict = await bench.ask()
        assert isinstance(verdict.answer, Unusable)
        assert verdict.ground is Ground.FAILURE

    run(main())


def test_all_urls_must_say_yes_and_the_first_no_ends_it() -> None:
    config = replace(CONFIG, hooks_on_play=("http://a/", "http://b/", "http://c/"))

    async def main() -> None:
        bench = Bench(Scripted(lambda call: no(call) if call.url == "http://b/" else yes(call)))
        assert isinstance((await bench.ask(config=config)).answer, No)
        assert [call.url for call in bench.caller.calls] == ["http://a/", "http://b/"]
        # One that is let off is not asked, those behind it are.
        bench.caller.calls.clear()
        bench.caller.react = lambda call: nothing(call) if call.url == "http://a/" else no(call)
        allowing = replace(config, hook_failure="allow", hook_timeout_ms=100_000)
        bench.caller.takes_s = 0.01
        assert (await bench.ask(config=replace(allowing, hooks_on_play=("http://b/", "http://a/")))).answer == No(
            "not paid", "code 1"
        )
        one_after_the_other = Scripted(lambda call: Reply(500, "", b"") if call.url == "http://a/" else no(call))
        verdict = await Bench(one_after_the_other).ask(config=allowing)
        assert verdict.answer == No("not paid", "code 1")

    run(main())


def test_the_limit_of_time_is_of_all_together() -> None:
    config = replace(CONFIG, hooks_on_play=("http://a/", "http://b/", "http://c/"))

    async def main() -> None:
        bench = Bench(Scripted(yes, takes_s=1.4))
        began_ms = now_ms()
        verdict = await bench.ask(config=config)
        assert now_ms() - began_ms == 3000
        assert verdict.answer == Unusable("no answer in 200 ms")

    run(main())


def test_a_yes_is_cached_if_that_is_wanted() -> None:
    config = replace(CONFIG, hook_cache_s=10)

    async def main() -> None:
        bench = Bench(Scripted(yes))
        await bench.ask(config=config)
        assert (await bench.ask(config=config)).ground is Ground.CACHED
        assert (await bench.ask(other(2), config)).ground is Ground.ASKED
        await asyncio.sleep(10)
        assert (await bench.ask(config=config)).ground is Ground.ASKED
        assert len(bench.caller.calls) == 3

    run(main())


def test_AU17_many_who_come_at_once_to_a_dead_server_are_let_go_together() -> None:
    """A thousand in a second: within the limit of time it is known to be dead, and nobody waits any more."""

    async def main() -> None:
        bench = Bench(Scripted(nothing))
        began_ms, done_ms = now_ms(), []
        asked = []
        for number in range(1000):
            asked.append(bench.ask(other(number)))
            asked[-1].add_done_callback(lambda _: done_ms.append(now_ms() - began_ms))
            await asyncio.sleep(0.001)
        await asyncio.gather(*asked)
        assert bench.caller.most == 256
        assert max(done_ms) <= 3300
        assert len(bench.caller.calls) <= 256 + 5
        assert bench.judge.open_count == 1
        later_ms = now_ms()
        assert isinstance((await bench.ask(other(5000))).answer, Unusable)
        assert now_ms() == later_ms

    run(main())


def test_nobody_waits_for_a_call_that_began_before_its_server_was_left_alone() -> None:
    async def main() -> None:
        bench = Bench(Scripted(nothing))
        five = [bench.ask(other(number)) for number in range(5)]
        await asyncio.sleep(2.9)
        first = bench.ask(other(9))
        await asyncio.gather(*five)
        assert bench.judge.open_count == 1 and not first.done()
        assert bench.ask(other(9)).done(), "the same question"
        assert isinstance((await first).answer, Unusable)

    run(main())


def test_AU18_a_server_dead_for_two_minutes() -> None:
    """Fifty a second: those who were let in before come in again, newcomers are refused at once, all is well after."""
    config = replace(CONFIG, hook_grace_s=60)

    async def main() -> None:
        bench = Bench(Scripted(yes))
        judge = bench.judge
        for number in range(500):
            event = other(number)
            assert (await bench.ask(event, config)).ground is Ground.ASKED
            judge.memory.begun(judge.question_of(event, config))
        bench.caller.react = nothing
        began_ms = now_ms()
        slow = refused = graced = 0
        waits: list[asyncio.Future[Verdict]] = []
        for number in range(120 * 50):
            is_known = number % 2 == 0
            event = other(number // 2 % 500 if is_known else 10_000 + number)
            if is_known:  # it reconnects
                judge.memory.ended(judge.question_of(event, config), now_ms())
            verdict = bench.ask(event, config)
            if not verdict.done():
                slow += 1
                waits.append(verdict)
            elif is_known:
                assert verdict.result() == Verdict(Yes(), Ground.GRACE)
                graced += 1
            else:
                assert isinstance(verdict.result().answer, Unusable)
                refused += 1
            if is_known:
                judge.memory.begun(judge.question_of(event, config))
            await asyncio.sleep(0.02)
        assert now_ms() - began_ms == 120_000
        assert slow <= 156  # those of the first three seconds
        assert graced + refused == 6000 - slow
        assert all((wait.result().ground is Ground.GRACE) == (number % 2 == 0) for number, wait in enumerate(waits))
        assert len(bench.caller.calls) <= 500 + 156 + 14  # probes become rare
        bench.caller.react = yes
        await asyncio.sleep(11)
        await bench.ask(other(77_777), config)  # puts the question that finds the server well
        await asyncio.sleep(1)
        assert judge.open_count == 0
        assert await bench.ask(other(88_888), config) == Verdict(Yes(), Ground.ASKED)

    run(main())


def test_who_asks_what_a_server_stumbles_over_has_it_left_alone_for_nobody() -> None:
    async def main() -> None:
        bench = Bench(Scripted(lambda call: Reply(500, "", b"") if b"t=666" in call.body else yes(call)))
        for _ in range(20):
            assert isinstance((await bench.ask(other(666))).answer, Unusable)
        assert not bench.judge.open_count
        assert (await bench.ask(other(1, ip="10.0.0.2"))).answer == Yes()
        for number in range(5):
            await bench.ask(other(666, ip=f"10.0.1.{number}"))
        assert bench.judge.open_count == 1, "five addresses are no single client"

    run(main())


def test_sessions_that_are_over_for_longer_than_the_grace_are_asked_for_in_vain() -> None:
    async def main() -> None:
        bench = Bench(Scripted(yes))
        await bench.ask()
        bench.caller.is_refusing = True
        await asyncio.sleep(59)
        assert (await bench.ask()).ground is Ground.GRACE
        assert isinstance((await bench.ask(replace(EVENT, ip="10.0.0.2"))).answer, Unusable)
        await asyncio.sleep(2)
        assert isinstance((await bench.ask()).answer, Unusable)

    run(main())


def test_who_is_let_in_without_an_answer() -> None:
    async def main() -> None:
        bench = Bench(Scripted(nothing))
        config = replace(CONFIG, hook_failure="allow", hook_timeout_ms=100)
        for number in range(5):
            assert await bench.ask(other(number), config) == Verdict(Yes(), Ground.FAILURE)
        assert bench.judge.ask(other(9), config, lambda _: None) == Verdict(Yes(), Ground.FAILURE)

    run(main())


def test_calls_are_signed_and_without_the_secret_not_made() -> None:
    config = replace(CONFIG, hook_secret_file="f")

    async def main() -> None:
        bench = Bench(Scripted(yes))
        assert (await bench.ask(config=config)).answer == Unusable("-hook_secret_file could not be read")
        assert not bench.caller.calls
        bench.signing.secrets["f"] = b"0123456789abcdef0123456789abcdef"
        assert (await bench.ask(config=config)).answer == Yes()
        (headers,) = bench.caller.headers
        assert headers["webhook-id"] == "msg_1"
        assert headers["webhook-timestamp"] == "1893456000"
        assert headers["webhook-signature"].startswith("v1,")

    run(main())


def test_figures() -> None:
    async def main() -> None:
        bench = Bench(Scripted(yes))
        await bench.ask()
        bench.caller.react = no
        await bench.ask(other(2))
        bench.caller.react = lambda _: Reply(500, "", b"")
        await bench.ask(other(3))
        assert bench.figures.by_result == {("on_play", "yes"): 1, ("on_play", "no"): 1, ("on_play", "failed"): 1}
        assert bench.figures.took.count == 3
        assert bench.figures.counts["hook_denied_count"] == 1

    run(main())


def test_what_is_known_of_servers_goes_with_them() -> None:
    async def main() -> None:
        bench = Bench(Scripted(nothing))
        await asyncio.gather(*(bench.ask(other(number)) for number in range(9)))
        assert bench.judge.open_count == 1
        bench.judge.keep_only([URL])
        assert bench.judge.open_count == 1
        bench.judge.keep_only(["http://other/"])
        assert bench.judge.open_count == 0

    run(main())
