"""Real peers as child processes: ffmpeg, rtmpdump and GStreamer, each with a deadline and ended by its pid."""

from __future__ import annotations

import asyncio
import functools
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

from tests.harness.clock import ROOT, deadline, missing, require_program

LIVE: set[Program] = set()


class Program:
    """A running program whose output goes to files, so that it never blocks on us."""

    def __init__(self, *command: str) -> None:
        self.command = command
        self._stdout: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as we do
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=self._stdout, stderr=self._stderr
            )
        except BaseException:
            self._close_files()
            raise
        LIVE.add(self)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    @property
    def stdout(self) -> bytes:
        return _content(self._stdout)

    @property
    def stderr(self) -> str:
        return _content(self._stderr).decode(errors="replace")

    async def wait(self, within_s: float) -> int:
        """The exit code; fails with the end of its stderr when the program does not end in time."""
        limit = time.monotonic() + deadline(within_s)
        while self._process.poll() is None:
            if time.monotonic() > limit:
                tail = self.stderr[-2000:]
                self.__exit__()
                raise AssertionError(f"{self.command} still ran after {within_s} s:\n{tail}")
            await asyncio.sleep(0.02)
        return self._process.returncode

    async def wait_ok(self, within_s: float) -> bytes:
        """Its standard output; fails unless it ends in time with exit code 0."""
        code = await self.wait(within_s)
        assert code == 0, f"{self.command} ended with {code}:\n{self.stderr[-2000:]}"
        return self.stdout

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)

    def close(self) -> None:
        """End it if it still runs, and free its files."""
        LIVE.discard(self)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._close_files()

    def _close_files(self) -> None:
        self._stdout.close()
        self._stderr.close()


def _content(file: IO[bytes]) -> bytes:
    """All of a file, without moving the offset that we share with the writer."""
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)


class Packet(NamedTuple):
    """A line of ffmpeg's framemd5: time in milliseconds, payload size and its MD5."""

    dts_ms: int
    size: int
    digest: str


Packets = dict[int, list[Packet]]


def parse_framemd5(text: bytes) -> Packets:
    """Packets by stream index, in order."""
    found: Packets = {}
    for line in text.decode().splitlines():
        if line and not line.startswith("#"):
            index, dts, _, _, size, digest = (field.strip() for field in line.split(",")[:6])
            found.setdefault(int(index), []).append(Packet(int(dts), int(size), digest))
    return found


def payloads(packets: Sequence[Packet]) -> list[tuple[int, str]]:
    return [(packet.size, packet.digest) for packet in packets]


def ffmpeg_publish(clip: Path | str, url: str, *options: str, rate: float = 1.0, loops: int = 0) -> Program:
    """Publish a file as it is (``-c copy``) in real time, or ``rate`` times as fast."""
    speed = ("-re",) if rate == 1.0 else ("-readrate", str(rate))
    loop = ("-stream_loop", str(loops)) if loops else ()
    return Program(
        *(require_program("ffmpeg"), "-nostdin", "-v", "warning", *speed, *loop, "-i", str(clip)),
        *("-c", "copy", *options, "-f", "flv", url),
    )


def ffmpeg_play(url: str, *, page: str = "") -> Program:
    """Take every packet as it is and print its time and MD5; ends with the broadcast. ``page``: where it comes from."""
    from_page = ("-rtmp_pageurl", page) if page else ()
    return Program(
        *(require_program("ffmpeg"), "-nostdin", "-v", "warning", "-copyts", "-rtmp_live", "live", *from_page),
        *("-analyzeduration", "1000000", "-i", url),
        *("-map", "0:v?", "-map", "0:a?", "-c", "copy", "-copyts", "-f", "framemd5", "-"),
    )


def ffprobe_packets(path: Path) -> Packets:
    """The packets of a file, video as stream 0, as :func:`ffmpeg_play` would see them."""
    done = subprocess.run(
        [
            *(require_program("ffmpeg"), "-nostdin", "-v", "error", "-copyts", "-i", str(path)),
            *("-map", "0:v?", "-map", "0:a?", "-c", "copy", "-copyts", "-f", "framemd5", "-"),
        ],
        capture_output=True,
        timeout=deadline(20),
        check=True,
    )
    return parse_framemd5(done.stdout)


def rtmpdump_play(url: str, output: Path) -> Program:
    return Program(require_program("rtmpdump"), "-q", "-v", "-r", url, "-o", str(output), "--timeout", "10")


def gst_play(url: str, output: Path, *, element: str = "rtmp2src") -> Program:
    """``rtmp2src`` is GStreamer's own RTMP; ``rtmpsrc`` is librtmp, and connects again after each end, for ever."""
    location = url if element == "rtmp2src" else f"{url} live=1"
    return Program(
        *(require_program("gst-launch-1.0"), "-q", element, f"location={location}", "!"),
        *("filesink", f"location={output}", "buffer-mode=unbuffered"),
    )


_GST_REMUX = (
    *("flvmux", "streamable=true", "name=m"),
    *("d.video", "!", "queue", "!", "h264parse", "!", "video/x-h264,stream-format=avc", "!", "m.video"),
    *("d.audio", "!", "queue", "!", "aacparse", "!", "m.audio"),
)


def gst_remux(clip: Path, output: Path) -> Program:
    """Write to a file what :func:`gst_publish` would send: its parser may change payloads."""
    return Program(
        *(require_program("gst-launch-1.0"), "-q", "filesrc", f"location={clip}", "!", "flvdemux", "name=d"),
        *(*_GST_REMUX, "m.src", "!", "filesink", f"location={output}"),
    )


def gst_publish(clip: Path, url: str, *, element: str = "rtmp2sink") -> Program:
    """Publish an FLV file in real time. ``rtmp2sink`` is GStreamer's own RTMP, ``rtmpsink`` is librtmp."""
    location = url if element == "rtmp2sink" else f"{url} live=1"
    return Program(
        *(require_program("gst-launch-1.0"), "-q", "filesrc", f"location={clip}", "!", "flvdemux", "name=d"),
        *(*_GST_REMUX, "m.src", "!", element, f"location={location}", "sync=true"),
    )


@functools.cache
def require_gst_element(name: str) -> None:
    """Skip, or fail under ``CI=true``, when a GStreamer plugin is absent."""
    program = require_program("gst-inspect-1.0")
    if subprocess.run([program, "--exists", name], capture_output=True, timeout=deadline(20)).returncode != 0:
        missing(f"GStreamer has no {name}")


def real_clip(name: str, cache: Path, *, seconds: float = 10.0) -> Path:
    """An FLV clip of H.264 and AAC: the shared one remuxed, or a generated one where that is absent."""
    target = cache / f"{Path(name).stem}.flv"
    if target.exists():
        return target
    shared = ROOT.parent / "shared" / "media" / name
    source: tuple[str, ...] = ("-i", str(shared), "-c", "copy")
    if not shared.exists():
        source = (
            *("-f", "lavfi", "-i", f"testsrc2=size=320x180:rate=25:duration={seconds}"),
            *("-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}"),
            *("-c:v", "libx264", "-profile:v", "baseline", "-preset", "ultrafast", "-g", "25", "-c:a", "aac"),
        )
    subprocess.run(
        [require_program("ffmpeg"), "-nostdin", "-v", "error", *source, "-f", "flv", "-y", str(target)],
        timeout=deadline(30),
        check=True,
    )
    return target


def assert_suffix(got: Packets, reference: Packets, *, must_be_whole: bool = False) -> None:
    """What a player got of each track is the end of what was published, packet for packet.

    ``must_be_whole`` wants all of it from the first keyframe on; sound from before that is not played.
    Raises ``AssertionError`` naming the track and the first packet that differs.
    """
    assert set(got) == set(reference), f"tracks {sorted(got)} of {sorted(reference)}"
    for index, published in reference.items():
        have, want = payloads(got[index]), payloads(published)
        start = len(want) - len(have)
        assert start >= 0, f"track {index}: {len(have)} packets of {len(want)} published"
        if have != want[start:]:
            at = next(i for i in range(len(have)) if have[i] != want[start + i])
            begins, ends = (want.index(packet) if packet in want else None for packet in (have[0], have[-1]))
            raise AssertionError(
                f"track {index}: {len(have)} packets of {len(want)}, the first is number {begins}, "
                f"packet {at} from there differs, the last is number {ends}"
            )
        before_picture = sum(packet.dts_ms <= reference[0][0].dts_ms for packet in published) if index else 0
        assert not must_be_whole or start <= before_picture, f"track {index}: first {start} packets missing"


def assert_rising_from_zero(got: Packets, *, first_within_ms: int = 100) -> None:
    """Times start at 0 on one track, near it on the others, and never fall within a track."""
    firsts = [packets[0].dts_ms for packets in got.values()]
    assert min(firsts) == 0 and max(firsts) <= first_within_ms, f"first times {firsts}"
    for index, packets in got.items():
        times = [packet.dts_ms for packet in packets]
        assert times == sorted(times), f"track {index}: times fall"
