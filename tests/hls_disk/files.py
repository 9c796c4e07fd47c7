"""A directory with its store, a clock that is set, and segments for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edge.hls.names import SegmentName
from edge.hls_disk.config import DiskConfig
from edge.hls_disk.folder import Folder
from edge.hls_disk.listing import Made
from edge.hls_disk.reports import Reports
from edge.hls_disk.store import Source, Store
from edge.hub.key import StreamKey
from tests.harness.m3u8 import Media, check_follow, parse_media

WALL_MS = 1_796_000_000_000
KEY = StreamKey("_", "live", "cam")


def made(
    number: int, *, epoch: str = "e1", duration_ms: int = 2000, kind: str = "ts", init: str = "", size: int = 100
) -> Made:
    """Segment ``number`` of a publish; its bytes say which it is."""
    data = f"{epoch}-{number}.".encode().ljust(size, b".")
    name = SegmentName(epoch, number, number * duration_ms)
    wall_ms = WALL_MS + number * duration_ms
    return Made(name, kind, duration_ms, wall_ms, 1, 2, False, init, data, init.encode())


class Files:
    """A store over ``root``; each playlist that is seen follows the rules, and the one before.

    Attributes:
        wall_ms: the clock.
        source: makes the segments of ``KEY``.
    """

    def __init__(self, root: Path, **settings: object) -> None:
        self.root = root
        self.wall_ms = WALL_MS
        self.source = Source(KEY)
        self.playlists: list[Media] = []
        self.allows_absolute = bool(settings.get("hls_entry_prefix"))
        self.config = replace(DiskConfig(hls_path=str(root), hls_window_s=6), **settings)  # type: ignore[arg-type]
        self.reports = Reports(lambda: self.wall_ms)
        self.store = Store(self.config, Folder(str(root)), self.reports, lambda: self.wall_ms)
        self.store.start()

    def again(self) -> Files:
        """What a process does that is started now."""
        other = Files(self.root)
        other.config, other.wall_ms, other.playlists = self.config, self.wall_ms, self.playlists
        other.store = Store(self.config, Folder(str(self.root)), other.reports, lambda: other.wall_ms)
        other.store.start()
        return other

    def write(self, *segments: Made, source: Source | None = None) -> None:
        """Each when it is complete."""
        for segment in segments:
            self.wall_ms += segment.duration_ms
            self.store.segment(source or self.source, segment)
            self.look()

    def pass_by(self, seconds: int) -> None:
        """Time goes by."""
        for _ in range(seconds):
            self.wall_ms += 1000
            self.store.tick()

    @property
    def playlist(self) -> Path:
        return self.root / "live" / "cam.m3u8"

    def look(self) -> Media | None:
        """The playlist as it is now: whole, in order, and all that it lists is there."""
        if not self.playlist.exists():
            return None
        media = parse_media(self.playlist.read_text(), allows_absolute=self.allows_absolute)
        if self.playlists:
            check_follow(self.playlists[-1], media)
        self.playlists.append(media)
        if not self.allows_absolute:
            assert [each.uri for each in media.segments if not (self.playlist.parent / each.uri).exists()] == []
        return media

    def uris(self) -> list[str]:
        return [each.uri for each in self.playlists[-1].segments]

    def there(self, suffix: str = "") -> list[str]:
        """Names of the files that are not hidden."""
        found = sorted(path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file())
        return [name for name in found if name.endswith(suffix) and not name.rpartition("/")[2].startswith(".")]

    @property
    def errors(self) -> int:
        return self.reports.counts()["error_hls_disk_count"]
