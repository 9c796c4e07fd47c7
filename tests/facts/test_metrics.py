from __future__ import annotations

import pytest

from edge.facts.merging import largest
from edge.facts.metrics import Declarations, Distribution, Kind, Metric, Sample, distributions_together

COUNT = Metric("a_count", Kind.COUNTER, "edge_a", "A.")
LAG = Metric("lag_ms", Kind.GAUGE, "edge_lag_seconds", "Lag.", "ms", rule=largest)
ERRORS = Metric("error_*_count", Kind.COUNTER, "edge_errors", "Errors.", labels=("reason",))
FRAMES = Metric("frame_ms", Kind.HISTOGRAM, "edge_frame_seconds", "Frames.", "ms", rule=distributions_together)
KNOWN = Declarations([COUNT, LAG, ERRORS, FRAMES])


def test_a_name_is_found_by_itself_or_by_its_pattern() -> None:
    assert KNOWN.find("a_count") == (COUNT, ())
    assert KNOWN.find("error_slow_player_count") == (ERRORS, ("slow_player",))
    for unknown in ("error__count", "error_count", "b", ""):
        assert KNOWN.find(unknown) is None, unknown


def test_families_bear_the_suffix_of_their_kind() -> None:
    build = Metric("build", Kind.INFO, "edge_build", "Build.")
    assert [each.shown_family for each in (COUNT, LAG, build)] == [
        "edge_a_total",
        "edge_lag_seconds",
        "edge_build_info",
    ]
    assert [each.base_unit for each in (COUNT, LAG)] == ["", "seconds"]


def test_two_of_a_name_and_a_family_of_two_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="declared twice"):
        Declarations([COUNT, COUNT])
    with pytest.raises(ValueError, match="edge_a is declared as"):
        Declarations([COUNT, Metric("b", Kind.GAUGE, "edge_a", "B.")])


def test_counters_become_samples() -> None:
    assert KNOWN.samples_of({"a_count": 1, "error_chunk_count": 2, "unknown": 3}) == [
        Sample("a_count", 1),
        Sample("error_*_count", 2, ("chunk",)),
    ]


def test_counters_of_processes_become_one_by_the_rules() -> None:
    first, second = {"a_count": 1, "lag_ms": 5}, {"a_count": 2, "lag_ms": 3, "error_x_count": 1}
    assert KNOWN.merge_counters([first, second]) == {"a_count": 3, "lag_ms": 5, "error_x_count": 1}


def test_samples_of_processes_become_one_by_their_labels() -> None:
    def process(errors: int, counts: tuple[int, ...]) -> list[Sample]:
        frames = Distribution((10.0,), counts, 5.0)
        return [Sample("error_*_count", errors, ("x",)), Sample("frame_ms", frames), Sample("lag_ms", errors)]

    merged = KNOWN.merge_samples([process(1, (1, 0)), process(2, (3, 4))])
    assert merged == [
        Sample("error_*_count", 3, ("x",)),
        Sample("frame_ms", Distribution((10.0,), (4, 4), 10.0)),
        Sample("lag_ms", 2),
    ]


def test_histograms_of_other_ranges_are_not_added() -> None:
    with pytest.raises(ValueError, match="different ranges"):
        distributions_together([Distribution((1.0,), (0, 0), 0), Distribution((2.0,), (0, 0), 0)])
