"""How long after it was made a picture is shown by the player page: the burnt-in clock, read in Chromium.

Calls block the thread. Publisher, servers and browser are of one machine, and so is their clock.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.browser.burnt_clock import WATCH
from tests.browser.player import BrowserPlayer
from tests.harness.clients import Program
from tests.harness.clock import deadline, wait_until_sync
from tests.harness.coded import require_av
from tests.harness.server import Chain, EdgeServer

_PUBLISHER = Path(__file__).with_name("burnt_clock.py")
_STATE = """
    const video = document.getElementById("video"), text = (id) => document.getElementById(id).textContent;
    const quality = video.getVideoPlaybackQuality();
    return {
        state: document.getElementById("player").dataset.state, status: text("status"), said: text("delay"),
        current: video.currentTime, rate: video.playbackRate, decoded: quality.totalVideoFrames,
        dropped: quality.droppedVideoFrames, audio: video.webkitAudioDecodedByteCount,
        ...(window.burnt || { delays: [], unread: 0, waits: 0 }),
    };
"""


class Output(NamedTuple):
    """An output of the page, and how far behind it may be; ``keyframe_s`` of the stream that this is said of."""

    name: str
    label: str
    most_s: float
    keyframe_s: float = 1.0


OUTPUTS = (
    Output("flv", "HTTP-FLV", 1.0),
    Output("ws", "WS-FLV", 1.0),
    Output("ll", "LL-HLS", 1.5),
    Output("hls", "HLS, two-level", 3.0),
    Output("classic", "HLS, classic, segments of 2 s", 7.0, keyframe_s=2.0),
)


class Measured(NamedTuple):
    """What was seen in the time that was looked at, of ``seconds``; delays in seconds.

    Attributes:
        first_s: from opening the page to the first picture that was read.
        median_s, least_s, most_s: of the pictures shown.
        said: what the page tells of it.
        pictures: how many were read; ``unread`` bore no clock.
        decoded, dropped: by the browser's count.
        waits: how often the buffer was empty.
        audio_bytes: were decoded.
        advanced_s: how far the element's clock went.
        load: of the machine, in the last minute.
    """

    first_s: float
    median_s: float
    least_s: float
    most_s: float
    said: str
    pictures: int
    unread: int
    decoded: int
    dropped: int
    waits: int
    audio_bytes: int
    seconds: float
    advanced_s: float
    load: float


@contextlib.contextmanager
def published(node: EdgeServer, *options: str, name: str = "clock") -> Iterator[None]:
    """The clock, until the block is left; ``options`` as those of ``burnt_clock.py``."""
    require_av()
    with Program(sys.executable, str(_PUBLISHER), node.rtmp_url("live", name), *options) as publisher:

        def is_there() -> bool:
            assert publisher.exit_code is None, publisher.stderr
            return node.has_stream(name)

        wait_until_sync(is_there, deadline(5), "the stream")
        yield


def measure(
    browser: BrowserPlayer, node: EdgeServer, output: str, *, settle_s: float, seconds: float, name: str = "clock"
) -> Measured:
    """Open the page of ``node``, wait for a picture with a clock, and ``settle_s`` more; then look for ``seconds``."""
    driver = browser.driver
    opened = time.time()
    driver.get(f"http://127.0.0.1:{node.internal_port}/play/live/{name}?output={output}&muted=1")
    driver.execute_script(WATCH)
    found = driver.execute_script(_STATE)

    def is_read() -> bool:
        nonlocal found
        found = driver.execute_script(_STATE)
        return bool(found["delays"]) and found["state"] == "playing"

    try:
        wait_until_sync(is_read, deadline(10), f"a picture with a clock by {output}")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{found}\n{browser.console()[-5:]}") from None
    first_s = found["delays"][0][0] / 1000 - opened
    time.sleep(settle_s)
    before = driver.execute_script(_STATE)
    driver.execute_script("Object.assign(window.burnt, { delays: [], unread: 0, waits: 0 })")
    began = time.monotonic()
    time.sleep(seconds)
    after = driver.execute_script(_STATE)
    passed_s = time.monotonic() - began
    delays = [delay / 1000 for _, delay in after["delays"]]
    assert delays, f"no picture by {output} in {seconds} s: {after}"
    return Measured(
        first_s=first_s,
        median_s=statistics.median(delays),
        least_s=min(delays),
        most_s=max(delays),
        said=after["said"],
        pictures=len(delays),
        unread=after["unread"],
        decoded=after["decoded"] - before["decoded"],
        waits=after["waits"],
        dropped=after["dropped"] - before["dropped"],
        audio_bytes=after["audio"] - before["audio"],
        seconds=passed_s,
        advanced_s=after["current"] - before["current"],
        load=_load(),
    )


class Watched(NamedTuple):
    """One look at a page that :func:`measure` has opened: how many pictures there were, and the delay of the last."""

    state: str
    pictures: int
    delay_s: float


def watched(browser: BrowserPlayer) -> Watched:
    found = browser.driver.execute_script(_STATE)
    return Watched(found["state"], len(found["delays"]), found["delays"][-1][1] / 1000 if found["delays"] else 0.0)


def _load() -> float:
    return float(Path("/proc/loadavg").read_text().split()[0])


@contextlib.contextmanager
def chain(keyframe_s: float, *flags: str, video: str = "", audio: str = "") -> Iterator[Chain]:
    """Origin, edge and edge, of which the clock is published to the first."""
    codecs = [word for flag, value in (("--video", video), ("--audio", audio)) if value for word in (flag, value)]
    with Chain(*flags) as nodes, published(nodes.origin, "--keyframe_s", str(keyframe_s), *codecs):
        yield nodes
