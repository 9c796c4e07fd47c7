"""Players that want the sound only, or the picture only."""

from __future__ import annotations

from edge.media.frame import ALL_TRACKS, AUDIO, DATA, METADATA, TRACK_BIT, VIDEO, Frame
from edge.media.metadata import filtered_metadata

AUDIO_BIT, VIDEO_BIT, DATA_BIT = TRACK_BIT[AUDIO], TRACK_BIT[VIDEO], TRACK_BIT[DATA]


def chosen_tracks(*, only_audio: bool, only_video: bool, has_audio: bool = True, has_video: bool = True) -> int:
    """Bits of the tracks for what a player's URL asks for, of which it may have switched a part off; data always."""
    audio = AUDIO_BIT if has_audio and not only_video else 0
    video = VIDEO_BIT if has_video and not only_audio else 0
    return audio | video | DATA_BIT


class TrackFilter:
    """The part of a wire form that leaves out media.

    Attributes:
        tracks: bits of the tracks that the form carries.
    """

    __slots__ = ()

    tracks: int

    def accepts(self, frame: Frame) -> bool:
        """False for the medium that an audio-only or video-only player does not want."""
        return bool(TRACK_BIT[frame.type_id] & self.tracks)

    def payload_of(self, frame: Frame) -> bytes:
        """The body to send; metadata loses the fields of a medium that is left out."""
        if frame.kind == METADATA and self.tracks != ALL_TRACKS:
            return filtered_metadata(
                frame.payload, has_audio=bool(self.tracks & AUDIO_BIT), has_video=bool(self.tracks & VIDEO_BIT)
            )
        return frame.payload
