"""The grammar of playlists: which tags there are, where they stand, and the form of their values (RFC 8216 §4)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Any

from tests.harness.m3u8_model import PlaylistError


class Place(Enum):
    """Where a tag may stand."""

    BOTH = auto()
    MULTIVARIANT = auto()
    MEDIA = auto()
    SEGMENT = auto()


@dataclass(frozen=True, slots=True)
class TagRule:
    """One row of the table.

    Attributes:
        value: ``none``, ``integer``, ``type``, ``date``, ``inf``, ``range``, ``attributes`` or ``decimal``.
        attributes: by name, the form of the value; ``!`` at its front says that it must be there.
        is_single: at most one stands in a playlist.
    """

    place: Place
    value: str
    attributes: dict[str, str] = field(default_factory=dict)
    is_single: bool = False


def _forms(text: str) -> dict[str, str]:
    """Forms by attribute, from ``NAME:form NAME:form``."""
    return dict(word.split(":") for word in text.split())


_DEFINE = _forms("NAME:quoted VALUE:quoted IMPORT:quoted QUERYPARAM:quoted")
_RENDITION = _forms(
    "TYPE:!AUDIO|VIDEO|SUBTITLES|CLOSED-CAPTIONS URI:uri GROUP-ID:!quoted LANGUAGE:quoted ASSOC-LANGUAGE:quoted "
    "NAME:!quoted STABLE-RENDITION-ID:quoted DEFAULT:YES|NO AUTOSELECT:YES|NO FORCED:YES|NO INSTREAM-ID:quoted "
    "BIT-DEPTH:integer SAMPLE-RATE:integer CHARACTERISTICS:quoted CHANNELS:quoted"
)
_ANY_STREAM = _forms(
    "BANDWIDTH:!positive AVERAGE-BANDWIDTH:positive SCORE:float CODECS:codecs SUPPLEMENTAL-CODECS:quoted "
    "RESOLUTION:resolution HDCP-LEVEL:TYPE-0|TYPE-1|NONE ALLOWED-CPC:quoted VIDEO-RANGE:SDR|HLG|PQ "
    "REQ-VIDEO-LAYOUT:quoted STABLE-VARIANT-ID:quoted VIDEO:quoted PATHWAY-ID:quoted"
)
_STREAM = _ANY_STREAM | _forms("FRAME-RATE:float AUDIO:quoted SUBTITLES:quoted CLOSED-CAPTIONS:captions")
_SESSION_DATA = _forms("DATA-ID:!quoted VALUE:quoted URI:uri FORMAT:JSON|RAW LANGUAGE:quoted")
_KEY = _forms("METHOD:!NONE|AES-128|SAMPLE-AES|SAMPLE-AES-CTR URI:uri IV:hex KEYFORMAT:quoted KEYFORMATVERSIONS:quoted")
_DATERANGE = _forms(
    "ID:!quoted CLASS:quoted START-DATE:quoted CUE:quoted END-DATE:quoted DURATION:float PLANNED-DURATION:float "
    "END-ON-NEXT:YES SCTE35-CMD:hex SCTE35-OUT:hex SCTE35-IN:hex"
)
_SERVER = _forms(
    "CAN-SKIP-UNTIL:float CAN-SKIP-DATERANGES:YES HOLD-BACK:float PART-HOLD-BACK:float CAN-BLOCK-RELOAD:YES"
)
_PART = _forms("URI:!uri DURATION:!float INDEPENDENT:YES BYTERANGE:quoted GAP:YES")
_HINT = _forms("TYPE:!PART|MAP URI:!uri BYTERANGE-START:integer BYTERANGE-LENGTH:integer")
_SKIP = _forms("SKIPPED-SEGMENTS:!positive RECENTLY-REMOVED-DATERANGES:quoted")
_REPORT = _forms("URI:!uri LAST-MSN:integer LAST-PART:integer")

TAGS: dict[str, TagRule] = {
    "EXTM3U": TagRule(Place.BOTH, "none", is_single=True),
    "EXT-X-VERSION": TagRule(Place.BOTH, "integer", is_single=True),
    "EXT-X-INDEPENDENT-SEGMENTS": TagRule(Place.BOTH, "none", is_single=True),
    "EXT-X-START": TagRule(Place.BOTH, "attributes", _forms("TIME-OFFSET:!signed PRECISE:YES|NO"), is_single=True),
    "EXT-X-DEFINE": TagRule(Place.BOTH, "attributes", _DEFINE),
    "EXT-X-MEDIA": TagRule(Place.MULTIVARIANT, "attributes", _RENDITION),
    "EXT-X-STREAM-INF": TagRule(Place.MULTIVARIANT, "attributes", _STREAM),
    "EXT-X-I-FRAME-STREAM-INF": TagRule(Place.MULTIVARIANT, "attributes", _ANY_STREAM | _forms("URI:!uri")),
    "EXT-X-SESSION-DATA": TagRule(Place.MULTIVARIANT, "attributes", _SESSION_DATA),
    "EXT-X-SESSION-KEY": TagRule(Place.MULTIVARIANT, "attributes", _KEY),
    "EXT-X-CONTENT-STEERING": TagRule(
        Place.MULTIVARIANT, "attributes", _forms("SERVER-URI:!uri PATHWAY-ID:quoted"), is_single=True
    ),
    "EXT-X-TARGETDURATION": TagRule(Place.MEDIA, "integer", is_single=True),
    "EXT-X-MEDIA-SEQUENCE": TagRule(Place.MEDIA, "integer", is_single=True),
    "EXT-X-DISCONTINUITY-SEQUENCE": TagRule(Place.MEDIA, "integer", is_single=True),
    "EXT-X-ENDLIST": TagRule(Place.MEDIA, "none", is_single=True),
    "EXT-X-PLAYLIST-TYPE": TagRule(Place.MEDIA, "type", is_single=True),
    "EXT-X-I-FRAMES-ONLY": TagRule(Place.MEDIA, "none", is_single=True),
    "EXT-X-PART-INF": TagRule(Place.MEDIA, "attributes", _forms("PART-TARGET:!float"), is_single=True),
    "EXT-X-SERVER-CONTROL": TagRule(Place.MEDIA, "attributes", _SERVER, is_single=True),
    "EXT-X-SKIP": TagRule(Place.MEDIA, "attributes", _SKIP, is_single=True),
    "EXT-X-PRELOAD-HINT": TagRule(Place.MEDIA, "attributes", _HINT),
    "EXT-X-RENDITION-REPORT": TagRule(Place.MEDIA, "attributes", _REPORT),
    "EXT-X-DATERANGE": TagRule(Place.MEDIA, "attributes", _DATERANGE),
    "EXTINF": TagRule(Place.SEGMENT, "inf"),
    "EXT-X-BYTERANGE": TagRule(Place.SEGMENT, "range"),
    "EXT-X-DISCONTINUITY": TagRule(Place.SEGMENT, "none"),
    "EXT-X-KEY": TagRule(Place.SEGMENT, "attributes", _KEY),
    "EXT-X-MAP": TagRule(Place.SEGMENT, "attributes", _forms("URI:!uri BYTERANGE:quoted")),
    "EXT-X-PROGRAM-DATE-TIME": TagRule(Place.SEGMENT, "date"),
    "EXT-X-GAP": TagRule(Place.SEGMENT, "none"),
    "EXT-X-BITRATE": TagRule(Place.SEGMENT, "integer"),
    "EXT-X-PART": TagRule(Place.SEGMENT, "attributes", _PART),
}

_INTEGER = re.compile(r"[0-9]{1,20}")
_FLOAT = re.compile(r"[0-9]+(\.[0-9]+)?")
_SIGNED = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_HEX = re.compile(r"0[xX][0-9A-Fa-f]+")
_RESOLUTION = re.compile(r"([1-9][0-9]*)x([1-9][0-9]*)")
_CODECS = re.compile(r"[A-Za-z0-9][A-Za-z0-9.\-]*(,[A-Za-z0-9][A-Za-z0-9.\-]*)*")
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"\r\n]*"|[^",\s]+)(,|$)')
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)")
_RANGE = re.compile(r"[0-9]+(@[0-9]+)?")
_URI = re.compile(r"([A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:|//")

Attributes = dict[str, Any]


def parse_integer(text: str, line_number: int, what: str) -> int:
    """A decimal-integer (RFC 8216 §4.2), at most 2^64 - 1."""
    if not _INTEGER.fullmatch(text) or int(text) >= 1 << 64:
        raise PlaylistError(line_number, f"{what} is no decimal-integer: {text!r}")
    return int(text)


def parse_float(text: str, line_number: int, what: str) -> float:
    """A decimal-floating-point (RFC 8216 §4.2): without sign and exponent."""
    if not _FLOAT.fullmatch(text):
        raise PlaylistError(line_number, f"{what} is no decimal-floating-point: {text!r}")
    return float(text)


def parse_uri(text: str, line_number: int, *, allows_absolute: bool) -> str:
    """A URI reference of RFC 3986's characters; one with a scheme or a host only where that is allowed."""
    if not _URI.fullmatch(text):
        raise PlaylistError(line_number, f"URI has characters that may not stand in one: {text!r}")
    if _SCHEME.match(text) and not allows_absolute:
        raise PlaylistError(line_number, f"absolute URI: {text!r}")
    return text


def parse_date(text: str, line_number: int) -> datetime:
    """A date of ISO 8601 with time and zone."""
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        return datetime.fromisoformat(text)
    except ValueError:
        raise PlaylistError(line_number, f"PROGRAM-DATE-TIME is no date with time and zone: {text!r}") from None


def parse_inf(text: str, line_number: int) -> tuple[float, str, bool]:
    """Return the duration of an EXTINF, its title, and whether the duration has a decimal point."""
    duration, comma, title = text.partition(",")
    if not comma:
        raise PlaylistError(line_number, "EXTINF without a comma")
    found = parse_float(duration, line_number, "EXTINF")
    if found <= 0:
        raise PlaylistError(line_number, f"EXTINF of {duration} s")
    return found, title, "." in duration


def parse_value(tag: str, text: str | None, line_number: int, *, allows_absolute: bool) -> Any:
    """The value of a tag in the form that its row asks for; ``text`` is None without a colon."""
    rule = TAGS[tag]
    if rule.value == "none":
        if text is not None:
            raise PlaylistError(line_number, f"{tag} takes no value")
        return None
    if not text:
        raise PlaylistError(line_number, f"{tag} without a value")
    match rule.value:
        case "integer":
            return parse_integer(text, line_number, tag)
        case "date":
            return parse_date(text, line_number)
        case "inf":
            return parse_inf(text, line_number)
        case "attributes":
            return _attributes(tag, rule, text, line_number, allows_absolute)
        case "type" if text in ("EVENT", "VOD"):
            return text
        case "range" if _RANGE.fullmatch(text):
            return text
    raise PlaylistError(line_number, f"{tag} may not be {text!r}")


def _attributes(tag: str, rule: TagRule, text: str, line_number: int, allows_absolute: bool) -> Attributes:
    found: Attributes = {}
    at = 0
    while at < len(text):
        match = _ATTRIBUTE.match(text, at)
        if match is None or (match[3] and match.end() == len(text)):
            raise PlaylistError(line_number, f"{tag} has no attribute list at {text[at:]!r}")
        name, value, at = match[1], match[2], match.end()
        if name in found:
            raise PlaylistError(line_number, f"{tag} has {name} twice")
        form = rule.attributes.get(name, "any" if name.startswith("X-") else None)
        if form is None:
            raise PlaylistError(line_number, f"{tag} has an unknown attribute {name}")
        found[name] = _attribute(f"{tag} {name}", form.removeprefix("!"), value, line_number, allows_absolute)
    if missing := [name for name, form in rule.attributes.items() if form.startswith("!") and name not in found]:
        raise PlaylistError(line_number, f"{tag} without {missing[0]}")
    return found


def _attribute(what: str, form: str, value: str, line_number: int, allows_absolute: bool) -> Any:
    """One value; ``form`` is the name of a form, or the words of an enumeration."""
    is_quoted = value.startswith('"')
    plain = value[1:-1] if is_quoted else value
    if form == "any":
        return plain
    wants_quotes = form in ("quoted", "uri", "codecs") or (form == "captions" and value != "NONE")
    if is_quoted != wants_quotes:
        raise PlaylistError(line_number, f"{what} {'without' if wants_quotes else 'with'} quotes: {value}")
    match form:
        case "quoted" | "captions":
            return plain
        case "uri":
            return parse_uri(plain, line_number, allows_absolute=allows_absolute)
        case "integer":
            return parse_integer(plain, line_number, what)
        case "positive":
            if (number := parse_integer(plain, line_number, what)) > 0:
                return number
        case "float":
            return parse_float(plain, line_number, what)
        case "signed" if _SIGNED.fullmatch(plain):
            return float(plain)
        case "hex" if _HEX.fullmatch(plain):
            return plain
        case "codecs" if _CODECS.fullmatch(plain):
            return plain
        case "resolution" if match := _RESOLUTION.fullmatch(plain):
            return int(match[1]), int(match[2])
        case _ if form.isupper() and plain in form.split("|"):
            return plain
    raise PlaylistError(line_number, f"{what} may not be {value}")
