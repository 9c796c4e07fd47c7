"""Probes: ``/health`` as brpc has it, ``/healthz`` for liveness, ``/readyz`` for load balancers.

None depends on upstreams: a failing origin must not restart or empty a whole
row of edges.
"""

from __future__ import annotations

from edge.builtin.page import Data, Page, PageContext, PageFormat, Visit, register
from edge.builtin.present import pairs


def collect_health(context: PageContext, _visit: Visit) -> Data:
    """Say ``OK``, or ``draining`` once the server is being stopped."""
    return {"state": "draining" if context.health().get("is_draining") else "OK"}


def collect_liveness(context: PageContext, _visit: Visit) -> Data:
    """Return what is known of the process alone: ``is_ok``, ``loop_lag_ms``, ``uptime_s`` and so on."""
    return {"is_ok": True, **context.health()}


def collect_readiness(context: PageContext, _visit: Visit) -> Data:
    """Return ``is_ready`` and the ``reasons`` why not."""
    is_ready, reasons = context.readiness()
    return {"is_ready": is_ready, "reasons": reasons}


def readiness_text(data: Data) -> str:
    """One line: ready, or not and why, a line per reason."""
    return "ready\n" if data["is_ready"] else "".join(f"{reason}\n" for reason in ("not ready", *data["reasons"]))


HEALTH = register(
    Page(
        "/health",
        "Health",
        collect_health,
        lambda data: f"{data['state']}\n",
        status=lambda data: 200 if data["state"] == "OK" else 503,
        is_guarded=False,
        is_listed=False,
    )
)
LIVENESS = register(
    Page(
        "/healthz",
        "Liveness",
        collect_liveness,
        pairs,
        plain_format=PageFormat.JSON,
        status=lambda data: 200 if data["is_ok"] else 503,
        is_guarded=False,
        is_listed=False,
    )
)
READINESS = register(
    Page(
        "/readyz",
        "Readiness",
        collect_readiness,
        readiness_text,
        status=lambda data: 200 if data["is_ready"] else 503,
        is_guarded=False,
        is_listed=False,
    )
)
