"""What hls.js lives through in Chromium is what the server tells of it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.player import BrowserPlayer
from tests.harness.clients import ffmpeg_publish
from tests.harness.clock import deadline, wait_until_sync
from tests.harness.server import EdgeServer

pytestmark = pytest.mark.browser

#: Keeps what hls.js says of itself; frames that were dropped are seven more than there are, so that there are some.
_WATCH = """
    let held;
    const real = HTMLVideoElement.prototype.getVideoPlaybackQuality;
    HTMLVideoElement.prototype.getVideoPlaybackQuality = function () {
        const found = real.call(this);
        const dropped = found.droppedVideoFrames + (found.totalVideoFrames > 0 ? 7 : 0);
        return { totalVideoFrames: found.totalVideoFrames, droppedVideoFrames: dropped };
    };
    Object.defineProperty(window, "Hls", { configurable: true, get: () => held, set: (Hls) => {
        held = class extends Hls {
            constructor(...given) {
                super(...given);
                const began = performance.now(), seen = { stalls: 0, start: null };
                window.seen = seen;
                this.on(Hls.Events.ERROR, (_, data) => { seen.stalls += data.details === "bufferStalledError"; });
                this.on(Hls.Events.MEDIA_ATTACHING, (_, { media }) => {
                    media.addEventListener("playing", () => { seen.start ??= performance.now() - began; });
                });
            }
        };
    } });
"""
_SEEN = """
    const quality = document.getElementById("video").getVideoPlaybackQuality();
    const state = document.getElementById("player").dataset.state;
    return { ...window.seen, dropped: quality.droppedVideoFrames, state };
"""


@pytest.fixture
def watched(browser: BrowserPlayer) -> Iterator[BrowserPlayer]:
    add, remove = "Page.addScriptToEvaluateOnNewDocument", "Page.removeScriptToEvaluateOnNewDocument"
    script = browser.driver.execute_cdp_cmd(add, {"source": _WATCH})
    yield browser
    browser.driver.get(browser.page_url)
    browser.driver.execute_cdp_cmd(remove, script)


def quality(node: EdgeServer) -> dict[str, Any]:
    return dict(next((row["quality"] for row in node.streams() if "quality" in row), {}))


def test_its_own_counts_are_ours(watched: BrowserPlayer, clips: Callable[[str], Path]) -> None:
    def seen() -> dict[str, Any]:
        return dict(watched.driver.execute_script(_SEEN))

    with EdgeServer() as node:
        publisher = ffmpeg_publish(clips("bbb-360p-10s.flv"), node.rtmp_url("live", "clip"), loops=-1)
        with publisher:
            wait_until_sync(lambda: node.has_stream("clip"), deadline(5), "the stream")
            watched.driver.get(f"http://127.0.0.1:{node.internal_port}/play/live/clip?output=ll&muted=1")
            wait_until_sync(lambda: seen()["state"] == "playing", deadline(10), "playing")
            publisher.send_signal(signal.SIGSTOP)
            try:
                wait_until_sync(lambda: seen()["stalls"] > 0, deadline(10), "a stall")
            finally:
                publisher.send_signal(signal.SIGCONT)
            wait_until_sync(lambda: quality(node).get("stall_ms"), deadline(15), "the end of the stall, told")
            wait_until_sync(lambda: quality(node).get("dropped_frames") == seen()["dropped"], deadline(15), "drops")
            wait_until_sync(lambda: quality(node)["stall_count"] == seen()["stalls"], deadline(5), "the same stalls")
            own, ours = seen(), quality(node)
            assert own["dropped"] >= 7
            assert abs(ours["start_ms"] - own["start"]) < 500, (own, ours)
            assert (ours["sessions"], ours["reporting"]) == (1, 1)
            assert ours["bitrate_kbps"] > 0 and ours["buffer_ms"] is not None
            watched.driver.get(watched.page_url)
            wait_until_sync(lambda: quality(node)["reporting"] == 0, deadline(5), "the last report")
        assert [line for line in watched.console() if "favicon" not in line] == []
