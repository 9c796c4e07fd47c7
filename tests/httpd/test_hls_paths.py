"""What paths and queries of playlists ask for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.httpd.hls_paths import (
    Directives,
    PlaylistPath,
    Scheme,
    media_suffix,
    parse_directives,
    parse_playlist_path,
    safe_query,
    shared_query,
)
from edge.hub.key import StreamKey
from edge.service.names import StreamName


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/live/a.m3u8", PlaylistPath("/live/a", Scheme.DEFAULT, False)),
        ("/live/a.classic.m3u8", PlaylistPath("/live/a", Scheme.CLASSIC, False)),
        ("/live/a.classic.media.m3u8", PlaylistPath("/live/a", Scheme.CLASSIC, True)),
        ("/live/a.ll.m3u8", PlaylistPath("/live/a", Scheme.LOW_LATENCY, False)),
        ("/live/a.ll.media.m3u8", PlaylistPath("/live/a", Scheme.LOW_LATENCY, True)),
        ("/live/a.dynamic.m3u8", PlaylistPath("/live/a", Scheme.TWO_LEVEL, True)),
        ("/live/a.kf.dynamic.m3u8", PlaylistPath("/live/a", Scheme.TWO_LEVEL, True, at_keyframes=True)),
        ("/live/a.lss12.dynamic.m3u8", PlaylistPath("/live/a", Scheme.TWO_LEVEL, True, session="12")),
        ("/live/a.lss.dynamic.m3u8", PlaylistPath("/live/a.lss", Scheme.TWO_LEVEL, True)),
        ("/live/a.lss-1.dynamic.m3u8", PlaylistPath("/live/a.lss-1", Scheme.TWO_LEVEL, True)),
        ("/live/a.lss\u0661.dynamic.m3u8", PlaylistPath("/live/a.lss\u0661", Scheme.TWO_LEVEL, True)),
        ("/live/a.media.m3u8", PlaylistPath("/live/a.media", Scheme.DEFAULT, False)),
        ("/live/.m3u8.m3u8", PlaylistPath("/live/.m3u8", Scheme.DEFAULT, False)),
    ],
)
def test_paths(path: str, asked: PlaylistPath) -> None:
    assert parse_playlist_path(path) == asked


@given(
    name=st.text(min_size=1).filter(lambda name: not name.endswith("/")),
    scheme=st.sampled_from([Scheme.TWO_LEVEL, Scheme.CLASSIC, Scheme.LOW_LATENCY]),
    session=st.sampled_from(["", "0", "18446744073709551615"]),
    at_keyframes=st.booleans(),
)
def test_media_playlists_of_any_stream_come_back(name: str, scheme: Scheme, session: str, at_keyframes: bool) -> None:
    """A viewer whose stream's name had a new line never found its session."""
    is_two_level = scheme is Scheme.TWO_LEVEL
    session, at_keyframes = session if is_two_level else "", at_keyframes and is_two_level and not session
    suffix = media_suffix(scheme, at_keyframes=at_keyframes, session=session)
    wanted = PlaylistPath(f"/live/{name}x", scheme, True, at_keyframes, session)
    assert parse_playlist_path(f"/live/{name}x{suffix}") == wanted


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", Directives()),
        ("a=1&vhost=b", Directives()),
        ("_HLS_msn=7", Directives(7)),
        ("_HLS_msn=0&_HLS_part=0", Directives(0, 0)),
        ("_HLS_msn=7&_HLS_part=2&_HLS_skip=YES&a=b", Directives(7, 2, True)),
        ("_HLS_skip=v2", Directives(is_delta=True)),
        ("_HLS_skip=NO", Directives()),
        ("_HLS_part=2", None),
        ("_HLS_msn=", None),
        ("_HLS_msn=7&_HLS_part=", None),
        ("_HLS_msn=-1", None),
        ("_HLS_msn=1_0", None),
        ("_HLS_msn=\u0661", None),
        ("_HLS_msn=1.5", None),
        ("_HLS_msn=" + "9" * 100_000, None),
        ("_HLS_msn=7&_HLS_part=x", None),
    ],
)
def test_directives(query: str, found: Directives | None) -> None:
    assert parse_directives(query) == found


def test_of_a_query_what_names_the_stream_is_shared() -> None:
    name = StreamName(StreamKey("_", "live", "a"), "", only_audio=True)
    shared = shared_query("token=secret&vhost=a%22b&only-audio=1&only-video=1&only-audio=2&x", name)
    assert "token" not in shared and "vhost=a%22b" in shared and "only-audio=1" in shared
    assert "only-audio=2" not in shared
    assert "only-audio" not in shared_query("only-audio=1", StreamName(StreamKey("_", "live", "a"), ""))


@given(st.text())
def test_any_query_may_stand_in_a_playlist(query: str) -> None:
    safe = safe_query(query)
    assert safe.isascii() and not set(safe) & set('"\r\n #<>\\{}|^`')
