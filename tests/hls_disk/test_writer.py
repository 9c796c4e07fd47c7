"""The thread: in order, bounded, and never waited for by the loop."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.hls_disk.config import DiskConfig
from edge.hls_disk.folder import Folder
from edge.hls_disk.reports import Reports
from edge.hls_disk.store import Store
from edge.hls_disk.writer import Writer
from tests.harness.clock import deadline, wait_until


class Setting:
    def __init__(self, root: Path) -> None:
        self.reports = Reports(lambda: 0)
        self.store = Store(DiskConfig(), Folder(str(root)), self.reports, lambda: 0)
        self.writer = Writer(self.store, self.reports, max_bytes=100)
        self.gate = threading.Event()
        self.seen: list[int] = []

    def wait_at_gate(self) -> None:
        self.gate.wait(deadline(5))


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    made = Setting(tmp_path)
    yield made
    made.gate.set()
    made.writer.close()


async def test_calls_are_made_in_order_and_the_end_waits_for_them(setting: Setting) -> None:
    setting.writer.start()
    for number in range(50):
        assert setting.writer.put(lambda number=number: setting.seen.append(number), 2)  # type: ignore[misc]
    assert await setting.writer.wait_closed(deadline(2))
    assert setting.seen == list(range(50))
    assert setting.writer.queued_bytes == 0


async def test_what_waits_is_bounded_in_bytes(setting: Setting) -> None:
    setting.writer.start()
    setting.writer.put(setting.wait_at_gate)
    assert setting.writer.put(setting.seen.clear, 200), "one may be larger than the bound"
    assert not setting.writer.put(setting.seen.clear, 1)
    assert setting.writer.put(setting.seen.clear), "what says the end of a stream has no size and is not lost"
    setting.gate.set()
    await wait_until(lambda: setting.writer.queued_bytes == 0, deadline(1), "the queue to be empty")
    assert setting.writer.put(setting.seen.clear, 100)
    assert await setting.writer.wait_closed(deadline(2))


async def test_L10_a_disk_that_hangs_holds_nobody_at_the_end(
    setting: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    setting.writer.start()
    setting.writer.put(setting.wait_at_gate)
    setting.writer.put(setting.seen.clear, 50)
    assert not await setting.writer.wait_closed(0.05)
    assert "50 bytes not written at the end" in caplog.text


async def test_a_fault_of_ours_is_told_and_the_thread_goes_on(
    setting: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    setting.writer.start()
    setting.writer.put(lambda: 1 // 0)  # type: ignore[arg-type]
    setting.writer.put(lambda: setting.seen.append(1))
    assert await setting.writer.wait_closed(deadline(2))
    assert setting.seen == [1]
    assert setting.reports.counts()["error_hls_disk_count"] == 1
    assert "ZeroDivisionError" in caplog.text


async def test_time_goes_by_for_the_store_also_while_there_is_much_to_write(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.hls_disk.writer._TICK_MS", 20)
    monkeypatch.setattr(Store, "is_idle", property(lambda _: False))
    monkeypatch.setattr(setting.store, "tick", lambda: setting.seen.append(-1))
    setting.writer.start()

    def go_on() -> None:
        setting.writer.put(go_on)

    setting.writer.put(go_on)
    await wait_until(lambda: len(setting.seen) > 3, deadline(1), "ticks")


async def test_one_that_was_never_started_ends_at_once(setting: Setting) -> None:
    assert await setting.writer.wait_closed(0)
