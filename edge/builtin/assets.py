"""The files that the player and the console load: scripts and styles of ours, and players that others wrote.

Nothing is read before the first request for it; from then on it is held, compressed too for clients that take that.
``static/vendor/versions.json`` says which version each player is, and what its file must be.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import zlib
from email.utils import formatdate
from pathlib import Path

from aiohttp import web

from edge.httpd.routes import Handler, Route, Target
from edge.net.aio import wall_ms

FOLDER = Path(__file__).parent / "static"
VENDOR_FOLDER = FOLDER / "vendor"
_VERSIONS = VENDOR_FOLDER / "versions.json"
_STYLE = Path(__file__).parent / "templates" / "style.css"

_PREFIX = "/-/player/"
_JAVASCRIPT = "text/javascript"
# A name with a version in it means the same bytes for ever; what is ours may be another with the next release.
_FOR_EVER = "public, max-age=31536000, immutable"
_ASKED_AGAIN = "no-cache"
# So much is compressed at a time, within 2 ms, before others have their turn.
_SLICE_BYTES = 32768
# What media-server gives.
_HLS_MIN_LIFE_S = 80_000

_OWN_FILES = {
    "player.js": (FOLDER / "player.js", _JAVASCRIPT),
    "engines.js": (FOLDER / "engines.js", _JAVASCRIPT),
    "reports.js": (FOLDER / "reports.js", _JAVASCRIPT),
    "words.js": (FOLDER / "words.js", _JAVASCRIPT),
    "vars.js": (FOLDER / "vars.js", _JAVASCRIPT),
    "vars.css": (FOLDER / "vars.css", "text/css"),
    "player.css": (FOLDER / "player.css", "text/css"),
    "console.js": (FOLDER / "console.js", _JAVASCRIPT),
    "console_charts.js": (FOLDER / "console_charts.js", _JAVASCRIPT),
    "console_preview.js": (FOLDER / "console_preview.js", _JAVASCRIPT),
    "console_view.js": (FOLDER / "console_view.js", _JAVASCRIPT),
    "console.css": (FOLDER / "console.css", "text/css"),
    "sort.js": (FOLDER / "sort.js", _JAVASCRIPT),
    "style.css": (_STYLE, "text/css"),
}
STYLE_URLS = (f"{_PREFIX}style.css", f"{_PREFIX}player.css")


class Asset:
    """One file, read when it is first asked for.

    Attributes:
        url: path under which it is served.
        cache: how long clients may keep it (``Cache-Control``).
        last_modified: HTTP date of a file whose date is known, or "".
    """

    def __init__(self, url: str, file: Path, content_type: str, *, cache: str, last_modified: str = "") -> None:
        self.url, self.cache, self.last_modified = url, cache, last_modified
        self._file, self._content_type = file, content_type
        self._body = b""
        self._tag = ""
        self._compressed = b""

    def response(self, body: bytes, headers: dict[str, str], content_type: str = "") -> web.Response:
        """200 with ``body``."""
        return web.Response(
            body=body, content_type=content_type or self._content_type, charset="utf-8", headers=headers
        )

    def load(self) -> None:
        """Read the file, if that has not been done."""
        if not self._tag:
            self._body = self._file.read_bytes()
            self._tag = hashlib.sha256(self._body).hexdigest()[:32]

    def tag(self, *, is_compressed: bool) -> str:
        """The entity tag of what is sent; loads it."""
        self.load()
        return f'"{self._tag}-gzip"' if is_compressed else f'"{self._tag}"'

    async def body(self, *, is_compressed: bool) -> bytes:
        """What is sent; loads it."""
        self.load()
        if not is_compressed:
            return self._body
        if not self._compressed:
            self._compressed = await _compress(self._body)
        return self._compressed


async def _compress(body: bytes) -> bytes:
    """As gzip; whoever else has something to do is let before each slice."""
    compressor = zlib.compressobj(wbits=31)
    parts = []
    for start in range(0, len(body), _SLICE_BYTES):
        parts.append(compressor.compress(body[start : start + _SLICE_BYTES]))
        await asyncio.sleep(0)
    return b"".join([*parts, compressor.flush()])


def accepts_gzip(request: web.BaseRequest) -> bool:
    """Whether the client takes gzip, RFC 9110 §12.5.3."""
    for item in ",".join(request.headers.getall("Accept-Encoding", ())).split(","):
        coding, _, weight = item.partition(";")
        if coding.strip().lower() == "gzip":
            return weight.replace(" ", "").lower() not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def versions() -> dict[str, dict[str, str]]:
    """What is known of each player: ``version``, ``file``, ``sha256`` and so on."""
    found: dict[str, dict[str, str]] = json.loads(_VERSIONS.read_text(encoding="utf-8"))
    return found


def _players() -> dict[str, Asset]:
    return {
        name: Asset(
            f"{_PREFIX}{name}-{facts['version']}.js",
            VENDOR_FOLDER / facts["file"],
            _JAVASCRIPT,
            cache=_FOR_EVER,
            last_modified=facts["last_modified"],
        )
        for name, facts in versions().items()
    }


PLAYERS = _players()


def own_url(name: str) -> str:
    """Where a file of ours is."""
    return f"{_PREFIX}{name}"


def script_urls() -> dict[str, str]:
    """Where the page's own script and the players are."""
    return {"page": f"{_PREFIX}player.js", **{name: asset.url for name, asset in PLAYERS.items()}}


def asset_routes() -> list[Route]:
    """A row for each file, as guarded as the pages, and media-server's name of hls.js, which is open as it is there."""
    own = [Asset(f"{_PREFIX}{name}", *facts, cache=_ASKED_AGAIN) for name, facts in _OWN_FILES.items()]
    routes = [Route(asset.url, _handler(asset)) for asset in (*own, *PLAYERS.values())]
    return [*routes, Route("/get_hls_min", _get_hls_min, is_guarded=False)]


def _handler(asset: Asset) -> Handler:
    async def handle(request: web.BaseRequest, _target: Target) -> web.StreamResponse:
        is_compressed = accepts_gzip(request)
        tag = asset.tag(is_compressed=is_compressed)
        headers = {"Cache-Control": asset.cache, "ETag": tag, "Vary": "Accept-Encoding"}
        known = ",".join(request.headers.getall("If-None-Match", ()))
        if tag in known or known.strip() == "*":
            return web.Response(status=304, headers=headers)
        return await _send(asset, is_compressed, headers)

    return handle


async def _send(asset: Asset, is_compressed: bool, headers: dict[str, str], content_type: str = "") -> web.Response:
    if is_compressed:
        headers["Content-Encoding"] = "gzip"
    return asset.response(await asset.body(is_compressed=is_compressed), headers, content_type)


async def _get_hls_min(request: web.BaseRequest, _target: Target) -> web.StreamResponse:
    """hls.js for pages elsewhere; as media-server does, it goes by the exact text of the date."""
    asset = PLAYERS["hls"]
    headers = {
        "Expires": formatdate(wall_ms() // 1000 + _HLS_MIN_LIFE_S, usegmt=True),
        "Last-Modified": asset.last_modified,
        "Vary": "Accept-Encoding",
    }
    if request.headers.get("If-Modified-Since") == asset.last_modified:
        return web.Response(status=304, headers=headers)
    return await _send(asset, accepts_gzip(request), headers, "application/javascript")
