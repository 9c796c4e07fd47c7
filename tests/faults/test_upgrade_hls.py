"""A server is replaced under viewers of HLS: what was listed is there, with the same bytes, and numbers go on."""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.faults.test_upgrade import PATIENT, successor
from tests.harness.clients import Program
from tests.harness.clock import deadline, require_program, wait_until_sync
from tests.harness.m3u8 import Media, parse_media
from tests.harness.server import EdgeServer

pytestmark = pytest.mark.faults

_FLAGS = ("-hls_fragment_s=1", "-ts_duration_ms=500", "-ts_max_stored=64")
PLAYLISTS = ("cam.dynamic.m3u8", "cam.classic.media.m3u8", "cam.ll.media.m3u8")
#: Segments at their ends that are not complete.
NOT_WHOLE = (4, 0, 0)


def get(url: str) -> bytes:
    """A viewer's request, on a connection of its own; who is told to come again does."""
    until_s = time.monotonic() + deadline(5)
    while True:
        try:
            with urllib.request.urlopen(url, timeout=deadline(5)) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > until_s:
                raise AssertionError(f"{url}: {error.code} {error.read()!r}") from error
        time.sleep(0.1)


@dataclass
class Viewer:
    """Loads one playlist again and again.

    Attributes:
        bytes_of: by URI, those of its segments that were complete.
    """

    url: str
    seen: Media | None = None
    bytes_of: dict[str, bytes] = field(default_factory=dict)

    def look(self) -> Media:
        now = parse_media(get(self.url).decode())
        if self.seen is not None:
            follow(self.seen, now)
        self.seen = now
        return now

    def take(self, count: int) -> None:
        """All but the newest ``count``, those of the two-level scheme that are to come among them."""
        segments = self.look().segments
        uris = [each.uri for each in segments[: len(segments) - count] if each.uri]
        uris += [each.map_uri for each in segments if each.map_uri]
        for uri in uris:
            if uri not in self.bytes_of:
                self.bytes_of[uri] = get(urljoin(self.url, uri))

    def assert_all_there(self) -> None:
        for uri, data in self.bytes_of.items():
            assert get(urljoin(self.url, uri)) == data, uri


def follow(before: Media, now: Media) -> None:
    """Nothing is left out, nothing comes twice, and no number has two names."""
    assert before.media_sequence <= now.media_sequence <= before.next_sequence
    both = zip(before.segments[now.media_sequence - before.media_sequence :], now.segments, strict=False)
    assert all(old.uri == new.uri and old.is_discontinuity == new.is_discontinuity for old, new in both)
    assert now.next_sequence >= before.next_sequence
    assert not any(each.is_gap for each in now.segments)
    assert now.target_s >= before.target_s
    assert now.discontinuity_sequence == before.discontinuity_sequence


def picture(server: EdgeServer) -> Program:
    source = ("-re", "-f", "lavfi", "-i", "testsrc2=s=320x240:r=20", "-f", "lavfi", "-i", "sine")
    coder = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-bf", "0", "-b:v", "300k", "-c:a", "aac")
    target = ("-f", "flv", server.rtmp_url("live", "cam"))
    return Program(require_program("ffmpeg"), "-nostdin", "-v", "error", *source, *coder, *target)


def test_what_was_listed_is_there_and_numbers_go_on(tmp_path: Path) -> None:
    path = tmp_path / "upgrade"
    server = EdgeServer(f"-upgrade_socket={path}", PATIENT, *_FLAGS)
    with ExitStack() as stack:
        stack.enter_context(server)
        stack.enter_context(picture(server))
        viewers = [Viewer(f"http://{server.address}/live/{name}") for name in PLAYLISTS]
        wait_until_sync(lambda: server.has_stream("cam"), deadline(5), "the stream")
        for viewer in viewers:
            wait_until_sync(lambda viewer=viewer: len(viewer.look().segments) >= 3, deadline(12), "a window")
        for viewer, count in zip(viewers, NOT_WHOLE, strict=True):
            viewer.take(count)
            assert len(viewer.bytes_of) >= 3
        growing = begin_newest(viewers[0])
        new = successor(server, path)
        new.start(10.0)
        stack.callback(new.__exit__, None)
        url, data = growing()
        assert get(url) == data, "what was being sent when the old process ended"
        assert server.process.wait(deadline(5)) == 0, server.log[-3000:]
        server.assert_clean_log()
        for viewer in viewers:
            before = viewer.seen
            assert before is not None
            viewer.look()
            viewer.assert_all_there()
            newest = before.next_sequence
            wait_until_sync(lambda v=viewer, n=newest: v.look().next_sequence >= n + 2, deadline(8), "more segments")
        new.assert_clean_log()


def begin_newest(viewer: Viewer) -> Callable[[], tuple[str, bytes]]:
    """Ask for the segment in progress; what is returned reads it to its end, and says where it is."""
    url = urljoin(viewer.url, viewer.look().segments[-4].uri)  # three are named ahead of it
    connection = http.client.HTTPConnection(url.split("/")[2], timeout=deadline(5))
    connection.request("GET", "/" + url.split("/", 3)[3])
    answer = connection.getresponse()
    assert answer.status == 200

    def rest() -> tuple[str, bytes]:
        try:
            return url, answer.read()
        finally:
            connection.close()

    return rest


def test_permits_of_viewers_are_good_at_the_new_process(tmp_path: Path) -> None:
    """Without a secret of the fleet each process had one of its own, and all viewers were refused."""
    path, users = tmp_path / "upgrade", tmp_path / "users"
    users.write_text(f"ann:sha256:{hashlib.sha256(b'a long password').hexdigest()}:play\n")
    users.chmod(0o600)
    gate = ("-play_auth=user", f"-users_file={users}")
    server = EdgeServer(f"-upgrade_socket={path}", PATIENT, *gate, *_FLAGS)
    with ExitStack() as stack:
        stack.enter_context(server)
        stack.enter_context(picture(server))
        entry = f"http://{server.address}/live/cam.classic.m3u8"
        wait_until_sync(lambda: server.has_stream("cam"), deadline(5), "the stream")
        lines = get(f"{entry}?user=ann&pass=a%20long%20password").decode().splitlines()
        viewer = Viewer(urljoin(entry, next(line for line in lines if line and not line.startswith("#"))))
        wait_until_sync(lambda: len(viewer.look().segments) >= 1, deadline(12), "a window")
        viewer.take(0)
        new = successor(server, path)
        new.start(10.0)
        stack.callback(new.__exit__, None)
        assert server.process.wait(deadline(5)) == 0, server.log[-3000:]
        viewer.look()
        viewer.assert_all_there()
        with pytest.raises(AssertionError, match="403"):
            get(viewer.url.partition("?")[0])
        server.assert_clean_log()
        new.assert_clean_log()
