from __future__ import annotations

import json

from edge.builtin import listing
from edge.builtin.listing import LIST
from edge.builtin.page import PageFormat, Visit
from edge.builtin.site import render, site_routes
from tests.builtin import sample
from tests.harness.at_once import at_once


def test_every_route_and_the_services() -> None:
    routes = site_routes(sample.context())
    context = sample.context(debugging=sample.debugging(routes=routes))
    data = at_once(listing.collect(context, Visit()))
    told = json.loads(render(LIST, PageFormat.JSON, data))
    rows = {row["path"]: row for row in told["routes"]}
    assert set(rows) == {route.path for route in routes}
    assert rows["/status"] == {
        "path": "/status",
        "methods": ["GET", "HEAD"],
        "title": "Status",
        "is_guarded": True,
    }
    assert told["services"][0]["id"] == "5d5d5d5d5d5d5d5d"
    assert LIST.plain_format is PageFormat.JSON
    assert "/status : Status\n" in LIST.text(data) and "\n[services]\n" in LIST.text(data)
