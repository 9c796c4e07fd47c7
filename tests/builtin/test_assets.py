from __future__ import annotations

import gzip
import hashlib
import tomllib
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from fnmatch import fnmatch
from pathlib import Path

import pytest

from edge.builtin import assets
from edge.builtin.assets import FOLDER, PLAYERS, STYLE_URLS, VENDOR_FOLDER, asset_routes, script_urls, versions
from edge.httpd.config import HttpConfig
from tests.httpd.serving import body_of, serving, status_of

ROOT = Path(__file__).resolve().parents[2]
GZIP = "Accept-Encoding: deflate, gzip;q=0.8\r\n"


def header(answer: bytes, name: str) -> str:
    head = answer.partition(b"\r\n\r\n")[0].decode()
    found = [line.partition(": ")[2] for line in head.split("\r\n") if line.lower().startswith(f"{name.lower()}: ")]
    return found[0] if found else ""


@pytest.mark.parametrize("name", versions())
def test_players_are_what_their_makers_published(name: str) -> None:
    facts = versions()[name]
    body = (VENDOR_FOLDER / facts["file"]).read_bytes()
    assert hashlib.sha256(body).hexdigest() == facts["sha256"]
    assert facts["version"].encode() in body
    licence = (VENDOR_FOLDER / facts["licence"]).read_text(encoding="utf-8")
    assert "Apache License" in licence or "http://www.apache.org/licenses/LICENSE-2.0" in licence
    assert PLAYERS[name].url == f"/-/player/{name}-{facts['version']}.js"


def test_every_file_gets_into_the_package() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    patterns = settings["package-data"]["edge.builtin"]
    builtin = FOLDER.parent
    files = [
        path.relative_to(builtin) for path in builtin.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    for file in files:
        depth = len(file.parts)
        known = [pattern for pattern in patterns if len(Path(pattern).parts) == depth and fnmatch(str(file), pattern)]
        assert file.suffix == ".py" or known, file


async def test_nothing_is_read_before_it_is_asked_for() -> None:
    for asset in PLAYERS.values():
        asset.__init__(
            asset.url, asset._file, asset._content_type, cache=asset.cache, last_modified=asset.last_modified
        )
    async with serving(routes=asset_routes()) as server:
        assert {asset._body for asset in PLAYERS.values()} == {b""}
        await server.get(PLAYERS["hls"].url)
        assert PLAYERS["hls"]._body and not PLAYERS["hls"]._compressed and not PLAYERS["mpegts"]._body


def every_file() -> Iterator[tuple[str, Path, str]]:
    for name, facts in versions().items():
        yield PLAYERS[name].url, VENDOR_FOLDER / facts["file"], "text/javascript; charset=utf-8"
    for name, (file, content_type) in assets._OWN_FILES.items():
        yield f"/-/player/{name}", file, f"{content_type}; charset=utf-8"


@pytest.mark.parametrize(("url", "file", "content_type"), list(every_file()), ids=lambda it: str(it).rpartition("/")[2])
async def test_files_are_served_as_they_are(url: str, file: Path, content_type: str) -> None:
    body = file.read_bytes()  # noqa: ASYNC240
    async with serving(routes=asset_routes()) as server:
        plain = await server.get(url)
        assert status_of(plain) == 200 and body_of(plain) == body
        assert header(plain, "Content-Type") == content_type
        assert header(plain, "Vary") == "Accept-Encoding" and header(plain, "X-Content-Type-Options") == "nosniff"
        packed = await server.get(url, headers=GZIP)
        assert header(packed, "Content-Encoding") == "gzip" and gzip.decompress(body_of(packed)) == body
        assert len(body_of(packed)) == int(header(packed, "Content-Length")) < len(body)
        assert header(packed, "ETag") != header(plain, "ETag") != ""
        for answer, accepts in ((plain, ""), (packed, GZIP)):
            again = await server.get(url, headers=f'If-None-Match: "x", {header(answer, "ETag")}\r\n{accepts}')
            assert status_of(again) == 304 and body_of(again) == b"" and header(again, "ETag") == header(answer, "ETag")
        assert status_of(await server.get(url, headers='If-None-Match: "x"\r\n')) == 200
        head = await server.get(url, method="HEAD")
        assert status_of(head) == 200 and body_of(head) == b"" and int(header(head, "Content-Length")) == len(body)
        assert status_of(await server.get(url, method="POST")) == 405


async def test_only_what_bears_its_version_is_kept_for_ever() -> None:
    async with serving(routes=asset_routes()) as server:
        for asset in PLAYERS.values():
            assert header(await server.get(asset.url), "Cache-Control") == "public, max-age=31536000, immutable"
        for url in (*STYLE_URLS, script_urls()["page"]):
            assert header(await server.get(url), "Cache-Control") == "no-cache"
        for url in (
            "/-/player/",
            "/-/player/hls-0.0.1.js",
            "/-/player/vendor/versions.json",
            "/-/player/..%2fassets.py",
        ):
            assert status_of(await server.get(url)) in (400, 404), url


@pytest.mark.parametrize("accepts", ["", "gzip;q=0", "gzip; q=0.0", "br", "x-gzip"])
async def test_whoever_takes_no_gzip_gets_none(accepts: str) -> None:
    async with serving(routes=asset_routes()) as server:
        answer = await server.get(script_urls()["page"], headers=f"Accept-Encoding: {accepts}\r\n")
        assert header(answer, "Content-Encoding") == ""


async def test_modules_import_what_is_served() -> None:
    routes = {route.path for route in asset_routes()}
    for name, (file, _) in assets._OWN_FILES.items():
        if name.endswith(".js"):
            for line in file.read_text(encoding="utf-8").splitlines():
                if line.startswith("import "):
                    assert f"/-/player/{line.rpartition('./')[2].rstrip(';').rstrip(chr(34))}" in routes, line


async def test_media_servers_name_of_hls_js() -> None:
    body = (VENDOR_FOLDER / versions()["hls"]["file"]).read_bytes()
    # It is no page: it is where others are not.
    async with serving(HttpConfig(is_internal_port_set=True), asset_routes()) as server:
        answer = await server.get("/get_hls_min")
        assert status_of(answer) == 200 and body_of(answer) == body
        assert header(answer, "Content-Type") == "application/javascript; charset=utf-8"
        life = parsedate_to_datetime(header(answer, "Expires")) - parsedate_to_datetime(header(answer, "Date"))
        assert abs(life.total_seconds() - 80_000) <= 1
        modified = header(answer, "Last-Modified")
        assert modified == versions()["hls"]["last_modified"] and parsedate_to_datetime(modified)
        known = await server.get("/get_hls_min", headers=f"If-Modified-Since: {modified}\r\n")
        assert status_of(known) == 304 and body_of(known) == b"" and header(known, "Expires")
        other = await server.get("/get_hls_min", headers="If-Modified-Since: Wed, 16 Sep 2099 01:25:30 GMT\r\n")
        assert status_of(other) == 200
        packed = await server.get("/get_hls_min", headers=GZIP)
        assert gzip.decompress(body_of(packed)) == body
        assert status_of(await server.get("/get_hls_min", method="POST")) == 405
        assert status_of(await server.get(script_urls()["page"])) == 403
