"""nginx as an HTTP cache before two edges, with the configuration that ``docs/playback.md`` gives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.harness.clock import ROOT
from tests.harness.nginx import Nginx


class CacheLine(NamedTuple):
    """A request that a cache has answered.

    Attributes:
        at_s: of its end, since 1970.
        took_s: with the transfer.
        cache: how, as ``HIT`` or ``MISS``.
        upstreams: edges that were asked, in order.
        upstream_statuses: what they said; 502 stands for a connection that came to nothing.
        uri: with its query.
    """

    at_s: float
    took_s: float
    status: int
    cache: str
    upstreams: tuple[str, ...]
    upstream_statuses: tuple[str, ...]
    uri: str


class NginxCache(Nginx):
    """An HTTP cache before edges, as ``docs/playback.md`` has it."""

    def __init__(self, edges: Sequence[str], *, secret: str = "") -> None:
        """``edges`` are two ``host:port``; ``secret``: by which they know it as a CDN, "" for none."""
        super().__init__()
        self._edges = edges
        self._secret = secret

    def lines(self) -> list[CacheLine]:
        """All requests so far."""
        path = Path(self._folder.name) / "access.log"
        found = []
        for line in path.read_text().splitlines() if path.exists() else ():
            at_s, took_s, status, cache, upstreams, statuses, uri = line.split("|", 6)
            asked = tuple(part.strip() for part in upstreams.split(",") if part.strip() != "-")
            found.append(
                CacheLine(
                    float(at_s), float(took_s), int(status), cache, asked, tuple(re.findall(r"[0-9]+", statuses)), uri
                )
            )
        return found

    def _configuration(self) -> str:
        return f"""
daemon off;
master_process off;
pid nginx.pid;
error_log error.log info;
events {{ worker_connections 4096; }}
http {{
  log_format cache "$msec|$request_time|$status|$upstream_cache_status|$upstream_addr|$upstream_status|$request_uri";
  access_log access.log cache;
{self._recipe()}
}}
"""

    def _recipe(self) -> str:
        page = (ROOT / "docs" / "playback.md").read_text()
        found = re.search(r"```nginx\n(proxy_cache_path.*?)```", page, re.DOTALL)
        assert found is not None, "the page has no recipe"
        recipe = found[1]
        if self._secret:
            connection = 'proxy_set_header Connection "";'
            recipe = recipe.replace(
                connection, f'{connection}\n    proxy_set_header Authorization "Bearer {self._secret}";'
            )
        for old, new in (
            ("/var/cache/nginx/hls", f"{self._folder.name}/cache"),
            ("10.0.0.1:8079", self._edges[0]),
            ("10.0.0.2:8079", self._edges[1]),
            ("listen 80;", f"listen 127.0.0.1:{self.port};"),
        ):
            assert recipe.count(old) == 1, f"{old} in the recipe"
            recipe = recipe.replace(old, new)
        return recipe
