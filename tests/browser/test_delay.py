"""How long after it was made a picture is shown, two hops from its publisher: by a clock that is burnt into it.

What is measured is printed (``-s``), and recorded as a property of the test; ``bench/browser_delay.py`` makes a table.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable, Iterator

import pytest

from tests.browser.burnt_clock import BLOCK, CLOCK_BITS, COLUMNS, ROWS, SUM_BITS, bits_of, luma_of
from tests.browser.delay import OUTPUTS, Measured, Output, chain, measure, watched
from tests.browser.player import BrowserPlayer
from tests.harness.clock import deadline, wait_until_sync

pytestmark = pytest.mark.browser

# Five times what it should be is asserted, so that a player still on its way to the end may be looked at.
SETTLE_S, LOOK_S = 1.0, 2.0
OUTAGE_S = 6.0
Record = Callable[[str, object], None]


@pytest.fixture
def page(browser: BrowserPlayer) -> Iterator[BrowserPlayer]:
    yield browser
    browser.driver.get(browser.page_url)


def check(seen: Measured, most_s: float) -> None:
    """It plays, picture and sound, and not later than it should; the page tells the truth of that."""
    assert seen.pictures >= 10 and seen.decoded >= 10 and seen.audio_bytes > 0, seen
    assert seen.unread <= seen.pictures // 10, seen
    assert seen.advanced_s > 0, seen
    assert 0 < seen.median_s <= deadline(most_s), seen
    said = re.fullmatch(r"(\d+\.\d\d) s", seen.said)
    # Of a classic playlist it knows when that came, up to a segment after it changed.
    assert said and abs(float(said[1]) - seen.median_s) <= 2.5, seen


def test_the_clock_stands_in_the_picture() -> None:
    luma = luma_of(1_700_000_000_123, 7, 320)
    assert len(luma) == 320 * 180
    middles = [
        luma[(y * BLOCK + BLOCK // 2) * 320 + x * BLOCK + BLOCK // 2] for y in range(ROWS) for x in range(COLUMNS)
    ]
    assert [int(value > 127) for value in middles] == bits_of(1_700_000_000_123)
    words = [bits_of(wall_ms)[:CLOCK_BITS] for wall_ms in range(1000, 1020)]
    assert all(sum(a != b for a, b in zip(*pair, strict=True)) == 1 for pair in itertools.pairwise(words))
    assert len(bits_of(0)) == CLOCK_BITS + SUM_BITS and any(bits_of(0)), "black is no clock"


@pytest.mark.parametrize("output", OUTPUTS, ids=lambda output: output.name)
async def test_a_picture_is_soon_shown(output: Output, page: BrowserPlayer, record_property: Record) -> None:
    def look() -> None:
        with chain(output.keyframe_s) as nodes:
            # The second viewer finds segments, and begins further from the end than the first.
            for viewer in ("first", "second"):
                seen = measure(page, nodes.far_edge, output.name, settle_s=SETTLE_S, seconds=LOOK_S)
                print(f"{output.label}, {viewer} viewer: {seen}")
                record_property(f"{viewer}_viewer_delay_s", seen.median_s)
                check(seen, output.most_s)

    await asyncio.to_thread(look)


@pytest.mark.parametrize(("output", "most_s"), [("ll", 1.5), ("classic", 7.0)])
async def test_av1_and_opus_are_shown_by_fragmented_mp4(
    output: str, most_s: float, page: BrowserPlayer, record_property: Record
) -> None:
    def look() -> None:
        with chain(1.0, "-hls_use_fmp4", video="libsvtav1", audio="libopus") as nodes:
            seen = measure(page, nodes.far_edge, output, settle_s=SETTLE_S, seconds=LOOK_S)
            print(f"AV1 and Opus by {output}: {seen}")
            record_property("delay_s", seen.median_s)
            check(seen, most_s)

    await asyncio.to_thread(look)


@pytest.mark.parametrize(("output", "close_s"), [("flv", 2.0), ("ll", 3.0)])
async def test_after_an_outage_a_viewer_is_brought_back_to_what_is_live(
    output: str, close_s: float, page: BrowserPlayer
) -> None:
    """All that was held back comes then, so that the picture would be late by the outage for ever."""

    def look() -> None:
        with chain(1.0) as nodes:
            measure(page, nodes.far_edge, output, settle_s=1, seconds=1)
            nodes.nodes[1].pause()
            try:
                before = watched(page).pictures
                wait_until_sync(
                    lambda: watched(page).state == "stalled", deadline(OUTAGE_S), "a picture that stands still"
                )
            finally:
                nodes.nodes[1].resume()

            def is_close() -> bool:
                now = watched(page)
                return now.pictures > before + 50 and now.delay_s <= close_s

            took_s = wait_until_sync(is_close, deadline(12), f"a delay of {close_s} s by {output}: {watched(page)}")
            print(f"{output}: live again after {took_s:.1f} s")

    await asyncio.to_thread(look)
