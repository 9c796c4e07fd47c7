"""Segments and their parts."""

from __future__ import annotations

from edge.hls.names import SegmentName


class Part:
    """A piece of a segment in fMP4 (RFC 8216bis §4.4.4.9).

    Attributes:
        duration_ms: to where the next one begins.
        is_independent: decoding may begin with it.
        is_gap: nothing of its frames could be used.
        start, size: where its bytes stand in the segment.
    """

    __slots__ = ("duration_ms", "is_gap", "is_independent", "size", "start")

    def __init__(self, duration_ms: int, start: int, size: int, *, is_independent: bool) -> None:
        self.duration_ms = duration_ms
        self.start = start
        self.size = size
        self.is_independent = is_independent
        self.is_gap = not size


class Segment:
    """A segment, whole or in progress.

    Attributes:
        name: what it is called.
        wall_ms: of its first frame, by the origin's wall clock.
        duration_ms: 0 while it is in progress.
        discontinuity: EXT-X-DISCONTINUITY-SEQUENCE, with this one.
        is_discontinuity: it is the first after a discontinuity.
        target_s: target duration in force when it was complete.
        init: digest of its decoder configuration, "" in TS.
        parts: those that are complete, none in TS.
        data: its bytes; None where this node lacks them.
        is_elsewhere: another node has told of it, and has its bytes.
        is_gap: some of its frames are lost, and nobody has them.
    """

    __slots__ = (
        "data",
        "discontinuity",
        "duration_ms",
        "init",
        "is_discontinuity",
        "is_elsewhere",
        "is_gap",
        "name",
        "parts",
        "pieces",
        "size",
        "target_s",
        "wall_ms",
    )

    def __init__(
        self,
        name: SegmentName,
        wall_ms: int,
        discontinuity: int,
        target_s: int,
        *,
        is_discontinuity: bool = False,
        duration_ms: int = 0,
        init: str = "",
        is_gap: bool = False,
    ) -> None:
        self.name = name
        self.wall_ms = wall_ms
        self.duration_ms = duration_ms
        self.discontinuity = discontinuity
        self.is_discontinuity = is_discontinuity
        self.target_s = target_s
        self.init = init
        self.parts: list[Part] = []
        self.pieces: list[bytes] = []
        self.size = 0
        self.data: bytes | None = None
        self.is_gap = is_gap
        self.is_elsewhere = False

    def add(self, piece: bytes) -> None:
        """Bytes that come next."""
        if piece:
            self.pieces.append(piece)
            self.size += len(piece)

    def complete(self, duration_ms: int, target_s: int) -> None:
        """Its last bytes have come."""
        self.data = b"".join(self.pieces)
        self.pieces = []
        self.duration_ms, self.target_s = duration_ms, target_s

    def part_bytes(self, index: int) -> bytes | None:
        """Bytes of a complete part; None where there is none, or they are not here."""
        if index >= len(self.parts):
            return None
        part = self.parts[index]
        if self.data is not None:
            return self.data[part.start : part.start + part.size]
        if not self.pieces:
            return None
        return self.pieces[index]  # a part is one piece while the segment is in progress
