"""Where files are, and what playlists call them."""

from __future__ import annotations

from urllib.parse import unquote, urljoin

import pytest

from edge.hls.names import SegmentName
from edge.hls_disk.config import DiskConfig
from edge.hls_disk.names import Names, state_path, uri_of
from edge.hub.key import StreamKey
from tests.hls_disk.files import KEY, WALL_MS

NAME = SegmentName("5f0c", 890, 34000)


def test_defaults_are_those_of_SRS() -> None:
    names = Names(DiskConfig())
    assert names.playlist(KEY) == "live/cam.m3u8"
    assert names.segment(KEY, "ts", 891, NAME, 2000, WALL_MS) == "live/cam-891.ts"
    assert names.segment(KEY, "m4s", 891, NAME, 2000, WALL_MS) == "live/cam-891.m4s"
    assert names.init(KEY, "0123") == "live/cam-0123.init.mp4"


def test_all_variables_of_a_segment() -> None:
    names = Names(DiskConfig(hls_ts_file="[vhost]/[app]/[stream]/[epoch]-[seq]-[duration]-[timestamp].ts"))
    found = names.segment(StreamKey("a.example", "live", "x/y"), "ts", 5, NAME, 2001, WALL_MS)
    assert found == f"a.example/live/x/y/5f0c-5-2001-{WALL_MS}.ts"


@pytest.mark.parametrize(
    ("path", "playlist", "uri"),
    [
        ("live/cam-5.ts", "live/cam.m3u8", "cam-5.ts"),
        ("cam-5.ts", "cam.m3u8", "cam-5.ts"),
        ("ts/live/cam-5.ts", "m3u8/live/cam.m3u8", "../../ts/live/cam-5.ts"),
        ("live/2026/cam-5.ts", "live/cam.m3u8", "2026/cam-5.ts"),
        ("live/a b#c?d%2F:é-5.ts", "live/cam.m3u8", "a%20b%23c%3Fd%252F%3A%C3%A9-5.ts"),
    ],
)
def test_uris_are_relative_and_encoded(path: str, playlist: str, uri: str) -> None:
    assert uri_of(path, playlist) == uri
    assert unquote(urljoin(f"/{playlist}", uri)) == f"/{path}"


def test_with_a_prefix_they_are_absolute() -> None:
    for prefix in ("http://cdn.example.com/x", "http://cdn.example.com/x/"):
        assert uri_of("live/a b-5.ts", "live/cam.m3u8", prefix) == "http://cdn.example.com/x/live/a%20b-5.ts"


def test_the_state_is_hidden_beside_the_playlist() -> None:
    assert state_path("live/cam.m3u8") == "live/.cam.m3u8.edge-state"
    assert state_path("cam.m3u8") == ".cam.m3u8.edge-state"
