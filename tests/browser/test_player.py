"""mpegts.js in Chromium plays FLV by HTTP and WebSocket, and TS, of another origin; first from a stand-in."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.media.frame import Frame
from tests.browser.player import BrowserPlayer, PlayerError, wall_ms
from tests.harness.coded import synthesise
from tests.harness.flv_file import read_flv
from tests.harness.stand_in import StandIn
from tests.naming.certificates import Authority

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def frames(clips: Callable[[str], Path]) -> list[Frame]:
    return read_flv(clips("bbb-360p-10s.flv").read_bytes())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """Of an authority that nobody knows."""
    pair = Authority(tmp_path_factory.mktemp("authority"), "authority").sign("server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.cert, pair.key)
    return context


@pytest.mark.parametrize("is_encrypted", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize(("ending", "scheme"), [("flv", "http"), ("flv", "ws"), ("ts", "http")])
async def test_plays_all_forms(
    ending: str,
    scheme: str,
    is_encrypted: bool,
    browser: BrowserPlayer,
    frames: list[Frame],
    certificate: ssl.SSLContext,
    tmp_path: Path,
) -> None:
    async with StandIn(frames, is_endless=True, tls=certificate if is_encrypted else None) as server:
        began_ms = wall_ms()
        await asyncio.to_thread(browser.play, server.url(ending, scheme=scheme))
        state = await asyncio.to_thread(browser.wait_playing, for_s=0.3, min_frames=5)
        assert state.video_codec.startswith("avc1.") and state.audio_codec.startswith("mp4a.40."), state
        assert state.width > 0 and state.decoded_audio_bytes > 0 and not state.is_paused
        assert state.buffered and state.buffered_s < 10
        assert state.base_ms is not None and 0 < state.latency_ms(began_ms - state.base_ms) < 10_000
        picture = await asyncio.to_thread(browser.picture)
        assert len(set(picture)) > 4, "a picture, and not one colour"
        shot = await asyncio.to_thread(browser.screenshot, tmp_path / "shot.png")
        assert shot.stat().st_size > 1000
        assert server.request_count == 1


@pytest.mark.parametrize("scheme", ["http", "ws"])
async def test_end_of_the_stream_is_no_error(scheme: str, browser: BrowserPlayer, frames: list[Frame]) -> None:
    short = [frame for frame in frames if frame.dts_ms < 800]
    async with StandIn(short, speed=4.0) as server:
        await asyncio.to_thread(browser.play, server.url("flv", scheme=scheme))
        state = await asyncio.to_thread(browser.wait_for, lambda state: state.is_complete, 5, "the end")
        assert not state.errors


async def test_page_of_another_origin_needs_leave(browser: BrowserPlayer, frames: list[Frame]) -> None:
    async with StandIn(frames, has_cors=False) as server:
        await asyncio.to_thread(browser.play, server.url("flv"))
        error = await asyncio.to_thread(browser.wait_error)
        assert (error.type, error.detail) == ("NetworkError", "Exception")
        assert any("CORS" in line for line in await asyncio.to_thread(browser.console))
        await asyncio.to_thread(browser.play, server.url("flv", scheme="ws"))
        await asyncio.to_thread(browser.wait_playing, for_s=0.1)


async def test_refusal_and_nonsense_are_told_apart(browser: BrowserPlayer, frames: list[Frame]) -> None:
    async with StandIn(frames) as server:
        await asyncio.to_thread(browser.play, server.url("flv").replace("/x.", "/unknown."))
        error = await asyncio.to_thread(browser.wait_error)
        assert (error.type, error.detail, error.code) == ("NetworkError", "HttpStatusCodeInvalid", 404)
        await asyncio.to_thread(browser.play, browser.page_url)
        error = await asyncio.to_thread(browser.wait_error)
        assert (error.type, error.detail) == ("MediaError", "FormatUnsupported"), error


@pytest.mark.parametrize(
    ("kind", "ending", "codecs"),
    [
        ("av1_aac", "flv", ("av01.", "mp4a.40.")),
        ("avc_opus", "flv", ("avc1.", "opus")),
        ("avc_opus", "ts", ("avc1.", "opus")),
    ],
)
async def test_plays_new_codecs(
    kind: str, ending: str, codecs: tuple[str, str], browser: BrowserPlayer, tmp_path: Path
) -> None:
    _, coded = await asyncio.to_thread(synthesise, kind, tmp_path)
    async with StandIn(coded, is_endless=True) as server:
        await asyncio.to_thread(browser.play, server.url(ending))
        state = await asyncio.to_thread(browser.wait_playing, for_s=0.3, min_frames=5)
        assert state.video_codec.startswith(codecs[0]) and state.audio_codec.startswith(codecs[1]), state
        assert state.decoded_audio_bytes > 0


async def test_what_debian_builds_cannot_decode_is_an_error(browser: BrowserPlayer, tmp_path: Path) -> None:
    assert not await asyncio.to_thread(browser.supports, 'video/mp4; codecs="hvc1.1.6.L93.B0"')
    _, coded = await asyncio.to_thread(synthesise, "hevc_opus", tmp_path)
    async with StandIn(coded) as server:
        await asyncio.to_thread(browser.play, server.url("flv"))
        error = await asyncio.to_thread(browser.wait_error)
        assert isinstance(error, PlayerError) and error.type == "MediaError", error
