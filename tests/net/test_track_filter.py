"""Sound only, picture only."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from edge.media.frame import AUDIO, DATA, METADATA, VIDEO, Frame
from edge.media.metadata import decode_metadata, encode_metadata
from edge.net.track_filter import AUDIO_BIT, DATA_BIT, VIDEO_BIT, TrackFilter, chosen_tracks


@dataclass(frozen=True)
class Filter(TrackFilter):
    tracks: int


@pytest.mark.parametrize(
    ("only_audio", "only_video", "tracks"),
    [
        (False, False, AUDIO_BIT | VIDEO_BIT | DATA_BIT),
        (True, False, AUDIO_BIT | DATA_BIT),
        (False, True, VIDEO_BIT | DATA_BIT),
        (True, True, DATA_BIT),
    ],
)
def test_data_are_always_wanted(only_audio: bool, only_video: bool, tracks: int) -> None:
    assert chosen_tracks(only_audio=only_audio, only_video=only_video) == tracks
    chosen = chosen_tracks(only_audio=False, only_video=False, has_audio=not only_video, has_video=not only_audio)
    assert chosen == tracks, "what is switched off counts as what the URL leaves out"
    found = Filter(tracks)
    accepted = [found.accepts(Frame(type_id, 0, b"x")) for type_id in (AUDIO, VIDEO, DATA)]
    assert accepted == [not only_video, not only_audio, True]


@pytest.mark.parametrize(("bit", "field"), [(AUDIO_BIT, "stereo"), (VIDEO_BIT, "width")])
def test_metadata_lose_the_fields_of_what_is_left_out(bit: int, field: str) -> None:
    frame = Frame(DATA, 0, encode_metadata({"width": 16.0, "stereo": True, "title": "x"}), METADATA)
    assert Filter(7).payload_of(frame) is frame.payload
    assert set(decode_metadata(Filter(bit | DATA_BIT).payload_of(frame)) or {}) == {field, "title"}
    assert Filter(bit).payload_of(Frame(DATA, 0, frame.payload)) is frame.payload
