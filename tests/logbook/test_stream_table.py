"""The table of streams, byte for byte."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from edge.logbook.stream_table import MAX_STUCK_SHOWN, NOWHERE, StreamRow, StuckPlayer, moment, table_lines

CREATED_S = datetime(2026, 11, 21, 3, 0, 0, 250000, tzinfo=UTC).timestamp()
STAMP_S = datetime(2026, 11, 21, 3, 2, 26, 123456, tzinfo=UTC).timestamp()
PREFIX = "T20261121 03:02:26.123456 [STATS] "


def row(key: str = "_/live/test", **changes: object) -> StreamRow:
    values: dict[str, object] = {
        "created_s": CREATED_S,
        "source": "10.0.0.9:51234",
        "key": key,
        "gop": 50,
        "fps": 24.6,
        "video_bytes_s": 61234,
        "audio_bytes_s": 16000,
        "framerate": 25.0,
        "player_count": 3,
    }
    return StreamRow(**{**values, **changes})  # type: ignore[arg-type]


def test_all_of_it_byte_for_byte() -> None:
    rows = [
        row("v.example.com/live/long", source=NOWHERE, gop=0, fps=0.0, video_bytes_s=0, framerate=None, player_count=0),
        row(),
    ]
    assert table_lines(rows, STAMP_S, is_utc=True) == [
        "Stream stats (2 in total):",
        PREFIX + "CreatedTime               |From               |Key                    |Gop |F/s|Video B/s|Audio B/s"
        "|Fluency|Play|",
        PREFIX + "2026/11/21-03:00:00.250000|10.0.0.9:51234     |_/live/test            |50  |25 |61234    |16000    "
        "|98.4%  |3   |",
        PREFIX + "2026/11/21-03:00:00.250000|0.0.0.0:0          |v.example.com/live/long|0   |0  |0        |16000    "
        "|-      |0   |",
        "--------END--------",
    ]


def test_the_key_has_ten_places_at_least() -> None:
    lines = table_lines([row("_/a/b")], STAMP_S, is_utc=True)
    assert "|_/a/b     |" in lines[2]
    assert "|Key       |" in lines[1]


def test_nothing_without_streams() -> None:
    assert table_lines([], STAMP_S) == []


def test_who_was_stuck_stands_behind_the_row_zero_parts_left_out() -> None:
    stuck = (StuckPlayer("10.0.0.1:5", 1, 12, 0), StuckPlayer("[::1]:6", 7, 3, 4))
    lines = table_lines([row(stuck=stuck)], STAMP_S, is_utc=True)
    assert lines[2].endswith("|3   | stuck: 10.0.0.1:5[1](v=12) [::1]:6[7](v=3 a=4)")


def test_of_a_crowd_of_stuck_players_some_are_named() -> None:
    stuck = tuple(StuckPlayer(f"10.0.0.1:{port}", 1, 1, 0) for port in range(MAX_STUCK_SHOWN + 5))
    (line,) = (line for line in table_lines([row(stuck=stuck)], STAMP_S) if "stuck" in line)
    assert line.count("(v=1)") == MAX_STUCK_SHOWN
    assert line.endswith(" and 5 more")


@pytest.mark.parametrize("key", ["_/live/a|b", "_/live/a\nb", "_/live/\x1b[2J", "_/live/" + "x|" * 5000])
def test_X7_no_name_adds_a_line_or_a_column(key: str) -> None:
    lines = table_lines([row(key), row()], STAMP_S)
    assert len(lines) == 5
    assert {line.count("|") for line in lines[1:4]} == {9}
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) < 500


def test_fluency_beyond_1000_percent_is_written_in_full() -> None:
    (line,) = (line for line in table_lines([row(fps=600.0, framerate=None)], STAMP_S) if "live/test" in line)
    assert "|2000.0%*|" in line


def test_a_moment_is_rounded_to_microseconds_in_local_time_or_utc() -> None:
    assert moment(1.9999999, "%S", is_utc=True) == "02.000000"
    local = datetime.fromtimestamp(int(STAMP_S)).strftime("%H:%M")
    assert moment(STAMP_S, "%H:%M") == f"{local}.123456"


def test_two_names_that_are_cut_alike_are_two_rows() -> None:
    texts = table_lines([row("_/live/" + "x" * 300 + end) for end in "ba"], STAMP_S, is_utc=True)
    assert len(texts) == 5
    assert texts[2] == texts[3]
