from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from edge.builtin import hotspots
from edge.builtin.config import DebugConfig
from edge.builtin.page import PAGES, Page, PageContext, PageFormat, Visit
from edge.builtin.site import render, site_routes
from edge.profiling.stacks import CPU, Counted
from tests.builtin import sample
from tests.httpd.serving import body_of, serving, status_of, until
from tests.profiling import samples

FIREFOX = "User-Agent: Mozilla/5.0 Firefox/140.0\r\nAccept: text/html\r\n"
CPU_PAGE = PAGES["/hotspots/cpu"]


def with_profile(rows: tuple[Counted, ...] = samples.ROWS) -> tuple[PageContext, str]:
    """A context in which a profile is kept, and its name."""
    context = sample.context()
    profile = samples.profile(rows)
    context.debugging().profiler.kept[profile.name] = profile
    return context, profile.name


async def shown(
    context: PageContext, query: str, view: PageFormat, page: Page[Any] = CPU_PAGE
) -> hotspots.HotspotsData:
    data = await page.collect(context, Visit(query=query, view=view))
    assert isinstance(data, hotspots.HotspotsData)
    return data


async def test_kept_profile_is_shown_in_all_forms() -> None:
    context, name = with_profile()
    data = await shown(context, f"view={name}", PageFormat.TEXT)
    assert data.error == "" and data.display == "text"
    assert "edge/x.py:main;edge/x.py:serve;edge/x.py:send 30000000\n" in CPU_PAGE.text(data)
    told = json.loads(render(CPU_PAGE, PageFormat.JSON, data))
    assert told["profile"]["stacks"][0] == {
        "stack": "edge/x.py:main;edge/x.py:serve;edge/x.py:send",
        "times": 3,
        "value": 30_000_000,
    }
    assert told["profile"]["facts"] == {"sample_count": 9, "idle_count": 3}
    html = render(CPU_PAGE, PageFormat.HTML, await shown(context, f"view={name}", PageFormat.HTML))
    assert "<svg " in html and f"?view={name}&amp;display_type=dot" in html
    for display, begins in (("DOT", "digraph"), ("collapsed", "edge/x.py:main"), ("Flame", "<svg ")):
        data = await shown(context, f"view={name}&display_type={display}", PageFormat.TEXT)
        assert CPU_PAGE.text(data).startswith(begins)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"sample_count": 9, "idle_count": 3}, "9 samples, 6 of them at work (66.7 %): the rest is not drawn"),
        ({"sample_count": 9, "idle_count": 0}, "9 samples, 9 of them at work"),
        (
            {"sample_count": 1, "idle_count": 1},
            "1 sample, 0 of them at work: the event loop had nothing to do, so there is nothing to draw",
        ),
        (
            {"sample_count": 0, "idle_count": 0},
            "0 samples, 0 of them at work: the event loop had nothing to do, so there is nothing to draw",
        ),
        ({"stack_count": 4}, ""),
    ],
)
async def test_a_graph_says_how_many_samples_were_at_work(facts: dict[str, int | float], words: str) -> None:
    context = sample.context()
    profile = replace(samples.profile(samples.ROWS), facts=facts)
    context.debugging().profiler.kept[profile.name] = profile
    data = await shown(context, f"view={profile.name}", PageFormat.HTML)
    assert data.profile is not None and data.profile.samples == words
    assert (f"<p>{words}.</p>" in render(CPU_PAGE, PageFormat.HTML, data)) is bool(words)


async def test_X6_functions_with_markup_in_their_names_are_escaped() -> None:
    context, name = with_profile((Counted((samples.EVIL,), 1, 1_000_000_000),))
    for display in hotspots.DISPLAYS:
        data = await shown(context, f"view={name}&display_type={display}", PageFormat.HTML)
        html = render(CPU_PAGE, PageFormat.HTML, data)
        assert "<script" not in html and "&lt;script&gt;" in html


async def test_flame_graph_zooms_by_links() -> None:
    context, name = with_profile()
    data = await shown(context, f"view={name}&focus=3", PageFormat.HTML)
    assert f'href="/hotspots/cpu?view={name}&amp;display_type=flame&amp;focus=5"' in data.body


@pytest.mark.parametrize(
    "query",
    [
        *("view=x", "view=../../etc/passwd", "view=", "seconds=x", "seconds=-1", "seconds=nan", "seconds="),
        *("seconds=0.01&display_type=png", "seconds=0.01&focus=x"),
    ],
)
async def test_X9_what_cannot_be_shown(query: str) -> None:
    data = await shown(sample.context(), query, PageFormat.HTML)
    assert data.status == CPU_PAGE.status(data) == 400
    assert data.error and data.profile is None and CPU_PAGE.text(data) == f"{data.error}\n"


async def test_profile_of_another_kind_is_not_shown() -> None:
    context, name = with_profile()
    data = await shown(context, f"view={name}", PageFormat.TEXT, PAGES["/hotspots/growth"])
    assert data.status == 400 and data.kept == ()


async def test_browser_is_asked_first() -> None:
    context, name = with_profile()
    data = await shown(context, "", PageFormat.HTML)
    html = render(CPU_PAGE, PageFormat.HTML, data)
    assert (data.profile, data.kept) == (None, (name,))
    assert 'href="?seconds=10"' in html and 'http-equiv="refresh"' not in html


@pytest.mark.parametrize(
    ("query", "view", "starts"),
    [
        ("", PageFormat.HTML, False),
        ("seconds=1", PageFormat.HTML, True),
        ("", PageFormat.TEXT, True),
        ("", PageFormat.JSON, True),
        ("view=x", PageFormat.TEXT, False),
        ("view=x&seconds=1", PageFormat.HTML, False),
    ],
)
def test_what_starts_a_run_is_guarded(query: str, view: PageFormat, starts: bool) -> None:
    visit = Visit(query=query, view=view)
    assert {PAGES[f"/hotspots/{kind}"].changes(visit) for kind in ("cpu", "heap", "growth", "contention")} == {starts}


async def test_run_is_made_and_who_asked_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    context = sample.context()
    data = await CPU_PAGE.collect(context, Visit(query="seconds=0.01", peer="10.0.0.9:5"))
    assert data.profile is not None and data.profile.kind == "cpu"
    assert data.kept == (data.profile.name,)
    assert "profile asked kind=cpu seconds=0.01 peer=10.0.0.9:5" in caplog.text


async def test_X9_profiles_that_are_off() -> None:
    context = sample.context(debugging=sample.debugging(DebugConfig(max_profiling_seconds=0)))
    data = await shown(context, "seconds=1", PageFormat.TEXT)
    assert data.status == 403 and "-max_profiling_seconds" in data.error


async def test_X9_heap_without_tracing_says_how() -> None:
    data = await shown(sample.context(), "", PageFormat.TEXT, PAGES["/hotspots/heap"])
    assert data.status == 403 and "PYTHONTRACEMALLOC" in data.error


async def test_X9_profile_of_another_kind_meanwhile_is_refused() -> None:
    context = sample.context()
    profiler = context.debugging().profiler
    running = asyncio.ensure_future(profiler.run(CPU, 600))
    await until(lambda: profiler.running == "cpu")
    data = await shown(context, "seconds=1", PageFormat.TEXT, PAGES["/hotspots/contention"])
    assert data.status == 503 and "cpu" in data.error
    html = render(CPU_PAGE, PageFormat.HTML, await shown(context, "", PageFormat.HTML))
    assert "A profile of cpu is being made." in html
    await profiler.close()
    await asyncio.gather(running, return_exceptions=True)


async def test_X4_page_of_another_site_starts_none() -> None:
    async with serving(routes=site_routes(sample.context())) as server:
        for headers in ("Origin: http://evil\r\n", "Sec-Fetch-Site: cross-site\r\n", "Referer: http://evil/\r\n"):
            for path in ("/hotspots/cpu?seconds=0.01", "/pprof/profile?seconds=0.01", "/hotspots/growth"):
                answer = await server.get(path, headers=headers)
                assert status_of(answer) == 403 and b"another site" in answer
        assert server.service.counters["error_csrf_count"] == 9
        assert status_of(await server.get("/hotspots/cpu?seconds=0.01", headers="X-Forwarded-For: 1.2.3.4\r\n")) == 403
        assert status_of(await server.get("/hotspots/cpu?seconds=0.01", host="evil.example")) == 403
        answer = await server.get("/hotspots/cpu", headers=f"{FIREFOX}Sec-Fetch-Site: cross-site\r\n")
        assert status_of(answer) == 200 and b"<svg" not in answer, "to look is free"
        answer = await server.get("/hotspots/cpu?seconds=0.01")
        assert status_of(answer) == 200 and body_of(answer).startswith(b"# 20")
