from __future__ import annotations

import pytest

from edge.httpd.config import HttpConfig
from edge.httpd.fixed import fixed_routes
from tests.httpd.serving import body_of, serving, status_of

CROSS_DOMAIN = b'<cross-domain-policy><allow-access-from domain="*"/></cross-domain-policy>'


@pytest.mark.parametrize("is_internal", [False, True])
async def test_they_answer_on_every_port(is_internal: bool) -> None:
    routes = fixed_routes("probe.gif", ())
    config = HttpConfig(is_internal_port_set=True)
    async with serving(config, routes, is_internal=is_internal, hides_pages=not is_internal) as server:
        answer = await server.get("/crossdomain.xml")
        assert status_of(answer) == 200 and body_of(answer) == CROSS_DOMAIN
        assert b"Content-Type: text/xml" in answer
        answer = await server.get("/probe.gif?x=1")
        assert status_of(answer) == 200 and body_of(answer) == b"Service is fine"
        for path in ("/crossdomain.xml", "/probe.gif"):
            head = await server.get(path, method="HEAD")
            assert status_of(head) == 200 and body_of(head) == b""
            assert status_of(await server.get(path, method="POST")) == 405


def test_the_probe_may_be_off_and_takes_no_other_path() -> None:
    assert [route.path for route in fixed_routes("", ())] == ["/crossdomain.xml"]
    assert [route.path for route in fixed_routes("status", {"/status"})] == ["/crossdomain.xml"]
    assert [route.path for route in fixed_routes("crossdomain.xml", ())] == ["/crossdomain.xml"]
