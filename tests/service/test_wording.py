from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from edge.service.diagnosis import diagnose
from edge.service.insight import Way
from edge.service.wording import address_lines, lines_of, spoken_time, text_of
from tests.service.test_diagnosis import KEY, entry, waiting


def test_lines_have_advice_and_the_story_of_each_node() -> None:
    story = [entry("upstream_down", "server b refused", 3, count=7, server="b:1", first_age_s=9), entry("joined")]
    way = Way("pull", "retrying", "b:1", "refused", 7)
    lines = lines_of(asdict(diagnose(KEY, [waiting("far", state="retrying", ways=[way], story=story)])))
    assert lines[0].startswith("_/live/cam: it does not play: server b refused")
    assert lines[1] == "  3 s ago, node 1: server b refused (7 times)"
    assert lines[2].startswith("    -> Start that server")
    assert "  pull retrying at b:1, attempt 7, last error: refused" in lines
    assert "  3 s ago: server b refused (7 times in 9 s) [b:1]" in lines


def test_address_has_causes_with_advice_and_connections() -> None:
    cause = {
        **asdict(entry("protocol", "chunk: no header", 3, count=2, client="_/live/a")),
        "advice": "Use another one.",
    }
    connection = {"id": 7, "protocol": "rtmp", "role": "play", "keys": "_/live/a", "uptime_s": 9}
    data: dict[str, Any] = {"address": "10.0.0.9", "verdict": "v", "causes": [cause], "connections": [connection]}
    assert address_lines(data) == [
        "10.0.0.9: v",
        "  3 s ago: chunk: no header (2 times) [_/live/a]",
        "    -> Use another one.",
        "  connection c7: rtmp play _/live/a, 9 s",
    ]


def test_what_peers_have_written_stays_one_line() -> None:
    found = diagnose(KEY, [waiting("far", state="absent", story=[entry("protocol", "a\x1b[31m\nb")])])
    text = text_of(asdict(found), None)
    assert "\x1b" not in text and "a\\x1b[31m\\x0ab" in text


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (90000, "25 h")]
)
def test_times_are_told_as_people_do(seconds: int, said: str) -> None:
    assert spoken_time(seconds) == said


def test_nothing_asked() -> None:
    assert "/why?stream=" in text_of(None, None)
