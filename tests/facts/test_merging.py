from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Annotated

import pytest

from edge.facts import records
from edge.facts.merging import About, about, first_known, first_said, identity, joined, largest, merge, smallest, total
from tests.builtin import sample

RECORDS = (
    records.StreamFacts,
    records.ConnectionFacts,
    records.TrafficFacts,
    records.ServerFacts,
    records.SourceFacts,
    records.ServiceFacts,
    records.AddressFacts,
    records.HealthFacts,
    records.ReadinessFacts,
    records.ProcessFacts,
    records.QualityFacts,
    records.PlayerFacts,
    records.DetailFacts,
    records.AudienceFacts,
    records.TotalFacts,
    records.SampleFacts,
    records.ReloadFacts,
    records.VhostFacts,
    records.FindingFacts,
)


@pytest.mark.parametrize("kind", RECORDS)
def test_every_field_says_what_it_is(kind: type) -> None:
    assert list(about(kind)) == [field.name for field in fields(kind)]
    assert all(each.text and not each.text.endswith(".") for each in about(kind).values())


def test_all_records_are_tested() -> None:
    found = {each for name, each in vars(records).items() if name.endswith("Facts")}
    assert found == set(RECORDS)


def test_field_that_says_nothing_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Mute\.count says nothing"):
        about(Mute)


@dataclass(frozen=True)
class Mute:
    name: Annotated[str, About("the name", identity)]
    count: int


@pytest.mark.parametrize(
    ("rule", "values", "one"),
    [
        (total, [1, 2, 3], 6),
        (total, [None, 2], 2),
        (total, [None, None], None),
        (largest, [1, None, 3], 3),
        (largest, [None], None),
        (smallest, [None, 5, 3], 3),
        (first_said, ["", None, "b", "c"], "b"),
        (first_said, ["", None], ""),
        (first_known, [None, (), (1.0,)], ()),
        (first_known, [None, False], False),
        (first_known, [None, None], None),
        (joined, [("a", "b"), ("b", "c")], ("a", "b", "c")),
        (all, [True, False], False),
        (any, [True, False], True),
    ],
)
def test_rules(rule: object, values: list[object], one: object) -> None:
    assert rule(values) == one  # type: ignore[operator]


def test_stream_of_two_processes_is_one() -> None:
    home = sample.stream(players=2, viewers=1, video_bps=5, publisher="1.2.3.4:5")
    other = sample.stream(players=3, viewers=3, video_bps=7, publisher="", state="connecting", epoch="")
    (one,) = merge([[home], [other]])
    assert (one.players, one.viewers, one.video_bps) == (5, 4, 7)
    assert (one.publisher, one.state, one.epoch) == ("1.2.3.4:5", "live", home.epoch)


def test_streams_of_two_services_and_other_names_stay_apart() -> None:
    rows = [sample.stream("a"), sample.stream("a", service="merge"), sample.stream("b")]
    assert merge([rows[:2], rows[2:]]) == rows


def test_viewers_of_two_processes_are_counted_together() -> None:
    other = replace(sample.QUALITY, start_ms=None, stall_count=1, buffer_ms=900)
    rows = [sample.stream(quality=sample.QUALITY), sample.stream(quality=other), sample.stream()]
    (one,) = merge([[row] for row in rows])
    assert one.quality == replace(
        sample.QUALITY, reporting=4, sessions=10, stall_count=4, stall_ms=2500, dropped_frames=14, buffer_ms=900
    )
    assert merge([[sample.stream()], [sample.stream()]])[0].quality is None


def test_connections_of_processes_are_all_there() -> None:
    rows = [sample.connection(7), sample.connection(7, peer="10.0.0.8:1")]
    assert merge([rows[:1], rows[1:]]) == rows


def test_upstream_of_two_processes_is_one_with_all_its_streams() -> None:
    rows = [sample.server(streams_count=2, failure_count=1), sample.server(streams_count=3, last_error="refused")]
    (one,) = merge([rows[:1], rows[1:]])
    assert (one.streams_count, one.failure_count, one.last_error) == (5, 1, "refused")


def test_process_is_ready_when_all_are() -> None:
    late = replace(sample.READY, is_ready=False, reasons=("not listening yet",))
    two = replace(sample.PROCESS, readiness=late, health=replace(sample.HEALTH, loop_lag_ms=9.0, is_ok=False))
    (one,) = merge([[sample.PROCESS], [two]])
    assert one.readiness == late
    assert (one.health.loop_lag_ms, one.health.is_ok, one.health.uptime_s) == (9.0, False, 12)
