"""Playlists: what stands in them, as a judge reads them that takes nothing doubtful."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.hls import playlist
from edge.hls.config import HlsConfig
from edge.hls.names import Uris
from edge.hub.config import HubConfig
from edge.media.frame import AUDIO
from tests.harness.m3u8 import parse_media, parse_multivariant
from tests.hls.feeding import AAC_MONO_BODY, AVC_OTHER_BODY, URIS, WALL_MS, Origin, Watched


def watch(kind: str, until_ms: int = 20_000, config: HlsConfig | None = None) -> tuple[Origin, Watched]:
    origin = Origin()
    watched = Watched(origin.stream, kind, config)
    origin.headers()
    origin.run(0, until_ms)
    return origin, watched


def test_multivariant() -> None:
    text = playlist.multivariant(
        "a.ll.media.m3u8?vhost=b", bandwidth=0, codecs="avc1.64000a,mp4a.40.2", resolution=(640, 360), version=6
    )
    (variant,) = parse_multivariant(text).variants
    assert (variant.uri, variant.bandwidth, variant.codecs) == ("a.ll.media.m3u8?vhost=b", 1, "avc1.64000a,mp4a.40.2")
    assert variant.resolution == (640, 360) and "EXT-X-VERSION:6" in text
    (plain,) = parse_multivariant(playlist.multivariant("a", bandwidth=5)).variants
    assert plain.codecs is None and plain.resolution is None
    (plain,) = parse_multivariant(playlist.multivariant("a", bandwidth=5, resolution=(0, 360))).variants
    assert plain.resolution is None


def test_multivariant_with_content_steering() -> None:
    steering = playlist.ContentSteering("../-/steer?home=a", "a", "1")
    found = parse_multivariant(playlist.multivariant("a.m3u8", bandwidth=5, steering=steering))
    (variant,) = found.variants
    assert found.steering is not None and found.steering.server_uri == "../-/steer?home=a"
    assert (found.steering.pathway_id, variant.pathway_id, variant.stable_variant_id) == ("a", "a", "1")


@pytest.mark.parametrize(("kind", "version"), [("ts", 3), ("m4s", 6)])
def test_classic(kind: str, version: int) -> None:
    origin, watched = watch(kind)
    media = watched.classic
    assert media is not None and media.version == version and media.target_s == 2 and len(media.segments) == 9
    assert media.media_sequence == WALL_MS // 1000 and not media.is_ended
    assert {each.duration_s for each in media.segments} == {2.0}
    first = media.segments[0].program_date_time
    assert first == datetime.fromtimestamp(WALL_MS / 1000, UTC)
    assert all(each.uri.startswith("cam.e1-") and each.uri.endswith(f".{kind}") for each in media.segments)
    assert ({each.map_uri for each in media.segments} == {None}) == (kind == "ts")
    origin.stream.end("")
    assert watched.classic is not None and watched.classic.is_ended and len(watched.classic.segments) == 10


def test_low_latency() -> None:
    origin, watched = watch("m4s", 20_500)
    media = watched.low_latency
    assert media is not None and media.part_target_s == 0.3 and media.server_control is not None
    control = media.server_control
    assert control.can_block_reload and control.part_hold_back_s == 0.9 and control.can_skip_until_s == 12
    assert not media.notes
    assert [bool(each.parts) for each in media.segments] == [False] * 7 + [True] * 3
    assert media.trailing.parts and media.preload_hint is not None
    current = watched.it.current
    assert current is not None
    assert media.preload_hint.uri == f"cam.{current.name}.{len(current.parts)}.m4s"
    origin.stream.end("")
    ended = watched.low_latency
    assert ended is not None and ended.is_ended and ended.preload_hint is None


def test_a_segment_in_progress_of_which_there_are_no_parts_is_told_of() -> None:
    """As at a node that has begun in its middle: hls.js compares what comes next with the last whole one otherwise."""
    _, watched = watch("m4s", 20_500)
    current = watched.it.current
    assert current is not None
    current.parts.clear()
    watched.it._is_collecting = False
    text = playlist.low_latency(watched.it, URIS)
    media = parse_media(text)
    assert media.trailing.line_number and media.trailing.program_date_time is not None and media.preload_hint is None
    assert text.splitlines()[-1].startswith("#EXT-X-PROGRAM-DATE-TIME:")


def test_a_delta_leaves_out_what_is_old() -> None:
    _, watched = watch("m4s", 30_500)
    text = playlist.low_latency(watched.it, URIS, is_delta=True)
    delta = parse_media(text)
    assert delta.skipped and watched.low_latency is not None
    assert delta.skipped + len(delta.segments) == len(watched.low_latency.segments)
    assert delta.duration_s >= 12 and "EXT-X-MAP" not in text
    short = watch("m4s", 5000)[1]
    assert parse_media(playlist.low_latency(short.it, URIS, is_delta=True)).skipped == 0


def test_before_the_first_segment_is_complete() -> None:
    _, watched = watch("m4s", 1000)
    media = watched.low_latency
    assert media is not None and not media.segments and media.trailing.parts and media.trailing.map_uri
    assert media.media_sequence == WALL_MS // 1000 and watched.classic is None


def test_a_target_that_grows_brings_no_parts_back() -> None:
    origin = Origin()
    grown = Watched(origin.stream, "m4s", may_grow=True)
    origin.headers()
    origin.run(0, 20_000)
    origin.run(20_001, 26_000, gop_ms=10**9)
    origin.run(26_000, 29_000, gop_ms=1000)
    assert grown.low_latency is not None and grown.low_latency.target_s > 2


def test_a_part_longer_than_the_target_duration_lengthens_it() -> None:
    """A picture every 2.4 s: the segment counts as 2 s, its only part does not."""
    origin = Origin(HubConfig(hls_fragment_s=2))
    watched = Watched(origin.stream, "m4s")
    origin.headers(aac=b"")
    for ms in range(0, 20_000, 2400):
        origin.picture(ms, is_keyframe=True)
    assert watched.low_latency is not None
    assert (watched.low_latency.part_target_s, watched.low_latency.target_s) == (2.4, 3)


def test_discontinuities_are_counted_when_they_have_gone() -> None:
    origin = Origin()
    watched = Watched(origin.stream, "m4s", HlsConfig(hls_window_s=8))
    first = None
    for number in range(5):
        if number:
            origin.begin(f"p{number}", WALL_MS + number * 10_000)
        origin.headers(*([] if number % 2 else [AVC_OTHER_BODY, AAC_MONO_BODY]))
        origin.run(0, 6000)
        assert watched.classic is not None
        first = watched.classic.discontinuity_sequence if first is None else first
    assert watched.classic is not None and watched.low_latency is not None
    shown = sum(each.is_discontinuity for each in watched.classic.segments)
    assert watched.classic.discontinuity_sequence - first + shown == 4
    assert watched.low_latency.discontinuity_sequence == watched.classic.discontinuity_sequence


@pytest.mark.parametrize("prefix", ["", "https://cdn.example.com/x"])
def test_uris_bear_prefix_and_query(prefix: str) -> None:
    _, watched = watch("m4s", 5000)
    uris = Uris("/live/a b", "vhost=x.y", prefix)
    for text in (playlist.classic(watched.it, uris), playlist.low_latency(watched.it, uris)):
        media = parse_media(text, allows_absolute=True)
        found = [media.segments[0].uri, media.segments[0].map_uri or ""]
        found += [part.uri for part in media.trailing.parts]
        base = f"{prefix}/live/a%20b." if prefix else "a%20b."
        assert all(each.startswith(base) and each.endswith("?vhost=x.y") for each in found)


@given(st.integers(0, 4_000_000_000_000))
def test_wall_clocks(wall_ms: int) -> None:
    text = playlist.format_wall(wall_ms)
    assert round(datetime.fromisoformat(text).timestamp() * 1000) == wall_ms
    assert text.endswith("Z") and len(text) == 24 and AUDIO == 8
