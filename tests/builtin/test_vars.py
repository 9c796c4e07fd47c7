from __future__ import annotations

import asyncio
import json

import pytest

from edge.builtin.page import Visit
from edge.builtin.site import site_routes
from edge.builtin.vars import MAX_ROWS, MAX_SHOWN, VARS, search_filter
from tests.builtin import sample
from tests.httpd.serving import body_of, serving, status_of

FIREFOX = "User-Agent: Mozilla/5.0 Firefox/140.0\r\nAccept: text/html\r\n"
TEXTS = {"process_cmdline": "edge -port=1", "a_count": 1, "ab_count": 2.5, "abc": 3}


async def text(path: str, **changes: object) -> tuple[int, str]:
    async with serving(routes=site_routes(sample.context(**changes))) as server:
        answer = await server.get(path)
        return status_of(answer), body_of(answer).decode()


async def test_all_are_listed_as_brpc_lists_them() -> None:
    assert await text("/vars", variables=TEXTS) == (
        200,
        'process_cmdline : "edge -port=1"\r\na_count : 1\r\nab_count : 2.5\r\nabc : 3\r\n',
    )


@pytest.mark.parametrize(
    ("asked", "names"),
    [("a*", "a_count ab_count abc"), ("*_count,abc", "a_count ab_count abc"), ("ab$", "abc"), ("abc;unknown", "abc")],
)
async def test_wildcards_and_lists_choose(asked: str, names: str) -> None:
    status, body = await text(f"/vars/{asked}", variables=TEXTS)
    assert status == 200
    assert [line.partition(" : ")[0] for line in body.splitlines()] == names.split()


@pytest.mark.parametrize("asked", ["unknown", "z*", "b;c"])
async def test_what_matches_nothing_is_404_in_brpcs_words(asked: str) -> None:
    assert await text(f"/vars/{asked}", variables=TEXTS) == (404, f"Fail to find any bvar by `{asked}'\n")


async def test_a_series_is_what_brpcs_plots_take() -> None:
    async with serving(routes=site_routes(sample.context())) as server:
        for headers in ("", FIREFOX):
            answer = await server.get("/vars/loop_lag_ms?series", headers=headers)
            assert b"\r\nContent-Type: application/json\r\n" in answer
            series = json.loads(body_of(answer))
            assert series["label"] == "trend"
            assert [pair[0] for pair in series["data"]] == list(range(174))
            assert series["data"][-1] == [173, 2.0]
        assert status_of(await server.get("/vars/unknown?series")) == 404
        assert status_of(await server.get("/vars/pid?series")) == 500


async def test_json_has_the_values_by_name() -> None:
    _, body = await text("/vars/a*?format=json", variables=TEXTS)
    assert json.loads(body)["variables"] == {"a_count": 1, "ab_count": 2.5, "abc": 3}


async def test_a_browser_searches_by_words_and_gets_a_list_alone_if_it_asks() -> None:
    assert search_filter(" lag  count ") == "*lag*;*count*"
    async with serving(routes=site_routes(sample.context())) as server:
        page = body_of(await server.get("/vars?search=lag", headers=FIREFOX)).decode()
        assert 'data-series="/vars/loop_lag_ms?series"' in page
        assert ">pid<" not in page
        part = body_of(await server.get("/vars?search=lag&dataonly", headers=FIREFOX)).decode()
        assert part.lstrip().startswith("<dl") and "<html" not in part and "loop_lag_ms" in part
        assert status_of(await server.get("/vars/z*", headers=FIREFOX)) == 404


async def test_page_may_run_our_script_and_nothing_else() -> None:
    async with serving(routes=site_routes(sample.context())) as server:
        answer = (await server.get("/vars", headers=FIREFOX)).decode()
    assert "script-src 'self'; style-src 'self'; connect-src 'self';" in answer
    assert answer.count("<script") == 1
    assert '<script type="module" src="/-/player/vars.js"></script>' in answer


async def test_X8_of_too_many_the_rest_is_counted() -> None:
    many = {f"name_{number:06d}": number for number in range(MAX_SHOWN + 5)}
    status, body = await text("/vars", variables=many)
    assert status == 200
    assert body.endswith("... and 5 more\r\n")
    assert len(body) < 8 << 20
    async with serving(routes=site_routes(sample.context(variables=many))) as server:
        page = body_of(await server.get("/vars", headers=FIREFOX)).decode()
    assert f"... and {MAX_SHOWN + 5 - MAX_ROWS} more" in page


async def test_X8_a_hundred_patterns_of_many_stars() -> None:
    many = {"a" * 60 + str(number): number for number in range(200)}
    asked = ";".join("*a" * 8 + f"*b{number}" for number in range(100))
    status, _ = await text(f"/vars/{asked}", variables=many)
    assert status == 404


async def test_X8_others_have_their_turn_between_a_few_names_of_a_hundred_patterns() -> None:
    turns: list[int] = []
    loop = asyncio.get_running_loop()

    def others() -> None:
        turns.append(1)
        if len(turns) < 100:
            loop.call_soon(others)

    loop.call_soon(others)
    context = sample.context(variables={f"name_{number}": number for number in range(1000)})
    await VARS.collect(context, Visit(path=";".join(f"*n*{number}" for number in range(100))))
    assert len(turns) >= 40
