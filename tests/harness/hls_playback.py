"""What an HLS client decides without I/O: where it starts, what comes next, and when its buffer is empty."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tests.harness.m3u8_model import Media, Part, Segment

# RFC 8216 §6.3.3: not nearer than this to the end of a live playlist.
_SEGMENTS_FROM_END = 3

# Number of the segment, and of the part in it.
Position = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Stall:
    """The buffer was empty from ``at_s`` on, of the client's clock, for ``length_s``."""

    at_s: float
    length_s: float


@dataclass(slots=True)
class PlaybackClock:
    """Plays in thought what is added, from the first addition on, without delay.

    Attributes:
        began_s: None before the first addition.
        end_s: when the buffer runs dry.
    """

    began_s: float | None = None
    end_s: float = 0.0
    stalls: list[Stall] = field(default_factory=list)

    def add(self, duration_s: float, now_s: float) -> None:
        """Media of this duration have come."""
        if self.began_s is None:
            self.began_s = self.end_s = now_s
        self._stall(now_s)
        self.end_s += duration_s

    def close(self, now_s: float) -> None:
        """Playback is broken off; a stall that lasts still is counted up to now."""
        if self.began_s is not None:
            self._stall(now_s)

    def buffer_s(self, now_s: float) -> float:
        """What is left to play."""
        return max(self.end_s - now_s, 0.0) if self.began_s is not None else 0.0

    @property
    def stall_s(self) -> float:
        return sum(stall.length_s for stall in self.stalls)

    def _stall(self, now_s: float) -> None:
        if now_s > self.end_s:
            self.stalls.append(Stall(self.end_s, now_s - self.end_s))
            self.end_s = now_s


@dataclass(frozen=True, slots=True)
class Item:
    """What is to be fetched next; ``after`` is the position behind it."""

    kind: Literal["segment", "part"]
    uri: str
    duration_s: float
    map_uri: str | None
    is_gap: bool
    after: Position


class FellBehindError(Exception):
    """What comes next is no longer in the playlist; ``resume`` is where to go on, None for a new start."""

    def __init__(self, position: Position, resume: Position | None) -> None:
        super().__init__(f"segment {position[0]}, part {position[1]} has gone before it was fetched")
        self.resume = resume


def start_of(media: Media, *, uses_parts: bool) -> Position:
    """Where to begin.

    With parts: at the last independent part or segment that begins at least
    PART-HOLD-BACK before the end. Without: at the third segment from the end, or
    further back by HOLD-BACK. At the first where the playlist has ended, or is shorter.
    """
    if media.is_ended or (not media.segments and not uses_parts):
        return media.media_sequence, 0
    if uses_parts and media.server_control is not None and media.server_control.part_hold_back_s is not None:
        return _start_by_parts(media, media.server_control.part_hold_back_s)
    index = max(len(media.segments) - _SEGMENTS_FROM_END, 0)
    hold_back_s = media.server_control.hold_back_s if media.server_control is not None else None
    while hold_back_s is not None and index and sum(each.duration_s for each in media.segments[index:]) < hold_back_s:
        index -= 1
    return media.media_sequence + index, 0


def _start_by_parts(media: Media, hold_back_s: float) -> Position:
    starts: list[tuple[float, Position]] = []
    at_s = 0.0
    lists = [segment.parts for segment in media.segments] + [media.trailing.parts]
    for index, parts in enumerate(lists):
        number = media.media_sequence + index
        if index < len(media.segments) and not parts:
            starts.append((at_s, (number, 0)))
            at_s += media.segments[index].duration_s
        for which, part in enumerate(parts):
            if part.is_independent:
                starts.append((at_s, (number, which)))
            at_s += part.duration_s
    early = [position for start_s, position in starts if start_s <= at_s - hold_back_s + 1e-6]
    if early:
        return early[-1]
    return starts[0][1] if starts else (media.media_sequence, 0)


def next_item(media: Media, position: Position, *, uses_parts: bool) -> Item | None:
    """What stands at the position, None while nothing does.

    Raises:
        FellBehindError: it has gone.
    """
    number, which = position
    index = number - media.media_sequence
    if index < 0:
        raise FellBehindError(position, None)
    if index < len(media.segments):
        segment = media.segments[index]
        if uses_parts and segment.parts:
            if which < len(segment.parts):
                return _part_item(segment.parts[which], segment.map_uri, position)
            return next_item(media, (number + 1, 0), uses_parts=uses_parts)
        if which:
            raise FellBehindError(position, (number + 1, 0))
        return _segment_item(segment, number)
    if index == len(media.segments) and uses_parts and which < len(media.trailing.parts):
        return _part_item(media.trailing.parts[which], media.trailing.map_uri, position)
    return None


def _part_item(part: Part, map_uri: str | None, position: Position) -> Item:
    after = position[0], position[1] + 1
    return Item("part", part.uri, part.duration_s, map_uri, part.is_gap, after)


def _segment_item(segment: Segment, number: int) -> Item:
    return Item("segment", segment.uri, segment.duration_s, segment.map_uri, segment.is_gap, (number + 1, 0))
