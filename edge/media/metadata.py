"""onMetaData: what is kept, what is taken out before it is relayed."""

from __future__ import annotations

from typing import Any

from edge.errors import AmfError
from edge.rtmp import amf0

_AUDIO_FIELDS = frozenset(
    {"audiochannels", "audiosamplerate", "audiosamplesize", "audiodatarate", "audiocodecid", "stereo"}
)
_VIDEO_FIELDS = frozenset({"width", "height", "framerate", "videodatarate", "videocodecid"})
_FILE_FIELDS = frozenset({"duration", "filesize"})


def decode_metadata(payload: bytes, name: str = "onMetaData") -> dict[str, Any] | None:
    """Return the fields of a metadata message body, or None when it is some other data message.

    What stands behind something unreadable is not there.

    Raises:
        AmfError: not even a name can be read.
    """
    readable = amf0.decode_readable(payload)
    values = readable.values
    if not values and readable.fault is not None:
        raise readable.fault
    if len(values) < 2 or values[0] not in ("onMetaData", name):
        return None
    fields = next((value for value in values[1:] if isinstance(value, dict)), None)
    return dict(fields) if fields is not None else None


def encode_metadata(fields: dict[str, Any]) -> bytes:
    """Build the body that players get: ``onMetaData`` and an ECMA array with the fields in their order."""
    return amf0.encode_all("onMetaData", amf0.EcmaArray(fields))


def relayed_metadata(fields: dict[str, Any], *, is_duration_kept: bool) -> dict[str, Any]:
    """Leave out what is only true of a file: players show a seek bar for it, and some stop there."""
    if is_duration_kept:
        return fields
    return {name: value for name, value in fields.items() if name not in _FILE_FIELDS}


def filtered_metadata(payload: bytes, *, has_audio: bool, has_video: bool) -> bytes:
    """Metadata body for an audio-only or video-only player."""
    try:
        fields = decode_metadata(payload)
    except AmfError:
        return payload
    if fields is None or (has_audio and has_video):
        return payload
    dropped = _AUDIO_FIELDS if not has_audio else _VIDEO_FIELDS
    return encode_metadata({name: value for name, value in fields.items() if name not in dropped})


def number_field(fields: dict[str, Any], name: str) -> float | None:
    """A positive finite number, or None: publishers send NaN, 1e300 and strings."""
    value = fields.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e9:
        return float(value)
    return None
