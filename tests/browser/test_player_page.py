"""The player page in Chromium, two hops from the publisher: it plays, says why not, and begins by itself."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.browser.page import BrowserPage, published
from tests.browser.player import BrowserPlayer
from tests.harness.clock import deadline, wait_until_sync
from tests.harness.coded import TEST_PICTURE, encode, run_ffmpeg, synthesise
from tests.harness.media_file import ffprobe
from tests.harness.server import Chain, EdgeServer
from tests.harness.tag_rtmp import ENHANCED_CONNECT, TagPublisher, tags_of

pytestmark = pytest.mark.browser

#: Output, its name on the page, and how far behind the live edge it may be on a machine that has else to do.
MODES = [
    ("flv", "HTTP-FLV", 2.0),
    ("ws", "WS-FLV", 2.0),
    ("hls", "HLS", 6.0),
    ("classic", "HLS, classic", 12.0),
    ("ll", "LL-HLS", 3.0),
]

HEVC_OPTIONS = ("-c:v", "libx265", "-x265-params", "log-level=none", "-pix_fmt", "yuv420p", "-t", "2")
_STATE = """
    const video = document.getElementById("video"), page = document.getElementById("player");
    const quality = video.getVideoPlaybackQuality();
    const text = (id) => document.getElementById(id).textContent;
    return {
        state: page.dataset.state, reason: page.dataset.reason, status: text("status"), advice: text("advice"),
        again: text("again"), delay: text("delay"), buffer: text("buffer"), size: text("size"),
        decoded: Number(text("decoded")), dropped: Number(text("dropped")), kind: text("kind"),
        current: video.currentTime, frames: quality.totalVideoFrames, muted: video.muted,
        can_unmute: !document.getElementById("unmute").hidden, can_retry: !document.getElementById("retry").hidden,
    };
"""
_REFUSE_SOUND = """
    const play = HTMLMediaElement.prototype.play;
    HTMLMediaElement.prototype.play = function () {
        return this.muted ? play.call(this) : Promise.reject(new DOMException("no gesture", "NotAllowedError"));
    };
"""
# Text that is seen, with what it stands on: WCAG 2.2, 1.4.3.
_CONTRASTS = """
    const parse = (color) => (color.match(/[\\d.]+/g) || []).map(Number);
    const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const found = [];
    for (const element of document.querySelectorAll("body *")) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!own || element.closest(".veil, video, noscript") || element.offsetParent === null) continue;
        let ground = element, back = parse(getComputedStyle(ground).backgroundColor);
        while (back.length === 4 && back[3] === 0 && ground.parentElement) {
            ground = ground.parentElement;
            back = parse(getComputedStyle(ground).backgroundColor);
        }
        const [a, b] = [light(parse(getComputedStyle(element).color)), light(back)].sort((x, y) => y - x);
        found.push([element.outerHTML.slice(0, 90), (a + 0.05) / (b + 0.05)]);
    }
    return found;
"""


class _OfAnyOrigin(SimpleHTTPRequestHandler):
    """Serves files to pages of everybody."""

    def end_headers(self) -> None:
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class PlayerPage(BrowserPage):
    """The page in the browser."""

    look = _STATE

    def open(self, node: EdgeServer, name: str, query: str = "") -> None:
        self.driver.get(f"http://127.0.0.1:{node.internal_port}/play/live/{name}?{query}")

    def wait_playing(self, within_s: float = 10.0, *, frames: int = 10) -> dict[str, Any]:
        began = self.state()["current"]
        return self.wait(
            lambda now: now["state"] == "playing" and now["current"] > began + 0.5 and now["frames"] >= frames,
            within_s,
            "playing",
        )

    def wait_reason(self, reason: str, within_s: float = 10.0) -> dict[str, Any]:
        return self.wait(lambda now: now["reason"] == reason, within_s, reason)

    def press(self, *keys: str) -> None:
        ActionChains(self.driver).send_keys(*keys).perform()

    def set_scheme(self, scheme: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def set_width(self, width: int, height: int = 900) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


@pytest.fixture
def page(browser: BrowserPlayer) -> Iterator[PlayerPage]:
    found = PlayerPage(browser)
    yield found
    found.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    found.set_scheme("")
    found.driver.get(browser.page_url)


def size_of(clip: Path) -> str:
    """Of its pictures, as the page says it."""
    video = ffprobe(clip, "-show_streams", "-select_streams", "v")["streams"][0]
    return f"{video['width']} × {video['height']}"


def seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+\.\d\d) s", text)
    assert found, text
    return float(found[1])


async def test_plays_in_each_form_two_hops_away(page: PlayerPage, clips: Callable[[str], Path]) -> None:
    with Chain("-http_flv_missing=404") as chain:
        async with published(chain.origin, clips("bbb-360p-10s.flv")):
            for output, label, most_delay_s in MODES:
                await asyncio.to_thread(page.open, chain.far_edge, "clip", f"output={output}&muted=1")
                state = await asyncio.to_thread(page.wait_playing)
                assert state["kind"] == label and state["status"] == f"Playing by {label}."
                assert state["size"] == size_of(clips("bbb-360p-10s.flv"))
                await asyncio.to_thread(page.wait, lambda now: now["decoded"] >= 10, 5, "ten decoded pictures")
                assert state["muted"] and not state["can_unmute"] and not state["can_retry"]

                def is_close(now: dict[str, Any], most_s: float = most_delay_s) -> bool:
                    return 0 <= seconds(now["delay"]) <= most_s and seconds(now["buffer"]) <= most_s

                await asyncio.to_thread(page.wait, is_close, 5, f"a delay of at most {most_delay_s} s by {output}")
                console = await asyncio.to_thread(page.browser.console)
                assert [line for line in console if "favicon" not in line] == []


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode[0])
async def test_says_that_nobody_publishes_and_begins_by_itself(
    mode: tuple[str, str, float], page: PlayerPage, clips: Callable[[str], Path]
) -> None:
    with Chain("-pull_nodata_timeout_ms=1500", "-publisher_return_ms=300") as chain:
        await asyncio.to_thread(page.open, chain.far_edge, "late", f"output={mode[0]}&muted=1")
        # The node between waits for a publisher; viewers of HLS are told to ask again.
        status = "status-504" if mode[0] in ("flv", "ws") else "status-503"
        state = await asyncio.to_thread(page.wait_reason, status)
        assert state["state"] == "failed"
        if status == "status-504":
            assert state["advice"].startswith("Nobody publishes it") and "by itself" in state["advice"]
        else:
            assert "has sent nothing of key=_/live/late" in state["advice"]
        assert state["again"].startswith("Trying again in") and state["can_retry"]
        async with published(chain.origin, clips("bbb-360p-10s.flv"), "late"):
            await asyncio.to_thread(page.wait_playing, 15)
        state = await asyncio.to_thread(page.wait, lambda now: now["state"] == "failed", 10, "the end")
        assert state["reason"] in ("ended", "status-404", status), state
        async with published(chain.origin, clips("bbb-360p-10s.flv"), "late"):
            await asyncio.to_thread(page.wait_playing, 15)


@pytest.mark.parametrize("output", ["flv", "ws", "hls"])
async def test_an_origin_knows_at_once_that_nobody_publishes(output: str, page: PlayerPage) -> None:
    with EdgeServer() as node:
        await asyncio.to_thread(page.open, node, "none", f"output={output}&muted=1")
        state = await asyncio.to_thread(page.wait_reason, "status-404")
        assert state["status"] == "Nobody publishes this stream now." and "by itself" in state["advice"]


@contextlib.contextmanager
def playlist(folder: Path, *options: str) -> Iterator[str]:
    """Query of ``/play_hls`` for what ffmpeg makes of ``options``, on a server of another origin."""
    run_ffmpeg(*options, "-f", "hls", "-hls_time", "2", "-hls_list_size", "0", str(folder / "clip.m3u8"))
    handler = functools.partial(_OfAnyOrigin, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as files:
        thread = threading.Thread(target=files.serve_forever, args=(0.05,), name="files")
        thread.start()
        try:
            url = quote(f"http://127.0.0.1:{files.server_port}/clip.m3u8?token=a&b", safe="")
            yield f"fileUrl={url}&muted=1"
        finally:
            files.shutdown()
            thread.join()


def test_plays_a_playlist_of_another_server(page: PlayerPage, clips: Callable[[str], Path], tmp_path: Path) -> None:
    source = str(clips("bbb-360p-10s.flv"))
    with EdgeServer() as node, playlist(tmp_path, "-i", source, "-c", "copy") as query:
        page.driver.get(f"http://127.0.0.1:{node.internal_port}/play_hls?{query}")
        state = page.wait_playing()
        assert (state["kind"], state["size"]) == ("HLS", size_of(clips("bbb-360p-10s.flv")))
        assert [line for line in page.browser.console() if "favicon" not in line] == []


def test_a_playlist_of_a_codec_that_the_browser_lacks(page: PlayerPage, tmp_path: Path) -> None:
    source = encode(tmp_path / "hevc.mp4", *HEVC_OPTIONS, picture=TEST_PICTURE)
    options = ("-i", str(source), "-c", "copy", "-tag:v", "hvc1", "-hls_segment_type", "fmp4")
    with EdgeServer() as node, playlist(tmp_path, *options) as query:
        page.driver.get(f"http://127.0.0.1:{node.internal_port}/play_hls?{query}")
        state = page.wait_reason("codec")
        assert state["status"].count("H.265 (HEVC)") == 1, state


async def test_a_server_that_is_not_reached_is_told_apart(page: PlayerPage, clips: Callable[[str], Path]) -> None:
    with EdgeServer("-publisher_return_ms=300") as node:
        async with published(node, clips("bbb-360p-10s.flv")):
            await asyncio.to_thread(page.open, node, "clip", "muted=1")
            await asyncio.to_thread(page.wait_playing)
        await asyncio.to_thread(page.wait, lambda now: now["state"] == "failed", 10, "the end")
        await asyncio.to_thread(node.kill)
        state = await asyncio.to_thread(page.wait_reason, "network")
        assert state["status"] == "The server cannot be reached."
        await asyncio.to_thread(node.restart)
        await asyncio.to_thread(page.wait_reason, "status-404")


async def test_an_upstream_that_is_not_reached_is_told(page: PlayerPage) -> None:
    with EdgeServer("-proxy_to=127.0.0.1:1", "-pull_nodata_timeout_ms=1000") as edge:
        await asyncio.to_thread(page.open, edge, "clip", "muted=1")
        state = await asyncio.to_thread(page.wait_reason, "status-502")
        assert state["status"] == "The server reaches no upstream."


async def test_a_codec_that_the_browser_lacks_is_named(page: PlayerPage, tmp_path: Path) -> None:
    _, frames = await asyncio.to_thread(synthesise, "hevc_opus", tmp_path)
    with EdgeServer() as node:
        async with TagPublisher(node.rtmp_url("live", "hevc"), tags_of(frames), **ENHANCED_CONNECT):
            await asyncio.to_thread(wait_until_sync, lambda: node.has_stream("hevc"), deadline(5), "the stream")
            await asyncio.to_thread(page.open, node, "hevc", "muted=1")
            state = await asyncio.to_thread(page.wait_reason, "codec")
            assert "cannot decode H.265 (HEVC)" in state["status"], state


async def test_without_leave_to_sound_it_begins_muted(page: PlayerPage, clips: Callable[[str], Path]) -> None:
    add, remove = "Page.addScriptToEvaluateOnNewDocument", "Page.removeScriptToEvaluateOnNewDocument"
    script = page.driver.execute_cdp_cmd(add, {"source": _REFUSE_SOUND})
    try:
        with EdgeServer() as node:
            async with published(node, clips("bbb-360p-10s.flv")):
                await asyncio.to_thread(page.open, node, "clip")
                await asyncio.to_thread(page.wait_playing)
                state = await asyncio.to_thread(page.wait, lambda now: now["can_unmute"], 3, "a button")
                assert state["muted"]
                await asyncio.to_thread(page.driver.execute_script, "document.getElementById('unmute').click()")
                state = await asyncio.to_thread(page.wait, lambda now: not now["can_unmute"], 3, "sound")
                assert not state["muted"]
    finally:
        page.driver.execute_cdp_cmd(remove, script)


async def test_it_may_wait_to_be_asked(page: PlayerPage, clips: Callable[[str], Path]) -> None:
    with EdgeServer() as node:
        async with published(node, clips("bbb-360p-10s.flv")):
            await asyncio.to_thread(page.open, node, "clip", "autoplay=0&muted=1")
            await asyncio.to_thread(page.wait, lambda now: now["can_retry"], 3, "the button")
            state = await asyncio.to_thread(page.state)
            assert (state["state"], state["status"], node.streams()[0]["players"]) == ("idle", "Ready.", 0)
            await asyncio.to_thread(page.driver.execute_script, "document.getElementById('retry').click()")
            await asyncio.to_thread(page.wait_playing)
            await asyncio.to_thread(page.driver.execute_script, "document.getElementById('video').pause()")
            await asyncio.to_thread(page.wait, lambda now: now["state"] == "paused", 3, "the pause")
            await asyncio.to_thread(page.driver.execute_script, "document.getElementById('video').play()")
            await asyncio.to_thread(page.wait_playing)


async def test_it_is_used_by_keyboard(page: PlayerPage, clips: Callable[[str], Path]) -> None:
    name_of = "const e = document.activeElement; return e.id || e.value || e.dataset.copies || e.pathname || ''"
    outline = "return getComputedStyle(document.activeElement).outlineStyle"

    def walk() -> list[str]:
        seen = []
        for _ in range(40):
            page.press(Keys.TAB)
            name = str(page.driver.execute_script(name_of))
            if name and name not in seen:
                seen.append(name)
                if name not in ("video", "flv"):  # one is the browser's own, the other is marked on its label
                    assert page.driver.execute_script(outline) != "none", name
        return seen

    with EdgeServer() as node:
        async with published(node, clips("bbb-360p-10s.flv")):
            await asyncio.to_thread(page.open, node, "clip", "muted=1")
            await asyncio.to_thread(page.wait_playing)
            seen = await asyncio.to_thread(walk)
            wanted = ["/streams", "video", "flv", "address-1", "address-2", "other-name"]
            assert [name for name in seen if name in wanted] == wanted, seen
            focus = "document.querySelector('input[value=flv]').focus()"
            await asyncio.to_thread(page.driver.execute_script, focus)
            await asyncio.to_thread(page.press, Keys.ARROW_RIGHT)
            state = await asyncio.to_thread(
                page.wait, lambda now: now["status"] == "Playing by WS-FLV.", 10, "the next"
            )
            assert state["kind"] == "WS-FLV"
            assert page.driver.current_url.endswith("?muted=1&output=ws")
            field = page.driver.find_element("id", "other-name")
            await asyncio.to_thread(field.send_keys, f"rtmp://somewhere/live/other?vhost=v{Keys.ENTER}")
            await asyncio.to_thread(page.wait_reason, "status-404")
            assert page.driver.current_url.endswith("/play/live/other?vhost=v")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_is_read_on_a_phone_and_in_the_dark(scheme: str, page: PlayerPage) -> None:
    with EdgeServer() as node:
        for width in (1280, 390, 320):
            await asyncio.to_thread(page.set_width, width)
            await asyncio.to_thread(page.set_scheme, scheme)
            await asyncio.to_thread(page.open, node, "nothing-with-a-name-that-is-rather-long-for-a-small-screen")
            await asyncio.to_thread(page.wait_reason, "status-404")
            inner = await asyncio.to_thread(page.driver.execute_script, "return document.documentElement.scrollWidth")
            assert inner <= width
            contrasts = await asyncio.to_thread(page.driver.execute_script, _CONTRASTS)
            assert len(contrasts) > 20
            assert [found for found in contrasts if found[1] < 4.5] == []
