"""Writes playlists: multivariant, classic and low-latency ones (RFC 8216, RFC 8216bis)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from edge.hls.names import Uris
from edge.hls.segment import Segment
from edge.hls.segmenter import Segmenter

_VERSION = 3
_VERSION_WITH_MAP = 6
_VERSION_WITH_SKIP = 9
#: Parts are listed of so many target durations before the end (RFC 8216bis §6.2.2).
_PARTS_TARGETS = 3
#: Clients stay so many parts behind the end (RFC 8216bis §4.4.3.8: at least two, three are wise).
_HOLD_BACK_PARTS = 3
_SKIP_TARGETS = 6
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ContentSteering(NamedTuple):
    """Who tells players where to play from (RFC 8216bis §4.4.6.6).

    Attributes:
        server_uri: of the steering manifest.
        pathway_id: of the node that the playlist leads to.
        stable_variant_id: of the one variant, by which the manifest names it elsewhere.
    """

    server_uri: str
    pathway_id: str
    stable_variant_id: str


def multivariant(
    uri: str,
    *,
    bandwidth: int,
    codecs: str = "",
    resolution: tuple[int, int] = (0, 0),
    version: int = _VERSION,
    steering: ContentSteering | None = None,
) -> str:
    """The playlist that names the one media playlist; ``bandwidth`` in bits per second."""
    attributes = [f"BANDWIDTH={max(bandwidth, 1)}"]
    if codecs:
        attributes.append(f'CODECS="{codecs}"')
    if all(resolution):
        attributes.append(f"RESOLUTION={resolution[0]}x{resolution[1]}")
    head = f"#EXTM3U\n#EXT-X-VERSION:{version}\n"
    if steering is not None:
        head += f'#EXT-X-CONTENT-STEERING:SERVER-URI="{steering.server_uri}",PATHWAY-ID="{steering.pathway_id}"\n'
        attributes.append(f'STABLE-VARIANT-ID="{steering.stable_variant_id}"')
        attributes.append(f'PATHWAY-ID="{steering.pathway_id}"')
    return f"{head}#EXT-X-STREAM-INF:{','.join(attributes)}\n{uri}\n"


def classic(segmenter: Segmenter, uris: Uris) -> str:
    """Whole segments; there is at least one."""
    segments = segmenter.listed()
    version = _VERSION_WITH_MAP if segmenter.kind == "m4s" else _VERSION
    lines = [*_head(segments, version, segmenter.target_s), *_entries(segments, segmenter, uris)]
    if segmenter.is_ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def low_latency(segmenter: Segmenter, uris: Uris, *, is_delta: bool = False) -> str:
    """Segments, parts of the newest ones, and where the next part will be; ``is_delta``: without what is old."""
    segments, current = segmenter.listed(), segmenter.current
    assert segmenter.mp4 is not None
    # Of a node that has begun no part yet those that another one has told of are listed.
    longest_ms = max((part.duration_ms for segment in segments for part in segment.parts), default=1)
    part_target_s = max(segmenter.mp4.part_target_ms, longest_ms) / 1000
    target_s = max(segmenter.target_s, math.ceil(part_target_s))
    head = _head(segments or ([current] if current is not None else []), _VERSION_WITH_SKIP, target_s)
    lines = [
        *head[:3],
        f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={_SKIP_TARGETS * target_s}.0,"
        f"PART-HOLD-BACK={part_target_s * _HOLD_BACK_PARTS:.3f}",
        f"#EXT-X-PART-INF:PART-TARGET={part_target_s:.3f}",
        *head[3:],
    ]
    skipped = _skippable(segments, current, target_s) if is_delta and not segmenter.is_ended else 0
    if skipped:
        lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")
    parts_from = _first_with_parts(segments, current, target_s)
    if segments:  # what has gone does not come back when the target grows
        first = segments[0].name.number
        segmenter.parts_from_number = max(segmenter.parts_from_number, first + parts_from)
        parts_from = segmenter.parts_from_number - first
    lines += _entries(segments, segmenter, uris, first=skipped, parts_from=parts_from)
    if segmenter.is_ended:
        lines.append("#EXT-X-ENDLIST")
    elif current is not None and segmenter.is_open:
        # Without parts too: hls.js takes the last whole segment for the one in progress where nothing follows it.
        last_init = next((segment.init for segment in reversed(segments) if segment.init), "")
        lines += _tags(current, last_init, uris)
        lines += _parts(current, uris)
        if segmenter.is_collecting:
            lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{uris.part(current.name, len(current.parts))}"')
    return "\n".join(lines) + "\n"


def _head(segments: Sequence[Segment], version: int, target_s: int) -> list[str]:
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{version}", f"#EXT-X-TARGETDURATION:{target_s}"]
    if segments:
        first = segments[0]
        lines.append(f"#EXT-X-MEDIA-SEQUENCE:{first.name.number}")
        lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{first.discontinuity - first.is_discontinuity}")
    return lines


def _entries(
    segments: Sequence[Segment], segmenter: Segmenter, uris: Uris, *, first: int = 0, parts_from: int | None = None
) -> Iterable[str]:
    """Lines of segments from the ``first`` one on; with the parts of those from ``parts_from`` on."""
    init = segments[first - 1].init if first else ""
    for index, segment in enumerate(segments[first:], first):
        yield from _tags(segment, init, uris)
        init = segment.init or init
        is_gap = segment.is_gap or (segment.data is None and not segment.is_elsewhere)
        if parts_from is not None and index >= parts_from:
            yield from _parts(segment, uris)
        if is_gap:
            yield "#EXT-X-GAP"
        yield f"#EXTINF:{segment.duration_ms / 1000:.3f},"
        yield uris.segment(segment.name, segmenter.kind)


def _tags(segment: Segment, init: str, uris: Uris) -> Iterable[str]:
    """What stands before a segment or its parts; ``init``: the decoder configuration in force."""
    if segment.is_discontinuity:
        yield "#EXT-X-DISCONTINUITY"
    if segment.init and segment.init != init:
        yield f'#EXT-X-MAP:URI="{uris.init(segment.init)}"'
    yield f"#EXT-X-PROGRAM-DATE-TIME:{format_wall(segment.wall_ms)}"


def _parts(segment: Segment, uris: Uris) -> Iterable[str]:
    for index, part in enumerate(segment.parts):
        more = ",GAP=YES" if part.is_gap else ",INDEPENDENT=YES" if part.is_independent else ""
        yield f'#EXT-X-PART:DURATION={part.duration_ms / 1000:.3f},URI="{uris.part(segment.name, index)}"{more}'


def format_wall(wall_ms: int) -> str:
    """A wall clock (ms since 1970) as EXT-X-PROGRAM-DATE-TIME has it (ISO 8601)."""
    moment = _EPOCH + timedelta(milliseconds=min(wall_ms, 4_000_000_000_000))
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{wall_ms % 1000:03d}Z"


def _first_with_parts(segments: Sequence[Segment], current: Segment | None, target_s: int) -> int:
    """Index of the oldest segment whose parts are listed."""
    passed_ms = sum(part.duration_ms for part in current.parts) if current is not None else 0
    index = len(segments)
    while index and passed_ms < _PARTS_TARGETS * target_s * 1000:
        index -= 1
        passed_ms += segments[index].duration_ms
    return index


def _skippable(segments: Sequence[Segment], current: Segment | None, target_s: int) -> int:
    """How many of the oldest segments are further from the end than CAN-SKIP-UNTIL."""
    passed_ms = sum(part.duration_ms for part in current.parts) if current is not None else 0
    index = len(segments)
    while index and passed_ms < _SKIP_TARGETS * target_s * 1000:
        index -= 1
        passed_ms += segments[index].duration_ms
    return index
