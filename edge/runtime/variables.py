"""The variables of one process, with the names that brpc and media-server have for them, and how they were."""

from __future__ import annotations

import getpass
import os
import platform
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from edge.facts.history import History
from edge.facts.metrics import Sample
from edge.facts.variables import Value, normalise, variables_of
from edge.flags.registry import without_secrets
from edge.net import system
from edge.net.aio import now_ms, wall_s
from edge.net.slices import in_slices
from edge.runtime.gathered import Gathered
from edge.runtime.process_figures import ProcessFigures, io_figures, process_figures
from lb import registry as balancers
from naming import registry as schemes
from naming.url import without_secrets as without_tokens

# Rates are means over so many samples, as brpc's are by default.
_RATE_SAMPLES = 10
#: Streams that have variables of their own; the rest is left out.
MAX_STREAMS = 10_000
# Roles of connections whose streams are users.
_USERS = ("play", "publish", "publish+play")


class Rates:
    """How fast numbers grow, by samples of the last seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, Mapping[str, float]]] = deque(maxlen=_RATE_SAMPLES + 1)

    def sample(self, at_ms: int, values: Mapping[str, float]) -> None:
        """Their values now."""
        self._samples.append((at_ms, values))

    def per_second(self) -> dict[str, float]:
        """Growth per second over the samples held; 0 before there are two."""
        if not self._samples:
            return {}
        (began_ms, before), (at_ms, values) = self._samples[0], self._samples[-1]
        seconds = (at_ms - began_ms) / 1000
        return {
            name: (value - before[name]) / seconds if seconds > 0 and name in before else 0.0
            for name, value in values.items()
        }


class Measured(Protocol):
    """What one process measures."""

    async def counters(self) -> dict[str, int | float]:
        """By name."""
        ...

    async def samples(self) -> list[Sample]:
        """With their labels."""
        ...


class Variables:
    """What ``/vars`` shows; sampled once a second.

    Attributes:
        history: of the numbers that cost nothing to know, while ``-save_series`` is on.
    """

    def __init__(self, node: Gathered, facts: Measured) -> None:
        self._node = node
        self._facts = facts
        self.history = History()
        self._rates = Rates()
        self._fixed = _fixed()
        self._started_at = time.strftime("%Y/%m/%d-%H:%M:%S", time.localtime(wall_s()))

    async def sample(self) -> None:
        """Take the values of this second."""
        figures = process_figures()
        self._rates.sample(now_ms(), _growing(figures))
        if not self._node.settings.pages.save_series:
            self.history.clear()
            return
        counters = await self._facts.counters()
        self.history.sample({**counters, **_of_process(figures), **self._of_rates()})

    async def collect(self) -> dict[str, Value]:
        """All of them, by name."""
        samples = await self._facts.samples()
        found: dict[str, Value] = {
            **variables_of(samples),
            **self._fixed,
            **_of_process(process_figures()),
            **self._of_rates(),
            **_of_system(),
            **self._of_server(samples),
        }
        if self._node.settings.pages.show_streams_in_vars:
            found |= await self._of_streams()
        return dict(sorted(found.items()))

    def _of_rates(self) -> dict[str, Value]:
        rates = self._rates.per_second()
        user, system = rates.pop("user", 0.0), rates.pop("system", 0.0)
        usage: dict[str, Value] = {
            "process_cpu_usage": round(user + system, 3),
            "process_cpu_usage_user": round(user, 3),
            "process_cpu_usage_system": round(system, 3),
        }
        return usage | {f"process_{name}_second": round(rate) for name, rate in rates.items()}

    def _of_server(self, samples: list[Sample]) -> dict[str, Value]:
        """As brpc and media-server count connections, streams and users."""
        node, counts = self._node, _values(samples)
        port = next((listener.port for listener in node.listeners), node.settings.net.port)
        uptime_s = (now_ms() - node.started_ms) / 1000
        plays = {
            word: sum(counts.get(("connections_by_protocol", word, role), 0) for role in _USERS)
            for word in {labels[1] for labels in counts if labels[0] == "connections_by_protocol"}
        }
        retrying = sum(
            link.state == "retrying"
            for unit in node.units
            if unit.upstream is not None
            for link in (*unit.upstream.pulls.values(), *unit.upstream.pushes.values())
        )
        upstream_count = counts.get(("upstream_connection_count",), 0)
        rtmp_count = sum(number for word, number in plays.items() if word.startswith("rtmp"))
        server: dict[str, Value] = {
            "uptime": uptime_s,
            "start_time": self._started_at,
            "connection_count": counts[("connection_count",)] - upstream_count,
            "error": counts[("srs_clients_errs",)],
            "service_count": len(node.units),
        }
        return {
            **{f"rpc_server_{port}_{name}": value for name, value in server.items()},
            "rpc_server_count": len(node.listeners),
            "rpc_socket_count": counts[("connection_count",)],
            "rpc_channel_connection_count": upstream_count,
            "rpc_revision": node.settings.version,
            "media_server_revision": node.settings.version or "undefined",
            "process_uptime": uptime_s,
            "rtmp_client_count": upstream_count,
            "rtmp_client_stream_count": counts.get(("pull_count",), 0) + counts.get(("push_count",), 0),
            "rtmp_retrying_client_stream_count": retrying,
            "rtmp_server_stream_count": rtmp_count,
            "rtmp_user_count": rtmp_count,
            "flv_user_count": sum(number for word, number in plays.items() if "flv" in word),
        }

    async def _of_streams(self) -> dict[str, Value]:
        found: dict[str, Value] = {}
        streams = [stream for unit in self._node.units for stream in unit.registry.streams.values()]
        async for stream in in_slices(streams[:MAX_STREAMS]):
            if stream.has_begun:
                name = normalise(str(stream.key))
                found[f"{name}_video_bytes_second"] = stream.stats.video_bps
                found[f"{name}_audio_bytes_second"] = stream.stats.audio_bps
        return found


def _values(samples: list[Sample]) -> dict[tuple[str, ...], float]:
    return {
        (sample.metric, *sample.labels): sample.value for sample in samples if isinstance(sample.value, (int, float))
    }


def _growing(figures: ProcessFigures) -> dict[str, float]:
    """What only grows, by the names of its rates."""
    io = io_figures()
    named = {"rchar": "io_read_bytes", "wchar": "io_write_bytes", "syscr": "io_read", "syscw": "io_write"}
    named |= {"read_bytes": "disk_read_bytes", "write_bytes": "disk_write_bytes"}
    return {
        "user": figures.cpu_user_s,
        "system": figures.cpu_system_s,
        "faults_minor": figures.minor_faults,
        "context_switches_voluntary": figures.voluntary_switches,
        "context_switches_involuntary": figures.involuntary_switches,
        **{shown: io[name] for name, shown in named.items() if name in io},
    }


def _of_process(figures: ProcessFigures) -> dict[str, Value]:
    values = {
        "process_memory_resident": figures.resident_bytes,
        "process_memory_virtual": figures.virtual_bytes,
        "process_memory_shared": figures.shared_bytes,
        "process_fd_count": figures.fd_count,
        "process_thread_count": figures.thread_count,
        "process_faults_major": figures.major_faults,
    }
    return {name: value for name, value in values.items() if value is not None}


def _of_system() -> dict[str, Value]:
    names = ("system_loadavg_1m", "system_loadavg_5m", "system_loadavg_15m")
    found: dict[str, Value] = {"process_nice": os.nice(0)}
    return found | dict(zip(names, os.getloadavg(), strict=True))


def _fixed() -> dict[str, Value]:
    """What does not change while the process lives."""
    return {
        "pid": os.getpid(),
        "ppid": os.getppid(),
        "pgrp": os.getpgrp(),
        "process_username": _known(getpass.getuser),
        "process_cmdline": without_tokens(without_secrets(" ".join(sys.argv))),
        "process_work_dir": _known(os.getcwd),
        "kernel_version": system.kernel_version(),
        "gcc_version": platform.python_compiler(),
        "python_version": platform.python_version(),
        "system_core_count": os.cpu_count() or 0,
        "rpc_load_balancer": " ".join(balancers.known()),
        "rpc_naming_service": " ".join(schemes.built()),
        "rpc_protocols": "rtmp http https",
    }


def _known(ask: Callable[[], str]) -> str:
    """What the system tells; a user without a name, or a folder that is gone, is nothing."""
    try:
        return ask()
    except (OSError, KeyError):
        return ""
