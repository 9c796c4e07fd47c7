"""Settings of the front door; frozen, given by the caller."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OverloadConfig:
    """When newcomers are refused for the sake of those who are served; the fields bear the names of the flags.

    Attributes:
        circuit_breaker: whether anything is done at all.
        max_memory_mb: MiB; 0 is for whoever knows the machine to put something in its place.
        overload_lag_ms: lag of the loop, milliseconds; 0 is none.
    """

    circuit_breaker: bool = True
    max_memory_mb: int = 0
    overload_lag_ms: int = 200


@dataclass(frozen=True, slots=True)
class LimitConfig:
    """How many may be here at a time, 0 for any number; the fields bear the names of the flags that set them."""

    max_players: int = 0
    max_streams: int = 0
    max_players_per_stream: int = 0
    max_publishers_per_ip: int = 0
    max_out_kbps: int = 0
