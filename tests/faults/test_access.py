"""Who may publish and play, with the programs that people use, and over several nodes."""

from __future__ import annotations

import asyncio
import subprocess
import time
from pathlib import Path

import pytest

from edge.access.edge_scheme import EdgeScheme
from edge.access.token import Asked
from tests.faults.test_secrets_kept import PAGES
from tests.harness.clock import deadline, require_program, wait_until
from tests.harness.player import SynthPlayer
from tests.harness.ports import free_port
from tests.harness.raw_http import raw_request, request_head
from tests.harness.server import EdgeServer
from tests.harness.synth import Script, SynthPublisher

pytestmark = pytest.mark.faults

SAMPLES = Path(__file__).parents[2] / "flagfiles" / "access"
KEY, WRONG = "b7Qk-9sXw2-Lm4Tz8Rv1", "b7Qk-9sXw2-Lm4Tz8Rv2"
SIGN_KEY = (SAMPLES / "sign.keys").read_bytes().split()[-1]
BY_KEY = ("-publish_auth=key", f"-stream_keys_file={SAMPLES / 'stream.keys'}")
SIGNED = ("-play_auth=sign", f"-sign_keys_file={SAMPLES / 'sign.keys'}")
NODES = f"-node_secret_file={SAMPLES / 'node.secret'}"
_SCRIPT = Script(gop=10)


def signed(stream: str, *, within_s: float = 3600) -> str:
    """The query that lets a player of ``live/stream`` in."""
    now_s = time.time()
    return EdgeScheme().sign(Asked("play", "_", "live", stream, "", "", now_s), SIGN_KEY, int(now_s + within_s))


def run(*command: str) -> tuple[int, str, float]:
    """Exit code, what it says, and how long it took; a program that hangs fails the test."""
    began = time.monotonic()
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=deadline(10), check=False, text=True
    )
    return done.returncode, done.stdout + done.stderr, time.monotonic() - began


def publish_by_ffmpeg(url: str) -> tuple[int, str, float]:
    source = ("-f", "lavfi", "-i", "color=s=64x64:r=5:d=20", "-c:v", "flv1")
    return run(require_program("ffmpeg"), "-hide_banner", "-loglevel", "error", "-re", *source, "-f", "flv", url)


def play_by_librtmp(url: str) -> tuple[int, str, float]:
    return run(require_program("rtmpdump"), "-V", "--live", "-r", url, "-o", "/dev/null")


def test_programs_are_refused_once_and_for_good_and_say_why() -> None:
    with EdgeServer(*BY_KEY, *SIGNED) as server:
        url = server.rtmp_url("live", "")
        code, said, _ = publish_by_ffmpeg(url + WRONG)
        assert code and "Server error: KeyInvalid" in said
        for query, word in (("", "TokenMissing"), ("?exp=1893456000&sig=AAAA", "TokenInvalid")):
            code, said, took_s = play_by_librtmp(f"{url}hall{query}")
            assert code == 1 and "NetStream.Play.Failed" in said and word in said, said[-600:]
            assert took_s < deadline(3)
            code, said, _ = run(require_program("ffprobe"), "-loglevel", "error", f"{url}hall{query}")
            assert code and f"Server error: {word}" in said
        code, said, _ = play_by_librtmp(f"{url}hall?{signed('hall', within_s=-60)}")
        assert code == 1 and "TokenExpired" in said


def test_programs_from_elsewhere_are_refused_once_and_for_good() -> None:
    lists = ("-publish_deny=127.0.0.0/8", "-play_allow=192.0.2.1")
    with EdgeServer(*lists) as server, EdgeServer("-refer_all=example.com") as of_pages:
        code, said, _ = publish_by_ffmpeg(server.rtmp_url("live", "x"))
        assert code and "Server error: AccessDenied" in said
        code, said, _ = play_by_librtmp(server.rtmp_url("live", "x"))
        assert code == 1 and "NetStream.Play.Failed" in said and "AccessDenied" in said
        code, said, _ = publish_by_ffmpeg(of_pages.rtmp_url("live", "x"))
        assert code and "RefererDenied" in said
        code, said, _ = play_by_librtmp(of_pages.rtmp_url("live", "x"))
        assert code == 1 and "NetConnection.Connect.Rejected" in said


async def test_AU31_secret_key_is_in_no_output_of_any_node() -> None:
    of_edge = (*BY_KEY, "-v=1", "-log_stats", "-enable_rpcz")
    with EdgeServer("-v=1") as origin, EdgeServer(f"-proxy_to={origin.address}", *of_edge) as edge:
        bad = [f"{KEY}x", f"{KEY}/..", f"x/{KEY}", f"{KEY}?vhost=a/b"]
        for name in (WRONG, *bad):
            with pytest.raises(AssertionError, match="refused"):
                await SynthPublisher(edge.rtmp_url("live", name), _SCRIPT).start()
        async with SynthPublisher(edge.rtmp_url("live", f"{KEY}?a=1"), _SCRIPT):
            await wait_until(lambda: origin.has_stream("hall"), deadline(5), "the push")
            async with (
                SynthPlayer(edge.rtmp_url("live", "hall")) as player,
                SynthPlayer(edge.rtmp_url("live", KEY)) as played,
            ):
                await player.wait_frames(10, 5)
                await played.wait_status("NetStream.Play.Failed", 5)
                await _get(edge, "/live/hall.m3u8")
                for path in (f"/live/{KEY}.flv", f"/live/{KEY}.m3u8"):
                    status, body = await _get(edge, path)
                    assert (status, body) == (403, b"KeyInvalid\n")
                pages = (*PAGES, "/why?address=127.0.0.1", "/why?stream=live/hall", "/rpcz", "/api/streams")
                shown = [await _get(node, page, on_internal=True) for node in (origin, edge) for page in pages]
            text = b"".join(body for _, body in shown) + (origin.log + edge.log).encode()
            assert b"live/hall" in text
            for secret in (KEY, WRONG):
                assert secret[:12].encode() not in text, text[max(text.find(secret[:12].encode()) - 200, 0) :][:400]


async def _get(node: EdgeServer, path: str, *, on_internal: bool = False) -> tuple[int, bytes]:
    url = f"http://127.0.0.1:{node.internal_port if on_internal else node.port}{path}"
    answer = await raw_request(url, request_head(url, "Connection: close"))
    return answer.status, answer.body


async def test_AU25_node_that_proves_itself_is_judged_no_second_time_and_another_is() -> None:
    """The origin wants tokens and keys; its edges judge nobody."""
    with EdgeServer(*SIGNED, *BY_KEY, NODES) as origin:
        to_origin = f"-proxy_to={origin.address}"
        with EdgeServer(to_origin, NODES) as edge, EdgeServer(to_origin, "-max_retry_duration_ms=0") as stranger:
            async with SynthPublisher(edge.rtmp_url("live", "s"), _SCRIPT):
                await wait_until(lambda: origin.has_stream("s"), deadline(5), "the push")
                async with (
                    SynthPlayer(edge.rtmp_url("live", "s")) as player,
                    SynthPlayer(stranger.rtmp_url("live", "s")) as refused,
                ):
                    await player.wait_frames(10, 5)
                    await refused.wait_status("NetStream.Play.Failed", 5)


async def test_players_with_tokens_go_on_when_that_of_the_first_has_expired() -> None:
    """Each attempt of a pull carries the query of the player admitted last that is still there."""
    port = free_port()
    soon = ("-retry_interval_ms=200", "-timeout_ms=1000")
    skew = "-sign_skew_s=0"
    with EdgeServer(*SIGNED, skew, port=port) as origin, EdgeServer(f"-proxy_to=127.0.0.1:{port}", *soon) as edge:
        publisher = SynthPublisher(origin.rtmp_url("live", "s"), _SCRIPT)
        await publisher.start()
        first = SynthPlayer(edge.rtmp_url("live", f"s?{signed('s', within_s=4)}"))
        ends_at = time.monotonic() + 4
        await first.start()
        await first.wait_frames(5, 4)
        async with SynthPlayer(edge.rtmp_url("live", f"s?{signed('s')}")) as second:
            await second.wait_frames(5, 4)
            await first.stop()
            await publisher.stop()
            await asyncio.sleep(max(ends_at - time.monotonic(), 0) + 1)
            origin.kill()
            await asyncio.to_thread(origin.restart)
            async with SynthPublisher(origin.rtmp_url("live", "s"), _SCRIPT):
                before = len(second.deliveries)
                await wait_until(lambda: len(second.deliveries) > before + 10, deadline(8), "frames again")
                assert second.error is None and not second.has_ended
