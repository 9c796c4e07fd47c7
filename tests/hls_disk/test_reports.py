"""One line in ten seconds, and every failure is counted."""

from __future__ import annotations

import pytest

from edge.hls_disk.reports import Reports


class ManualClock:
    ms = 0


def test_what_fails_is_counted_and_told_once_in_ten_seconds(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    reports = Reports(lambda: clock.ms)
    for second in range(21):
        clock.ms = second * 1000
        reports.failed("key=_/live/cam", OSError(28, "No space left on device"))
    assert reports.counts()["error_hls_disk_count"] == 21
    lines = [record.getMessage() for record in caplog.records]
    assert [line.rpartition("; ")[2] for line in lines] == [f"{n} more since the last line" for n in (0, 9, 9)]
    assert "reason=hls_disk key=_/live/cam: [Errno 28] No space left" in lines[0]


def test_other_things_are_counted_by_name() -> None:
    reports = Reports(lambda: 0)
    reports.count("hls_disk_segment_count")
    assert reports.counts() == {
        "error_hls_disk_count": 0,
        "hls_disk_segment_count": 1,
        "hls_disk_dropped_count": 0,
    }
