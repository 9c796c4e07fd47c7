"""onMetaData: what players get of it."""

from __future__ import annotations

import math

import pytest

from edge.errors import AmfError
from edge.media.metadata import (
    decode_metadata,
    encode_metadata,
    filtered_metadata,
    number_field,
    relayed_metadata,
)
from edge.rtmp import amf0

FIELDS = {"width": 1280.0, "height": 720.0, "stereo": True, "audiosamplerate": 44100.0, "encoder": "x", "duration": 5.0}


def test_fields_survive_in_their_order() -> None:
    assert decode_metadata(encode_metadata(FIELDS)) == FIELDS
    assert list(decode_metadata(encode_metadata(FIELDS)) or {}) == list(FIELDS)


def test_object_and_array_are_both_read() -> None:
    assert decode_metadata(amf0.encode_all("onMetaData", {"a": 1.0})) == {"a": 1.0}
    assert decode_metadata(amf0.encode_all("onMetaData", amf0.EcmaArray({"a": 1.0}))) == {"a": 1.0}


@pytest.mark.parametrize(
    "values", [("onCuePoint", {"a": 1.0}), ("onMetaData",), ("onMetaData", None), ("onMetaData", "x"), (1.0, {})]
)
def test_other_data_is_no_metadata(values: tuple[object, ...]) -> None:
    assert decode_metadata(amf0.encode_all(*values)) is None


def test_further_name_may_be_configured() -> None:
    body = amf0.encode_all("onMine", {"a": 1.0})
    assert decode_metadata(body) is None
    assert decode_metadata(body, "onMine") == {"a": 1.0}
    assert decode_metadata(encode_metadata({"a": 1.0}), "onMine") == {"a": 1.0}


def test_A5_fields_before_a_fault_are_read() -> None:
    body = encode_metadata(FIELDS)
    assert decode_metadata(body[:-5]) == {name: FIELDS[name] for name in list(FIELDS)[:-1]}
    assert decode_metadata(body[:-3]) == FIELDS
    assert decode_metadata(body + b"\xff") == FIELDS
    assert decode_metadata(amf0.encode_all("onMetaData", None, 5.0, {"a": 1.0})) == {"a": 1.0}


def test_body_without_a_readable_name_raises() -> None:
    with pytest.raises(AmfError):
        decode_metadata(encode_metadata(FIELDS)[:5])


def test_what_is_only_true_of_a_file_is_left_out() -> None:
    fields = {**FIELDS, "filesize": 9.0}
    assert relayed_metadata(fields, is_duration_kept=True) == fields
    assert set(fields) - set(relayed_metadata(fields, is_duration_kept=False)) == {"duration", "filesize"}


def test_fields_of_a_medium_that_is_left_out_go() -> None:
    body = encode_metadata(FIELDS)
    assert set(decode_metadata(filtered_metadata(body, has_audio=True, has_video=False)) or {}) == {
        "stereo",
        "audiosamplerate",
        "encoder",
        "duration",
    }
    assert set(decode_metadata(filtered_metadata(body, has_audio=False, has_video=True)) or {}) == {
        "width",
        "height",
        "encoder",
        "duration",
    }
    assert filtered_metadata(body, has_audio=True, has_video=True) is body
    assert filtered_metadata(b"\x02\x00", has_audio=True, has_video=False) == b"\x02\x00"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(30.0, 30.0), (25, 25.0), (0, None), (-1.0, None), (math.nan, None), (1e300, None), ("30", None), (True, None)],
)
def test_A14_only_sane_numbers_are_read(value: object, wanted: float | None) -> None:
    assert number_field({"framerate": value}, "framerate") == wanted
    assert number_field({}, "framerate") is None
