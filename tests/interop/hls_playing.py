"""Players of HLS at a URL, each of which judges what it got against the source."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from urllib.parse import urljoin

from tests.harness.clients import Program
from tests.harness.clock import deadline, require_program, wait_until_sync
from tests.harness.hls_client import HlsClient, media_of
from tests.harness.recordings import Samples, assert_in_step, framemd5, parse_samples
from tests.harness.server import EdgeServer

#: By scheme: suffix of the entry, and of what is fetched.
SCHEMES = {"two-level": ".m3u8", "classic": ".classic.m3u8", "low-latency": ".ll.m3u8"}
#: A scheme that names segments before they exist cannot know how long they will be, nor that they will come.
_TARGET = re.compile(r"EXT-X-TARGETDURATION changes from (\d+) to (\d+)")
_FORETOLD = re.compile(
    r"duration_s of segment|ends before segment|EXT-X-TARGETDURATION changes|is_discontinuity of|segment http.*: 404$"
)
#: FLV counts whole milliseconds; in TS only the first of several frames of sound in a packet bears its time.
WITHIN_MS = 5.0
_LATE_MS = 5500
#: While ffmpeg looks at a transport stream it takes the first frame of ADTS to last no time, and the others come early.
_PROBED = 50


def url_of(node: EdgeServer, name: str, scheme: str) -> str:
    return f"http://{node.address}/live/{name}{SCHEMES[scheme]}"


async def wait_begun(node: EdgeServer, name: str) -> None:
    """The publisher is there, and has sent something."""

    def has_begun() -> bool:
        return any(row["stream"] == name and int(row["next_index"]) > 2 for row in node.streams())

    await asyncio.to_thread(wait_until_sync, has_begun, deadline(3), f"{name} to begin")


async def ffmpeg_samples(url: str, *options: str, within_s: float = 30.0) -> Samples:
    """What ffmpeg makes of a playlist from its first segment to its end, without a word of complaint."""
    command = (
        *(require_program("ffmpeg"), "-nostdin", "-v", "error", "-copyts", "-live_start_index", "0", *options),
        *("-i", url, "-map", "0:v?", "-map", "0:a?", "-c", "copy", "-c:v", "rawvideo", "-vsync", "passthrough"),
        *("-enc_time_base", "-1", "-copyts", "-f", "framemd5", "-"),
    )
    with Program(*command) as program:
        text = await program.wait_ok(within_s)
        assert program.stderr == "", program.stderr
        return parse_samples(text)


def assert_pictures(have: Samples, want: Samples, *, unsteady: int = 1) -> None:
    """Each medium is the end of what was published, pictures by what they look like, and all of it in step.

    Of the first ``unsteady`` frames of sound nothing is said: of one ffmpeg tells when what is left of it begins.
    What came before the first segment is wanting: on a busy machine players are late.
    """
    assert set(have) == set(want)
    for medium, samples in want.items():
        count = len(have[medium])
        assert count <= len(samples), f"{medium}: {count} of {len(samples)}"
        if medium == "video":
            digests = [[sample.digest for sample in each] for each in (have[medium], samples)]
            assert digests[0] == digests[1][-count:], f"other pictures: {count} of {len(samples)}"
        lost_ms = samples[-count].pts_ms - samples[0].pts_ms
        assert lost_ms <= _LATE_MS, f"{medium}: {count} of {len(samples)}, {lost_ms} ms are wanting"
    late = {medium: samples[-len(have[medium]) :] for medium, samples in want.items()}
    assert_in_step(*({m: each[m][unsteady * (m == "audio") :] for m in each} for each in (have, late)), WITHIN_MS)


async def assert_ffmpeg_plays(url: str, source: Path) -> None:
    """All of it, in step."""
    have, want = await ffmpeg_samples(url), await framemd5(source, decodes_video=True)
    try:
        assert_pictures(have, want, unsteady=_PROBED)
    except AssertionError as error:
        raise AssertionError(f"{url}: {error}") from None


async def assert_ffprobe_sees(url: str, source: Path) -> None:
    """The same codecs and sizes as in the source."""
    entries = "stream=codec_type,codec_name,width,height,sample_rate,channels"
    command = (require_program("ffprobe"), "-v", "error", "-show_entries", entries, "-of", "csv=p=0")
    found = []
    for each in (("-live_start_index", "0", url), (str(source),)):  # a short broadcast is over where it would begin
        with Program(*command, *each) as probe:
            text = (await probe.wait_ok(20)).decode()
            assert probe.stderr == "", probe.stderr
            found.append(sorted({line for line in text.split() if line}))
    assert found[0] == found[1], found


def faults_of(client: HlsClient, scheme: str) -> list[str]:
    """What the client complains about, less what cannot be otherwise in the scheme."""
    errors = [text for text in client.errors if not _is_growth(text)]
    return [text for text in errors if scheme != "two-level" or not _FORETOLD.search(text)]


def _is_growth(text: str) -> bool:
    """A group of pictures was longer than all before it: the target grows, since nobody cuts within a group."""
    found = _TARGET.search(text)
    return found is not None and int(found[1]) < int(found[2])


def assert_rules_kept(client: HlsClient, scheme: str) -> None:
    """Nothing was missed but what a playlist had foretold before the broadcast ended."""
    assert client.playlist is not None, f"{client.url} {client.errors} {client.fetches[-1].body!r}"
    listed = {urljoin(client.url, segment.uri) for segment in client.playlist.segments}
    missed = [uri for uri in client.missed if scheme != "two-level" or uri in listed]
    assert not faults_of(client, scheme) and not missed, f"{client.errors} {client.missed}"
    assert scheme == "two-level" or set(client.statuses) == {200}, client.statuses


async def play_by_the_rules(url: str, scheme: str, source: Path, folder: Path, *, speed: float = 1.0) -> HlsClient:
    """A client that keeps and judges the rules; what it has played is the source."""
    client = HlsClient(url, keeps_bodies=True, speed=speed)
    async with client:
        await client.wait_end(30)
    assert_rules_kept(client, scheme)
    path = folder / f"{scheme}.{'ts' if scheme != 'low-latency' else 'mp4'}"
    path.write_bytes(media_of(client))
    have = await framemd5(path, decodes_video=True)
    assert_pictures(have, await framemd5(source, decodes_video=True))
    return client
