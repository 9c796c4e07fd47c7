"""The parts of a node that those who tell of it look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from edge.net.aio import TaskOwner
from edge.net.context import NetContext
from edge.net.limits import ConnectionLimits
from edge.net.listener import Listener
from edge.net.tls_entrance import TlsEntrance
from edge.runtime.hooks import Hooks
from edge.runtime.late_grpc import LateGrpc
from edge.runtime.late_http import LateHttp
from edge.runtime.loop import LagProbe
from edge.runtime.overload import Overload
from edge.runtime.settings import Settings
from edge.runtime.unit import ServiceUnit
from edge.runtime.viewers import Viewers

if TYPE_CHECKING:
    from edge.httpd.steer import Steering


class Counting(Protocol):
    """Something with counters of its own."""

    def counters(self) -> Mapping[str, float]:
        """By name."""
        ...


class Gathered(Protocol):
    """The parts of a node that are looked at."""

    settings: Settings
    context: NetContext
    limits: ConnectionLimits
    lag: LagProbe
    units: list[ServiceUnit]
    listeners: list[Listener]
    http: LateHttp
    grpc: LateGrpc
    tls: TlsEntrance | None
    tasks: TaskOwner
    viewers: Viewers
    overload: Overload
    hooks: Hooks
    steering: Steering | None
    started_ms: int
    is_draining: bool

    def load_ratio(self) -> float:
        """How much of what the process can do is in use."""
        ...

    @property
    def counting(self) -> Sequence[Counting]:
        """Parts that count for themselves."""
        ...
