from __future__ import annotations

import gzip
import sys

import pytest

from edge.builtin.config import DebugConfig
from edge.builtin.page import PAGES, Visit
from edge.builtin.pprof import command_line
from edge.builtin.site import site_routes
from tests.builtin import sample
from tests.harness.at_once import at_once
from tests.httpd.serving import body_of, serving, status_of
from tests.profiling.test_pprof import READER


async def test_profiles_are_files() -> None:
    async with serving(routes=site_routes(sample.context())) as server:
        for path, kind in (
            ("/pprof/profile", "cpu"),
            ("/pprof/contention", "delay"),
            ("/pprof/growth", "inuse_space"),
        ):
            answer = await server.get(f"{path}?seconds=0.02")
            assert status_of(answer) == 200
            assert b"Content-Type: application/octet-stream\r\n" in answer
            assert b'Content-Disposition: attachment; filename="20' in answer
            read = READER.FromString(gzip.decompress(body_of(answer)))
            assert read.string_table[read.sample_type[1].type] == kind


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/pprof/profile", "", 400),
        ("/pprof/contention", "", 400),
        ("/pprof/profile", "seconds=0", 400),
        ("/pprof/profile", "seconds=NaN", 400),
        ("/pprof/heap", "", 404),
    ],
)
async def test_X9_what_is_no_profile(path: str, query: str, status: int) -> None:
    page = PAGES[path]
    data = await page.collect(sample.context(), Visit(query=query))
    assert page.status(data) == status and page.attachment(data) is None
    assert page.text(data).strip()
    assert page.changes(Visit())


async def test_profiles_that_are_off() -> None:
    context = sample.context(debugging=sample.debugging(DebugConfig(max_profiling_seconds=0)))
    page = PAGES["/pprof/growth"]
    assert page.status(await page.collect(context, Visit())) == 404


def test_command_line_has_no_secrets() -> None:
    words = [
        *("edge", "-port=8079", "--nacos_password=geheim", "-nacos-password", "geheim", "-proxy_to"),
        *("rtmp://h/live?token=abc&x=1", "-nacos_password"),
    ]
    shown = command_line(words)
    assert "geheim" not in str(shown) and "abc" not in str(shown)
    assert shown[:5] == ("edge", "-port=8079", "--nacos_password=***", "-nacos-password", "***")
    assert len(shown) == len(words)


def test_small_answers_for_the_tool() -> None:
    symbols, line = PAGES["/pprof/symbol"], PAGES["/pprof/cmdline"]
    assert symbols.text(at_once(symbols.collect(sample.context(), Visit()))) == "num_symbols: 0\n"
    assert line.text(at_once(line.collect(sample.context(), Visit()))).splitlines()[0] == sys.orig_argv[0]
