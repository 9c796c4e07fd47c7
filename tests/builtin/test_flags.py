from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from edge.builtin.site import site_routes
from edge.flags.book import FlagBook
from edge.flags.gflags import parse
from edge.httpd.config import HttpConfig
from tests.builtin import sample
from tests.httpd.serving import body_of, serving, status_of

FIREFOX = "User-Agent: Mozilla/5.0 Firefox/140.0\r\nAccept: text/html\r\n"
LOCAL = "127.0.0.1"


async def get(path: str, book: FlagBook | None = None, headers: str = "") -> tuple[int, str]:
    async with serving(routes=site_routes(sample.context(book or sample.flag_book()))) as server:
        answer = await server.get(path, headers=headers, host=LOCAL)
        return status_of(answer), body_of(answer).decode()


async def test_columns_are_brpcs_and_who_set_the_value() -> None:
    _, text = await get("/flags", sample.flag_book("-port=1935", "-nohttp_flv"))
    lines = text.splitlines()
    assert lines[0] == "Name | Value | Description | Defined At | Set By"
    assert set(lines[1]) == {"-"}
    found = {line.partition(" | ")[0]: line.split(" | ") for line in lines[2:]}
    assert found["port (R)"][1] == "1935 (default:8079)"
    assert found["port (R)"][-2:] == ["edge.flags.server", "command line"]
    assert found["http_flv"][1] == "false (default:true)"
    assert found["bind"][1] == " "
    assert found["max_connections_per_ip (R)"][-1] == "default"


async def test_names_and_patterns_choose_and_unknown_ones_are_200() -> None:
    status, text = await get("/flags/port;http_f*")
    assert status == 200
    assert [line.split(" | ")[0] for line in text.splitlines()[2:]] == ["http_flv", "http_flv_missing", "port (R)"]
    status, text = await get("/flags/unknown")
    assert (status, len(text.splitlines())) == (200, 2)


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/flags?setvalue=1", 404, "Require gflag name"),
        ("/flags/unknown?setvalue=1", 404, "No such gflag"),
        ("/flags/internal_port?setvalue=1", 403, "A reloadable gflag must have validator"),
        ("/flags/max_connections_per_ip?setvalue=7", 200, "Set `max_connections_per_ip' to 7"),
        ("/flags/max_connections_per_ip?setvalue=%37", 200, "Set `max_connections_per_ip' to 7"),
    ],
)
async def test_X3_statuses_and_texts_of_a_change_are_brpcs(path: str, status: int, text: str) -> None:
    assert await get(path) == (status, f"{text}\n")


@pytest.mark.parametrize("value", ["x", "-5", "nan", "1" + "0" * 30, "", "1.5", "7\n", "<script>", "%00"])
async def test_X3_a_value_that_is_none_changes_nothing(value: str) -> None:
    book = sample.flag_book()
    status, text = await get(f"/flags/max_connections_per_ip?setvalue={quote(value)}", book)
    assert status == 403
    assert text.startswith("Fail to set `max_connections_per_ip' to ")
    assert len(text.splitlines()) == 1
    assert next(flag.value for flag in book.facts() if flag.name == "max_connections_per_ip") == "0"


async def test_X3_nothing_changes_while_flags_are_immutable() -> None:
    status, text = await get("/flags/max_connections_per_ip?setvalue=7", sample.flag_book(is_immutable=True))
    assert (status, "-immutable_flags is on" in text) == (403, True)


@pytest.mark.parametrize(
    "headers", ["Origin: http://evil\r\n", "Sec-Fetch-Site: cross-site\r\n", "X-Forwarded-For: 10.0.0.1\r\n"]
)
async def test_X4_a_page_of_another_site_changes_nothing(headers: str) -> None:
    book = sample.flag_book()
    status, _ = await get("/flags/max_connections_per_ip?setvalue=7", book, headers)
    assert status == 403
    assert next(flag.value for flag in book.facts() if flag.name == "max_connections_per_ip") == "0"
    assert (await get("/flags/max_connections_per_ip", book, headers))[0] == 200


async def test_X1_the_public_port_changes_nothing_while_there_is_an_internal_one() -> None:
    book = sample.flag_book()
    routes = site_routes(sample.context(book))
    async with serving(HttpConfig(is_internal_port_set=True), routes) as server:
        assert status_of(await server.get("/flags/max_connections_per_ip?setvalue=7", host=LOCAL)) == 403
    assert book.facts()[0].name
    assert next(flag.value for flag in book.facts() if flag.name == "max_connections_per_ip") == "0"


async def test_secrets_are_masked() -> None:
    book = sample.flag_book("-nacos_password=hunter2", "-proxy_to=nacos://a?accessToken=hunter2")
    for path in ("/flags", "/flags?format=json", "/flags/nacos_password"):
        _, text = await get(path, book)
        assert "hunter2" not in text
        assert "***" in text


async def test_secrets_of_a_value_that_waits_for_a_restart_are_masked() -> None:
    book = sample.flag_book("-cdn_merge_to=nacos://a?accessToken=hunter1")
    book.take(book.with_files(parse(["-cdn_merge_to=nacos://a?accessToken=hunter2"])))
    for path in ("/flags", "/flags?format=json", "/flags/cdn_merge_to"):
        assert "hunter" not in (await get(path, book))[1]
    status, page = await get("/flags/cdn_merge_to", book, FIREFOX)
    assert status == 200 and "A restart makes it nacos://a?accessToken=***." in page


async def test_json_tells_each_part() -> None:
    _, text = await get("/flags/max_connections_per_ip?format=json")
    (row,) = json.loads(text)["flags"]
    wanted = {"name": "max_connections_per_ip", "value": "0", "is_default": True, "is_reloadable": True}
    assert row.items() >= wanted.items()


async def test_a_browser_gets_a_form_that_shows_only() -> None:
    status, page = await get("/flags/max_connections_per_ip?setvalue&withform", headers=FIREFOX)
    assert status == 200
    assert '<form class="card" action="/flags/max_connections_per_ip" method="get">' in page
    _, page = await get(
        "/flags/max_connections_per_ip?setvalue=%3Cscript%3E", headers=f"{FIREFOX}Sec-Fetch-Site: same-origin\r\n"
    )
    assert "<script" not in page and "&lt;script&gt;" in page
