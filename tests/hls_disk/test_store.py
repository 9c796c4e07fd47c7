"""What lies in the directory, over republishes, restarts, and everything that may be wrong with a disk."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edge.hls_disk.folder import Folder
from edge.hls_disk.store import Listed, Source
from edge.hub.key import PUBLISH_REALM, StreamKey
from tests.hls_disk.files import KEY, Files, made


def segments(first: int, count: int, **options: object) -> list:
    return [made(number, **options) for number in range(first, first + count)]  # type: ignore[arg-type]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "hls")


def test_a_window_is_listed_and_files_stay_as_long_again(files: Files) -> None:
    files.write(*segments(100, 20))
    assert files.uris() == ["cam-117.ts", "cam-118.ts", "cam-119.ts"]
    # The window, and a target duration: four more.
    assert files.there(".ts") == [f"live/cam-{number}.ts" for number in range(113, 120)]
    assert (files.root / "live" / "cam-119.ts").read_bytes() == made(119).data
    assert [media.media_sequence for media in files.playlists] == [100, 100, *range(100, 118)]


def test_each_segment_is_told_of_once_when_it_is_listed(files: Files) -> None:
    told: list[Listed] = []
    source = Source(KEY, on_listed=lambda listed: told.append(listed))
    files.write(*segments(100, 2), source=source)
    files.write(made(101), source=source)
    duration_ms = made(100).duration_ms
    assert told == [
        Listed(100, duration_ms, "live/cam-100.ts", "live/cam.m3u8"),
        Listed(101, duration_ms, "live/cam-101.ts", "live/cam.m3u8"),
    ]


def test_keep_s_says_how_long_they_stay(tmp_path: Path) -> None:
    files = Files(tmp_path, hls_keep_s=20)
    files.write(*segments(100, 30))
    assert len(files.there(".ts")) == 3 + 10


def test_without_cleanup_what_has_been_listed_stays(tmp_path: Path) -> None:
    files = Files(tmp_path, hls_cleanup=False)
    files.write(*segments(100, 20))
    assert len(files.there(".ts")) == 20


def test_after_the_end_all_of_it_goes_in_time(files: Files) -> None:
    files.write(*segments(100, 8))
    files.store.end(files.source)
    files.pass_by(100)
    assert files.there() == ["live/cam-105.ts", "live/cam-106.ts", "live/cam-107.ts", "live/cam.m3u8"]
    assert not files.store.is_idle
    files.pass_by(25)
    assert [path for path in files.root.rglob("*") if path.is_file()] == []
    assert files.store.is_idle


def test_with_0_what_was_listed_last_stays_for_ever(tmp_path: Path) -> None:
    files = Files(tmp_path, hls_dispose_s=0)
    files.write(*segments(100, 4))
    files.store.end(files.source)
    files.pass_by(5000)
    assert len(files.there()) == 4
    assert files.store.is_idle and not files.store._files, "nothing is held in memory of it"
    files.write(made(101, epoch="e2"))
    assert files.uris() == ["cam-105.ts"]


def test_an_end_list_where_it_is_wanted(tmp_path: Path) -> None:
    files = Files(tmp_path, hls_end_list_on_unpublish=True)
    files.write(*segments(100, 3))
    files.store.end(files.source)
    media = files.look()
    assert media is not None and media.is_ended
    files.playlists.clear()  # who has seen the end does not come back
    files.write(*segments(103, 3, epoch="e2"))
    assert files.uris() == ["cam-104.ts", "cam-105.ts", "cam-106.ts"]


def test_a_republish_goes_on_with_a_discontinuity(files: Files) -> None:
    files.write(*segments(100, 3))
    files.store.end(files.source)
    files.pass_by(3)
    files.write(made(110, epoch="e2"), source=Source(KEY))
    assert files.uris() == ["cam-101.ts", "cam-102.ts", "cam-103.ts"]
    assert [each.is_discontinuity for each in files.playlists[-1].segments] == [False, False, True]


@pytest.mark.parametrize(("seconds", "first"), [(3, 103), (60, 200), (500, 200)])
def test_so_does_a_restart_within_the_window_and_names_are_new(files: Files, seconds: int, first: int) -> None:
    files.write(*segments(100, 3))
    again = files.again()
    again.wall_ms += seconds * 1000
    again.store.tick()
    again.write(*segments(200, 2, epoch="e2"))
    assert again.uris()[-2:] == [f"cam-{first}.ts", f"cam-{first + 1}.ts"]
    again.pass_by(60)
    assert "live/cam-100.ts" not in again.there(), "what the process before has written goes in time"


def test_a_restart_of_an_edge_goes_on_without_one_where_the_publish_did(files: Files) -> None:
    files.write(*segments(100, 3))
    again = files.again()
    again.write(*segments(101, 4))
    assert again.uris() == ["cam-102.ts", "cam-103.ts", "cam-104.ts"]
    assert not any(each.is_discontinuity for each in again.playlists[-1].segments)
    assert again.reports.counts()["hls_disk_segment_count"] == 2, "two were there already"


def test_a_restart_sees_to_what_nobody_publishes_any_more(files: Files) -> None:
    files.write(*segments(100, 6))
    again = files.again()
    again.wall_ms += 200_000
    again.store.tick()
    assert [path for path in files.root.rglob("*") if path.is_file()] == []


def test_numbers_are_not_used_again_after_all_has_gone(files: Files) -> None:
    """The origin's number follows the wall clock; short segments may have been faster."""
    files.write(*segments(100, 3))
    files.store.end(files.source)
    files.pass_by(200)
    files.write(made(101, epoch="e2"))
    assert files.there(".ts") == ["live/cam-104.ts"]


def test_a_playlist_is_one_streams_at_a_time(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    other = Source(StreamKey("other.example", "live", "cam"))
    copy = Source(StreamKey("_", "live", "cam", PUBLISH_REALM))
    for number in range(100, 103):
        files.write(made(number))
        files.write(made(number, epoch="e2"), source=other)
        files.write(made(number), source=copy)
    assert files.uris() == ["cam-100.ts", "cam-101.ts", "cam-102.ts"]
    assert files.errors == 1
    assert "key=other.example/live/cam: live/cam.m3u8 is that of key=_/live/cam" in caplog.text
    files.store.end(files.source)
    files.write(made(103), source=copy)
    assert files.uris() == ["cam-101.ts", "cam-102.ts", "cam-103.ts"]


def test_fmp4_has_its_configurations(tmp_path: Path) -> None:
    files = Files(tmp_path, hls_use_fmp4=True)
    files.write(*segments(100, 2, kind="m4s", init="aa"), *segments(102, 3, kind="m4s", init="bb"))
    assert files.uris() == ["cam-102.m4s", "cam-103.m4s", "cam-104.m4s"]
    assert {each.map_uri for each in files.playlists[-1].segments} == {"cam-bb.init.mp4"}
    assert (tmp_path / "live" / "cam-aa.init.mp4").read_bytes() == b"aa"
    files.write(*segments(105, 8, kind="m4s", init="bb"))
    assert files.there(".mp4") == ["live/cam-bb.init.mp4"]


def test_a_prefix_makes_uris_absolute(tmp_path: Path) -> None:
    files = Files(tmp_path, hls_entry_prefix="http://cdn.example.com/hls/")
    files.write(*segments(100, 3))
    assert files.uris()[0] == "http://cdn.example.com/hls/live/cam-100.ts"
    again = files.again()
    again.allows_absolute = True
    again.write(made(150, epoch="e2"))
    assert again.uris()[-1] == "http://cdn.example.com/hls/live/cam-103.ts"


def test_odd_names_of_streams_stay_below_the_directory(files: Files) -> None:
    for name in ("../../etc/x", "/etc/passwd", "a b#é", "x" * 500, "a\0b"):
        files.write(*segments(100, 2), source=Source(StreamKey("_", "live", name)))
    names = files.there(".m3u8")
    assert len(names) == 5
    assert "live/a b#é.m3u8" in names
    assert "a%20b%23%C3%A9-100.ts" in (files.root / "live" / "a b#é.m3u8").read_text()
    assert files.errors == 0
    assert {path.name for path in files.root.parent.iterdir()} == {"hls"}


class Broken(Folder):
    """A disk that fails for as long as it is told to, at files whose names end so."""

    fails_at = ""

    def write(self, path: str, data: bytes) -> None:
        if self.fails_at and path.endswith(self.fails_at):
            raise OSError(28, "No space left on device", path)
        super().write(path, data)


@pytest.mark.parametrize("at", [".ts", ".m3u8", ".edge-state"])
def test_L10_what_fails_is_counted_and_it_goes_on_by_itself(files: Files, at: str) -> None:
    folder = Broken(str(files.root))
    files.store._folder = folder
    lost = 0

    def on_failed() -> None:
        nonlocal lost
        lost += 1

    source = Source(KEY, on_failed)
    files.write(*segments(100, 3), source=source)
    folder.fails_at = at
    files.write(*segments(103, 2), source=source)
    assert files.errors == lost == 2
    assert files.playlists[-1].next_sequence == 103
    folder.fails_at = ""
    files.write(*segments(105, 3), source=source)
    last = files.playlists[-1].segments[-3:]
    assert [each.is_discontinuity for each in last] == [at == ".ts", False, False]
    assert files.errors == 2


def test_L10_a_playlist_that_could_not_be_written_is_written_later(files: Files) -> None:
    folder = Broken(str(files.root))
    files.store._folder = folder
    files.write(*segments(100, 3))
    folder.fails_at = ".m3u8"
    files.write(made(103))
    files.store.end(files.source)
    folder.fails_at = ""
    files.pass_by(11)
    media = files.look()
    assert media is not None and media.next_sequence == 104


def test_L10_room_is_made_when_nothing_could_be_written_for_long(files: Files) -> None:
    """The files themselves may fill the disk: nothing would ever be listed again."""
    folder = Broken(str(files.root))
    files.store._folder = folder
    files.write(*segments(100, 3))
    folder.fails_at = ".ts"
    for number in range(103, 115):
        files.write(made(number))
        files.pass_by(1)
    assert files.there() == []
    folder.fails_at = ""
    files.write(*segments(115, 3))
    assert files.uris() == ["cam-115.ts", "cam-116.ts", "cam-117.ts"]


@pytest.mark.parametrize("what", ["all", "playlist", "newest", "oldest", "folder"])
def test_L10_what_others_remove_is_listed_no_more(files: Files, what: str) -> None:
    files.write(*segments(100, 5))
    match what:
        case "all":
            shutil.rmtree(files.root)
        case "folder":
            shutil.rmtree(files.root / "live")
        case "playlist":
            files.playlist.unlink()
        case "newest":
            (files.root / "live" / "cam-104.ts").unlink()
        case "oldest":
            (files.root / "live" / "cam-103.ts").unlink()
            files.playlist.unlink()
    files.write(*segments(105, 3))  # each list is looked at: what it names is there
    expected = {"playlist": [105, 106, 107], "oldest": [105, 106, 107]}.get(what, [106, 107, 108])
    assert files.uris() == [f"cam-{number}.ts" for number in expected]
    assert files.errors == 0


def test_L10_what_cannot_be_removed_is_tried_again(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write(*segments(100, 8))
    files.store.end(files.source)
    is_read_only = True
    remove = Folder.remove

    def refuse(folder: Folder, path: str) -> None:
        if is_read_only:
            raise OSError(30, "Read-only file system", path)
        remove(folder, path)

    monkeypatch.setattr(Folder, "remove", refuse)
    files.pass_by(140)
    assert 14 <= files.errors <= 14 * 6, "each file once in ten seconds"
    assert "live/cam.m3u8" in files.there()
    is_read_only = False
    files.pass_by(11)
    assert files.there() == []


def test_what_is_remembered_of_the_past_is_bounded(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.hls_disk.store._MAX_REMEMBERED", 3)
    for number in range(10):
        source = Source(StreamKey("_", "live", f"s{number}"))
        files.write(made(100), source=source)
        files.store.end(source)
    files.pass_by(125)
    assert len(files.store._files) == 3


def test_how_long_files_stay_is_as_their_vhost_says(tmp_path: Path) -> None:
    files = Files(tmp_path)
    kept = {"keep": {"hls_keep_s": 600}, "all": {"hls_cleanup": False}, "long": {"hls_dispose_s": 600}, "plain": {}}
    for vhost, values in kept.items():
        names = {"hls_ts_file": "[vhost]-[seq].ts", "hls_m3u8_file": "[vhost].m3u8"}
        config = replace(files.config, **names, **values)  # type: ignore[arg-type]
        source = Source(KEY._replace(vhost=vhost), config=config)
        for segment in segments(100, 12):
            files.wall_ms += segment.duration_ms
            files.store.segment(source, segment)
        files.store.end(source)
    files.pass_by(30)
    count = {vhost: len(list(tmp_path.glob(f"{vhost}-*.ts"))) for vhost in kept}
    assert count["keep"] == count["all"] == 12
    assert 0 < count["plain"] == count["long"] < 12
    files.pass_by(200)
    left = {vhost: len(list(tmp_path.glob(f"{vhost}-*.ts"))) for vhost in kept}
    assert (left["plain"], left["long"]) == (0, count["long"])
