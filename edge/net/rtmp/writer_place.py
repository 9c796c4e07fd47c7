"""A writer's place in a stream, told so that another process can go on from there; of nodes of ours none is told."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from edge.errors import HandoverError
from edge.net.rtmp.stream_writer import StreamWriter


class WriterPlace(msgspec.Struct, forbid_unknown_fields=True):
    """Where a writer stands; whole messages before it have been queued.

    Attributes:
        seq: the next frame of the stream's queue.
        base_ms, low_bases: the peer's clock, as in ``StreamWriter``; None before it has begun.
        waiting_since_ms: set while it waits for a keyframe to begin on.
        left_at: the frame at which it jumped, -1 where it has not.
    """

    seq: int
    base_ms: int | None
    low_bases: dict[int, int]
    waiting_since_ms: int | None
    left_at: int
    placed_lag_ms: int
    asked_ms: int
    written_bytes: int


def place_of_writer(writer: StreamWriter) -> WriterPlace:
    """Where ``writer`` stands, which stays as it is. Raises HandoverError of one that has more state than that."""
    if writer.is_hop:
        raise HandoverError("a node resumes by itself")
    if writer._switched is not None:
        raise HandoverError("it has switched sound or picture off")
    return WriterPlace(
        seq=writer.seq,
        base_ms=writer._base_ms,
        low_bases=dict(writer._low_bases),
        waiting_since_ms=writer._waiting_since_ms,
        left_at=writer._left_at,
        placed_lag_ms=writer._placed_lag_ms,
        asked_ms=writer.asked_ms,
        written_bytes=writer.written_bytes,
    )


def put_writer_in_place(writer: StreamWriter, place: WriterPlace, place_in: Callable[[int], int]) -> None:
    """Have a new writer go on at ``place``; ``place_in``: where a frame of the other queue stands in this one."""
    writer.seq = place_in(place.seq)
    writer._base_ms, writer._low_bases = place.base_ms, dict(place.low_bases)
    writer._waiting_since_ms = place.waiting_since_ms
    writer._left_at = place_in(place.left_at) if place.left_at >= 0 else -1
    writer._placed_lag_ms = place.placed_lag_ms
    writer.asked_ms, writer.written_bytes = place.asked_ms, place.written_bytes
