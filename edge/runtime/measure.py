"""The samples of one process: what it counts by name, and what is told apart by labels."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from edge.facts.declared import METRICS
from edge.facts.metrics import Distribution, Sample
from edge.facts.records import ServerFacts
from edge.hub.delay import DelayHistograms
from edge.hub.histogram import Histogram
from edge.net.connection_set import ConnectionSet
from edge.net.listed import Listed
from edge.net.slices import in_slices
from edge.net.traffic import Traffic
from edge.runtime.process_figures import ProcessFigures

#: Upstream servers that are told apart; the others are one.
MAX_UPSTREAMS = 100
OTHERS = "other"
#: A loop that is so late serves nobody well.
FULL_LAG_MS = 1000.0


def load_ratio(*, busy_share: float, connection_share: float, mean_lag_ms: float, memory_share: float = 0.0) -> float:
    """How much of what a process can do is in use, by what is scarcest; above 1 where the loop is very late."""
    return max(busy_share, connection_share, mean_lag_ms / FULL_LAG_MS, memory_share)


async def connection_samples(connections: ConnectionSet[Listed], past: Traffic) -> list[Sample]:
    """Connections by protocol and role, and the bytes of all there have been."""
    kinds: Counter[tuple[str, str]] = Counter()
    received, sent = Counter(past.received), Counter(past.sent)
    async for connection in in_slices(tuple(connections)):
        seen = connection.describe()
        kinds[seen.protocol, seen.role] += 1
        received[seen.protocol] += seen.received_bytes
        sent[seen.protocol] += seen.sent_bytes
    return [
        *(Sample("connections_by_protocol", number, kind) for kind, number in sorted(kinds.items())),
        *(Sample("received_bytes_by_protocol", size, (word,)) for word, size in sorted(received.items())),
        *(Sample("sent_bytes_by_protocol", size, (word,)) for word, size in sorted(sent.items())),
        Sample("srs_receive_bytes", received.total()),
        Sample("srs_send_bytes", sent.total()),
    ]


def upstream_samples(servers: Sequence[ServerFacts]) -> list[Sample]:
    """Of each upstream server, the first ``MAX_UPSTREAMS`` by name, and of the rest together."""
    known = set(sorted({server.endpoint for server in servers})[:MAX_UPSTREAMS])
    sums: Counter[tuple[str, str]] = Counter()
    states: Counter[str] = Counter()
    for server in servers:
        upstream = server.endpoint if server.endpoint in known else OTHERS
        states[server.state] += 1
        sums["upstream_ok_count", upstream] += server.ok_count
        sums["upstream_failure_count", upstream] += server.failure_count
        sums["upstream_streams", upstream] += server.streams_count
    return [
        *(Sample(name, value, (upstream,)) for (name, upstream), value in sorted(sums.items())),
        *(Sample("upstream_servers", number, (state,)) for state, number in sorted(states.items())),
    ]


def histogram_samples(
    first_frame: Histogram,
    connects: Sequence[Histogram],
    delays: Sequence[DelayHistograms],
    viewer_start: Histogram,
    hook_call: Histogram | None = None,
) -> list[Sample]:
    """Of the histograms that the parts of a node keep, those of both services together."""
    found = [
        _together("first_frame_ms", [first_frame]),
        _together("viewer_start_ms", [viewer_start]),
        _together("upstream_connect_ms", connects),
        _together("flush_lag_ms", [delay.flush for delay in delays]),
        _together("ingest_delay_ms", [delay.ingest for delay in delays]),
        _together("node_delay_ms", [delay.total for delay in delays]),
        _together("hook_call_ms", [hook_call] if hook_call is not None else []),
    ]
    for number in range(max((len(delay.hops) for delay in delays), default=0)):
        hops = [delay.hops[number] for delay in delays if number < len(delay.hops)]
        found.append(_together("hop_delay_ms", hops, str(number + 1)))
    return [sample for sample in found if sample is not None]


def _together(name: str, histograms: Sequence[Histogram], *labels: str) -> Sample | None:
    if not histograms:
        return None
    together = Histogram(histograms[0].bounds)
    for each in histograms:
        together.merge(each)
    return Sample(name, Distribution(together.bounds, tuple(together.counts), together.total), labels)


def process_samples(figures: ProcessFigures, *, started_s: float) -> Iterator[Sample]:
    """Of the process; nothing of what the system does not tell."""
    values = {
        "process_cpu_s": figures.cpu_user_s + figures.cpu_system_s,
        "process_resident_bytes": figures.resident_bytes,
        "process_virtual_bytes": figures.virtual_bytes,
        "process_fd_count": figures.fd_count,
        "process_fd_max": figures.fd_max,
        "process_started_s": started_s,
    }
    return (Sample(name, value) for name, value in values.items() if value is not None)


def counter_samples(counters: Mapping[str, float]) -> list[Sample]:
    """What is counted by name, and what SRS calls some of it."""
    errors = sum(value for name, value in counters.items() if name.startswith("error_"))
    return [
        *METRICS.samples_of(counters),
        Sample("srs_streams", counters.get("stream_count", 0)),
        Sample("srs_clients", counters.get("connection_count", 0)),
        Sample("srs_clients_errs", errors),
    ]


def build_sample(version: str, role: str) -> Sample:
    """What program this is."""
    return Sample("build", 1, (version or "unknown", platform.python_version(), role))
