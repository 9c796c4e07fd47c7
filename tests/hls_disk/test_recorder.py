"""Streams of a hub become files, in a node that serves as ever."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from edge.hls_disk.config import DiskConfig
from edge.hls_disk.folder import Folder
from edge.hls_disk.recorder import DiskHls
from edge.hub.config import HubConfig
from edge.hub.key import StreamKey
from edge.hub.publisher import Publisher
from edge.hub.registry import Registry
from edge.hub.stream import Stream
from edge.media.frame import AUDIO, VIDEO
from edge.net.aio import wall_ms
from edge.service.refusal import Refusal
from edge.service.rules import Rules
from tests.harness.at_once import at_once
from tests.harness.clock import deadline, wait_until
from tests.harness.m3u8 import Media, parse_media
from tests.httpd.feeding import AAC_HEADER, H264_HEADER, Source, picture
from tests.runtime.nodes import running

KEY = StreamKey("_", "live", "cam")
SPEEX = b"\xb2" + bytes(20)


class Played:
    query = ""


class Setting:
    """A hub whose streams are written, and a publisher's hand."""

    def __init__(
        self, root: Path, by_vhost: Mapping[str, Mapping[str, object]] | None = None, **settings: object
    ) -> None:
        config = replace(DiskConfig(hls_path=str(root), hls_window_s=6), **settings)  # type: ignore[arg-type]
        others = {
            vhost: replace(config, **values)  # type: ignore[arg-type]
            for vhost, values in (by_vhost or {}).items()
        }
        self.root = root
        self.stopped: list[Refusal] = []
        numbers = itertools.count()
        self.disk = DiskHls([config, *others.values()], asyncio.get_running_loop())
        place = self.disk.place_of(config)
        assert place is not None
        self.place = place
        rules = {vhost: Rules((HubConfig(hls_fragment_s=1), each)) for vhost, each in {"_": config, **others}.items()}
        self.registry = Registry(lambda key: rules[key.vhost], new_id=lambda: f"e{next(numbers)}", wall_ms=wall_ms)
        self.disk.attach(self.registry, lambda publisher, refusal: self.stopped.append(refusal))
        self.disk.start()

    def publish(self, key: StreamKey = KEY) -> Publisher[Stream]:
        publisher = self.registry.claim_publisher(key, "peer", 0).publisher
        self.registry.tell_published(publisher.stream)
        return publisher

    def push(self, publisher: Publisher[Stream], first_s: int, seconds: int, sound: bytes = b"\xaf\x01xx") -> None:
        """Seconds of pictures, each of which begins with a keyframe, and sound."""
        stream = publisher.stream
        if not first_s:
            stream.push(VIDEO, 0, H264_HEADER, 0)
            if sound != SPEEX:
                stream.push(AUDIO, 0, AAC_HEADER, 0)
        for at_ms in range(first_s * 1000, (first_s + seconds) * 1000, 40):
            stream.push(VIDEO, at_ms, picture(is_keyframe=at_ms % 1000 == 0), at_ms)
            stream.push(AUDIO, at_ms, sound, at_ms)
            stream.commit()

    def media(self, name: str = "cam") -> Media:
        return parse_media((self.root / "live" / f"{name}.m3u8").read_text())

    async def written(self, count: int) -> None:
        await wait_until(
            lambda: self.disk.counters()["hls_disk_segment_count"] >= count, deadline(1), f"{count} segments"
        )


@asynccontextmanager
async def setting_of(
    root: Path, by_vhost: Mapping[str, Mapping[str, object]] | None = None, **settings: object
) -> AsyncIterator[Setting]:
    setting = Setting(root, by_vhost, **settings)
    try:
        yield setting
    finally:
        for stream in list(setting.registry.streams.values()):
            setting.registry.end_stream(stream, "the end")
        await setting.disk.close()
        assert setting.registry.observers == []


async def test_each_complete_segment_is_written_and_the_last_one_at_the_end(tmp_path: Path) -> None:
    async with setting_of(tmp_path) as setting:
        publisher = setting.publish()
        setting.push(publisher, 0, 4)
        await setting.written(3)
        setting.registry.end_stream(publisher.stream, "over")
        await setting.written(4)
        await setting.place.writer.wait_closed(deadline(1))
        assert [each.duration_s for each in setting.media().segments] == [1.0] * 4
        assert not publisher.stream.readers


async def test_no_segment_is_held_in_memory_when_the_writer_has_it(tmp_path: Path) -> None:
    async with setting_of(tmp_path) as setting:
        publisher = setting.publish()
        setting.push(publisher, 0, 8)
        await setting.written(7)
        (reader,) = publisher.stream.readers
        assert reader.size_bytes == reader.current.size  # type: ignore[attr-defined]
        assert setting.disk.counters()["hls_disk_queue_bytes"] == 0


async def test_a_publisher_that_returns_goes_on_in_the_same_playlist(tmp_path: Path) -> None:
    async with setting_of(tmp_path) as setting:
        publisher = setting.publish()
        setting.push(publisher, 0, 2)
        setting.registry.end_stream(publisher.stream, "over")
        setting.push(setting.publish(), 0, 3)
        await setting.written(4)
        await wait_until(lambda: len(setting.media().segments) == 4, deadline(1), "the playlist")
        assert [each.is_discontinuity for each in setting.media().segments] == [False, False, True, False]


async def test_what_is_pulled_is_written_when_somebody_plays_it(tmp_path: Path) -> None:
    async with setting_of(tmp_path) as setting:
        stream, play = setting.registry.find_or_create(KEY, 0), Played()
        assert not stream.readers
        setting.registry.add_player(stream, play)  # type: ignore[arg-type]
        assert len(stream.readers) == 1
        setting.registry.add_player(stream, play)  # type: ignore[arg-type]
        assert len(stream.readers) == 1


async def test_a_track_without_a_place_is_left_out_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with setting_of(tmp_path, hls_use_fmp4=True) as setting:
        setting.push(setting.publish(), 0, 4, sound=SPEEX)
        await setting.written(3)
        assert setting.media().segments[0].uri.endswith(".m4s")
        assert setting.media().segments[0].map_uri is not None


def break_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Folder, path: str, data: bytes) -> None:
        raise OSError(28, "No space left on device", path)

    monkeypatch.setattr(Folder, "write", fail)


@pytest.mark.parametrize(("policy", "errors", "stops"), [("continue", 5, 0), ("ignore", 1, 0), ("disconnect", 1, 1)])
async def test_L10_on_error_as_SRS_means_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str, errors: int, stops: int
) -> None:
    async with setting_of(tmp_path, hls_on_error=policy) as setting:
        publisher = setting.publish()
        break_disk(monkeypatch)
        counters = setting.disk.counters
        for second in range(6):
            setting.push(publisher, second, 1)
            if second:
                expected = min(second, errors)
                await wait_until(
                    lambda expected=expected: counters()["error_hls_disk_count"] == expected,  # type: ignore[misc]
                    deadline(1),
                    "the error",
                )
                await asyncio.sleep(0)
        assert counters()["error_hls_disk_count"] == errors
        assert len(setting.stopped) == stops
        monkeypatch.undo()
        setting.registry.tell_published(publisher.stream)  # another publish of the stream
        setting.push(publisher, 6, 2)
        await setting.written(1)


async def test_L10_segments_that_may_not_wait_are_dropped_and_counted(tmp_path: Path) -> None:
    async with setting_of(tmp_path, hls_disk_queue_bytes=1) as setting:
        publisher = setting.publish()
        setting.push(publisher, 0, 11)  # the thread has not had its turn
        dropped = setting.disk.counters()["hls_disk_dropped_count"]
        assert setting.disk.counters()["error_hls_disk_count"] == dropped
        await setting.written(10 - dropped)


async def test_a_node_writes_without_HTTP_and_without_HLS_over_HTTP(tmp_path: Path) -> None:
    async with running(f"-hls_path={tmp_path}", "-nohls", "-hls_fragment_s=0.5") as node:
        source = await Source.at(node)
        source.push(25)
        assert at_once(node.facts.counters())["error_hls_disk_count"] == 0
        source.end()
        playlist = tmp_path / "live" / "s.m3u8"
        await wait_until(playlist.exists, deadline(2), "the playlist")
        assert len(parse_media(playlist.read_text()).segments) == 1
        assert not node.node.http.counters


def found(root: Path, pattern: str) -> list[str]:
    return [path.relative_to(root).as_posix() for path in root.glob(pattern)]


BY_VHOST = {
    "hls_m3u8_file": ("[vhost]/[stream].m3u8", "{}/cam.m3u8"),
    "hls_ts_file": ("[vhost]-[seq].ts", "{}-*.ts"),
    "hls_fmp4_file": ("[vhost]-[seq].m4s", "{}-*.m4s"),
    "hls_init_file": ("[vhost]-[digest].mp4", "{}-*.mp4"),
}


@pytest.mark.parametrize("flag", BY_VHOST)
async def test_names_of_files_are_those_of_the_vhost(tmp_path: Path, flag: str) -> None:
    value, pattern = BY_VHOST[flag]
    is_mp4 = flag in ("hls_fmp4_file", "hls_init_file")
    both = {"hls_use_fmp4": is_mp4, "hls_m3u8_file": "lists/[vhost].m3u8"}
    async with setting_of(tmp_path, {"set": {**both, flag: value}, "plain": both}) as setting:
        for vhost in ("set", "plain"):
            setting.push(setting.publish(KEY._replace(vhost=vhost)), 0, 4)
        await setting.written(6)
    assert [len(found(tmp_path, pattern.format(vhost))) > 0 for vhost in ("set", "plain")] == [True, False]


async def test_files_are_in_the_folder_of_their_vhost_or_in_none(tmp_path: Path) -> None:
    folders = {"a": {"hls_path": str(tmp_path / "a")}, "b": {"hls_path": str(tmp_path / "b")}, "none": {"hls_path": ""}}
    async with setting_of(tmp_path / "root", folders) as setting:
        for vhost in folders:
            setting.push(setting.publish(KEY._replace(vhost=vhost)), 0, 4)
        await setting.written(6)
    assert {path.partition("/")[0] for path in found(tmp_path, "**/*.ts")} == {"a", "b"}


async def test_the_end_and_errors_are_handled_as_the_vhost_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = {"hls_end_list_on_unpublish": True, "hls_on_error": "disconnect", "hls_m3u8_file": "[vhost].m3u8"}
    plain = {"hls_m3u8_file": "[vhost].m3u8"}
    async with setting_of(tmp_path, {"closed": closed, "plain": plain}) as setting:
        for vhost in ("closed", "plain"):
            publisher = setting.publish(KEY._replace(vhost=vhost))
            setting.push(publisher, 0, 4)
            setting.registry.end_stream(publisher.stream, "over")
        await setting.written(8)
        playlist = tmp_path / "closed.m3u8"
        await wait_until(lambda: "ENDLIST" in playlist.read_text(), deadline(1), "the end of the list")
        assert "ENDLIST" not in (tmp_path / "plain.m3u8").read_text()
        break_disk(monkeypatch)
        publishers = {vhost: setting.publish(KEY._replace(vhost=vhost)) for vhost in ("closed", "plain")}
        for second in range(3):
            for publisher in publishers.values():
                setting.push(publisher, second, 1)
        await wait_until(lambda: bool(setting.stopped), deadline(1), "the publisher's end")
        await wait_until(lambda: setting.disk.counters()["error_hls_disk_count"] >= 4, deadline(1), "all errors")
        assert len(setting.stopped) == 1
        monkeypatch.undo()
