"""Kick and end by HTTP: what is ordered, and who may."""

from __future__ import annotations

import json

import pytest

from edge.builtin.site import site_routes
from edge.facts.orders import EndStream, Kick, Order, Outcome, Reload, Result, SaveFlags
from edge.httpd.config import HttpConfig
from tests.builtin import sample
from tests.httpd.serving import body_of, serving, status_of

KICK, END = "/api/kick?connection=7", "/api/end?key=_%2Flive%2Fa"
#: The client of these tests is no numeric address unless it says so; it comes from this machine.
WITH, WITHOUT = HttpConfig(is_internal_port_set=True, hostname="media1"), HttpConfig(hostname="media1")


async def ordered(
    target: str,
    *,
    method: str = "POST",
    headers: str = "",
    host: str = "127.0.0.1:8079",
    config: HttpConfig = WITHOUT,
    is_internal: bool = False,
    outcome: Outcome = sample.DONE,
) -> tuple[int, str, list[Order]]:
    """Status, body, and the orders that were taken."""
    orders = sample.FixedOrders(outcome)
    routes = site_routes(sample.context(orders=orders))
    async with serving(config, routes, is_internal=is_internal) as server:
        answer = await server.get(target, method=method, headers=headers, host=host)
    assert all(who.startswith("127.0.0.1:") for _, who in orders.taken)
    return status_of(answer), body_of(answer).decode(), [order for order, _ in orders.taken]


@pytest.mark.parametrize(
    ("target", "order"),
    [
        (KICK, Kick(7)),
        (END, EndStream("_/live/a")),
        ("/api/end?key=v/a/b%20c&service=merge", EndStream("v/a/b c", "merge")),
        ("/api/end?key=live/a", EndStream("_/live/a")),
        ("/api/end?key=live/none", EndStream("live/none")),
        ("/api/kick?connection=7&connection=8", Kick(8)),
        ("/api/reload", Reload()),
        ("/api/save_flags", SaveFlags()),
    ],
)
async def test_what_is_ordered(target: str, order: Order) -> None:
    status, body, taken = await ordered(target)
    assert (status, taken) == (200, [order])
    assert json.loads(body) == {"result": "done", "text": "done", "code": 200}


@pytest.mark.parametrize(
    "target",
    [
        *("/api/kick", "/api/kick?connection=", "/api/kick?connection=-1", "/api/kick?connection=x"),
        *(f"/api/kick?connection={'9' * 5000}", "/api/kick?connection=%D9%A3", "/api/end", "/api/end?key="),
    ],
)
async def test_an_order_that_says_not_what(target: str) -> None:
    status, body, taken = await ordered(target)
    assert (status, taken) == (400, [])
    assert "must say which one" in json.loads(body)["text"]


@pytest.mark.parametrize(("result", "code"), [(Result.NOT_FOUND, 404), (Result.REFUSED, 409)])
async def test_what_comes_of_it(result: Result, code: int) -> None:
    status, body, _ = await ordered(KICK, outcome=Outcome(result, "so"))
    assert status == code and json.loads(body)["text"] == "so"
    status, body, _ = await ordered(f"{KICK}&format=text", outcome=Outcome(result, "so"))
    assert body == "so\n"


@pytest.mark.parametrize("target", [KICK, END, "/api/kick.json?connection=7"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_nothing_but_a_post_orders(method: str, target: str) -> None:
    status, _, taken = await ordered(target, method=method, headers="X-HTTP-Method-Override: POST\r\n")
    assert (status, taken) == (204 if method == "OPTIONS" else 405, [])


ALLOWED = {
    "curl on this machine": {},
    "by its name": {"host": "localhost:8079"},
    "our own page": {"headers": "Origin: http://127.0.0.1:8079\r\nSec-Fetch-Site: same-origin\r\n"},
    "the internal port": {"config": WITH, "is_internal": True},
    "the internal port, by the name of this machine": {"config": WITH, "is_internal": True, "host": "media1:8080"},
}
REFUSED = {
    "X4 another origin": {"headers": "Origin: http://evil.example\r\n"},
    "X4 another port of this machine": {"headers": "Origin: http://127.0.0.1:9\r\n"},
    "X4 an origin that is none": {"headers": "Origin: null\r\n"},
    "X4 another site": {"headers": "Sec-Fetch-Site: cross-site\r\n"},
    "X4 a sister of this site": {"headers": "Sec-Fetch-Site: same-site\r\n"},
    "X4 a page elsewhere": {"headers": "Referer: http://evil.example/127.0.0.1:8079\r\n"},
    "X4 on the internal port too": {
        "headers": "Origin: http://evil.example\r\n",
        "config": WITH,
        "is_internal": True,
    },
    "X5 a name that leads here": {"host": "evil.example:8079"},
    "X5 on the internal port too": {"host": "evil.example:8080", "config": WITH, "is_internal": True},
    "X5 a proxy on this machine": {"headers": "X-Forwarded-For: 10.0.0.9\r\n"},
    "X5 another way to say so": {"headers": "Via: 1.1 cache\r\n"},
    "X1 the public port": {"config": WITH},
}


@pytest.mark.parametrize("target", [KICK, END])
@pytest.mark.parametrize("place", ALLOWED.values(), ids=ALLOWED.keys())
async def test_X4_X5_who_may(place: dict, target: str) -> None:
    status, _, taken = await ordered(target, **place)
    assert status == 200 and len(taken) == 1


@pytest.mark.parametrize("target", [KICK, END, "/api//kick?connection=7", "/brpc.api/kick;x?connection=7"])
@pytest.mark.parametrize("place", REFUSED.values(), ids=REFUSED.keys())
async def test_X4_X5_who_may_not(place: dict, target: str) -> None:
    status, _, taken = await ordered(target, **place)
    assert (status, taken) == (403, [])
