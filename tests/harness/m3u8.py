"""Playlists of HLS: a parser that takes nothing doubtful, and the rules between two loads of one playlist.

It is stricter than a player. What RFC 8216 tells clients to overlook, such as
unknown tags and attributes, blank lines and CRLF, is an error here, for a
server has no reason to write it. What the RFC only advises against is in
``notes``. The first fault that is found is raised.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.harness.m3u8_follow import apply_delta, check_follow
from tests.harness.m3u8_model import (
    ContentSteering,
    Media,
    Multivariant,
    Part,
    Playlist,
    PlaylistError,
    PreloadHint,
    RenditionReport,
    Segment,
    ServerControl,
    Trailing,
    Variant,
)
from tests.harness.m3u8_rules import checked, checked_multivariant
from tests.harness.m3u8_tags import TAGS, Place, parse_uri, parse_value

__all__ = [
    "ContentSteering",
    "Media",
    "Multivariant",
    "Part",
    "Playlist",
    "PlaylistError",
    "PreloadHint",
    "RenditionReport",
    "Segment",
    "ServerControl",
    "Trailing",
    "Variant",
    "apply_delta",
    "check_follow",
    "parse",
    "parse_media",
    "parse_multivariant",
]

_BEFORE_SEGMENTS = ("EXT-X-MEDIA-SEQUENCE", "EXT-X-DISCONTINUITY-SEQUENCE", "EXT-X-SKIP")
# These say where a segment begins; once parts of it are listed it is too late.
_BEFORE_PARTS = ("EXT-X-DISCONTINUITY", "EXT-X-MAP")
_MAY_REPEAT_IN_SEGMENT = ("EXT-X-PART", "EXT-X-KEY")


def parse(text: str, *, allows_absolute: bool = False) -> Playlist:
    """Read and check a playlist.

    Args:
        allows_absolute: URIs may have a scheme and a host.

    Raises:
        PlaylistError: it breaks a rule.
    """
    return _Reader(allows_absolute).read(text)


def parse_media(text: str, *, allows_absolute: bool = False) -> Media:
    """As :func:`parse`, for what must be a media playlist."""
    found = parse(text, allows_absolute=allows_absolute)
    if not isinstance(found, Media):
        raise PlaylistError(0, "a multivariant playlist instead of a media playlist")
    return found


def parse_multivariant(text: str, *, allows_absolute: bool = False) -> Multivariant:
    """As :func:`parse`, for what must be a multivariant playlist."""
    found = parse(text, allows_absolute=allows_absolute)
    if not isinstance(found, Multivariant):
        raise PlaylistError(0, "a media playlist instead of a multivariant playlist")
    return found


@dataclass(slots=True)
class _Pending:
    """The segment whose URI has not come yet."""

    tags: dict[str, int] = field(default_factory=dict)
    inf: tuple[float, str, bool] | None = None
    date: datetime | None = None
    parts: list[Part] = field(default_factory=list)

    @property
    def line_number(self) -> int:
        return min(self.tags.values(), default=0)


class _Reader:
    """Goes through the lines once; what concerns several of them is checked at the end."""

    def __init__(self, allows_absolute: bool) -> None:
        self._allows_absolute = allows_absolute
        self._place: Place | None = None
        self._single: dict[str, Any] = {}
        self._lines: dict[str, int] = {}
        self._needs: list[tuple[int, int, str]] = []
        self._comments: list[str] = []
        self._segments: list[Segment] = []
        self._pending = _Pending()
        self._map_uri: str | None = None
        self._stream: tuple[int, dict[str, Any]] | None = None
        self._variants: list[Variant] = []
        self._hints: dict[str, PreloadHint] = {}
        self._reports: list[RenditionReport] = []

    def read(self, text: str) -> Playlist:
        """All lines, then what they mean together."""
        if text.startswith("\ufeff"):
            raise PlaylistError(1, "a byte order mark")
        lines = text.split("\n")
        if lines[0] != "#EXTM3U" and lines[0] != "#EXTM3U\r":
            raise PlaylistError(1, f"begins with {lines[0][:20]!r}, not with #EXTM3U")
        if lines.pop():
            raise PlaylistError(len(lines) + 1, "the last line has no end")
        for number, line in enumerate(lines, 1):
            self._line(line, number)
        return self._multivariant() if self._place is Place.MULTIVARIANT else self._media()

    def _line(self, line: str, number: int) -> None:
        if "\r" in line:
            raise PlaylistError(number, "a carriage return")
        if not line:
            raise PlaylistError(number, "a blank line")
        if "EXT-X-ENDLIST" in self._single:
            raise PlaylistError(number, "text behind EXT-X-ENDLIST")
        if self._stream is not None and line.startswith("#"):
            raise PlaylistError(number, "EXT-X-STREAM-INF without its URI in the next line")
        if line.startswith("#EXT"):
            self._tag(line, number)
        elif line.startswith("#"):
            self._comments.append(line)
        else:
            self._uri(parse_uri(line, number, allows_absolute=self._allows_absolute), number)

    # --- tags ----------------------------------------------------------------------

    def _tag(self, line: str, number: int) -> None:
        name, colon, text = line[1:].partition(":")
        if (rule := TAGS.get(name)) is None:
            raise PlaylistError(number, f"unknown tag {name}")
        self._enter(rule.place, name, number)
        value = parse_value(name, text if colon else None, number, allows_absolute=self._allows_absolute)
        if rule.is_single and name in self._single:
            raise PlaylistError(number, f"{name} twice")
        if rule.is_single:
            self._single[name] = value
        self._lines.setdefault(name, number)
        self._note_version(name, value, number)
        if name in _BEFORE_SEGMENTS and (self._segments or self._pending.tags):
            raise PlaylistError(number, f"{name} behind the first segment")
        if rule.place is Place.SEGMENT:
            self._segment_tag(name, value, number)
        elif name == "EXT-X-STREAM-INF":
            self._stream = (number, value)
        elif name == "EXT-X-PRELOAD-HINT":
            if value["TYPE"] in self._hints:
                raise PlaylistError(number, f"a second EXT-X-PRELOAD-HINT with TYPE={value['TYPE']}")
            self._hints[value["TYPE"]] = PreloadHint(value["URI"], value["TYPE"])
        elif name == "EXT-X-RENDITION-REPORT":
            self._reports.append(RenditionReport(value["URI"], value.get("LAST-MSN"), value.get("LAST-PART")))

    def _enter(self, place: Place, what: str, number: int) -> None:
        """Tell the kind of playlist by its first tag that stands in one kind only."""
        if place is Place.BOTH:
            return
        kind = Place.MULTIVARIANT if place is Place.MULTIVARIANT else Place.MEDIA
        if self._place not in (None, kind):
            raise PlaylistError(
                number, f"{what} in a {'media' if kind is Place.MULTIVARIANT else 'multivariant'} playlist"
            )
        self._place = kind

    def _note_version(self, name: str, value: Any, number: int) -> None:
        """Keep the least version that the tag asks for (RFC 8216 §7, 8216bis §8)."""
        attributes = value if isinstance(value, dict) else {}
        for version, holds in (
            (2, name in ("EXT-X-KEY", "EXT-X-SESSION-KEY") and "IV" in attributes),
            (3, name == "EXTINF" and value[2]),
            (4, name in ("EXT-X-BYTERANGE", "EXT-X-I-FRAMES-ONLY")),
            (5, bool(attributes.keys() & {"KEYFORMAT", "KEYFORMATVERSIONS"})),
            (6, name == "EXT-X-MAP"),
            (7, attributes.get("INSTREAM-ID", "").startswith("SERVICE")),
            (8, name == "EXT-X-DEFINE"),
            (9, name == "EXT-X-SKIP"),
            (10, "RECENTLY-REMOVED-DATERANGES" in attributes),
            (11, "QUERYPARAM" in attributes),
            (12, any(each.startswith("REQ-") for each in attributes)),
        ):
            if holds:
                self._needs.append((version, number, name))

    def _segment_tag(self, name: str, value: Any, number: int) -> None:
        pending = self._pending
        if name in pending.tags and name not in _MAY_REPEAT_IN_SEGMENT:
            raise PlaylistError(number, f"{name} twice for one segment")
        if name in _BEFORE_PARTS and pending.parts:
            raise PlaylistError(number, f"{name} behind parts of its segment")
        pending.tags.setdefault(name, number)
        match name:
            case "EXTINF":
                pending.inf = value
            case "EXT-X-PROGRAM-DATE-TIME":
                pending.date = value
            case "EXT-X-MAP":
                self._map_uri = value["URI"]
            case "EXT-X-PART":
                if pending.inf is not None:
                    raise PlaylistError(number, "EXT-X-PART between EXTINF and its URI")
                is_independent, is_gap = "INDEPENDENT" in value, "GAP" in value
                pending.parts.append(Part(value["URI"], value["DURATION"], is_independent, is_gap, number))

    # --- URIs ----------------------------------------------------------------------

    def _uri(self, uri: str, number: int) -> None:
        if self._stream is not None:
            attributes, self._stream = self._stream[1], None
            self._variants.append(
                Variant(
                    uri,
                    attributes["BANDWIDTH"],
                    attributes.get("CODECS"),
                    attributes.get("RESOLUTION"),
                    attributes.get("FRAME-RATE"),
                    attributes.get("PATHWAY-ID", "."),
                    attributes.get("STABLE-VARIANT-ID"),
                )
            )
            return
        self._enter(Place.MEDIA, f"the URI {uri}", number)
        pending, self._pending = self._pending, _Pending()
        if pending.inf is None:
            raise PlaylistError(number, "a URI without EXTINF")
        self._segments.append(
            Segment(
                uri,
                *pending.inf[:2],
                is_discontinuity="EXT-X-DISCONTINUITY" in pending.tags,
                program_date_time=pending.date,
                is_gap="EXT-X-GAP" in pending.tags,
                map_uri=self._map_uri,
                parts=tuple(pending.parts),
                line_number=pending.tags["EXTINF"],
            )
        )

    # --- the whole -----------------------------------------------------------------

    def _check_version(self) -> int:
        version = self._single.get("EXT-X-VERSION", 1)
        if not 1 <= version <= 12:
            raise PlaylistError(self._lines["EXT-X-VERSION"], f"there is no version {version}")
        for needed, number, name in self._needs:
            least = 5 if name == "EXT-X-MAP" and "EXT-X-I-FRAMES-ONLY" in self._single else needed
            if version < least:
                raise PlaylistError(number, f"{name} as it stands needs version {least}, and this is {version}")
        return int(version)

    def _multivariant(self) -> Multivariant:
        if self._stream is not None:
            raise PlaylistError(self._stream[0], "EXT-X-STREAM-INF without its URI in the next line")
        if not self._variants:
            raise PlaylistError(0, "a multivariant playlist without a variant")
        steering = self._single.get("EXT-X-CONTENT-STEERING")
        found = Multivariant(
            version=self._check_version(),
            variants=tuple(self._variants),
            has_independent_segments="EXT-X-INDEPENDENT-SEGMENTS" in self._single,
            comments=tuple(self._comments),
            steering=steering and ContentSteering(steering["SERVER-URI"], steering.get("PATHWAY-ID")),
        )
        return checked_multivariant(found, self._lines)

    def _media(self) -> Media:
        pending, single = self._pending, self._single
        if unfinished := [name for name in ("EXTINF", "EXT-X-GAP", "EXT-X-BYTERANGE") if name in pending.tags]:
            raise PlaylistError(pending.tags[unfinished[0]], f"{unfinished[0]} without a URI")
        if "EXT-X-TARGETDURATION" not in single:
            raise PlaylistError(0, "no EXT-X-TARGETDURATION")
        control = single.get("EXT-X-SERVER-CONTROL")
        if control is not None and "CAN-SKIP-DATERANGES" in control and "CAN-SKIP-UNTIL" not in control:
            raise PlaylistError(self._lines["EXT-X-SERVER-CONTROL"], "CAN-SKIP-DATERANGES without CAN-SKIP-UNTIL")
        media = Media(
            version=self._check_version(),
            target_s=single["EXT-X-TARGETDURATION"],
            media_sequence=single.get("EXT-X-MEDIA-SEQUENCE", 0),
            discontinuity_sequence=single.get("EXT-X-DISCONTINUITY-SEQUENCE", 0),
            segments=tuple(self._segments),
            trailing=Trailing(
                parts=tuple(pending.parts),
                is_discontinuity="EXT-X-DISCONTINUITY" in pending.tags,
                program_date_time=pending.date,
                map_uri=self._map_uri,
                line_number=pending.line_number,
            ),
            preload_hint=self._hints.get("PART"),
            map_hint=self._hints.get("MAP"),
            server_control=None if control is None else _server_control(control),
            part_target_s=single.get("EXT-X-PART-INF", {}).get("PART-TARGET"),
            skipped=single.get("EXT-X-SKIP", {}).get("SKIPPED-SEGMENTS", 0),
            rendition_reports=tuple(self._reports),
            playlist_type=single.get("EXT-X-PLAYLIST-TYPE"),
            has_independent_segments="EXT-X-INDEPENDENT-SEGMENTS" in single,
            is_i_frames_only="EXT-X-I-FRAMES-ONLY" in single,
            is_ended="EXT-X-ENDLIST" in single,
            comments=tuple(self._comments),
        )
        return checked(media, self._lines)


def _server_control(attributes: dict[str, Any]) -> ServerControl:
    return ServerControl(
        can_block_reload="CAN-BLOCK-RELOAD" in attributes,
        part_hold_back_s=attributes.get("PART-HOLD-BACK"),
        hold_back_s=attributes.get("HOLD-BACK"),
        can_skip_until_s=attributes.get("CAN-SKIP-UNTIL"),
    )
