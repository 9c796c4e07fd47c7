"""Ids of viewers: nobody guesses them, they are good for one stream, and they end."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from edge.hls.config import HlsConfig
from edge.httpd import hls_sessions
from edge.httpd.hls_sessions import Sessions
from edge.hub.key import StreamKey
from edge.service.names import StreamName
from edge.service.rules import Rules
from edge.service.service import Service

NAME = StreamName(StreamKey("_", "live", "a"), "")
PATH = "/_/live/a"


class Clock:
    now = 1000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(hls_sessions, "now_ms", lambda: clock.now)
    yield clock


def service(config: HlsConfig | None = None) -> Service:
    return cast(Service, SimpleNamespace(rules_of=lambda key: Rules([config or HlsConfig()])))


def test_ids_cannot_be_guessed(clock: Clock) -> None:
    sessions, here = Sessions(HlsConfig()), service()
    found = [sessions.open(here, NAME, at_keyframes=False) for _ in range(1000)]
    ids = {each.id for each in found if each is not None}
    assert len(ids) == len(sessions) == 1000 and all(each.isdigit() and len(each) <= 20 for each in ids)
    numbers = [int(each) for each in ids]
    assert max(numbers) > 2**63 and min(numbers) < 2**62, "64 bits of chance"
    assert sum(each & 1 for each in numbers) not in (0, 1000)


def test_an_id_is_good_for_its_stream_and_service(clock: Clock) -> None:
    sessions, here = Sessions(HlsConfig()), service()
    session = sessions.open(here, NAME, at_keyframes=True)
    assert session is not None and session.at_keyframes
    assert sessions.find(here, session.id, PATH) is session
    for where, session_id, path in (
        (service(), session.id, PATH),
        (here, session.id, "/_/live/b"),
        (here, session.id, "/live/a"),
        (here, "0" + session.id, PATH),
        (here, "", PATH),
    ):
        assert sessions.find(where, session_id, path) is None


def test_one_who_does_not_ask_any_more_is_forgotten(clock: Clock) -> None:
    sessions, here = Sessions(HlsConfig()), service(HlsConfig(ts_duration_ms=1000, ts_max_stored=10))
    stays, leaves = (sessions.open(here, NAME, at_keyframes=False) for _ in range(2))
    assert stays is not None and leaves is not None
    clock.now += 9000
    sessions.find(here, stays.id, PATH)
    sessions.find(here, leaves.id, "/_/live/other")
    sessions.tick(11_000)
    assert len(sessions) == 2
    sessions.tick(11_001)
    assert len(sessions) == 1 and sessions.find(here, leaves.id, PATH) is None
    assert sessions.find(here, stays.id, PATH) is stays


def test_there_may_be_too_many(clock: Clock) -> None:
    sessions, here = Sessions(HlsConfig(hls_max_users=2)), service()
    assert all(sessions.open(here, NAME, at_keyframes=False) is not None for _ in range(2))
    assert sessions.open(here, NAME, at_keyframes=False) is None and len(sessions) == 2
    sessions.tick(10**9)
    assert sessions.open(here, NAME, at_keyframes=False) is not None
