"""The page of all metrics, and the dashboard made of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.facts.declared import METRICS
from edge.facts.document import render
from edge.facts.metrics import Kind

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_is_current() -> None:
    """When it is not: python -m edge.facts.document > docs/metrics.md"""
    assert (DOCS / "metrics.md").read_text(encoding="utf-8") == render()


def test_the_page_has_a_row_per_family_and_names_every_figure() -> None:
    page = render()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert sorted(row.split("`")[1] for row in rows) == sorted({metric.shown_family for metric in METRICS})
    assert all(f"`{metric.name}`" in page for metric in METRICS)
    assert all(row.count("|") == 7 for row in rows)


def expressions(panel: Any) -> Iterator[str]:
    """Every query of a dashboard, wherever it stands."""
    if isinstance(panel, dict):
        for name, value in panel.items():
            if name in ("expr", "query") and isinstance(value, str):
                yield value
            else:
                yield from expressions(value)
    elif isinstance(panel, list):
        for each in panel:
            yield from expressions(each)


def test_every_metric_of_the_dashboard_exists() -> None:
    dashboard = json.loads((DOCS / "grafana.json").read_text(encoding="utf-8"))
    found = [name for text in expressions(dashboard) for name in re.findall(r"\b(?:edge|process|srs)_\w+", text)]
    assert len(set(found)) >= 20
    known = {metric.shown_family for metric in METRICS if metric.kind is not Kind.HISTOGRAM}
    histograms = [metric.family for metric in METRICS if metric.kind is Kind.HISTOGRAM]
    known |= {f"{family}_{part}" for family in histograms for part in ("bucket", "sum", "count")}
    assert [name for name in found if name not in known] == []
    assert set(histograms) <= {name.removesuffix("_bucket") for name in found}, "delays are what operators look for"


def test_every_metric_of_the_alerts_exists_and_the_guide_tells_what_to_do_about_each() -> None:
    rules = (DOCS / "alerts.yml").read_text(encoding="utf-8")
    lines = [line for line in rules.splitlines() if "expr:" in line]
    found = {name for line in lines for name in re.findall(r"\b(?:edge|process)_\w+", line)}
    known = {metric.shown_family for metric in METRICS}
    known |= {f"{metric.family}_bucket" for metric in METRICS if metric.kind is Kind.HISTOGRAM}
    assert len(found) >= 12 and found <= known, found - known
    guide = (DOCS / "monitoring.md").read_text(encoding="utf-8")
    alerts = re.findall(r"alert: (\w+)", rules)
    assert len(alerts) == len(set(alerts)) and [name for name in alerts if f"`{name}`" not in guide] == []


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    dashboard = json.loads((DOCS / "grafana.json").read_text(encoding="utf-8"))
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
