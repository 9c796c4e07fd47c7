"""What is known of one viewer, by what the player has reported so far.

The same is told in several ways: a flag with a request (``bs``), counts since the beginning (``bsa``, ``bsda``,
``dfa``), or the states that the player went through with their times (``sta``, ``ts``). Each way is counted for
itself, and the largest holds: a report that was lost or came twice makes no difference, nor does a player that
uses two ways. But a player that gives its own count of stalls knows best what one is: from then on that alone counts.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from edge.quality.cmcd import Value, is_set, number_of, text_of

#: What is beyond is no time, count or bitrate of a player.
_MOST_MS, _MOST_COUNT, _MOST_KBPS = 86_400_000, 1_000_000_000, 100_000_000
_PLAYING, _STARTING, _REBUFFERING, _QUIT = "p", "s", "r", "q"
_WORD_CHARS = 8


class Session:
    """One viewer.

    Attributes:
        stream: which one it watches; None while that is not known.
        seen_ms: when it reported last, by our clock.
        has_left: it has said so.
        start_ms: from the press of play to the first picture; None while that is not known.
        buffer_ms: what the player holds, as it said last.
        bitrate_kbps: of what it loads, as it said last.
        stalled_at_ms: when we heard of its last stall, by our clock; None where it had none.
    """

    __slots__ = (
        *("bitrate_kbps", "buffer_ms", "has_left", "seen_ms", "stalled_at_ms", "start_ms", "stream"),
        *("_dropped", "_flagged", "_has_told", "_rebuffers", "_rebuffers_ms", "_since_ms", "_state", "_told"),
        "_told_ms",
    )

    def __init__(self, now_ms: int) -> None:
        self.stream: Hashable = None
        self.seen_ms = now_ms
        self.has_left = False
        self.start_ms: int | None = None
        self.buffer_ms: int | None = None
        self.bitrate_kbps: int | None = None
        self.stalled_at_ms: int | None = None
        self._flagged = self._rebuffers = self._told = self._dropped = 0
        self._has_told = False
        self._rebuffers_ms = self._told_ms = 0.0
        self._state, self._since_ms = "", 0.0

    @property
    def stall_count(self) -> int:
        """Times that the player ran dry."""
        return max(self._flagged, self._rebuffers, self._told)

    @property
    def stall_ms(self) -> int:
        """How long that took together; 0 of a player that tells of stalls by a flag only."""
        return int(max(self._rebuffers_ms, self._told_ms))

    @property
    def dropped_frames(self) -> int:
        """Pictures that the player did not show in time."""
        return self._dropped

    def take(self, report: Mapping[str, Value], now_ms: int) -> None:
        """A report of this viewer."""
        self.seen_ms = now_ms
        stalls = self.stall_count
        told = number_of(report, "bsa", most=_MOST_COUNT)
        self._has_told |= told is not None
        self._told = max(self._told, int(told or 0))
        self._flagged += is_set(report, "bs") and not self._has_told
        self._told_ms = max(self._told_ms, number_of(report, "bsda", most=_MOST_MS) or 0.0)
        self._dropped = max(self._dropped, int(number_of(report, "dfa", most=_MOST_COUNT) or 0))
        buffer_ms = number_of(report, "bl", most=_MOST_MS, takes_least=True)
        if buffer_ms is not None:
            self.buffer_ms = int(buffer_ms)
        bitrate = number_of(report, "br", most=_MOST_KBPS)
        if bitrate is not None:
            self.bitrate_kbps = int(bitrate)
        start_ms = number_of(report, "msd", most=_MOST_MS)
        if start_ms is not None and self.start_ms is None:
            self.start_ms = int(start_ms)
        state, at_ms = text_of(report, "sta", max_chars=_WORD_CHARS), number_of(report, "ts", most=2**53)
        if state and at_ms is not None:
            self._enter(state, at_ms)
        if self.stall_count > stalls:
            self.stalled_at_ms = now_ms

    def _enter(self, state: str, at_ms: float) -> None:
        """The player is in a state since a moment of its own clock, which may stand or go backwards."""
        if state == self._state or at_ms < self._since_ms:
            return
        passed_ms = min(at_ms - self._since_ms, _MOST_MS)
        if state == _PLAYING and self._state == _STARTING and self.start_ms is None:
            self.start_ms = int(passed_ms)
        if self._state == _REBUFFERING and not self._has_told:
            self._rebuffers_ms += passed_ms
        self._rebuffers += state == _REBUFFERING and not self._has_told
        self.has_left = state == _QUIT
        self._state, self._since_ms = state, at_ms
