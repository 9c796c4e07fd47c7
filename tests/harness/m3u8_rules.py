"""Rules that concern several lines of one playlist (RFC 8216 §4.3, 8216bis §4.4)."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

from tests.harness.m3u8_model import Media, Multivariant, Part, PlaylistError, Segment

# A part may be this much shorter than PART-TARGET, unless it is the last of its segment.
LEAST_PART = 0.85
# Durations are printed rounded: what each part, and the sum, may be off by.
_PART_ROUNDING_S = 0.001
_SUM_ROUNDING_S = 0.001
_EPSILON_S = 1e-6
# What may stand in the id of a pathway, and in that of a variant (8216bis §4.4.6.2).
_PATHWAY_ID = re.compile(r"[A-Za-z0-9._-]+")
_STABLE_ID = re.compile(r"[A-Za-z0-9+/=._-]+")
_FMP4 = (".m4s", ".mp4", ".m4v", ".m4a", ".cmfv", ".cmfa")
# Parts should go from the playlist when they are this far from its end, in target durations.
_PARTS_KEPT_TARGETS = 3

Lines = Mapping[str, int]


def checked(media: Media, lines: Lines) -> Media:
    """The playlist with its notes.

    Args:
        lines: where each tag stands first.

    Raises:
        PlaylistError: it breaks a rule.
    """
    notes: list[str] = []
    _part_header(media, lines, notes)
    for rule in (_durations, _parts, _sums, _dates, _maps, _ending, _server_control, _skipping):
        rule(media, lines)
    notes += _doubtful(media)
    return replace(media, notes=tuple(notes))


def checked_multivariant(playlist: Multivariant, lines: Lines) -> Multivariant:
    """A multivariant playlist as it is; raises PlaylistError where its pathways break a rule (8216bis §4.4.6.6, §7)."""
    number = lines.get("EXT-X-STREAM-INF", 0)
    for variant in playlist.variants:
        if not _PATHWAY_ID.fullmatch(variant.pathway_id):
            raise PlaylistError(number, f"PATHWAY-ID may not be {variant.pathway_id!r}")
        if variant.stable_variant_id is not None and not _STABLE_ID.fullmatch(variant.stable_variant_id):
            raise PlaylistError(number, f"STABLE-VARIANT-ID may not be {variant.stable_variant_id!r}")
    steering = playlist.steering
    if steering is None:
        return playlist
    pathways: dict[str, list[str | None]] = {}
    for variant in playlist.variants:
        pathways.setdefault(variant.pathway_id, []).append(variant.stable_variant_id)
    number = lines["EXT-X-CONTENT-STEERING"]
    if steering.pathway_id is not None and steering.pathway_id not in pathways:
        raise PlaylistError(number, f"no variant is of the pathway {steering.pathway_id!r}")
    if len({tuple(sorted(map(str, ids))) for ids in pathways.values()}) > 1:
        raise PlaylistError(number, "pathways have different variants")
    for ids in pathways.values():
        if len(set(ids)) < len(ids) and None not in ids:
            raise PlaylistError(number, "two variants of a pathway have one STABLE-VARIANT-ID")
    return playlist


def _durations(media: Media, _: Lines) -> None:
    for segment in media.segments:
        if math.floor(segment.duration_s + 0.5) > media.target_s:
            raise PlaylistError(
                segment.line_number, f"EXTINF of {segment.duration_s} s, with EXT-X-TARGETDURATION:{media.target_s}"
            )


def _lists(media: Media) -> Iterator[tuple[Part, ...]]:
    """The parts of each segment, then those of the one in progress."""
    for segment in media.segments:
        yield segment.parts
    yield media.trailing.parts


def _parts(media: Media, lines: Lines) -> None:
    for parts in _lists(media):
        for part in parts:
            if media.part_target_s is None:
                raise PlaylistError(part.line_number, "EXT-X-PART without EXT-X-PART-INF")
            if not 0 < part.duration_s <= media.part_target_s + _EPSILON_S:
                raise PlaylistError(part.line_number, f"part of {part.duration_s} s, PART-TARGET {media.part_target_s}")
        for part in parts[:-1]:
            if part.duration_s < LEAST_PART * (media.part_target_s or 0.0) - _EPSILON_S:
                raise PlaylistError(
                    part.line_number, f"part of {part.duration_s} s is short of 85 % of {media.part_target_s} s"
                )
    if media.preload_hint is not None and media.part_target_s is None:
        raise PlaylistError(lines["EXT-X-PRELOAD-HINT"], "a hint of a part without EXT-X-PART-INF")


def _sums(media: Media, _: Lines) -> None:
    for segment in media.segments:
        total = sum(part.duration_s for part in segment.parts)
        allowed = _PART_ROUNDING_S * len(segment.parts) + _SUM_ROUNDING_S
        if segment.parts and abs(total - segment.duration_s) > allowed:
            raise PlaylistError(segment.line_number, f"EXTINF of {segment.duration_s} s, its parts {total:.6f} s")


def _dates(media: Media, _: Lines) -> None:
    dated = [(segment.program_date_time, segment.line_number) for segment in media.segments]
    dated.append((media.trailing.program_date_time, media.trailing.line_number))
    known = [(date, number) for date, number in dated if date is not None]
    for (before, _line), (after, number) in pairwise(known):
        if after <= before:
            raise PlaylistError(number, f"EXT-X-PROGRAM-DATE-TIME goes from {before} to {after}")


def _maps(media: Media, _: Lines) -> None:
    for segment in media.segments:
        uris = [(segment.uri, segment.line_number), *((part.uri, part.line_number) for part in segment.parts)]
        _require_map(media, segment.map_uri, uris)
    _require_map(media, media.trailing.map_uri, [(part.uri, part.line_number) for part in media.trailing.parts])


def _require_map(media: Media, map_uri: str | None, uris: list[tuple[str, int]]) -> None:
    if map_uri is not None or media.skipped:  # it may be among what a delta update leaves out
        return
    for uri, number in uris:
        if uri.partition("?")[0].endswith(_FMP4):
            raise PlaylistError(number, f"{uri} without EXT-X-MAP")


def _ending(media: Media, lines: Lines) -> None:
    if not media.is_ended:
        return
    if media.preload_hint is not None or media.map_hint is not None:
        raise PlaylistError(lines["EXT-X-PRELOAD-HINT"], "EXT-X-PRELOAD-HINT in a playlist that has ended")
    if media.trailing.line_number:
        raise PlaylistError(media.trailing.line_number, "a segment in progress in a playlist that has ended")


def _part_header(media: Media, lines: Lines, notes: list[str]) -> None:
    control, target = media.server_control, media.part_target_s
    if target is None:
        return
    number = lines["EXT-X-PART-INF"]
    if not 0 < target <= media.target_s:
        raise PlaylistError(number, f"PART-TARGET of {target} s, with EXT-X-TARGETDURATION:{media.target_s}")
    if control is None or control.part_hold_back_s is None:
        raise PlaylistError(number, "EXT-X-PART-INF without PART-HOLD-BACK")
    if control.part_hold_back_s < 2 * target - _EPSILON_S:
        raise PlaylistError(
            lines["EXT-X-SERVER-CONTROL"], f"PART-HOLD-BACK of {control.part_hold_back_s} s is under twice {target} s"
        )
    if control.part_hold_back_s < 3 * target - _EPSILON_S:
        notes.append(f"PART-HOLD-BACK of {control.part_hold_back_s} s is under three times {target} s")
    if not control.can_block_reload and not media.is_ended:
        notes.append("EXT-X-PART-INF without CAN-BLOCK-RELOAD")


def _server_control(media: Media, lines: Lines) -> None:
    control = media.server_control
    if control is None:
        return
    number = lines["EXT-X-SERVER-CONTROL"]
    for name, value, factor in (
        ("HOLD-BACK", control.hold_back_s, 3),
        ("CAN-SKIP-UNTIL", control.can_skip_until_s, 6),
    ):
        if value is not None and value < factor * media.target_s - _EPSILON_S:
            raise PlaylistError(number, f"{name} of {value} s is under {factor} times {media.target_s} s")


def _skipping(media: Media, lines: Lines) -> None:
    """A delta update leaves out only what is further from the end than the Skip Boundary (8216bis §4.4.5.2)."""
    if not media.skipped:
        return
    number = lines["EXT-X-SKIP"]
    if media.server_control is None or media.server_control.can_skip_until_s is None:
        raise PlaylistError(number, "EXT-X-SKIP without CAN-SKIP-UNTIL")
    boundary_s = media.server_control.can_skip_until_s
    if media.duration_s + media.target_s < boundary_s:
        raise PlaylistError(number, f"only {media.duration_s:.3f} s are left, the Skip Boundary is {boundary_s} s")


def _doubtful(media: Media) -> Iterator[str]:
    behind_s = sum(part.duration_s for part in media.trailing.parts)
    for segment in reversed(media.segments):
        if segment.parts and behind_s > _PARTS_KEPT_TARGETS * media.target_s:
            yield f"parts of {segment.uri} are {behind_s:.3f} s from the end"
            break
        if (
            media.part_target_s
            and not segment.parts
            and behind_s < _PARTS_KEPT_TARGETS * media.target_s - segment.duration_s
        ):
            yield f"{segment.uri} is listed without parts, {behind_s:.3f} s from the end"
        behind_s += segment.duration_s
    for uri, count in Counter(_uris(media.segments)).items():
        if count > 1:
            yield f"{uri} is listed {count} times"
    listed = {part.uri for parts in _lists(media) for part in parts}
    if media.preload_hint is not None and media.preload_hint.uri in listed:
        yield f"{media.preload_hint.uri} is hinted at, and listed"


def _uris(segments: tuple[Segment, ...]) -> Iterator[str]:
    return (segment.uri for segment in segments)
