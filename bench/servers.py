"""The two servers that are measured: ours, and nginx with its RTMP module where it is installed."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from bench.load import ROOT, BenchError, Program, Row

_MODULE = "ngx_rtmp_module.so"
_MODULE_FOLDERS = ("/usr/lib/nginx/modules", "/usr/share/nginx/modules", "/usr/lib64/nginx/modules")
_START_LIMIT_S = 10.0

#: How each configuration of nginx begins: defaults but for room for the players.
NGINX_HEAD = """load_module {module};
daemon off;
master_process off;
pid nginx.pid;
error_log error.log crit;
events {{ worker_connections 32768; }}
rtmp {{
  access_log off;
  server {{
    listen 127.0.0.1:{port};
"""
#: And room for pings: drained players answer none.
NGINX_CONFIGURATION = (
    NGINX_HEAD
    + """    ping 1h;
    application live {{ live on; }}
  }}
}}
"""
)


def leave_on_sigterm() -> None:
    """End as if interrupted, so that what has been started is stopped."""

    def leave(*_: object) -> None:
        raise SystemExit(143)

    signal.signal(signal.SIGTERM, leave)


class Server(Protocol):
    """A server that can be started on a port with flags of its own."""

    @property
    def name(self) -> str: ...

    def shown(self, flags: Sequence[str]) -> str:
        """The command as a reader would type it."""

    def command(self, port: int, flags: Sequence[str], folder: Path) -> list[str]:
        """The command to run; files it needs are put into ``folder``."""

    def status(self, port: int) -> Row:
        """What a running one says of itself; empty where it says nothing."""


class Edge:
    """This checkout."""

    name = "edge"

    def shown(self, flags: Sequence[str]) -> str:
        return shlex.join(["python", "-m", "edge", "-port=PORT", "-bind=127.0.0.1", *flags])

    def command(self, port: int, flags: Sequence[str], folder: Path) -> list[str]:
        return [sys.executable, "-m", "edge", f"-port={port}", "-bind=127.0.0.1", *flags]

    def status(self, port: int) -> Row:
        """Its flush interval now and how often players were moved on."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/status.json", timeout=10) as answer:
                counters = json.loads(answer.read())["counters"]
        except (OSError, ValueError, KeyError):
            return {}
        return {name: counters[name] for name in ("flush_interval_ms", "player_jump_count") if name in counters}


class Nginx:
    """One worker of nginx with its RTMP module."""

    name = "nginx"

    def __init__(self, program: str, module: Path) -> None:
        self._program, self._module = program, module

    def shown(self, flags: Sequence[str]) -> str:
        return "nginx -c nginx.conf"

    def command(self, port: int, flags: Sequence[str], folder: Path) -> list[str]:
        configuration = folder / "nginx.conf"
        configuration.write_text(NGINX_CONFIGURATION.format(module=self._module, port=port))
        return [self._program, "-p", f"{folder}/", "-c", str(configuration), "-e", str(folder / "error.log")]

    def status(self, port: int) -> Row:
        return {}

    def version(self) -> str:
        """Such as ``nginx/1.22.1, RTMP module 1:1.2.2``; the module's only where dpkg knows it."""
        said = subprocess.run([self._program, "-v"], capture_output=True, text=True).stderr.rpartition(": ")[2].strip()
        if shutil.which("dpkg-query"):
            query = ["dpkg-query", "-W", "-f=${Version}", "libnginx-mod-rtmp"]
            module = subprocess.run(query, capture_output=True, text=True).stdout.strip()
            return f"{said}, RTMP module {module}" if module else said
        return said


def installed_nginx() -> Nginx | None:
    """``None`` without nginx or its RTMP module."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    module = next((Path(folder) / _MODULE for folder in _MODULE_FOLDERS if (Path(folder) / _MODULE).exists()), None)
    return Nginx(program, module) if program and module else None


class Running:
    """A started server; a context manager that stops it."""

    def __init__(self, server: Server, flags: Sequence[str], core: int, *, is_asked: bool = True) -> None:
        """``is_asked``: its status is going to be asked for, and what that loads is loaded at once."""
        self._server = server
        self._is_asked = is_asked
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._folder = tempfile.TemporaryDirectory(prefix="edge-bench-")
        command = server.command(self.port, flags, Path(self._folder.name))
        self.program = Program(command, core, environment={"PYTHONPATH": str(ROOT)})

    def __enter__(self) -> Running:
        try:
            self._wait_until_listening()
            if self._is_asked:
                # What its first answer loads shall count neither as memory of players nor as CPU of a window.
                self._server.status(self.port)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait_until_listening(self) -> None:
        end_s = time.monotonic() + _START_LIMIT_S
        while time.monotonic() < end_s:
            if self.program.exit_code is not None:
                raise BenchError(f"{self._server.name} left with {self.program.exit_code}: {self.program.last_words()}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise BenchError(f"{self._server.name} does not listen after {_START_LIMIT_S:.0f} s")

    def __exit__(self, *_: object) -> None:
        self.program.stop()
        self._folder.cleanup()
