"""What of HTTP a process holds before anybody has asked for it, what each page brings, and what is missed at once."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.harness.clock import ROOT, deadline, wait_until_sync
from tests.harness.server import EdgeServer
from tests.net.live import playing

# 33 MB are measured, and 50 with HTTP; what is between is for other builds of Python and of the libraries.
IDLE_KB = 42_000
_LOADED = re.compile(r"^import time: .*\| +(\S+)$", re.MULTILINE)


class TellingServer(EdgeServer):
    """Its log names each module that a statement loads; one loaded by its name in a variable it leaves out."""

    def __init__(self, *flags: str) -> None:
        super().__init__(*flags, has_internal_port=False, launcher=("env", "PYTHONPROFILEIMPORTTIME=1"))

    def has(self, *names: str) -> list[str]:
        """Those of ``names`` that are loaded by now."""
        loaded = set(_LOADED.findall(self.log))
        return [name for name in names if name in loaded]


async def play_once(server: EdgeServer) -> None:
    """Publish one picture and see it played."""
    publisher, player = await playing(server.rtmp_url("live", "s"))
    for client in (player, publisher):
        client.peer.abort()


def test_what_only_http_needs_is_loaded_when_it_is_asked_for() -> None:
    with TellingServer() as server:
        wait_until_sync(lambda: "look at: http://" in server.log, deadline(1), "the last start line")
        asyncio.run(play_once(server))
        later = ("aiohttp", "email", "http", "jinja2", "edge.httpd.connection", "grpc", "google.protobuf")
        assert server.has("edge.net.rtmp.server", *later) == ["edge.net.rtmp.server"]
        assert server.http("/health") == b"OK\n"
        assert server.has("aiohttp", "edge.httpd.connection", "jinja2", "grpc") == ["aiohttp", "edge.httpd.connection"]
        page = urllib.request.Request(f"http://{server.address}/", headers={"Accept": "text/html"})
        with urllib.request.urlopen(page, timeout=deadline(5)) as answer:
            assert b"<html" in answer.read()
        assert server.has("jinja2") == ["jinja2"]


def test_an_idle_process_is_small() -> None:
    with EdgeServer(has_internal_port=False) as server:
        wait_until_sync(lambda: "look at: http://" in server.log, deadline(1), "the last start line")
        if Path("/proc/self/status").exists():
            assert server.rss_kb < IDLE_KB


def test_who_would_rather_wait_at_the_start_has_it_loaded_unasked() -> None:
    with TellingServer("-http_preload") as server:
        wait_until_sync(lambda: server.has("edge.builtin.version"), deadline(10), "HTTP to be loaded")
        assert server.http("/health") == b"OK\n"


# --- the check of what is installed -----------------------------------------

_WITHOUT = """
import sys
sys.modules["jinja2"] = None  # as if it were not installed
from edge.runtime.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("use", [("--check",), ("-port=0", "-bind=127.0.0.1")])
def test_a_library_that_only_pages_need_is_missed_at_once(use: tuple[str, ...]) -> None:
    command = [sys.executable, "-c", _WITHOUT, *use]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "installation: HTTP and its pages need jinja2: not installed" in done.stdout + done.stderr


def test_check_loads_what_the_start_would_load_at_once() -> None:
    broken = _WITHOUT.replace("jinja2", "edge.httpd.live")
    command = [sys.executable, "-c", broken, "--check"]
    done = subprocess.run([*command, "-http_preload"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "installation: HTTP and its pages cannot be loaded: " in done.stdout
    assert subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60).returncode == 0
