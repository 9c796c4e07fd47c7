from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from edge.runtime.process_figures import age_s, io_figures, process_figures


def test_figures_are_of_this_process() -> None:
    figures = process_figures()
    assert figures.resident_bytes > 1_000_000
    assert figures.cpu_user_s + figures.cpu_system_s <= time.process_time() + 1
    assert figures.fd_max >= 16
    assert figures.fd_count is None or 3 <= figures.fd_count < figures.fd_max
    assert figures.thread_count is None or figures.thread_count >= 1


def test_open_descriptors_are_counted_without_listing_them_where_the_kernel_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not Path("/proc/self/fd").is_dir() or not os.stat("/proc/self/fd").st_size:
        pytest.skip("the kernel does not tell")
    before = process_figures().fd_count
    monkeypatch.setattr(os, "listdir", lambda folder: [] if str(folder).endswith("task") else 1 / 0)
    reading, writing = os.pipe()
    try:
        after = process_figures().fd_count
    finally:
        os.close(reading)
        os.close(writing)
    assert before is not None and after == before + 2


def test_what_the_system_tells_is_read(tmp_path: Path) -> None:
    (tmp_path / "statm").write_text("100 20 3 0 0 0 0\n")
    (tmp_path / "fd").mkdir()
    (tmp_path / "fd" / "0").touch()
    (tmp_path / "io").write_text("rchar: 7\nwchar: 8\nsyscr: 9\n")
    figures, page = process_figures(tmp_path), os.sysconf("SC_PAGE_SIZE")
    assert (figures.virtual_bytes, figures.resident_bytes, figures.shared_bytes) == (100 * page, 20 * page, 3 * page)
    assert (figures.fd_count, figures.thread_count) == (1, None)
    assert io_figures(tmp_path) == {"rchar": 7, "wchar": 8, "syscr": 9}


def test_a_system_without_proc_tells_less(tmp_path: Path) -> None:
    figures = process_figures(tmp_path)
    assert (figures.virtual_bytes, figures.fd_count) == (None, None)
    assert figures.resident_bytes > 1_000_000
    assert io_figures(tmp_path) == {}


def test_age_is_that_of_the_process() -> None:
    assert 0 <= age_s() < 86_400
