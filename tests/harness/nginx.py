"""nginx: with its RTMP module the foreign server at either end of ours, with its stream module TLS before ours.

Without either it gives out files.
"""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from pathlib import Path
from typing import Self

from tests.harness.clients import Program
from tests.harness.clock import deadline, missing, require_program, wait_until
from tests.harness.ports import free_port

_MODULES = (Path("/usr/lib/nginx/modules"), Path("/usr/share/nginx/modules"), Path("/usr/lib64/nginx/modules"))


def rtmp_module() -> Path:
    """The dynamic module; a test without it is skipped, or fails under ``CI=true``."""
    return _module("ngx_rtmp_module.so", "RTMP")


def _module(file: str, name: str) -> Path:
    require_program("nginx")
    for folder in _MODULES:
        if (folder / file).exists():
            return folder / file
    missing(f"nginx has no {name} module")
    raise AssertionError


class Nginx:
    """One nginx worker in the foreground."""

    def __init__(self) -> None:
        self.port = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="edge-test-nginx-")
        self._program: Program | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        path = Path(self._folder.name) / "error.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _module(self) -> Path | None:
        raise NotImplementedError

    def _servers(self) -> str:
        raise NotImplementedError

    def _configuration(self) -> str:
        module = self._module()
        return f"""
{f"load_module {module};" if module else ""}
daemon off;
master_process off;
pid nginx.pid;
error_log error.log info;
events {{ worker_connections 4096; }}
{self._servers()}
"""

    async def start(self) -> None:
        folder = Path(self._folder.name)
        (folder / "nginx.conf").write_text(self._configuration())
        self._program = Program(
            *(require_program("nginx"), "-p", f"{folder}/", "-c", str(folder / "nginx.conf")),
            *("-e", str(folder / "error.log")),
        )
        await wait_until(self._is_serving, deadline(3), "nginx to listen")

    def _is_serving(self) -> bool:
        assert self._program is not None
        code = self._program.exit_code
        assert code is None, f"nginx left with {code}:\n{self._program.stderr}{self.log}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    async def restart(self) -> None:
        """Kill it and start it again on its port."""
        assert self._program is not None
        self._program.__exit__()
        await self.start()

    async def stop(self) -> None:
        if self._program is not None:
            self._program.__exit__()
        self._folder.cleanup()
        await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            print(f"--- log of nginx on port {self.port}\n{self.log[-3000:]}")
        await self.stop()


class NginxRtmp(Nginx):
    """An RTMP server with one application, ``live``."""

    def __init__(self, *directives: str) -> None:
        """``directives`` go into the application, as ``push rtmp://127.0.0.1:1935/live``."""
        super().__init__()
        self.directives = directives

    def rtmp_url(self, name: str) -> str:
        return f"rtmp://{self.address}/live/{name}"

    def _module(self) -> Path:
        return rtmp_module()

    def _servers(self) -> str:
        extra = "\n".join(f"      {directive};" for directive in self.directives)
        return f"""
rtmp {{
  server {{
    listen 127.0.0.1:{self.port};
    chunk_size 4096;
    application live {{
      live on;
      wait_key on;
      wait_video on;
      publish_notify on;
{extra}
    }}
  }}
}}
"""


class NginxTls(Nginx):
    """Takes TLS off and hands on what is inside."""

    def __init__(self, target: str, certificate: Path, key: Path, *directives: str) -> None:
        """``target`` is ``host:port``; ``directives`` go into the server, as ``ssl_verify_client on``."""
        super().__init__()
        self._target, self._certificate, self._key = target, certificate, key
        self._directives = directives

    def _module(self) -> Path:
        return _module("ngx_stream_module.so", "stream")

    def _servers(self) -> str:
        extra = "\n".join(f"    {directive};" for directive in self._directives)
        return f"""
stream {{
  server {{
    listen 127.0.0.1:{self.port} ssl;
    ssl_certificate {self._certificate};
    ssl_certificate_key {self._key};
    proxy_pass {self._target};
{extra}
  }}
}}
"""


class NginxBalancer(Nginx):
    """Hands connections on as they are, and says whose they are in the PROXY header."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self._target = target

    def _module(self) -> Path:
        return _module("ngx_stream_module.so", "stream")

    def _servers(self) -> str:
        return f"""
stream {{
  server {{
    listen 127.0.0.1:{self.port};
    proxy_pass {self._target};
    proxy_protocol on;
  }}
}}
"""


class NginxFiles(Nginx):
    """Gives out files over HTTP."""

    def __init__(self, server: str) -> None:
        """``server``: its block; ``{port}`` in it is where to listen."""
        super().__init__()
        self._server = server

    def _module(self) -> None:
        return None

    def _servers(self) -> str:
        # As root it gives up root, and would not be let into a directory of the test.
        user = "user root;" if os.getuid() == 0 else ""
        return f"""
{user}
http {{
  access_log off;
{self._server.replace("{port}", f"127.0.0.1:{self.port}")}
}}
"""
