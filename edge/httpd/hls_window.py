"""What one node of ours tells another of its HLS segments: JSON, and back."""

from __future__ import annotations

import json
from typing import Any

from edge.hls.names import SegmentName, epoch_word
from edge.hls.segment import Part, Segment
from edge.hls.segmenter import Segmenter
from edge.httpd.hls_paths import Directives

#: Where it is asked for; parameters ``vhost``, ``app``, ``stream``, ``kind`` and ``tracks``.
WINDOW_PATH = "/-/hls/window"
_MAX_SEGMENTS = 20_000
_MAX_PARTS = 1000
_MAX_NUMBER = 2**53


def encode_window(segmenter: Segmenter) -> bytes:
    """The segments that it lists."""
    rows = [_row_of(segment) for segment in segmenter.listed() if not segment.is_gap]
    return json.dumps({"segments": rows}, separators=(",", ":")).encode()


def _row_of(segment: Segment) -> dict[str, Any]:
    name = segment.name
    return {
        "epoch": name.epoch,
        "n": name.number,
        "dts": name.dts_ms,
        "wall": segment.wall_ms,
        "ms": segment.duration_ms,
        "disc": segment.discontinuity,
        "anew": segment.is_discontinuity,
        "target": segment.target_s,
        "init": segment.init,
        "parts": [[part.duration_ms, part.size, part.is_independent] for part in segment.parts],
    }


def has_asked(segmenter: Segmenter, asked: Directives) -> bool:
    """Whether the playlist holds what a player waits for (RFC 8216bis §6.2.5.2)."""
    if not segmenter.is_open:
        return False
    current = segmenter.current
    newest = segmenter.segments[-1] if segmenter.segments else None
    number, part = asked.number, asked.part
    if newest is not None and newest.name.number >= number:
        if newest.name.number > number or part < max(len(newest.parts), 1):
            return True
        number, part = number + 1, 0  # beyond its last part: the first of the next one is meant
    return part >= 0 and current is not None and current.name.number == number and len(current.parts) > part


def decode_window(data: bytes) -> list[Segment]:
    """The segments, without their bytes; ValueError for what makes no sense."""
    try:
        rows = json.loads(data)["segments"]
        if not isinstance(rows, list) or len(rows) > _MAX_SEGMENTS:
            raise ValueError("not a window of segments")
        return [_segment_of(row) for row in rows]
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a window of segments: {error!r}") from error


def _segment_of(row: dict[str, Any]) -> Segment:
    number, dts_ms, wall_ms, duration_ms, discontinuity, target_s = (
        _number(row[name]) for name in ("n", "dts", "wall", "ms", "disc", "target")
    )
    epoch, init = row["epoch"], row["init"]
    if not isinstance(epoch, str) or epoch_word(epoch) != epoch or not _is_digest(init):
        raise ValueError("an epoch or a digest that is none")
    if duration_ms < 1 or target_s < 1:
        raise ValueError("a segment without a duration")
    segment = Segment(
        SegmentName(epoch, number, dts_ms),
        wall_ms,
        discontinuity,
        target_s,
        is_discontinuity=row["anew"] is True,
        duration_ms=duration_ms,
        init=init,
    )
    segment.is_elsewhere = True
    start = 0
    for duration, size, is_independent in row["parts"][:_MAX_PARTS]:
        part = Part(_number(duration), start, _number(size), is_independent=is_independent is True)
        start += part.size
        segment.parts.append(part)
    return segment


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _MAX_NUMBER:
        raise ValueError("a number that is none")
    return value


def _is_digest(text: object) -> bool:
    return isinstance(text, str) and (not text or (len(text) == 16 and set(text) <= set("0123456789abcdef")))
