"""What is to be seen of a publish whose frames are not taken: keyframes that nothing has followed in their tracks.

A muted slate of slides sends its next picture in ten seconds; when it is seen
again its present one must not wait for that.
"""

from __future__ import annotations

from collections.abc import Iterable

from edge.hub.held_frames import MAX_KEPT_BYTES
from edge.hub.track import MAX_PICTURE_MESSAGES
from edge.media.frame import AUDIO, VIDEO, Frame, classify_video, has_picture, tracks_of


class Shown:
    """The newest such picture of each track; ``dts_ms`` of these frames is any clock of the publish."""

    __slots__ = ("_frames",)

    def __init__(self) -> None:
        self._frames: list[Frame] = []

    @property
    def frames(self) -> list[Frame]:
        """Those that are kept."""
        return list(self._frames)

    def note(self, frame: Frame) -> None:
        """The publish goes on with ``frame``, a picture; keyframes of one stamp are slices of one picture."""
        if not frame.is_keyframe and not (self._frames and has_picture(frame.payload)):
            return
        tracks = tracks_of(VIDEO, frame.payload)
        self._frames = [
            old for old in self._frames if (frame.is_keyframe and old.dts_ms == frame.dts_ms) or not _is_of(old, tracks)
        ]
        if not frame.is_keyframe:
            return
        size = sum(len(old.payload) for old in self._frames) + len(frame.payload)
        if len(self._frames) >= MAX_PICTURE_MESSAGES or size > MAX_KEPT_BYTES:
            self._frames.clear()
        if len(frame.payload) <= MAX_KEPT_BYTES:
            self._frames.append(frame)

    def begin(self, frames: Iterable[Frame] = ()) -> None:
        """Forget all but ``frames``."""
        self._frames = list(frames)

    def take(self, type_id: int = AUDIO, payload: bytes = b"") -> list[Frame]:
        """What is seen before the message with which the publish goes on, if any; it is not kept any longer.

        A keyframe replaces that of its tracks; what is none needs it.
        """
        frames, self._frames = self._frames, []
        if type_id != VIDEO or not frames or not classify_video(payload)[1]:
            return frames
        tracks = tracks_of(VIDEO, payload)
        return [frame for frame in frames if not _is_of(frame, tracks)]


def _is_of(frame: Frame, tracks: tuple[int, ...]) -> bool:
    return any(track in tracks for track in tracks_of(VIDEO, frame.payload))
