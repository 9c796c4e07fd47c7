"""What becomes of streams, look by look: one look serves all who watch, and each is told what it has not been told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from edge.facts.facts import Facts
from edge.facts.records import StreamFacts

#: A look is good for so long.
FRESH_MS = 400
#: Streams that one answer tells of.
MAX_CHANGES = 500

_Name = tuple[str, str]


class Became(Enum):
    """What has become of a stream."""

    PRESENT = "present"
    BEGUN = "begun"
    CHANGED = "changed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Change:
    """One stream, as it is, or was when it was last seen."""

    became: Became
    stream: StreamFacts


class Looks:
    """Looks at the streams of a server, none more often than ``FRESH_MS``, whoever asks."""

    def __init__(self, facts: Facts, now_ms: Callable[[], int]) -> None:
        self._facts = facts
        self._now_ms = now_ms
        self._lock = asyncio.Lock()
        self._found: list[StreamFacts] = []
        self._good_until_ms: int | None = None

    async def streams(self) -> list[StreamFacts]:
        """The newest look."""
        async with self._lock:
            if self._good_until_ms is None or self._now_ms() >= self._good_until_ms:
                self._found = await self._facts.streams()
                self._good_until_ms = self._now_ms() + FRESH_MS
            return self._found


class Watch:
    """What one who watches has been told."""

    def __init__(self, *keys: str) -> None:
        """``keys``: the streams that are watched, none for all."""
        self._keys = frozenset(keys)
        self._known: dict[_Name, StreamFacts] = {}
        self._has_begun = False

    def changes(self, streams: Iterable[StreamFacts]) -> tuple[list[Change], int]:
        """What is new in a look, and how many changes there was no room for, which are told after the next one."""
        now = {_name(stream): stream for stream in streams if not self._keys or stream.key in self._keys}
        found: list[Change] = []
        left_out = 0
        for name, stream in now.items():
            before = self._known.get(name)
            if before is not None and _state(before) == _state(stream):
                continue
            if len(found) >= MAX_CHANGES:
                left_out += 1
                continue
            new = Became.BEGUN if self._has_begun else Became.PRESENT
            found.append(Change(new if before is None else Became.CHANGED, stream))
            self._known[name] = stream
        for name in [name for name in self._known if name not in now]:
            if len(found) >= MAX_CHANGES:
                left_out += 1
                continue
            found.append(Change(Became.ENDED, self._known.pop(name)))
        if not left_out:
            self._has_begun = True
        return found, left_out


def _name(stream: StreamFacts) -> _Name:
    return stream.key, stream.service


def _state(stream: StreamFacts) -> tuple[object, ...]:
    """What of a stream is worth an event when it changes."""
    return (
        *(stream.state, stream.push_state, stream.publisher, stream.epoch),
        *(stream.players, stream.video_codec, stream.audio_codec),
    )
