"""Probes: ``/health`` as brpc has it, ``/healthz`` for liveness, ``/readyz`` for load balancers.

None depends on upstreams: a failing origin must not restart or empty a whole
row of edges.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.builtin.page import Page, PageContext, PageFormat, Visit, register
from edge.builtin.present import pairs
from edge.facts.records import HealthFacts, ReadinessFacts
from edge.facts.rows import row_of

OK, DRAINING = "OK", "draining"


@dataclass(frozen=True, slots=True)
class State:
    """What brpc's page says: ``state`` is ``OK``, or ``draining`` once the server is being stopped."""

    state: str


async def collect_health(context: PageContext, _visit: Visit) -> State:
    """Return the state in a word."""
    return State(DRAINING if (await context.facts.process()).health.is_draining else OK)


async def collect_liveness(context: PageContext, _visit: Visit) -> HealthFacts:
    """Return what is known of the process alone."""
    return (await context.facts.process()).health


async def collect_readiness(context: PageContext, _visit: Visit) -> ReadinessFacts:
    """Return whether traffic may come, and why not."""
    return (await context.facts.process()).readiness


def readiness_text(data: ReadinessFacts) -> str:
    """One line: ready, or not and why, a line per reason."""
    return "ready\n" if data.is_ready else "".join(f"{reason}\n" for reason in ("not ready", *data.reasons))


HEALTH = register(
    Page(
        "/health",
        "Health",
        collect_health,
        lambda data: f"{data.state}\n",
        status=lambda data: 200 if data.state == OK else 503,
        is_guarded=False,
        is_listed=False,
        about="OK, for whoever looks for that word",
    )
)
LIVENESS = register(
    Page(
        "/healthz",
        "Liveness",
        collect_liveness,
        lambda data: pairs(row_of(data)),
        plain_format=PageFormat.JSON,
        status=lambda data: 200 if data.is_ok else 503,
        is_guarded=False,
        is_listed=False,
        about="200 while the process is well, for liveness probes",
    )
)
READINESS = register(
    Page(
        "/readyz",
        "Readiness",
        collect_readiness,
        readiness_text,
        status=lambda data: 200 if data.is_ready else 503,
        is_guarded=False,
        is_listed=False,
        about="200 when traffic may come, for load balancers",
    )
)
