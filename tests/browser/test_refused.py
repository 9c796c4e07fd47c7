"""Who is refused is told why in the browser, by pages of another origin too; who has a permit plays on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from edge.access.edge_scheme import EdgeScheme
from edge.access.token import Asked
from edge.hls.permits import Permits
from edge.net.aio import wall_ms
from tests.browser.page import published
from tests.browser.player import BrowserPlayer
from tests.browser.test_player_page import PlayerPage
from tests.harness.hls_cache import clip_of_even_groups
from tests.harness.server import EdgeServer

pytestmark = pytest.mark.browser

KEY = b"0123456789abcdef0123456789abcdef"
_FETCH = """
    const [url, done] = arguments;
    fetch(url).then(async (answer) => done([answer.status, await answer.text()]), (error) => done([0, String(error)]));
"""
# All that the page has said of itself since.
_WATCH = """
    const page = document.getElementById("player");
    window.said = [];
    new MutationObserver(() => {
        const now = `${page.dataset.state} ${page.dataset.reason}`.trim();
        if (now !== window.said.at(-1)) window.said.push(now);
    }).observe(page, { attributes: true });
"""


@pytest.fixture
def page(browser: BrowserPlayer) -> Iterator[PlayerPage]:
    yield PlayerPage(browser)
    browser.driver.get(browser.page_url)


def guarded(tmp_path: Path, *flags: str) -> EdgeServer:
    """Streams want a signed URL, those of one vhost another page."""
    (tmp_path / "keys").write_bytes(KEY + b"\n")
    (tmp_path / "keys").chmod(0o600)
    conf = tmp_path / "edge.conf"
    gate = f"play_auth sign; sign_keys_file {tmp_path}/keys;"
    conf.write_text(f"vhost __defaultVhost__ {{ {gate} }}\nvhost paged {{ {gate} refer_play example.com; }}\n")
    return EdgeServer(f"-vhost_config={conf}", f"-node_secret_file={tmp_path}/keys", "-hls_fragment_s=1", *flags)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[EdgeServer]:
    with guarded(tmp_path) as found:
        yield found


def token(in_s: int) -> str:
    now_s = wall_ms() / 1000
    return EdgeScheme().sign(
        Asked("play", "_", "live", "clip", "/live/clip", "127.0.0.1", now_s), KEY, int(now_s) + in_s
    )


REFUSALS = [("", "TokenMissing"), (token(-3600), "TokenExpired"), ("vhost=paged", "RefererDenied")]


def asked(browser: BrowserPlayer, url: str) -> tuple[int, str]:
    """What a script of a page of another origin reads of an answer."""
    status, text = browser.driver.execute_async_script(_FETCH, url)
    return int(status), str(text).strip()


async def test_page_of_another_origin_reads_why(browser: BrowserPlayer, node: EdgeServer) -> None:
    for query, word in REFUSALS:
        for ending in (".flv", ".m3u8", ".classic.m3u8", ".ts"):
            url = f"http://{node.address}/live/clip{ending}?{query}"
            assert await asyncio.to_thread(asked, browser, url) == (403, word)
        await asyncio.to_thread(browser.play, f"http://{node.address}/live/clip.flv?{query}")
        error = await asyncio.to_thread(browser.wait_error)
        assert (error.detail, error.code) == ("HttpStatusCodeInvalid", 403)
        # What a WebSocket was answered no script can read: it is refused, and the same path tells why.
        await asyncio.to_thread(browser.play, f"ws://{node.address}/live/clip.flv?{query}")
        assert (await asyncio.to_thread(browser.wait_error)).type == "NetworkError"


@pytest.mark.parametrize("output", ["flv", "ws", "hls"])
async def test_player_page_says_why(output: str, page: PlayerPage, node: EdgeServer) -> None:
    for query, word in REFUSALS:
        await asyncio.to_thread(page.open, node, "clip", f"output={output}&muted=1&{query}")
        state = await asyncio.to_thread(page.wait_reason, "status-403")
        assert state["advice"] == f"The server says: {word}", state


async def test_player_of_hls_on_another_node_says_why(page: PlayerPage, node: EdgeServer) -> None:
    minute = wall_ms() // 60_000
    past, other = (Permits(KEY).make(f"_/live/{name}", at) for name, at in (("clip", minute - 5), ("x", minute + 5)))
    media = [
        (f"clip.classic.media.m3u8?p={past}", "TokenExpired"),
        (f"clip.classic.media.m3u8?p={other}", "TokenInvalid"),
    ]
    with EdgeServer() as another:
        for path, word in [*((f"clip.classic.m3u8?{query}", word) for query, word in REFUSALS), *media]:
            url = quote(f"http://{node.address}/live/{path}", safe="")
            page.driver.get(f"http://127.0.0.1:{another.internal_port}/play_hls?fileUrl={url}&muted=1")
            state = await asyncio.to_thread(page.wait_reason, "status-403")
            assert state["advice"] == f"The server says: {word}", (path, state)


async def test_who_has_a_permit_plays_on_after_an_interruption(page: PlayerPage, tmp_path: Path) -> None:
    clip = await asyncio.to_thread(clip_of_even_groups, tmp_path, group_s=1)
    with EdgeServer() as origin, guarded(tmp_path, f"-proxy_to={origin.address}", "-publisher_return_ms=60000") as edge:
        async with published(origin, clip):
            await asyncio.to_thread(page.open, edge, "clip", f"output=ll&muted=1&{token(600)}")
            await asyncio.to_thread(page.wait_playing)
            page.driver.execute_script(_WATCH)
        await asyncio.to_thread(page.wait, lambda now: now["state"] == "stalled", 15, "nothing to show")
        async with published(origin, clip):
            await asyncio.to_thread(page.wait_playing, 15)
            # On a machine that is slow the page begins again by itself; it is never told that it may not.
            said = page.driver.execute_script("return window.said")
            assert not [each for each in said if "status-4" in each or "ended" in each or "network" in each], said
