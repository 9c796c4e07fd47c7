from __future__ import annotations

from typing import cast

from edge.facts.facts import Facts
from edge.facts.records import TotalFacts
from edge.runtime.history import MAX_SAMPLES, History, wait_s
from edge.runtime.loop import LagProbe
from tests.builtin import sample
from tests.harness.at_once import at_once
from tests.runtime.nodes import running

START_MS = 1_796_056_580_000


class Probe:
    def __init__(self) -> None:
        self.peak_ms = 0

    def take_peak_ms(self) -> int:
        peak_ms, self.peak_ms = self.peak_ms, 0
        return peak_ms


def traffic(seconds: float, **changes: int) -> TotalFacts:
    known = {"received_bytes": 0, "sent_bytes": 0, "cpu_ms": 0, **changes}
    return TotalFacts(uptime_ms=int(1000 * seconds), **known)


def new_history() -> tuple[History, sample.FixedFacts, Probe]:
    facts, probe = sample.FixedFacts(), Probe()
    return History(cast(Facts, facts), cast(LagProbe, probe)), facts, probe


def test_a_sample_is_what_has_gone_through_since_the_one_before() -> None:
    history, facts, probe = new_history()
    facts.of_services = [sample.service(stream_count=2, player_count=5), sample.service(stream_count=1, player_count=3)]
    facts.of_totals = traffic(3, received_bytes=7000, sent_bytes=9000, cpu_ms=400)
    at_once(history.look(START_MS))
    assert not history.samples, "the first look is only for the next one to compare with"
    facts.of_totals = traffic(13, received_bytes=7000 + 12_500, sent_bytes=9000 + 125_000, cpu_ms=650)
    probe.peak_ms = 42
    at_once(history.look(START_MS + 10_004))
    (one,) = history.samples
    assert (one.at_s, one.stream_count, one.player_count) == (START_MS // 1000 + 10, 3, 8)
    assert (one.received_bps, one.sent_bps) == (10_000, 100_000)
    assert (one.cpu_pct, one.loop_lag_ms) == (2.5, 42)
    assert probe.peak_ms == 0, "the next sample begins anew"


def test_no_second_look_where_the_wall_clock_is_slowed_down() -> None:
    assert wait_s(START_MS) == 10
    assert wait_s(START_MS + 4000) == 6
    assert wait_s(START_MS + 9997) == 10.003, "5 ms less have passed by the wall than were waited"


def test_an_hour_is_kept() -> None:
    history, facts, _ = new_history()
    for number in range(MAX_SAMPLES + 10):
        facts.of_totals = traffic(10 * number)
        at_once(history.look(START_MS + 10_000 * number))
    assert len(history.samples) == MAX_SAMPLES
    newest_s = START_MS // 1000 + 10 * (MAX_SAMPLES + 9)
    assert [one.at_s for one in history.since(newest_s - 20)] == [newest_s - 10, newest_s]
    assert len(history.since(0)) == MAX_SAMPLES


async def test_a_node_counts_what_ended_connections_carried() -> None:
    async with running() as one:
        before = at_once(one.facts.totals())
        status, body = await one.get("/status")
        assert status == 200
        after = at_once(one.facts.totals())
        assert after.sent_bytes - before.sent_bytes >= len(body)
        assert after.received_bytes > before.received_bytes and after.cpu_ms > 0
