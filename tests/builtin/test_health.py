from __future__ import annotations

from edge.builtin.health import HEALTH, LIVENESS, READINESS
from edge.builtin.page import Visit
from tests.builtin import sample


def test_health_says_ok_and_draining() -> None:
    data = HEALTH.collect(sample.context(), Visit())
    assert (HEALTH.text(data), HEALTH.status(data)) == ("OK\n", 200)
    data = HEALTH.collect(sample.context(health=lambda: {"is_draining": True}), Visit())
    assert (HEALTH.text(data), HEALTH.status(data)) == ("draining\n", 503)


def test_liveness_tells_of_the_process() -> None:
    data = LIVENESS.collect(sample.context(), Visit())
    assert (data["loop_lag_ms"], LIVENESS.status(data)) == (1.5, 200)
    assert LIVENESS.status(LIVENESS.collect(sample.context(health=lambda: {"is_ok": False}), Visit())) == 503
    assert LIVENESS.status(LIVENESS.collect(sample.context(health=dict), Visit())) == 200


def test_readiness_gives_the_reasons() -> None:
    data = READINESS.collect(sample.context(), Visit())
    assert (READINESS.text(data), READINESS.status(data)) == ("ready\n", 200)
    data = READINESS.collect(sample.context(readiness=lambda: (False, ["draining", "no naming answer"])), Visit())
    assert (READINESS.text(data), READINESS.status(data)) == ("not ready\ndraining\nno naming answer\n", 503)


def test_probes_are_on_the_public_port_too() -> None:
    assert not any(page.is_guarded for page in (HEALTH, LIVENESS, READINESS))
