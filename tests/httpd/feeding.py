"""A publisher for tests of outputs, whose pictures and sounds can be put into any container."""

from __future__ import annotations

from tests.harness.client import RtmpClient
from tests.harness.wire import AUDIO, DATA, VIDEO
from tests.net.live import send, status
from tests.runtime.nodes import RunningNode

H264_HEADER = bytes.fromhex("17000000000142c01fffe1000a6742c01fda014016ec0401000468ce3c80")
AAC_HEADER = bytes.fromhex("af001210")
SPEEX_SOUND = b"\xb2" + bytes(20)
GOP_FRAMES, STEP_MS = 25, 40


def picture(*, is_keyframe: bool) -> bytes:
    """An H.264 picture of one slice."""
    unit = (b"\x65" if is_keyframe else b"\x41") + bytes(200)
    return (b"\x17" if is_keyframe else b"\x27") + b"\x01\0\0\0" + len(unit).to_bytes(4, "big") + unit


class Source:
    """A publisher that sends when the test says so: ``push`` a second of 25 pictures with sound."""

    def __init__(self, client: RtmpClient, name: str, *, has_audio: bool, has_video: bool) -> None:
        self.client = client
        self.name = name
        self.number = 0
        self._has_audio, self._has_video = has_audio, has_video

    @classmethod
    async def at(cls, node: RunningNode, name: str = "s", *, has_audio: bool = True, has_video: bool = True) -> Source:
        """Begin to publish ``live/name`` with headers only."""
        client = await node.client()
        client.publish(name)
        await status(client, "NetStream.Publish.Start")
        if has_video:
            send(client, VIDEO, 0, H264_HEADER)
        if has_audio:
            send(client, AUDIO, 0, AAC_HEADER)
        return cls(client, name, has_audio=has_audio, has_video=has_video)

    def push(self, count: int = GOP_FRAMES) -> None:
        """So many pictures and sounds; each 25th picture is a keyframe."""
        for _ in range(count):
            at_ms = self.number * STEP_MS
            if self._has_video:
                send(self.client, VIDEO, at_ms, picture(is_keyframe=self.number % GOP_FRAMES == 0))
            if self._has_audio:
                send(self.client, AUDIO, at_ms, b"\xaf\x01" + bytes(20))
            self.number += 1

    def push_data(self, payload: bytes) -> None:
        """A data message with the stamp of the next picture."""
        send(self.client, DATA, self.number * STEP_MS, payload)

    def end(self) -> None:
        """The broadcast is over."""
        self.client.delete_stream(self.name)
