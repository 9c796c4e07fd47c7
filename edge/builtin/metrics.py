"""``/metrics``, and ``/brpc_metrics`` as brpc names it: all figures for Prometheus and what reads its formats."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from edge.builtin.page import Attachment, Page, PageContext, PageFormat, Visit, register
from edge.facts.metrics import Sample
from edge.net.aio import load_in_thread

_EXPOSITION = "edge.builtin.exposition"


@dataclass(frozen=True, slots=True)
class MetricsData:
    """The samples, each in the unit that its declaration names, and the exposition where that is asked for."""

    samples: list[Sample]
    body: bytes = b""
    content_type: str = ""


async def collect(context: PageContext, visit: Visit) -> MetricsData:
    """Return the samples, written out unless they are to be JSON."""
    samples = await context.facts.samples()
    if visit.view is PageFormat.JSON:
        return MetricsData(samples)
    if not hasattr(sys.modules.get(_EXPOSITION), "exposition"):
        await load_in_thread(_EXPOSITION)
    from edge.builtin.exposition import exposition

    return MetricsData(samples, *await exposition(samples, visit.accept))


def text(data: MetricsData) -> str:
    """The exposition."""
    return data.body.decode()


def attachment(data: MetricsData) -> Attachment | None:
    """The exposition with its own content type."""
    return Attachment(data.body, data.content_type) if data.content_type else None


def _page(path: str, about: str, *, is_listed: bool) -> Page[MetricsData]:
    return register(
        Page(
            path,
            "Metrics",
            collect,
            text,
            attachment=attachment,
            is_for_any_name=True,
            is_listed=is_listed,
            about=about,
        )
    )


METRICS_PAGE = _page("/metrics", "all figures, for Prometheus", is_listed=True)
BRPC_METRICS = _page("/brpc_metrics", "/metrics, as brpc names it", is_listed=False)
