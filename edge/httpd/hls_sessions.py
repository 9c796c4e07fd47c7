"""Viewers of the two-level scheme that have an id each (``-hls_user_session``)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from edge.hls.config import HlsConfig
from edge.net.aio import now_ms
from edge.service.grants import ends_ms_of
from edge.service.names import StreamName
from edge.service.service import Service

_ID_BITS = 64


@dataclass(slots=True)
class Session:
    """One viewer.

    Attributes:
        id: by which its playlists are asked for; nobody can guess it.
        asked_ms: when it last asked for one.
        ends_ms: when its time is over; 0 for never.
    """

    id: str
    service: Service
    name: StreamName
    at_keyframes: bool
    asked_ms: int
    ends_ms: int = 0

    @property
    def is_over(self) -> bool:
        """Its time is over."""
        return 0 < self.ends_ms <= now_ms()


class Sessions:
    """The viewers that have an id; forgotten when they have not asked for long."""

    def __init__(self, config: HlsConfig) -> None:
        self._config = config
        self._by_id: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def open(
        self, service: Service, name: StreamName, *, at_keyframes: bool, lifetime_s: float = 0.0
    ) -> Session | None:
        """A viewer comes, for ``lifetime_s`` or, with 0.0, for as long as it likes; None where there are too many."""
        if len(self._by_id) >= self._config.hls_max_users:
            return None
        at_ms = now_ms()
        ends_ms = ends_ms_of(lifetime_s, at_ms)
        session = Session(str(secrets.randbits(_ID_BITS)), service, name, at_keyframes, at_ms, ends_ms)
        self._by_id[session.id] = session
        return session

    def find(self, service: Service, session_id: str, path: str) -> Session | None:
        """The viewer who asks for a playlist by its ``path``; an id is good for its stream only."""
        session = self._by_id.get(session_id)
        if session is None or session.service is not service:
            return None
        key = session.name.key
        if path != f"/{key.vhost}/{key.app}/{key.stream_name}":
            return None
        session.asked_ms = now_ms()
        return session

    def tick(self, at_ms: int) -> None:
        """Forget those who are gone: they had time for as many segments as are kept."""
        for session in list(self._by_id.values()):
            config = session.service.rules_of(session.name.key).of(HlsConfig)
            if session.asked_ms < at_ms - config.ts_duration_ms * config.ts_max_stored:
                del self._by_id[session.id]
