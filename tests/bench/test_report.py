"""Results in, page out: medians, ratios, targets met and missed, and a claim no wider than what was measured."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest

from bench import command, figures, report
from bench.load import TOOL_VARIABLE, BenchError, built_tool
from bench.scenarios import FULL, SCENARIOS, TO_KEYFRAME, TO_START, is_overloaded, quick

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


def fanout(*cpu_pct: float) -> list[dict[str, Any]]:
    delays = ({"lat_p50_ms": 0.5, "lat_p99_ms": 1.0}, {"lat_p50_ms": 2.0, "lat_p99_ms": 15.0}, {}, {})
    return [row(*each, **delay) for *each, delay in zip((50, 300, 1800, 2500), cpu_pct, delays, strict=True)]


def unplayed(idle_rss_mb: float, rss_mb: float) -> dict[str, Any]:
    return {
        **{"publishers": 100, "cpu_pct": 5.0, "other_pct": 0.0, "is_overloaded": False},
        **{"idle_rss_mb": idle_rss_mb, "rss_mb": rss_mb, "socket_mb": 1.0},
    }


@pytest.fixture
def results() -> Results:
    connects = {"per_s": 99.0, "done": 594, "cpu_s": 0.18, "ttfk_p50_ms": 0.65, "ttfk_p99_ms": 4.0, "ttfk_max_ms": 6.0}
    connects |= {"cpu_pct": 3.0, "failed": 0, "own_cpu_pct": 5.0}
    starts = {**connects, "per_s": 6300.0, "done": 25_200, "cpu_s": 4.0}
    behind = {"slow": 10, "slow_alive": 10, "slow_lat_max_ms": 9000.0, "slow_gaps": 400, "slow_bad_resume": 0}
    slow = {"lat_p99_ms": 3.0, "slow_corrupt": 0, **behind}
    unslow = {**slow, "slow": 0, "slow_alive": 0, "slow_gaps": 0, "slow_lat_max_ms": 0.0}
    return {
        "when": "2030-01-02 03:04 UTC",
        "is_quick": False,
        "machine": {"kernel": "Linux 6.1", "CPU": "a CPU", "edge": "1.0", "nginx": "nginx/1.22"},
        "runs": [
            run("fanout", "edge", *fanout(1.8, 5.0, 9.0, 16.0)),
            run("fanout", "nginx", *fanout(2.0, 8.0, 40.0, 80.0)),
            run("fanout", "edge", *fanout(1.6, 5.0, 11.0, 20.0), repeat=1),
            run("fanout", "nginx", *fanout(2.0, 8.0, 50.0, 80.0), repeat=1),
            run("fanout", "edge", *fanout(1.9, 6.0, 9.2, 20.0), repeat=2),
            run("fanout", "nginx", *fanout(2.0, 8.0, 46.0, 100.0), repeat=2),
            run("many", "edge", row(10_000, 60.0, lat_p99_ms=350.0)),
            run("bitrate6m", "edge", row(1000, 30.0, flush_interval_ms=40)),
            run("churn", "edge", connects, variant=TO_KEYFRAME),
            run("churn", "nginx", {**connects, "cpu_s": 0.2}, variant=TO_KEYFRAME),
            run("churn", "edge", starts, variant=TO_START),
            run("churn", "nginx", {**starts, "cpu_s": 2.0}, variant=TO_START),
            *(
                run("ingest", server, row(count, cpu_pct, lat_p99_ms=70.0), variant=f"{count} publishers")
                for count in (200, 500)
                for server, cpu_pct in (("edge", 6.0), ("nginx", 6.5))
            ),
            run("unplayed", "edge", unplayed(38.0, 60.0)),
            run("unplayed", "nginx", unplayed(21.0, 25.0)),
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
    return [row for run in runs for row in run["rows"] if row.get("players") == players]


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
    line = "| 1800 | edge | 900 | 9.2 (9.0–11.0) | 0.22 (0.20–0.23) | 40.0 / 95.0 (95.0–95.0) / 120.0 | 0 |"
    assert line in tables
    assert "| 2500 | nginx | 1250 | 80.0 (80.0–100.0) |  |" in tables


def test_rounds_are_compared_each_by_itself_and_one_that_failed_with_none(results: Results) -> None:
    """A slow machine is slow for both: 9 by 40, 11 by 50 and 9.2 by 46, not the median by the median."""
    found = figures.groups(results, "fanout")
    ours = figures.pick(found, "edge", 1800)
    assert ours is not None
    ratio = figures.cpu_ratio(found, ours)
    assert ratio is not None
    assert (ratio.median, ratio.least, ratio.most) == pytest.approx((0.22, 0.2, 0.225))
    failed = next(run for run in results["runs"] if (run["server"], run["repeat"]) == ("nginx", 1))
    failed.update(rows=[], error="it left")
    found = figures.groups(results, "fanout")
    ratio = figures.cpu_ratio(found, ours)
    assert ratio is not None and (ratio.least, ratio.most) == pytest.approx((0.2, 0.225))


def test_cpu_per_connect_and_none_that_came_through(results: Results) -> None:
    tables = report.tables(results)
    assert "| the first keyframe | edge | 99 | 0 | 3.0 | 0.30 | 0.90 | 3300 | 0.65 / 4.0 / 6.0 |" in tables
    assert "| Play.Start, closed loop | edge | 6300 | 0 | 3.0 | 0.16 | 2.00 | 6300 |" in tables
    none = {"per_s": 0.0, "done": 0, "cpu_s": 0.1, "ttfk_p50_ms": -1.0, "cpu_pct": 2.0, "failed": 0, "own_cpu_pct": 1.0}
    for found in results["runs"]:
        if (found["scenario"], found["server"]) == ("churn", "nginx"):
            found["rows"] = [none]
    tables = report.tables(results)
    assert "| the first keyframe | nginx | 0 | 0 | 2.0 | – |  | – | – / – / – |" in tables
    assert "| the first keyframe | edge | 99 | 0 | 3.0 | 0.30 | – |" in tables
    assert verdict(results, "connect to first keyframe").is_met is None


def test_memory_of_publishers_is_beyond_that_of_the_idle_server(results: Results) -> None:
    tables = report.tables(only(results, "unplayed"))
    assert "| 100 | edge | 38.0 | 60.0 | 22.0 | 220 | 5.0 | 1.00 |" in tables
    assert verdict(results, "nobody plays").measured == "22.0 MB, nginx 4.0 MB"
    assert verdict(results, "idle: at most").measured == "38.0 MB, nginx 21.0 MB"


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [({"rss_mb": 63.1}, "nobody plays"), ({"idle_rss_mb": 40.1}, "idle: at most")],
)
def test_too_much_memory_is_said(results: Results, spoilt: dict[str, float], words: str) -> None:
    next(run for run in results["runs"] if run["scenario"] == "unplayed")["rows"][0].update(spoilt)
    assert verdict(results, words).is_met is False


@pytest.mark.parametrize(
    ("variant", "spoilt", "words"),
    [
        (TO_KEYFRAME, {"ttfk_p50_ms": 0.71}, "first keyframe p50"),
        (TO_KEYFRAME, {"failed": 1}, "first keyframe p50"),
        (TO_KEYFRAME, {"cpu_s": 0.21}, "connect to first keyframe"),
        (TO_START, {"cpu_s": 4.3}, "connects to Play.Start"),
    ],
)
def test_connects_that_cost_too_much_are_said(
    results: Results, variant: str, spoilt: dict[str, float], words: str
) -> None:
    found = next(run for run in results["runs"] if (run["variant"], run["server"]) == (variant, "edge"))
    found["rows"][0].update(spoilt)
    assert verdict(results, words).is_met is False


def test_all_targets_met(results: Results) -> None:
    assert {found.target: found.is_met for found in figures.verdicts(results) if not found.is_met} == {}


@pytest.mark.parametrize(
    ("scenario", "players", "spoilt", "words"),
    [
        ("fanout", 1800, {"cpu_pct": 12.6}, "1800 players"),
        ("fanout", 2500, {"lat_p99_ms": 121.0}, "2500 players"),
        ("fanout", 300, {"cpu_pct": 8.1}, "300 players"),
        ("fanout", 300, {"lat_p99_ms": 20.1}, "300 players"),
        ("fanout", 50, {"cpu_pct": 2.1}, "50 players: CPU"),
        ("fanout", 2500, {"gaps_total": 1}, "2500 players"),
        ("fanout", 1800, {"alive": 1799}, "1800 players"),
        ("many", 10_000, {"gaps_total": 3}, "10000 players"),
        ("bitrate6m", 1000, {"flush_interval_ms": 100}, "6 Mbit/s"),
        ("ingest", 200, {"cpu_pct": 6.6}, "200 publishers"),
        ("ingest", 500, {"lat_p99_ms": 80.1}, "500 publishers"),
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
    for found in step(results, "fanout", "edge", 50):
        found["cpu_pct"] = 3.0
    held, _, not_held = report.claim(results).partition("Not cheaper within 150 ms in this run")
    assert "no more than 150 ms of added delay" in held
    assert "1800 players (0.22 of nginx-rtmp's CPU" in held
    assert "2500 players (0.20 of nginx-rtmp's CPU" in held
    assert "50 players (1.50 of nginx-rtmp's CPU" in not_held
    assert "of other servers" in report.claim(results).lower()


def test_nothing_is_claimed_without_nginx(results: Results) -> None:
    results["runs"] = [run for run in results["runs"] if run["server"] == "edge"]
    assert "nothing is claimed" in report.claim(results)
    assert verdict(results, "1800 players").is_met is None
    assert verdict(results, "200 publishers").is_met is None
    assert verdict(results, "connect to first keyframe").measured == "not measured"
    assert verdict(results, "connects to Play.Start").is_met
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
    results["runs"][0]["rows"][2]["other_pct"] = 40.0
    assert "delays more than it costs: fanout 1800 (edge)." in " ".join(report.page(results).split())


def test_nothing_is_said_of_resuming_where_nothing_was_dropped(results: Results) -> None:
    for found in step(results, "slow", "edge", 100):
        found["slow_gaps"] = 0
    assert verdict(results, "keyframes only").is_met is None


def test_equal_cost_is_not_cheaper(results: Results) -> None:
    for found in step(results, "fanout", "edge", 1800):
        found["cpu_pct"] = 46.0
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


def test_full_plans_take_about_fifteen_minutes() -> None:
    assert sum(plan.run_s * plan.repeats * (2 if plan.has_nginx else 1) for plan in FULL) < 15.5 * 60


def test_what_is_compared_with_nginx_by_cpu_has_three_rounds() -> None:
    judged = {(goal.scenario, goal.variant, goal.players) for goal in figures.PLAYING_GOALS}
    planned = {(plan.scenario, plan.variant, step): plan for plan in FULL for step in plan.steps}
    assert {planned[each].repeats for each in judged} == {3}
    assert {plan.repeats for plan in FULL if plan.until or plan.is_unplayed} == {3}


def test_load_of_connects() -> None:
    keyframe, start = (" ".join(plan.load_arguments("PORT")) for plan in FULL if plan.until)
    assert keyframe.endswith("--rate 100 --conc 500 --until keyframe --duration 4")
    assert start.endswith("--rate 0 --conc 64 --until play --duration 4")


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


def test_repeats_can_be_set_for_all_that_is_chosen() -> None:
    assert [plan.repeats for plan in command.chosen_plans("slow", True, 3)] == [3, 3]
    assert {plan.repeats for plan in command.chosen_plans("", False, 2)} == {2}


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
