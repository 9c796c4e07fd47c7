from __future__ import annotations

from pathlib import Path

import pytest

av = pytest.importorskip("av")

from edge.tools import picture  # noqa: E402


class Clock:
    """Stands still except while somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def test_writes_h264_and_aac_in_real_time(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "picture.flv"
    picture.publish(str(path), frame_count=51, now=clock.now, sleep=clock.sleep)

    assert clock.now_s == pytest.approx(102.0)
    with av.open(str(path)) as written:
        video, audio = written.streams.video[0], written.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        packets = [packet for packet in written.demux() if packet.size]
        sent = {stream: [packet for packet in packets if packet.stream is stream] for stream in (video, audio)}
        assert len(sent[video]) == 51
        assert [index for index, packet in enumerate(sent[video]) if packet.is_keyframe] == [0, 50]
        assert abs(float(sent[audio][-1].pts - sent[video][-1].pts)) < 100


def test_picture_moves_and_tone_sounds() -> None:
    frames = picture.video_frames()
    first, second = (bytes(next(frames).planes[0]) for _ in range(2))
    assert first != second
    assert any(bytes(next(picture.audio_frames()).planes[0]))


def test_starts_again_after_each_loss() -> None:
    pauses: list[float] = []

    def refuse(url: str) -> None:
        if len(pauses) == 3:
            raise KeyboardInterrupt
        raise av.error.ConnectionRefusedError(111, "refused", url)

    with pytest.raises(KeyboardInterrupt):
        picture.publish_for_ever("rtmp://127.0.0.1:1/live/demo", publish_once=refuse, sleep=pauses.append)
    assert pauses == [picture.RETRY_PAUSE_S] * 3
