"""Disks that are full, read-only, or emptied while HLS is written there: nobody else notices, and files come again."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.clients import Program
from tests.harness.clock import deadline, missing, require_program, wait_until_sync
from tests.harness.m3u8 import parse_media
from tests.harness.server import EdgeServer
from tests.harness.witness import Witness

pytestmark = [pytest.mark.faults, pytest.mark.system("linux")]

_FLAGS = ("-hls_fragment_s=0.5", "-hls_window_s=2", "-hls_default=classic")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if done.returncode:
        missing("a tmpfs, which needs root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def picture(server: EdgeServer, name: str = "cam", kbit: int = 300) -> Program:
    """A publisher of so many bits a second, with a keyframe in each half second."""
    source = ("-re", "-f", "lavfi", "-i", "testsrc2=s=320x240:r=20", "-f", "lavfi", "-i", "sine")
    rate = ("-b:v", f"{kbit}k", "-maxrate", f"{kbit}k", "-bufsize", f"{kbit // 4}k")
    coder = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-bf", "0", *rate, "-c:a", "aac")
    target = ("-f", "flv", server.rtmp_url("live", name))
    return Program(require_program("ffmpeg"), "-nostdin", "-v", "error", *source, *coder, *target)


def sequence(folder: Path) -> int:
    """Of the segment that comes next; -1 without a playlist, which is whole wherever there is one."""
    try:
        text = (folder / "live" / "cam.m3u8").read_text()
    except OSError:
        return -1
    return parse_media(text).next_sequence


def wait_for_more(folder: Path, count: int = 3) -> None:
    first = sequence(folder)
    wait_until_sync(lambda: sequence(folder) >= max(first, 1) + count, deadline(5), "segments in the directory")


def wait_for_errors(server: EdgeServer, count: int = 2) -> None:
    first = server.counters()["error_hls_disk_count"]
    wait_until_sync(
        lambda: server.counters()["error_hls_disk_count"] >= first + count, deadline(5), "errors to be counted"
    )


def ram_sequence(server: EdgeServer) -> int:
    """The same over HTTP, from memory."""
    url = f"http://{server.address}/live/cam.classic.m3u8?only-video=0"
    with urllib.request.urlopen(url, timeout=deadline(5)) as answer:
        text = answer.read().decode()
    media_uri = next(line for line in text.splitlines() if not line.startswith("#"))
    if "EXT-X-STREAM-INF" in text:
        with urllib.request.urlopen(f"http://{server.address}/live/{media_uri}", timeout=deadline(5)) as answer:
            text = answer.read().decode()
    return parse_media(text).next_sequence


def assert_ram_goes_on(server: EdgeServer) -> None:
    first = ram_sequence(server)
    wait_until_sync(lambda: ram_sequence(server) >= first + 2, deadline(3), "HLS from memory")


def test_L10_full(small_disk: Path) -> None:
    with EdgeServer(f"-hls_path={small_disk / 'hls'}", *_FLAGS) as server, picture(server):
        wait_for_more(small_disk / "hls")
        with Witness(server):
            filler = small_disk / "filler"
            with filler.open("wb", buffering=0) as file:
                while True:
                    try:
                        file.write(bytes(4096))
                    except OSError:
                        break
            wait_for_errors(server)
            assert_ram_goes_on(server)
            filler.unlink()
            wait_for_more(small_disk / "hls")
        assert server.log.count("reason=hls_disk") <= 5


def test_L10_full_of_our_own_files(small_disk: Path) -> None:
    """It never holds a window: what is there goes by itself, and some is listed again."""
    flags = ("-hls_fragment_s=0.5", "-hls_window_s=4")
    with EdgeServer(f"-hls_path={small_disk / 'hls'}", *flags) as server, picture(server, kbit=3000):
        wait_for_errors(server)
        last = sequence(small_disk / "hls")
        wait_until_sync(lambda: sequence(small_disk / "hls") > last + 8, deadline(8), "segments again")


def test_L10_no_file_may_be_larger_than_a_limit(tmp_path: Path) -> None:
    with EdgeServer(f"-hls_path={tmp_path}", *_FLAGS) as server, picture(server):
        wait_for_more(tmp_path)
        before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (1024, before[1]))
        # The log is a file, too.
        wait_until_sync(lambda: server.counters()["error_hls_disk_count"] >= 2, deadline(5), "errors")
        assert_ram_goes_on(server)
        assert [path.name for path in tmp_path.rglob("*.ts") if path.stat().st_size <= 1024] == []
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, before)
        wait_for_more(tmp_path)


def test_L10_read_only(small_disk: Path) -> None:
    with EdgeServer(f"-hls_path={small_disk}", *_FLAGS) as server, picture(server, kbit=100):
        wait_for_more(small_disk)
        with Witness(server):
            subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
            wait_for_errors(server)
            assert_ram_goes_on(server)
            subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
            wait_for_more(small_disk)


def test_L10_deleted_while_it_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "hls"
    with EdgeServer(f"-hls_path={folder}", *_FLAGS) as server, picture(server):
        wait_for_more(folder)
        with Witness(server):
            for _ in range(5):
                shutil.rmtree(folder, ignore_errors=True)
                time.sleep(0.3)
            wait_for_more(folder)
            assert_ram_goes_on(server)
        media = parse_media((folder / "live" / "cam.m3u8").read_text())
        assert all((folder / "live" / segment.uri).exists() for segment in media.segments)


def test_L10_a_directory_that_cannot_be_used_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    server = EdgeServer(f"-hls_path={tmp_path / 'file'}")
    with pytest.raises(AssertionError, match="exit code 1 at start"):
        server.start()
    assert "-hls_path=" in server.log
    server._log.close()
    assert os.listdir(tmp_path) == ["file"]


def test_L10_the_publisher_is_sent_away_where_that_is_wanted(tmp_path: Path) -> None:
    folder = tmp_path / "hls"
    with EdgeServer(f"-hls_path={folder}", "-hls_on_error=disconnect", *_FLAGS) as server, picture(server) as ffmpeg:
        wait_for_more(folder)
        shutil.rmtree(folder)
        folder.write_bytes(b"a file where the directory was")
        wait_until_sync(lambda: ffmpeg.exit_code is not None, deadline(4), "the publisher to leave")
        assert server.counters()["error_hls_disk_count"] >= 1
