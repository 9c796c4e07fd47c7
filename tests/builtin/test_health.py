from __future__ import annotations

from edge.builtin.health import HEALTH, LIVENESS, READINESS
from edge.builtin.page import Visit
from tests.builtin import sample
from tests.harness.at_once import at_once


def test_health_says_ok_and_draining() -> None:
    data = at_once(HEALTH.collect(sample.context(), Visit()))
    assert (HEALTH.text(data), HEALTH.status(data)) == ("OK\n", 200)
    data = at_once(HEALTH.collect(sample.context(health={"is_draining": True}), Visit()))
    assert (HEALTH.text(data), HEALTH.status(data)) == ("draining\n", 503)


def test_liveness_tells_of_the_process() -> None:
    data = at_once(LIVENESS.collect(sample.context(), Visit()))
    assert (data.loop_lag_ms, LIVENESS.status(data)) == (1.5, 200)
    assert LIVENESS.status(at_once(LIVENESS.collect(sample.context(health={"is_ok": False}), Visit()))) == 503


def test_readiness_gives_the_reasons() -> None:
    data = at_once(READINESS.collect(sample.context(), Visit()))
    assert (READINESS.text(data), READINESS.status(data)) == ("ready\n", 200)
    data = at_once(
        READINESS.collect(
            sample.context(readiness={"is_ready": False, "reasons": ("draining", "no naming answer")}), Visit()
        )
    )
    assert (READINESS.text(data), READINESS.status(data)) == ("not ready\ndraining\nno naming answer\n", 503)


def test_probes_are_on_the_public_port_too() -> None:
    assert not any(page.is_guarded for page in (HEALTH, LIVENESS, READINESS))
