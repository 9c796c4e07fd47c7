"""What playlists consist of, as values without behaviour (RFC 8216, and 8216bis for parts)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


class PlaylistError(Exception):
    """A playlist breaks a rule.

    Attributes:
        line_number: from 1; 0 where the fault is in no one line.
        what: the rule that is broken, and by what.
    """

    def __init__(self, line_number: int, what: str) -> None:
        super().__init__(f"line {line_number}: {what}" if line_number else what)
        self.line_number = line_number
        self.what = what


@dataclass(frozen=True, slots=True)
class Variant:
    """EXT-X-STREAM-INF and its URI; ``resolution`` is width and height; ``pathway_id`` is "." where it is not said."""

    uri: str
    bandwidth: int
    codecs: str | None = None
    resolution: tuple[int, int] | None = None
    frame_rate: float | None = None
    pathway_id: str = "."
    stable_variant_id: str | None = None


@dataclass(frozen=True, slots=True)
class ContentSteering:
    """EXT-X-CONTENT-STEERING: where the manifest is, and the pathway to begin with."""

    server_uri: str
    pathway_id: str | None = None


@dataclass(frozen=True, slots=True)
class Multivariant:
    """A playlist of playlists."""

    version: int
    variants: tuple[Variant, ...]
    has_independent_segments: bool = False
    comments: tuple[str, ...] = ()
    steering: ContentSteering | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """EXT-X-PART; ``line_number`` does not count in a comparison."""

    uri: str
    duration_s: float
    is_independent: bool = False
    is_gap: bool = False
    line_number: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment with the tags that belong to it.

    Attributes:
        program_date_time: as it stands at this segment; None where it is not said here.
        map_uri: of the EXT-X-MAP in force, which may stand at an earlier segment.
        line_number: of its EXTINF.
    """

    uri: str
    duration_s: float
    title: str = ""
    is_discontinuity: bool = False
    program_date_time: datetime | None = None
    is_gap: bool = False
    map_uri: str | None = None
    parts: tuple[Part, ...] = ()
    line_number: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Trailing:
    """The segment in progress: what is listed of it before its EXTINF.

    Attributes:
        line_number: of the first line that belongs to it; 0 where nothing does.
    """

    parts: tuple[Part, ...] = ()
    is_discontinuity: bool = False
    program_date_time: datetime | None = None
    map_uri: str | None = None
    line_number: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class ServerControl:
    """EXT-X-SERVER-CONTROL; None is what is not said."""

    can_block_reload: bool = False
    part_hold_back_s: float | None = None
    hold_back_s: float | None = None
    can_skip_until_s: float | None = None


@dataclass(frozen=True, slots=True)
class PreloadHint:
    """EXT-X-PRELOAD-HINT; ``type`` is PART or MAP."""

    uri: str
    type: str


@dataclass(frozen=True, slots=True)
class RenditionReport:
    """EXT-X-RENDITION-REPORT."""

    uri: str
    last_msn: int | None = None
    last_part: int | None = None


@dataclass(frozen=True, slots=True)
class Media:
    """A media playlist.

    Attributes:
        discontinuity_sequence: 0 where it is not said.
        trailing: the segment in progress.
        part_target_s: None where there are no parts.
        preload_hint, map_hint: those with TYPE=PART and TYPE=MAP.
        skipped: segments that a delta update leaves out before the first of ``segments``.
        comments: lines that are neither tags nor URIs, as they stand.
        notes: what is allowed and yet not advised.
    """

    version: int
    target_s: int
    media_sequence: int = 0
    discontinuity_sequence: int = 0
    segments: tuple[Segment, ...] = ()
    trailing: Trailing = Trailing()
    preload_hint: PreloadHint | None = None
    map_hint: PreloadHint | None = None
    server_control: ServerControl | None = None
    part_target_s: float | None = None
    skipped: int = 0
    rendition_reports: tuple[RenditionReport, ...] = ()
    playlist_type: str | None = None
    has_independent_segments: bool = False
    is_i_frames_only: bool = False
    is_ended: bool = False
    comments: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def next_sequence(self) -> int:
        """Number of the segment in progress: the one behind the last whole one."""
        return self.media_sequence + self.skipped + len(self.segments)

    @property
    def duration_s(self) -> float:
        """Of all that is listed, the parts of the segment in progress included."""
        return sum(each.duration_s for each in self.segments) + sum(each.duration_s for each in self.trailing.parts)


Playlist = Multivariant | Media
