"""The table of delays in a browser."""

from __future__ import annotations

from bench.browser_delay import rows, spread
from tests.browser.delay import OUTPUTS, Measured

_SEEN = Measured(
    first_s=0.4,
    median_s=1.2,
    least_s=1.1,
    most_s=1.3,
    said="1.21 s",
    pictures=100,
    unread=0,
    decoded=100,
    dropped=0,
    waits=0,
    audio_bytes=1000,
    seconds=4.0,
    advanced_s=4.0,
    load=0.5,
)


def test_a_row_tells_the_first_viewer_from_the_next_ones() -> None:
    lines = rows([(OUTPUTS[0], [_SEEN, _SEEN._replace(median_s=1.4), _SEEN._replace(median_s=1.6)])])
    assert len(lines) == 3
    assert lines[-1].split(" | ")[1:4] == ["1.20", "1.50 (1.40–1.60)", "1.0"]


def test_one_viewer_has_none_after_it() -> None:
    assert spread([]) == "-"
    assert " | - | " in rows([(OUTPUTS[0], [_SEEN])])[-1]
