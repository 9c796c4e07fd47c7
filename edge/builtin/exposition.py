"""Samples as Prometheus reads them, by its own client library. Loaded for the first scrape."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from edge.facts.declared import METRICS
from edge.facts.metrics import BASE_UNITS, Distribution, Kind, Metric, Sample

#: More series than these are counted only: a monitoring system pays for each.
MAX_SERIES = 5000
#: And of one family, so that none is long to write.
MAX_FAMILY_SERIES = 500
_LEFT_OUT = "metrics_left_out"
_END = b"# EOF\n"


class _One(Collector):
    """A family as a registry of its own, so that others have their turn after it."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def collect(self) -> Iterator[Family]:
        yield self._family


async def exposition(samples: Sequence[Sample], accept: str) -> tuple[bytes, str]:
    """The body and its content type: OpenMetrics for those whose Accept header asks for it, else Prometheus' text.

    Written family by family, so that the loop is never held for long.
    """
    encode, content_type = choose_encoder(accept)
    parts = []
    for family in families(samples):
        parts.append(encode(_One(family)).removesuffix(_END))
        await asyncio.sleep(0)
    if content_type.startswith("application/openmetrics-text"):
        parts.append(_END)
    return b"".join(parts), content_type


def families(samples: Sequence[Sample]) -> Iterator[Family]:
    """The samples by family, in the order of the declarations, and how many series are left out."""
    by_family: dict[str, list[Sample]] = {}
    for sample in samples:
        by_family.setdefault(METRICS[sample.metric].shown_family, []).append(sample)
    shown = left_out = 0
    for metrics in _declared_families().values():
        found = by_family.get(metrics[0].shown_family)
        if not found:
            continue
        each = _series_of(found[0])
        room = max(min(MAX_FAMILY_SERIES, MAX_SERIES - 1 - shown) // each, 0)
        shown += len(found[:room]) * each
        left_out += len(found[room:]) * each
        if found[:room]:
            yield _family(metrics[0], found[:room])
    yield _family(METRICS[_LEFT_OUT], [Sample(_LEFT_OUT, left_out)])


def _declared_families() -> dict[str, list[Metric]]:
    found: dict[str, list[Metric]] = {}
    for metric in METRICS:
        if metric.family and metric.name != _LEFT_OUT:
            found.setdefault(metric.shown_family, []).append(metric)
    return found


def _series_of(sample: Sample) -> int:
    """Lines that a sample makes."""
    return len(sample.value.counts) + 2 if isinstance(sample.value, Distribution) else 1


def _family(metric: Metric, samples: Sequence[Sample]) -> Family:
    """A family; samples with the same labels, such as figures that share it, are one series."""
    unit = metric.base_unit if metric.family.endswith(f"_{metric.base_unit}") else ""
    if metric.kind is Kind.HISTOGRAM:
        family = HistogramMetricFamily(metric.family, metric.help, labels=metric.labels, unit=unit)
        for sample in samples:
            assert isinstance(sample.value, Distribution)
            family.add_metric(sample.labels, *_buckets(sample.value, BASE_UNITS[metric.unit][0]))
        return family
    if metric.kind is Kind.INFO:
        info = InfoMetricFamily(metric.family, metric.help)
        info.add_metric([], dict(zip(metric.labels, samples[0].labels, strict=True)))
        return info
    sums: dict[tuple[str, ...], float] = {}
    for sample in samples:
        assert not isinstance(sample.value, Distribution)
        factor = BASE_UNITS[METRICS[sample.metric].unit][0]
        sums[sample.labels] = sums.get(sample.labels, 0) + sample.value * factor
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    plain = kind(metric.family, metric.help, labels=metric.labels, unit=unit)
    for labels, value in sums.items():
        plain.add_metric(labels, value)
    return plain


def _buckets(found: Distribution, factor: float) -> tuple[list[tuple[str, float]], float]:
    """Cumulative counts by bound in base units, and the sum."""
    buckets, below = [], 0
    for bound, number in zip((*found.bounds, None), found.counts, strict=True):
        below += number
        buckets.append((f"{bound * factor:.10g}" if bound is not None else "+Inf", float(below)))
    return buckets, found.total * factor
