"""Variables as brpc shows them (bvar): names of small letters, and what their values look like."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from edge.facts.metrics import Distribution, Sample
from edge.hub.histogram import Histogram

#: What a variable may be; a tuple is a vector.
Value = str | int | float | tuple[float, ...]

_RUN = re.compile(r"[^A-Za-z0-9]+")
# An upper-case letter behind one that is none.
_HUMP = re.compile(r"(?<=[^A-Z_])(?=[A-Z])")
_US_PER_MS = 1000
# Second names of figures, for monitoring systems.
_ALIASES = "srs_"
#: Shares of the values that are not above what brpc's latencies name.
PERCENTILES = {"80": 0.8, "90": 0.9, "99": 0.99, "999": 0.999, "9999": 0.9999}


def normalise(name: str) -> str:
    """The name under which brpc shows a variable: ``Foo.BarApple`` is ``foo_bar_apple``, ``a::b-c`` is ``a_b_c``."""
    return _RUN.sub("_", _HUMP.sub("_", _RUN.sub("_", name))).lower()


def name_of(sample: Sample) -> str:
    """The name of a sample: that of its figure, with its labels in place of the ``*`` or behind it."""
    if "*" in sample.metric:
        return normalise(sample.metric.replace("*", sample.labels[0]))
    return normalise("_".join((sample.metric, *sample.labels)))


def variables_of(samples: Iterable[Sample]) -> dict[str, Value]:
    """All samples as variables; a histogram of milliseconds is what brpc's recorders of latencies show, in us."""
    found: dict[str, Value] = {}
    for sample in samples:
        name = name_of(sample)
        if isinstance(sample.value, Distribution):
            found |= _latencies(normalise("_".join((sample.metric.removesuffix("_ms"), *sample.labels))), sample.value)
        elif sample.metric != "build" and not sample.metric.startswith(_ALIASES):
            found[name] = sample.value
    return found


def _latencies(prefix: str, value: Distribution) -> dict[str, Value]:
    histogram = Histogram(value.bounds)
    histogram.counts, histogram.count, histogram.total = list(value.counts), sum(value.counts), value.total
    found: dict[str, Value] = {
        f"{prefix}_count": histogram.count,
        f"{prefix}_latency": round(histogram.mean * _US_PER_MS),
    }
    for name, share in PERCENTILES.items():
        found[f"{prefix}_latency_{name}"] = round(histogram.quantile(share) * _US_PER_MS)
    return found


def text_of(value: Value) -> str:
    """A value as text: strings and vectors are quoted, and one value stays on one line."""
    if isinstance(value, str):
        return '"' + "".join(_visible(sign) for sign in value) + '"'
    if isinstance(value, tuple):
        return f'"[{",".join(text_of(each) for each in value)}]"'
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return str(int(value))


def _visible(sign: str) -> str:
    if sign in '"\\':
        return f"\\{sign}"
    return sign if sign.isprintable() else f"\\x{ord(sign):02x}"


def lines_of(variables: Mapping[str, Value]) -> str:
    """One ``name : value`` line each, which ends as brpc's do."""
    return "".join(f"{name} : {text_of(value)}\r\n" for name, value in variables.items())
