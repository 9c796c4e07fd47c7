"""Real clients come by rtmps, https and wss; a new certificate and slow players disturb nobody."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import ssl
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.harness.clients import Program, assert_suffix, ffmpeg_play, ffmpeg_publish, ffprobe_packets, parse_framemd5
from tests.harness.clock import ROOT, deadline, wait_until, wait_until_sync
from tests.harness.flv_file import read_flv
from tests.harness.http_media import FlvReader, WsFlvReader
from tests.harness.player import SynthPlayer
from tests.harness.server import EdgeServer
from tests.harness.synth import Script, SynthPublisher
from tests.naming.certificates import Authority, Pair

pytestmark = pytest.mark.interop

_CLIP = "bbb-720p-5s.mp4"
_PLAYERS = 200


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "authority")


@pytest.fixture
def files(authority: Authority, tmp_path: Path) -> Pair:
    """The certificate of the server, in files that a test may change."""
    pair = authority.sign("server")
    return Pair(Path(shutil.copy(pair.cert, tmp_path / "cert.pem")), Path(shutil.copy(pair.key, tmp_path / "key.pem")))


@pytest.fixture
def server(files: Pair) -> Iterator[EdgeServer]:
    flags = ("-https", f"-certificate={files.cert}", f"-private_key={files.key}", "-publisher_return_ms=1000")
    with EdgeServer(*flags) as made:
        yield made


def url(server: EdgeServer, scheme: str, name: str) -> str:
    return f"{scheme}://{server.address}/live/{name}"


async def has_stream(server: EdgeServer, name: str = "clip") -> None:
    await asyncio.to_thread(wait_until_sync, lambda: server.has_stream(name), deadline(5), "the stream")


async def test_ffmpeg_publishes_and_plays_rtmps(server: EdgeServer, clips: Callable[[str], Path]) -> None:
    clip = clips(_CLIP)
    with ffmpeg_publish(clip, url(server, "rtmps", "clip")) as publisher:
        await has_stream(server)
        with ffmpeg_play(url(server, "rtmps", "clip")) as player, ffmpeg_play(url(server, "rtmp", "clip")) as plain:
            await publisher.wait_ok(9)
            got = [parse_framemd5(await one.wait_ok(8)) for one in (player, plain)]
    for each in got:
        assert_suffix(each, ffprobe_packets(clip))


async def test_ffmpeg_and_curl_play_flv_and_ts_by_https(
    server: EdgeServer, authority: Authority, clips: Callable[[str], Path], tmp_path: Path
) -> None:
    clip, saved = clips(_CLIP), tmp_path / "saved.flv"
    ts = (
        "ffmpeg",
        "-v",
        "error",
        "-ca_file",
        authority.ca_file,
        "-tls_verify",
        "1",
        "-i",
        url(server, "https", "clip.ts"),
    )
    with ffmpeg_publish(clip, url(server, "rtmp", "clip")) as publisher:
        await has_stream(server)
        curl = ("curl", "-sS", "--cacert", authority.ca_file, "-o", str(saved), url(server, "https", "clip.flv"))
        with Program(*curl) as flv, Program(*ts, "-c", "copy", "-f", "framemd5", "-") as other:
            await publisher.wait_ok(9)
            await flv.wait_ok(8)
            assert len(parse_framemd5(await other.wait_ok(8))) == 2
    assert_suffix(ffprobe_packets(saved), ffprobe_packets(clip))
    assert read_flv(saved.read_bytes())


async def test_a_client_that_checks_names_is_satisfied(server: EdgeServer, authority: Authority) -> None:
    context = ssl.create_default_context(cafile=authority.ca_file)
    async with SynthPublisher(server.rtmp_url("live", "s")):
        await has_stream(server, "s")
        readers = (
            FlvReader(url(server, "https", "s.flv"), tls=context),
            WsFlvReader(url(server, "wss", "s.flv"), tls=context),
        )
        async with readers[0], readers[1]:
            for reader in readers:
                await reader.wait_frames(60, 5)
        for reader in readers:
            reader.account.assert_complete()
    # Lines are written in batches.
    await wait_until(lambda: server.log.count("play started") == 2, deadline(2), "a line of each")


async def test_a_new_certificate_drops_nobody_and_is_shown_to_newcomers(
    server: EdgeServer, authority: Authority, files: Pair
) -> None:
    async with (
        SynthPublisher(server.rtmp_url("live", "s"), Script(fps=10, gop=10, video_bytes=400)),
        AsyncExitStack() as stack,
    ):
        await has_stream(server, "s")
        players = [FlvReader(url(server, "https", "s.flv")) for _ in range(_PLAYERS)]
        for player in players:
            await stack.enter_async_context(player)
        was = await certificate_of(server)
        new = authority.sign("renewed")
        shutil.copy(new.cert, files.cert)
        shutil.copy(new.key, files.key)
        await wait_until(lambda: "certificate loaded" in server.log, deadline(3), "the new certificate")
        assert await certificate_of(server) == ssl.PEM_cert_to_DER_cert(new.cert.read_text()) != was
        await asyncio.gather(*(player.wait_more_frames(30, 8) for player in players))
        for player in players:
            player.assert_alive()
            player.account.assert_complete()


async def certificate_of(server: EdgeServer) -> bytes:
    """What somebody is shown who comes now."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection(server.host, server.port, ssl=context)
    try:
        found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        assert isinstance(found, bytes)
        return found
    finally:
        writer.transport.abort()


async def test_a_slow_player_resumes_on_keyframes_and_costs_the_others_nothing(files: Pair) -> None:
    flags = ("-https", f"-certificate={files.cert}", f"-private_key={files.key}", "-queue_length_s=1")
    script = Script(video_bytes=12_000)
    with EdgeServer(*flags) as server:
        stream = url(server, "https", "s.flv")
        async with SynthPublisher(server.rtmp_url("live", "s"), script):
            await has_stream(server, "s")
            async with (
                FlvReader(stream, read_bps=400_000) as slow,
                FlvReader(stream) as prompt,
                SynthPlayer(server.rtmp_url("live", "s")) as plain,
            ):
                await asyncio.to_thread(
                    wait_until_sync, lambda: server.counters()["player_jump_count"] >= 2, deadline(15), "two jumps"
                )
                await slow.wait_for(lambda: slow.account.lost_count, 15, "a frame behind a gap")
                await prompt.wait_more_frames(25, 5)
                await plain.wait_more_frames(25, 5)
        prompt.account.assert_complete()
        plain.account.assert_complete()
        slow.account.assert_in_order()
        assert not slow.account.bad_resumes
        assert prompt.account.largest_gap_s <= deadline(0.5)


async def test_the_certificate_of_the_guide_is_one(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "tls.md").read_text(encoding="utf-8")
    command = next(line for line in page.splitlines() if line.startswith("$ openssl "))
    words = [str(tmp_path / word) if word.endswith(".pem") else word for word in shlex.split(command[2:])]
    with Program(*words) as program:
        await program.wait_ok(10)
    flags = ("-https", f"-certificate={tmp_path / 'cert.pem'}", f"-private_key={tmp_path / 'key.pem'}")
    with EdgeServer(*flags, host="localhost") as server:
        curl = ("curl", "-sS", "--cacert", str(tmp_path / "cert.pem"), f"https://localhost:{server.port}/health")
        with Program(*curl) as program:
            assert await program.wait_ok(5) == b"OK\n"
