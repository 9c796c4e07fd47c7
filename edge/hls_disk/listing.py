"""What the files of one stream are: those that its playlist lists, and those that may go later.

Numbers go up for as long as anything is known of the playlist. A new one
begins with the origin's number of its first segment, which follows the wall
clock (``CutRule.first_number``), one that is continued counts on. Both times
it is above all that were used.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from edge.hls.names import SegmentName
from edge.hls.playlist import format_wall

#: RFC 8216 §6.2.2 wants at least so many listed.
_LEAST_LISTED = 3
_VERSION, _VERSION_WITH_MAP = 3, 6
_MAX_NUMBER = 2**53


@dataclass(slots=True)
class Made:
    """A segment that is to be written.

    Attributes:
        name: the tree's.
        wall_ms: of its first frame, by the origin's clock.
        discontinuity: the tree's count, with this one.
        init: digest of its decoder configuration, "" in TS.
    """

    name: SegmentName
    kind: str
    duration_ms: int
    wall_ms: int
    discontinuity: int
    target_s: int
    is_discontinuity: bool
    init: str
    data: bytes
    init_data: bytes = b""


@dataclass(slots=True)
class Entry:
    """A segment that is listed.

    Attributes:
        path: below the directory.
        seq: what EXT-X-MEDIA-SEQUENCE counts.
        discontinuity: EXT-X-DISCONTINUITY-SEQUENCE, with this one.
        epoch, number: of its name in the tree, by which it is known again.
        written_ms: when, by this machine's clock.
        init: path of its decoder configuration, "" in TS.
    """

    path: str
    seq: int
    duration_ms: int
    wall_ms: int
    discontinuity: int
    is_discontinuity: bool
    epoch: str
    number: int
    written_ms: int
    init: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a segment goes: its number, and whether what was listed before goes with it."""

    seq: int
    discontinuity: int
    is_discontinuity: bool
    is_anew: bool


@dataclass(slots=True)
class Listing:
    """One playlist.

    Attributes:
        behind: files that are listed no more, and when they may go (wall clock, ms).
        last_seq, last_discontinuity: of whatever was listed, though it be gone.
        is_closed: EXT-X-ENDLIST stands in it.
    """

    kind: str = ""
    target_s: int = 1
    entries: deque[Entry] = field(default_factory=deque)
    behind: dict[str, int] = field(default_factory=dict)
    last_seq: int = -2
    last_discontinuity: int = -1
    is_closed: bool = False

    def place(self, made: Made, now_ms: int, window_ms: int) -> Place | None:
        """Where a segment goes; None for one that is listed already."""
        number, epoch = made.name.number, made.name.epoch
        if any(entry.number == number and entry.epoch == epoch for entry in self.entries):
            return None
        last = self.entries[-1] if self.entries else None
        if (
            last is None
            or self.is_closed
            or self.kind != made.kind
            or not -window_ms <= now_ms - last.written_ms <= window_ms + made.duration_ms
        ):
            seq = max(number, self.last_seq + 2)  # not the next: nothing is to be taken for what comes after the old
            return Place(seq, max(made.discontinuity, self.last_discontinuity + 1), False, is_anew=True)
        follows = last.epoch == epoch and last.number == number - 1
        is_discontinuity = made.is_discontinuity or not follows
        return Place(last.seq + 1, last.discontinuity + is_discontinuity, is_discontinuity, is_anew=False)

    def add(
        self, made: Made, place: Place, path: str, init: str, now_ms: int, window_ms: int, keep: Callable[[], int]
    ) -> None:
        """List a segment that has been written; ``keep`` tells how long (ms) what leaves the list stays."""
        if place.is_anew:
            while self.entries:
                self._drop(now_ms, keep)
            self.kind, self.target_s, self.is_closed = made.kind, made.target_s, False
        self.target_s = max(self.target_s, made.target_s)
        self.last_seq, self.last_discontinuity = place.seq, place.discontinuity
        last = self.entries[-1] if self.entries else None
        # Dates go up, though a clock was set back, or a publish came faster than its time and another one followed.
        wall_ms = max(made.wall_ms, last.wall_ms + last.duration_ms) if last is not None else made.wall_ms
        entry = Entry(
            path,
            place.seq,
            made.duration_ms,
            wall_ms,
            place.discontinuity,
            place.is_discontinuity,
            made.name.epoch,
            made.name.number,
            now_ms,
            init,
        )
        self.entries.append(entry)
        for again in (path, init):
            self.behind.pop(again, None)
        total_ms = sum(each.duration_ms for each in self.entries)
        while len(self.entries) > _LEAST_LISTED and total_ms - self.entries[0].duration_ms >= window_ms:
            total_ms -= self.entries[0].duration_ms
            self._drop(now_ms, keep)

    def _drop(self, now_ms: int, keep: Callable[[], int]) -> None:
        entry = self.entries.popleft()
        expires_ms = now_ms + keep()
        self.behind[entry.path] = expires_ms
        if entry.init and all(each.init != entry.init for each in self.entries):
            self.behind[entry.init] = expires_ms

    def expired(self, now_ms: int) -> list[str]:
        """Files that may go."""
        return [path for path, expires_ms in self.behind.items() if expires_ms <= now_ms]

    def files(self) -> list[str]:
        """All of them but the playlist itself."""
        inits = {entry.init for entry in self.entries if entry.init}
        return [*self.behind, *(entry.path for entry in self.entries), *inits]

    @property
    def duration_ms(self) -> int:
        """Of all that is listed."""
        return sum(entry.duration_ms for entry in self.entries)

    @property
    def written_ms(self) -> int:
        """When the newest segment was; 0 where nothing is listed."""
        return self.entries[-1].written_ms if self.entries else 0

    def text(self, uri: Callable[[str], str]) -> str:
        """The playlist; there is at least one entry."""
        first = self.entries[0]
        lines = [
            "#EXTM3U",
            f"#EXT-X-VERSION:{_VERSION_WITH_MAP if self.kind == 'm4s' else _VERSION}",
            f"#EXT-X-TARGETDURATION:{self.target_s}",
            f"#EXT-X-MEDIA-SEQUENCE:{first.seq}",
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{first.discontinuity - first.is_discontinuity}",
        ]
        init = ""
        for entry in self.entries:
            if entry.is_discontinuity:
                lines.append("#EXT-X-DISCONTINUITY")
            if entry.init and entry.init != init:
                lines.append(f'#EXT-X-MAP:URI="{uri(entry.init)}"')
                init = entry.init
            lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{format_wall(entry.wall_ms)}")
            lines.append(f"#EXTINF:{entry.duration_ms / 1000:.3f},")
            lines.append(uri(entry.path))
        if self.is_closed:
            lines.append("#EXT-X-ENDLIST")
        return "\n".join(lines) + "\n"

    def to_json(self) -> bytes:
        """For the next process."""
        state = {
            "kind": self.kind,
            "target_s": self.target_s,
            "last_seq": self.last_seq,
            "last_discontinuity": self.last_discontinuity,
            "is_closed": self.is_closed,
            "entries": [asdict(entry) for entry in self.entries],
            "behind": self.behind,
        }
        return json.dumps(state, separators=(",", ":")).encode()


def listing_of_json(data: bytes) -> Listing | None:
    """What :meth:`Listing.to_json` gave; None for anything else."""
    try:
        state = json.loads(data)
        entries = deque(_entry(row) for row in state["entries"])
        behind = {path: _number(expires_ms) for path, expires_ms in state["behind"].items()}
        return Listing(
            state["kind"] if state["kind"] in ("ts", "m4s") else "",
            max(_number(state["target_s"]), 1),
            entries,
            behind,
            _number(state["last_seq"]),
            _number(state["last_discontinuity"]),
            state["is_closed"] is True,
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _number(value: Any) -> int:
    if type(value) is not int or not -2 <= value < _MAX_NUMBER:
        raise ValueError
    return value


def _entry(row: dict[str, Any]) -> Entry:
    values: dict[str, Any] = {}
    for each in fields(Entry):
        value = row[each.name]
        if each.type == "int":
            value = _number(value)
        elif type(value) is not (bool if each.type == "bool" else str):
            raise ValueError
        values[each.name] = value
    return Entry(**values)
