from __future__ import annotations

import json
import threading
from dataclasses import replace

from edge.builtin import threads
from edge.builtin.config import DebugConfig
from edge.builtin.page import PageFormat, Visit
from edge.builtin.site import render
from edge.builtin.threads import THREADS
from tests.builtin import sample
from tests.harness.at_once import at_once

ON = sample.debugging(DebugConfig(enable_threads_service=True))


def stand_still(has_begun: threading.Event, is_over: threading.Event) -> None:
    has_begun.set()
    is_over.wait()


def test_each_thread_with_its_stack() -> None:
    has_begun, is_over = threading.Event(), threading.Event()
    thread = threading.Thread(target=stand_still, args=(has_begun, is_over), name=sample.EVIL, daemon=True)
    thread.start()
    has_begun.wait()
    try:
        data = at_once(threads.collect(sample.context(debugging=ON), Visit()))
    finally:
        is_over.set()
        thread.join()
    (row,) = [row for row in data.threads if row.id == thread.ident]
    assert row.is_daemon and any(
        place.startswith("tests/builtin/test_threads.py:") and place.endswith(" stand_still") for place in row.stack
    )
    text = THREADS.text(data)
    assert f"({sample.EVIL} daemon, id {thread.ident}, LWP " in text and "elapsed_ms: " in text
    assert json.loads(render(THREADS, PageFormat.JSON, data))["threads"]
    html = render(THREADS, PageFormat.HTML, data)
    assert "<script" not in html and "&lt;script&gt;" in html and " stand_still\n" in html


def test_thread_that_python_did_not_start_has_no_name() -> None:
    data = at_once(threads.collect(sample.context(debugging=ON), Visit()))
    data = replace(data, threads=(replace(data.threads[0], name=""),))
    assert THREADS.text(data).startswith("Thread 1 (?")


def test_X9_off_unless_it_is_switched_on() -> None:
    data = at_once(threads.collect(sample.context(), Visit()))
    assert (THREADS.status(data), data.threads) == (403, ())
    assert "-enable_threads_service" in THREADS.text(data)
