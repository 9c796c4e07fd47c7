"""Rules between two loads of one media playlist (RFC 8216 §6.2.1 and §6.2.2, 8216bis §6.2.5)."""

from __future__ import annotations

from dataclasses import replace

from tests.harness.m3u8_model import Media, Part, PlaylistError, Segment


def check_follow(before: Media, after: Media) -> None:
    """Check that ``after`` may be loaded where ``before`` was loaded earlier; both are whole, not delta updates.

    Raises:
        PlaylistError: with line numbers of ``after``.
    """
    assert not before.skipped and not after.skipped, "merge delta updates first: apply_delta"
    _check_header(before, after)
    removed = after.media_sequence - before.media_sequence
    if removed < 0:
        raise PlaylistError(0, f"media sequence goes from {before.media_sequence} back to {after.media_sequence}")
    if after.next_sequence < before.next_sequence:
        raise PlaylistError(0, f"ends before segment {after.next_sequence}, earlier before {before.next_sequence}")
    if before.is_ended and (removed or len(after.segments) != len(before.segments) or not after.is_ended):
        raise PlaylistError(0, "has changed after EXT-X-ENDLIST")
    for number, (old, new) in enumerate(zip(before.segments[removed:], after.segments, strict=False)):
        _check_segment(old, new, after.media_sequence + number, is_first=number == 0)
    _check_discontinuities(before, after, removed)
    _check_trailing(before, after)


def _check_header(before: Media, after: Media) -> None:
    for what, old, new in (
        ("EXT-X-TARGETDURATION", before.target_s, after.target_s),
        ("PART-TARGET", before.part_target_s, after.part_target_s),
        ("EXT-X-PLAYLIST-TYPE", before.playlist_type, after.playlist_type),
    ):
        if old != new and not (what == "PART-TARGET" and after.is_ended and new is None):
            raise PlaylistError(0, f"{what} changes from {old} to {new}")


def _check_segment(old: Segment, new: Segment, number: int, *, is_first: bool) -> None:
    """A segment in both: equal, but for a date that the first may gain, and for parts that may go."""
    for what in ("uri", "duration_s", "title", "is_discontinuity", "is_gap", "map_uri", "program_date_time"):
        was, now = getattr(old, what), getattr(new, what)
        is_gained = what == "program_date_time" and was is None and is_first
        if was != now and not is_gained:
            raise PlaylistError(new.line_number, f"{what} of segment {number} changes from {was!r} to {now!r}")
    if new.parts and new.parts != old.parts:
        raise PlaylistError(new.line_number, f"parts of segment {number} change")


def _check_discontinuities(before: Media, after: Media, removed: int) -> None:
    """The sequence counts the tags that have gone with their segments."""
    gone = sum(segment.is_discontinuity for segment in before.segments[:removed])
    counted = after.discontinuity_sequence - before.discontinuity_sequence
    is_all_known = removed <= len(before.segments)
    if counted < gone or (is_all_known and counted != gone):
        raise PlaylistError(0, f"discontinuity sequence grows by {counted}, and {gone} tags have gone")


def _check_trailing(before: Media, after: Media) -> None:
    """What was listed of the segment in progress is still there, in it or as the parts of a whole segment."""
    index = before.next_sequence - after.media_sequence
    old = before.trailing
    if index < 0 or not old.line_number:
        return
    now: tuple[Part, ...]
    if index < len(after.segments):
        segment = after.segments[index]
        now, is_discontinuity, line = segment.parts, segment.is_discontinuity, segment.line_number
        if not now and old.parts:
            now = old.parts  # they may have gone since
    else:
        now, is_discontinuity, line = after.trailing.parts, after.trailing.is_discontinuity, after.trailing.line_number
    if now[: len(old.parts)] != old.parts:
        raise PlaylistError(line, f"parts of segment {before.next_sequence} change")
    if is_discontinuity != old.is_discontinuity:
        raise PlaylistError(line, f"discontinuity before segment {before.next_sequence} comes or goes")


def apply_delta(before: Media, delta: Media) -> Media:
    """Fill in from ``before`` what a delta update leaves out.

    Raises:
        PlaylistError: it leaves out what ``before`` does not have.
    """
    if not delta.skipped:
        return delta
    start = delta.media_sequence - before.media_sequence
    kept = before.segments[max(start, 0) : start + delta.skipped]
    if start < 0 or len(kept) != delta.skipped:
        first, last = delta.media_sequence, delta.media_sequence + delta.skipped - 1
        raise PlaylistError(0, f"skips segments {first} to {last}, of which not all are known")
    map_uri = kept[-1].map_uri
    segments = [replace(segment, map_uri=map_uri) if segment.map_uri is None else segment for segment in delta.segments]
    last_map_uri = segments[-1].map_uri if segments else map_uri
    trailing = delta.trailing if delta.trailing.map_uri else replace(delta.trailing, map_uri=last_map_uri)
    # Parts so far from the end are no longer listed in a whole playlist.
    old = tuple(replace(segment, parts=()) for segment in kept)
    return replace(delta, segments=(*old, *segments), trailing=trailing, skipped=0)
