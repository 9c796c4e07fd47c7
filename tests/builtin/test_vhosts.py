from __future__ import annotations

import json

from edge.builtin.site import site_routes
from edge.builtin.vhosts import MAX_VHOSTS
from tests.builtin import sample
from tests.httpd.serving import body_of, serving, status_of


async def answer(path: str, vhost_count: int = 1) -> bytes:
    vhosts = [sample.vhost(f"v{number}.com" if number else "a.com") for number in range(vhost_count)]
    async with serving(routes=site_routes(sample.context(vhosts=vhosts))) as server:
        return await server.get(path, host="127.0.0.1")


async def test_a_vhost_is_a_paragraph_in_the_words_of_the_file() -> None:
    lines = body_of(await answer("/vhosts")).decode().splitlines()
    assert lines[:3] == [
        "1 vhosts, 1 findings",
        "",
        "vhost a.com (a.conf:3): 2 streams, 3 let in by older rules, alias b.com *.a.com",
    ]
    assert lines[3].startswith("    queue_length_s 5 (a.conf:4; root: ")
    assert lines[4] == "    match live/* queue_length_s 7 (a.conf:5; root: 30)"
    assert lines[-1].startswith("a.conf:9: warning: ")


async def test_one_is_found_by_each_of_its_names() -> None:
    for name in ("a.com", "b.com"):
        (found,) = json.loads(body_of(await answer(f"/vhosts/{name}?format=json")))["vhosts"]
        assert found["name"] == "a.com"
    assert status_of(await answer("/vhosts/c.com")) == 404


async def test_many_are_shown_in_part_and_counted() -> None:
    text = body_of(await answer("/vhosts", MAX_VHOSTS + 7)).decode()
    assert text.count("\nvhost ") == MAX_VHOSTS
    assert "\n... and 7 more: /vhosts/NAME\n" in text


async def test_without_vhosts_that_is_said_and_markup_is_escaped() -> None:
    page = body_of(await answer("/vhosts?format=html", 0)).decode()
    assert "No vhosts: all names are served alike." in page
    page = body_of(await answer("/vhosts?format=html")).decode()
    assert "3 let in by older rules" in page
    assert sample.EVIL not in page
    assert page.count("&lt;script&gt;") == 2
