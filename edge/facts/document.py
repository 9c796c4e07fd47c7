"""Writes the reference of all metrics: ``python -m edge.facts.document > docs/metrics.md``."""

from __future__ import annotations

import sys

from edge.facts.declared import TABLES
from edge.facts.metrics import Kind, Metric

_HEAD = """\
# Metrics

This page is generated: `python -m edge.facts.document > docs/metrics.md`.

`/metrics`, and `/brpc_metrics` as brpc names it, give all figures to Prometheus and whatever reads its text or
OpenMetrics, which the `Accept` header chooses. Values are in base units: seconds, bytes, ratios. Labels have few
values, none is a stream; at most 5,000 series are shown, and the rest is counted in `edge_metrics_left_out`.
`/status` and [`/vars`](pages.md#vars) show the same figures by the name in the second column, in the unit that the
name says.

```yaml
scrape_configs:
  - job_name: edge
    static_configs:
      - targets: ["127.0.0.1:8079"]
```

With `-internal_port` they answer on that port only. [grafana.json](grafana.json) is a dashboard of them.

`edge_load_ratio` is for autoscalers: how much of what one process can do is in use, by what is scarcest. It is the
largest of three: the share of one CPU that the event loop's thread has worked, as a mean over some five seconds; the
connections open, of those that may be (`-max_connections`, or what the limit of open files allows); the lag of the
loop, as a mean likewise, of one second. More processes are needed above some 0.7; a loop that is late for longer
exceeds 1.

With several processes a figure is that of all together: a sum, but for those that name another rule.

| metric | name on the pages | type | labels | with several processes | meaning |
|---|---|---|---|---|---|
"""


def render() -> str:
    """The whole page."""
    parts = [_HEAD]
    seen: set[str] = set()
    for title, table in TABLES.items():
        parts.append(f"| **{title}** | | | | | |\n")
        for metric in table:
            if metric.shown_family in seen:
                continue
            seen.add(metric.shown_family)
            names = [each.name for each in table if each.shown_family == metric.shown_family]
            parts.append(_row(metric, names))
    return "".join(parts)


def _row(metric: Metric, names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names)
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    rule = "sum" if metric.kind is Kind.HISTOGRAM else _RULES.get(metric.rule.__name__, metric.rule.__name__)
    return f"| `{metric.shown_family}` | {shown} | {metric.kind.value} | {labels} | {rule} | {metric.help} |\n"


_RULES = {"total": "sum", "first": "that of the first"}


if __name__ == "__main__":
    sys.stdout.write(render())
