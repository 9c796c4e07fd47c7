"""The forms of a stream beside each other: results in, a section of the page out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bench import outputs, report

Results = dict[str, Any]

CPU_PCT = {"rtmp": (10.0, 20.0, 10.0), "flv": (10.2, 22.0, 10.4), "ws": (10.6, 20.0, 10.6), "ts": (12.0, 24.0, 12.0)}


def row(players: int, cpu_pct: float, rss_mb: float, delay_ms: float = 20.0) -> dict[str, Any]:
    return {
        **{"players": players, "mbps": players * 0.5, "cpu_pct": cpu_pct, "rss_mb": rss_mb, "socket_mb": 1.0},
        **{"lat_p50_ms": delay_ms, "lat_p99_ms": 2 * delay_ms, "own_cpu_pct": 5.0, "other_pct": 0.0},
        **{"gaps_total": 0, "dups_total": 0, "corrupt_total": 0},
    }


@pytest.fixture
def results() -> Results:
    def run(plan: Any, repeat: int, *rows: dict[str, Any]) -> dict[str, Any]:
        return {
            **{"scenario": plan.scenario, "variant": plan.variant, "server": "edge", "repeat": repeat},
            **{"kbps": 500, "rows": list(rows)},
        }

    cost = [
        run(plan, repeat, row(100, 1.0, 50.0), row(1000, cpu_pct, 51.8))
        for plan in outputs.cost_plans()
        for repeat, cpu_pct in enumerate(CPU_PCT[plan.form])
    ]
    delay = [run(plan, 0, row(20, 1.0, 50.0, 0.4 + number)) for number, plan in enumerate(outputs.delay_plans())]
    machine = {"kernel": "Linux 6.1", "CPU": "a CPU", "edge": "1.0", "nginx": "not installed"}
    return {"when": "2030-01-02 03:04 UTC", "machine": machine, "runs": [*cost, *delay]}


def test_cpu_is_compared_with_that_of_the_same_round(results: Results) -> None:
    """A round on a slower machine is slow for all: of FLV 1.02, 1.1 and 1.04 it is 1.04."""
    found = outputs.groups(results, "cost")
    assert [round(outputs.cost_ratio(found, form), 2) for form in ("rtmp", "flv", "ws", "ts")] == [1.0, 1.04, 1.06, 1.2]


def test_section_has_both_tables(results: Results) -> None:
    section = outputs.section(results)
    wanted = "| HTTP-FLV | 500 | 10.4 (10.2–22.0) | 1.04 (goal 1.05) | 20.0 / 40.0 | 0 | 2.0 (goal 4.0) | 0.0 | 5 | 0 |"
    assert wanted in section
    assert "| RTMP | 0.4 / 0.8 | 4.4 / 8.8 | 8.4 / 16.8 | 12.4 / 24.8 |" in section
    for block in re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE):
        assert len({line.count("|") for line in block.splitlines()}) == 1, block


@pytest.mark.parametrize("scenario", ["cost", "delay"])
def test_half_of_it(scenario: str, results: Results) -> None:
    results["runs"] = [run for run in results["runs"] if run["scenario"] == scenario]
    section = outputs.section(results)
    assert ("1000 players" in section) == (scenario == "cost") and ("third node" in section) == (scenario == "delay")


def test_forms_are_measured_alike_but_for_the_form() -> None:
    cost, delay = outputs.cost_plans(), outputs.delay_plans()
    loads = {" ".join(plan.load_arguments("PORT")).replace(f" --proto {plan.form}", "") for plan in cost}
    assert len(loads) == 1
    assert {plan.variant.partition(" ")[0] for plan in delay} == set(outputs.FORMS)
    assert all("--sample 1" in " ".join(plan.load_arguments("PORT")) for plan in delay)


def test_section_is_put_into_the_page_and_replaced(results: Results, tmp_path: Path) -> None:
    page, saved = tmp_path / "page.md", tmp_path / "results.json"
    page.write_text("# Performance\n\n## First\n\nwords\n")
    for when in ("2031", "2032"):
        saved.write_text(json.dumps({**results, "when": when}))
        assert outputs.main(["--read", str(saved), "--write", str(page)]) == 0
        text = page.read_text()
        assert text.startswith("# Performance\n\n## First\n\nwords\n\n## Outputs\n") and text.count("## Outputs") == 1
        assert f"date: {when}" in text and text.endswith("|\n")


def test_section_in_the_middle_leaves_what_follows() -> None:
    page = "# P\n\n## Outputs\n\nold\n\n## Next\n\nwords\n"
    section = report.section_of(page, "Outputs")
    assert section == "## Outputs\n\nold\n\n"
    assert report.with_section(page, "Outputs", "## Outputs\n\nnew\n") == page.replace("old", "new")
    assert report.section_of(page, "Out") == "" and report.with_section(page, "None", "") == page


def test_a_page_made_anew_keeps_what_others_have_written() -> None:
    old = "# P\n\n## Targets\n\nold\n\n## By hand\n\nwords\n\n## Memory\n\nold\n\n## Last\n\n### Of it\n"
    new = "# P\n\n## Targets\n\nnew\n"
    assert report.with_the_rest(new, old) == f"{new}\n## By hand\n\nwords\n\n## Last\n\n### Of it\n"
    assert report.with_the_rest(new, "") == new


def test_delay_is_that_of_the_quietest_run(results: Results) -> None:
    """And what else ran is said where no run was quiet."""
    assert "Doubtful" not in outputs.section(results)
    first = next(run for run in results["runs"] if run["variant"] == "rtmp first node")
    results["runs"].append({**first, "repeat": 1, "rows": [{**first["rows"][0], "lat_p50_ms": 9.0, "other_pct": 80.0}]})
    assert "| RTMP | 0.4 / 0.8 |" in outputs.section(results) and "Doubtful" not in outputs.section(results)
    first["rows"][0]["other_pct"] = 90.0
    section = outputs.section(results)
    assert "| RTMP | 9.0 / 0.8 |" in section and "up to 80 % of it" in section
