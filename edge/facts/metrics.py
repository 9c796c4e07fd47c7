"""What is measured: each figure is declared once, and ``/status``, ``/vars`` and ``/metrics`` show it by that.

A figure has a name, by which the pages show it, and a family, the name by which monitoring systems know it, in base
units. Many figures may be of one family: a ``*`` in a name stands for the value of a label, such as the reason in
``error_*_count``. The declarations stand in ``edge/facts/declared.py``, in the order of the layers that count them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from edge.facts.merging import Rule, total

#: By what a value is multiplied for its base unit, and that unit.
BASE_UNITS = {"": (1.0, ""), "ms": (0.001, "seconds"), "us": (0.000_001, "seconds"), "s": (1.0, "seconds")}
BASE_UNITS |= {"bytes": (1.0, "bytes"), "ratio": (1.0, "ratio")}


class Kind(Enum):
    """How a figure changes."""

    #: It only grows while the process lives.
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    #: Always 1: its labels tell.
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Distribution:
    """Values by range, as ``edge.hub.histogram`` counts them.

    Attributes:
        bounds: upper bounds of the ranges, ascending.
        counts: values in each range, the last above all bounds.
        total: sum of the values.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure.

    Attributes:
        name: on the pages; a ``*`` in it stands for the value of its first label.
        kind: how it changes.
        family: in ``/metrics``, without the suffixes ``_total`` and ``_info``; "" of one that is not shown there.
        help: what it is, a sentence.
        unit: of the value: ``ms``, ``us``, ``s``, ``bytes``, ``ratio``, or "" of a number.
        labels: names of the labels in ``/metrics``, each with few values.
        rule: makes one value of those of several processes.
    """

    name: str
    kind: Kind
    family: str
    help: str
    unit: str = ""
    labels: tuple[str, ...] = ()
    rule: Rule = total

    @property
    def shown_family(self) -> str:
        """The family as expressions name it."""
        return self.family + {Kind.COUNTER: "_total", Kind.INFO: "_info"}.get(self.kind, "")

    @property
    def base_unit(self) -> str:
        """``seconds``, ``bytes``, ``ratio`` or ""."""
        return BASE_UNITS[self.unit][1]


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a figure.

    Attributes:
        metric: its name as declared.
        labels: values of its labels, in their order.
        value: in the unit that the declaration names; text in no case.
    """

    metric: str
    value: float | Distribution
    labels: tuple[str, ...] = ()


class Declarations:
    """The figures by name; raises ValueError for two of one name, and for a family of two kinds or units."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._by_name: dict[str, Metric] = {}
        self._patterns: list[tuple[str, str, Metric]] = []
        families: dict[str, Metric] = {}
        for metric in metrics:
            if metric.name in self._by_name:
                raise ValueError(f"{metric.name} is declared twice")
            like = families.setdefault(metric.family, metric) if metric.family else metric
            if (like.kind, like.base_unit, like.labels) != (metric.kind, metric.base_unit, metric.labels):
                raise ValueError(f"{metric.family} is declared as {like.name} and, otherwise, as {metric.name}")
            self._by_name[metric.name] = metric
            if "*" in metric.name:
                head, _, tail = metric.name.partition("*")
                self._patterns.append((head, tail, metric))

    def __iter__(self) -> Iterator[Metric]:
        return iter(self._by_name.values())

    def __getitem__(self, name: str) -> Metric:
        return self._by_name[name]

    def find(self, name: str) -> tuple[Metric, tuple[str, ...]] | None:
        """The declaration of a name that a page shows, with the label that the name bears; None of an unknown one."""
        metric = self._by_name.get(name)
        if metric is not None:
            return metric, ()
        for head, tail, found in self._patterns:
            if name.startswith(head) and name.endswith(tail) and len(name) > len(head) + len(tail):
                return found, (name[len(head) : len(name) - len(tail)],)
        return None

    def samples_of(self, counters: Mapping[str, float]) -> list[Sample]:
        """Those of counters by name; what is not declared is left out, which a test does not let happen."""
        found = ((self.find(name), value) for name, value in counters.items())
        return [Sample(known[0].name, value, known[1]) for known, value in found if known is not None]

    def merge_counters(self, processes: Sequence[Mapping[str, float]]) -> dict[str, float]:
        """The counters of one server, of those of its processes, the most important process first."""
        merged: dict[str, float] = {}
        for name in dict.fromkeys(name for counters in processes for name in counters):
            known = self.find(name)
            rule = known[0].rule if known is not None else total
            merged[name] = rule([counters[name] for counters in processes if name in counters])
        return merged

    def merge_samples(self, processes: Sequence[Sequence[Sample]]) -> list[Sample]:
        """The samples of one server, likewise."""
        groups: dict[tuple[str, tuple[str, ...]], list[float | Distribution]] = {}
        for samples in processes:
            for sample in samples:
                groups.setdefault((sample.metric, sample.labels), []).append(sample.value)
        return [Sample(name, self[name].rule(values), labels) for (name, labels), values in groups.items()]


def distributions_together(values: Sequence[Distribution]) -> Distribution:
    """Rule of histograms; raises ValueError where their ranges differ."""
    bounds = values[0].bounds
    if any(value.bounds != bounds for value in values):
        raise ValueError("histograms of different ranges")
    counts = tuple(sum(each) for each in zip(*(value.counts for value in values), strict=True))
    return Distribution(bounds, counts, sum(value.total for value in values))
