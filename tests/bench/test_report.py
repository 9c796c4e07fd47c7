"""Results in, page out: medians, ratios, targets met and missed, and a claim no wider than what was measured."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest

from bench import command, figures, report
from bench.load import TOOL_VARIABLE, BenchError, built_tool
from bench.scenarios import FULL, SCENARIOS, is_overloaded, quick

Results = dict[str, Any]


def row(players: int, cpu_pct: float, **others: float) -> dict[str, Any]:
    return {
        **{"players": players, "seconds": 6.0, "alive": players, "normal": players, "mbps": players * 0.5},
        **{"gaps_total": 0, "dups_total": 0, "corrupt_total": 0, "failed": 0, "closed": 0, "median_bytes": 375000},
        **{"lat_p50_ms": 40.0, "lat_p99_ms": 95.0, "lat_max_ms": 120.0, "ttfk_p50_ms": 1.0, "own_cpu_pct": 50.0},
        **{"cpu_pct": cpu_pct, "other_pct": 0.0, "rss_mb": 50.0, "socket_mb": 1.0, "is_overloaded": False},
        **others,
    }


def run(scenario: str, server: str, *rows: dict[str, Any], repeat: int = 0, variant: str = "") -> dict[str, Any]:
    return {
        **{"scenario": scenario, "variant": variant, "server": server, "repeat": repeat, "rows": list(rows)},
        **{"command": f"{server} -port=PORT", "publish": "rtmpload publish", "load": "rtmpload play"},
        **{"kbps": 4000 if scenario == "slow" else 500, "streams": 1},
    }


@pytest.fixture
def results() -> Results:
    connects = {"per_s": 99.0, "done": 594, "cpu_s": 0.18, "ttfk_p50_ms": 1.5, "ttfk_p99_ms": 4.0, "ttfk_max_ms": 6.0}
    behind = {"slow": 10, "slow_alive": 10, "slow_lat_max_ms": 9000.0, "slow_gaps": 400, "slow_bad_resume": 0}
    slow = {"lat_p99_ms": 3.0, "slow_corrupt": 0, **behind}
    unslow = {**slow, "slow": 0, "slow_alive": 0, "slow_gaps": 0, "slow_lat_max_ms": 0.0}
    return {
        "when": "2030-01-02 03:04 UTC",
        "is_quick": False,
        "machine": {"kernel": "Linux 6.1", "CPU": "a CPU", "edge": "1.0", "nginx": "nginx/1.22"},
        "runs": [
            run("fanout", "edge", row(50, 3.0, lat_p50_ms=0.5, lat_p99_ms=1.0), row(1800, 20.0), row(2500, 24.0)),
            run("fanout", "nginx", row(50, 2.0, lat_p99_ms=1.0), row(1800, 50.0), row(2500, 80.0)),
            run("fanout", "edge", row(50, 3.0, lat_p50_ms=0.7), row(1800, 22.0), row(2500, 26.0), repeat=1),
            run("fanout", "nginx", row(50, 2.0), row(1800, 54.0), row(2500, 80.0), repeat=1),
            run("many", "edge", row(10_000, 60.0, lat_p99_ms=350.0)),
            run("bitrate6m", "edge", row(1000, 30.0, flush_interval_ms=40)),
            run("churn", "edge", {"cpu_pct": 3.0, "failed": 0, "own_cpu_pct": 5.0, **connects}),
            run("ingest", "edge", row(200, 9.0)),
            run("ingest", "nginx", row(200, 6.0)),
            run("slow", "edge", row(100, 9.0, **unslow), variant="all prompt"),
            run("slow", "edge", row(100, 9.0, **slow), row(100, 9.0, **slow), variant="1 in 10 slow"),
            run("memory", "edge", row(100, 9.0), row(1500, 20.0, rss_mb=52.8, socket_mb=15.0)),
        ],
    }


def verdict(results: Results, words: str) -> figures.Verdict:
    return next(found for found in figures.verdicts(results) if words in found.target)


def only(results: Results, *scenarios: str) -> Results:
    return {**results, "runs": [run for run in results["runs"] if run["scenario"] in scenarios]}


def step(results: Results, scenario: str, server: str, players: int) -> list[dict[str, Any]]:
    """The rows of all repeats, to be spoilt."""
    runs = [run for run in results["runs"] if (run["scenario"], run["server"]) == (scenario, server)]
    return [row for run in runs for row in run["rows"] if row["players"] == players]


def test_page_has_every_part(results: Results) -> None:
    page = report.page(results)
    for title in report.TITLES.values():
        assert f"## {title}\n" in page
    for part in ("2030-01-02", "Linux 6.1", "a CPU", "edge -port=PORT", "rtmpload play", "live on;"):
        assert part in page
    assert "nan" not in page
    assert "not measured" not in page


def test_every_scenario_has_its_title_and_rows_are_even(results: Results) -> None:
    assert set(report.TITLES) == set(SCENARIOS)
    blocks = re.findall(r"(?:^\|.*\n)+", report.page(results), re.MULTILINE)
    assert len(blocks) == 1 + len(SCENARIOS)
    for block in blocks:
        assert len({line.count("|") for line in block.splitlines()}) == 1, block


def test_medians_ranges_and_ratios(results: Results) -> None:
    tables = report.tables(only(results, "fanout"))
    assert "| 1800 | edge | 900 | 21.0 (20.0–22.0) | 0.40 | 40.0 / 95.0 / 120.0 | 0 |" in tables
    assert "| 2500 | nginx | 1250 | 80.0 (80.0–80.0) |  |" in tables


def test_cpu_per_connect_and_none_that_came_through(results: Results) -> None:
    none = {"per_s": 0.0, "done": 0, "cpu_s": 0.1, "ttfk_p50_ms": -1.0, "cpu_pct": 2.0, "failed": 0, "own_cpu_pct": 1.0}
    results["runs"].append(run("churn", "nginx", none))
    tables = report.tables(results)
    assert "| edge | 99 | 0 | 3.0 | 0.30 | 1.5 / 4.0 / 6.0 |" in tables
    assert "| nginx | 0 | 0 | 2.0 | – | – / – / – |" in tables


def test_all_targets_met(results: Results) -> None:
    assert {found.target: found.is_met for found in figures.verdicts(results) if not found.is_met} == {}


@pytest.mark.parametrize(
    ("scenario", "players", "spoilt", "words"),
    [
        ("fanout", 1800, {"cpu_pct": 27.0}, "1800 players"),
        ("fanout", 2500, {"lat_p99_ms": 151.0}, "2500 players"),
        ("fanout", 2500, {"gaps_total": 1}, "2500 players"),
        ("fanout", 1800, {"alive": 1799}, "1800 players"),
        ("fanout", 50, {"lat_p50_ms": 2.1}, "50 players: delay"),
        ("many", 10_000, {"gaps_total": 3}, "10000 players"),
        ("bitrate6m", 1000, {"flush_interval_ms": 100}, "6 Mbit/s"),
        ("ingest", 200, {"cpu_pct": 9.1}, "200 publishers"),
        ("slow", 100, {"slow_bad_resume": 1}, "keyframes only"),
        ("slow", 100, {"slow_lat_max_ms": 30_000.0}, "are at most"),
        ("memory", 1500, {"rss_mb": 55.7}, "memory"),
    ],
)
def test_a_missed_target_is_said(
    results: Results, scenario: str, players: int, spoilt: dict[str, float], words: str
) -> None:
    for found in step(results, scenario, "edge", players):
        found.update(spoilt)
    assert verdict(results, words).is_met is False
    assert "| **no** |" in report.targets(results)


def test_slow_readers_that_cost_the_others_are_said(results: Results) -> None:
    for found in results["runs"]:
        if found["variant"] == "1 in 10 slow":
            found["rows"][-1]["lat_p99_ms"] = 8.1
    assert verdict(results, "cost the others nothing").is_met is False


def test_claim_names_only_the_sizes_that_bear_it_out(results: Results) -> None:
    claim = report.claim(results)
    held, _, not_held = claim.partition("Not cheaper within 150 ms in this run")
    assert "no more than 150 ms of added delay" in held
    assert "1800 players (0.40 of nginx-rtmp's CPU" in held
    assert "2500 players (0.31 of nginx-rtmp's CPU" in held
    assert "50 players (1.50 of nginx-rtmp's CPU" in not_held
    assert "of other servers" in claim.lower()


def test_nothing_is_claimed_without_nginx(results: Results) -> None:
    results["runs"] = [run for run in results["runs"] if run["server"] == "edge"]
    assert "nothing is claimed" in report.claim(results)
    assert verdict(results, "1800 players").is_met is None
    assert verdict(results, "200 publishers").measured == "not measured"
    assert "nan" not in report.page(results)


def test_no_ratio_to_a_server_that_fell_behind(results: Results) -> None:
    for found in step(results, "fanout", "nginx", 2500):
        found["is_overloaded"] = True
    assert verdict(results, "2500 players").is_met is None
    assert "0, overloaded" in report.tables(results)


def test_an_empty_run_is_reported(results: Results) -> None:
    page = report.page({**results, "runs": []})
    assert all(found.is_met is None for found in figures.verdicts({**results, "runs": []}))
    assert "nothing is claimed" in page


def test_a_failed_run_is_reported_on_one_line(results: Results) -> None:
    results["runs"].append({**run("many", "edge", repeat=1), "error": "edge left with 1:\nno room"})
    assert "- failed: edge, repeat 2: edge left with 1: no room\n" in report.tables(results)


def test_a_busy_load_generator_casts_doubt(results: Results) -> None:
    assert "Doubtful" not in report.page(results)
    step(results, "fanout", "nginx", 2500)[0]["own_cpu_pct"] = 95.0
    assert "Doubtful, since the load generator itself was near its limit: fanout 2500 (nginx)." in report.page(results)


def test_other_work_on_the_core_casts_doubt(results: Results) -> None:
    results["runs"][0]["rows"][1]["other_pct"] = 40.0
    assert "delays more than it costs: fanout 1800 (edge)." in " ".join(report.page(results).split())


def test_nothing_is_said_of_resuming_where_nothing_was_dropped(results: Results) -> None:
    for found in step(results, "slow", "edge", 100):
        found["slow_gaps"] = 0
    assert verdict(results, "keyframes only").is_met is None


def test_equal_cost_is_not_cheaper(results: Results) -> None:
    for found in step(results, "fanout", "edge", 1800):
        found["cpu_pct"] = 51.9
    held, _, not_held = report.claim(results).partition("Not cheaper within 150 ms")
    assert "1800 players" not in held
    assert "1800 players (1.00 of nginx-rtmp's CPU" in not_held


def test_memory_is_what_a_further_player_adds(results: Results) -> None:
    found = figures.groups(results, "memory")
    assert figures.memory_per_player_kb(found, "edge") == pytest.approx((2.0, 10.0))
    assert figures.memory_per_player_kb(found, "nginx") is None


def test_results_are_not_changed(results: Results) -> None:
    before = copy.deepcopy(results)
    report.page(results)
    assert results == before


def test_full_plans_take_less_than_nine_minutes() -> None:
    assert sum(plan.run_s * plan.repeats * (2 if plan.has_nginx else 1) for plan in FULL) < 9 * 60


def test_quick_plans_are_small_and_keep_their_scenario() -> None:
    for plan in map(quick, FULL):
        assert plan.scenario in SCENARIOS
        assert max(plan.steps, default=0) <= 500
        assert plan.run_s < 15


def test_overload_is_seen_by_bytes_and_by_closed_players() -> None:
    fine = row(100, 1.0)
    assert not is_overloaded(fine, 500)
    assert is_overloaded({**fine, "median_bytes": 200_000}, 500)
    assert is_overloaded({**fine, "alive": 80}, 500)


def test_unknown_scenario_is_refused() -> None:
    with pytest.raises(BenchError, match=r"unknown scenario fanuot; there are fanout"):
        command.chosen_plans("fanuot", False, 0)


def test_repeats_can_be_set() -> None:
    assert [plan.repeats for plan in command.chosen_plans("slow", True, 3)] == [3, 3]


def test_missing_load_generator_is_said(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOOL_VARIABLE, str(tmp_path))
    with pytest.raises(BenchError, match=rf"no load generator at .*rtmpload.c: set {TOOL_VARIABLE}"):
        built_tool(tmp_path)


def test_the_load_generator_is_part_of_the_checkout(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOOL_VARIABLE, raising=False)
    monkeypatch.setattr("bench.load.shutil.which", lambda name: None)
    with pytest.raises(BenchError, match="is C: install gcc"):
        built_tool(tmp_path)


def test_report_of_a_file_and_no_page_of_a_quick_run(
    results: Results, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    source, page = tmp_path / "results.json", tmp_path / "page.md"
    source.write_text(json.dumps(results))
    assert command.main(["--read", str(source), "--write", str(page)]) == 0
    assert page.read_text() == report.page(results)
    source.write_text(json.dumps({**results, "is_quick": True}))
    with pytest.raises(SystemExit):
        command.main(["--read", str(source), "--write", str(page)])
    assert "--quick" in capsys.readouterr().err


def test_scenarios_measured_again_replace_the_earlier_ones_and_the_page_says_so(results: Results) -> None:
    again = {**results, "when": "2027-01-02 03:04 UTC", "runs": [r for r in results["runs"] if r["scenario"] == "slow"]}
    merged = command.with_rest(again, results)
    assert sorted(run["scenario"] for run in merged["runs"]) == sorted(run["scenario"] for run in results["runs"])
    page = report.page(merged)
    assert "date: 2027-01-02 03:04 UTC" in page
    assert f"measured: {results['when']}" in " ".join(page.split())
    assert "but slow of the date and version above" in " ".join(page.split())
