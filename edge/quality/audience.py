"""The viewers of all streams, by the ids of their sessions, and what they have lived through together.

Nobody who reports is known, so that all of it is bounded: sessions by their number, the oldest forgotten for the
newest, and streams by those that are there. A viewer who is forgotten stays in the sums.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass

from edge.quality.cmcd import Value, text_of
from edge.quality.config import QualityConfig
from edge.quality.session import Session

#: CTA-5004 §3: a session's id has at most so many characters.
MAX_ID_CHARS = 64
_SWEEP_MS = 1000


@dataclass(slots=True)
class Sums:
    """What sessions have lived through: of a stream, or of all.

    Attributes:
        sessions: all that there have been.
        starts, starts_ms: those whose start is known, and how long they took together.
        stalls, stalls_ms: times that a player ran dry, and how long that took.
        dropped: pictures that players did not show in time.
    """

    sessions: int = 0
    starts: int = 0
    starts_ms: int = 0
    stalls: int = 0
    stalls_ms: int = 0
    dropped: int = 0

    def add(self, before: Sums, after: Sums) -> None:
        """Take what has come from one look at a session to the next."""
        self.sessions += after.sessions - before.sessions
        self.starts += after.starts - before.starts
        self.starts_ms += after.starts_ms - before.starts_ms
        self.stalls += after.stalls - before.stalls
        self.stalls_ms += after.stalls_ms - before.stalls_ms
        self.dropped += after.dropped - before.dropped


@dataclass(frozen=True, slots=True)
class Present:
    """Those who report now.

    Attributes:
        sessions: how many.
        buffer_ms: what their players hold on average; None where nobody says.
        bitrate_kbps: what they load on average.
    """

    sessions: int
    buffer_ms: int | None
    bitrate_kbps: int | None


def _sums_of(session: Session) -> Sums:
    return Sums(
        1,
        int(session.start_ms is not None),
        session.start_ms or 0,
        session.stall_count,
        session.stall_ms,
        session.dropped_frames,
    )


class Audience:
    """All who report.

    Attributes:
        total: of all sessions, those of no stream of ours included.
        report_count: reports that were read.
        rejected: those that were not, by reason.
        forgotten_count: sessions given up for newer ones.
        on_start: told how long each start took, in milliseconds.
    """

    def __init__(self, config: QualityConfig) -> None:
        self._config = config
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._sums: dict[Hashable, Sums] = {}
        self._swept_ms = 0
        self.total = Sums()
        self.report_count = self.forgotten_count = 0
        self.rejected: Counter[str] = Counter()
        self.on_start: Callable[[int], object] = lambda _: None

    def __len__(self) -> int:
        return len(self._sessions)

    def take(self, report: Mapping[str, Value], stream: Hashable, now_ms: int) -> None:
        """A report; ``stream`` is the one that it came with, None where it came with none."""
        self.report_count += 1
        session_id = text_of(report, "sid", max_chars=MAX_ID_CHARS)
        if not session_id:
            self.rejected["no_session"] += 1
            return
        session = self._sessions.get(session_id)
        if session is None:
            session = self._open(session_id, now_ms)
        else:
            self._sessions.move_to_end(session_id)
        if stream is not None and stream != session.stream:
            self._move(session, stream)
        before, had_started = _sums_of(session), session.start_ms is not None
        session.take(report, now_ms)
        after = _sums_of(session)
        for sums in (self.total, self._sums.get(session.stream)):
            if sums is not None:
                sums.add(before, after)
        if session.start_ms is not None and not had_started:
            self.on_start(session.start_ms)

    def _open(self, session_id: str, now_ms: int) -> Session:
        while len(self._sessions) >= self._config.cmcd_max_sessions:
            self._sessions.popitem(last=False)
            self.forgotten_count += 1
        session = self._sessions[session_id] = Session(now_ms)
        self.total.sessions += 1
        return session

    def _move(self, session: Session, stream: Hashable) -> None:
        """It watches another stream from now on: what it says since the beginning is of the session as a whole."""
        if session.stream is None:
            self._sums.setdefault(stream, Sums()).add(Sums(), _sums_of(session))
        else:
            self._sums.setdefault(stream, Sums()).sessions += 1
        session.stream = stream

    def session(self, session_id: str) -> Session | None:
        """The viewer of an id."""
        return self._sessions.get(session_id)

    def sessions(self) -> Iterable[Session]:
        """All that are known; those who have left are among them for a while."""
        return self._sessions.values()

    def tick(self, now_ms: int, is_there: Callable[[Hashable], bool]) -> None:
        """Forget, once a second, those who have not reported for long, and streams that are no more."""
        if now_ms - self._swept_ms < _SWEEP_MS:
            return
        self._swept_ms = now_ms
        limit_ms = now_ms - self._config.cmcd_session_timeout_s * 1000
        while self._sessions:
            session_id, session = next(iter(self._sessions.items()))
            if session.seen_ms >= limit_ms:
                break
            del self._sessions[session_id]
        gone = {stream for stream in self._sums if not is_there(stream)}
        for stream in gone:
            del self._sums[stream]
        for session in self._sessions.values() if gone else ():
            if session.stream in gone:
                session.stream = None

    def streams(self) -> Mapping[Hashable, Sums]:
        """What was lived through by stream, of those that somebody has reported of."""
        return self._sums

    def present(self) -> dict[Hashable, Present]:
        """Those who report now, by stream."""
        groups: dict[Hashable, list[Session]] = {}
        for session in self._sessions.values():
            if not session.has_left and session.stream is not None:
                groups.setdefault(session.stream, []).append(session)
        return {stream: _present(sessions) for stream, sessions in groups.items()}


def _present(sessions: list[Session]) -> Present:
    return Present(
        len(sessions),
        _mean([session.buffer_ms for session in sessions if session.buffer_ms is not None]),
        _mean([session.bitrate_kbps for session in sessions if session.bitrate_kbps is not None]),
    )


def _mean(values: list[int]) -> int | None:
    return round(sum(values) / len(values)) if values else None
