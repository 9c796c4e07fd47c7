from __future__ import annotations

import json

from edge.builtin.site import site_routes
from tests.builtin import sample
from tests.httpd.serving import body_of, serving


async def get(path: str) -> str:
    async with serving(routes=site_routes(sample.context())) as server:
        return body_of(await server.get(path, host="127.0.0.1")).decode()


async def test_each_change_is_a_line_with_who_asked_and_what_came_of_it() -> None:
    head, line = (await get("/reloads")).splitlines()
    assert head.startswith("Id | When | What | Asked by | State")
    assert (
        line.startswith("1 | 2026-11-30 ")
        and " | reload | SIGHUP x3 | refused | - | - | port,workers | - | /etc/" in line
    )


async def test_json_has_all_of_it() -> None:
    (row,) = json.loads(await get("/reloads?format=json"))["reloads"]
    assert row["needs_restart"] == ["port", "workers"]
    assert row["error"].startswith("/etc/edge/edge.flags:3: ")


async def test_a_browser_gets_a_table_with_what_was_refused() -> None:
    page = await get("/reloads?format=html")
    assert "<table" in page and "2026-11-30 " in page and "SIGHUP &times;3" in page
    assert '<div class="bad">/etc/edge/edge.flags:3: ' in page and "needs a restart: port workers" in page
