"""The measurement of what pages cost the loop."""

from __future__ import annotations

from bench.pages import measure


async def test_every_page_is_asked_for_in_every_format() -> None:
    costs = await measure(20, pause_s=0.0)
    assert len(costs) == len({(cost.path, cost.form) for cost in costs}) > 50
    asked = {cost.path: cost for cost in costs if cost.form == "json"}
    assert {"/", "/status", "/streams", "/console", "/vars", "/metrics"} <= set(asked)
    assert all(cost.status < 500 and cost.size > 0 for cost in costs), costs
    assert asked["/api/streams"].size > 20 * 500
