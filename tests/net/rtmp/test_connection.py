"""What the shells of both sides share: the session's deadlines and the writers."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from edge.net.aio import now_ms
from edge.net.byte_stream import ByteStream, stream_of
from edge.net.config import NetConfig
from edge.net.context import NetContext
from edge.net.rtmp.client import RtmpClientConnection
from edge.net.rtmp.connection import RtmpConnection
from edge.net.rtmp.form import RtmpForm
from edge.net.rtmp.server import RtmpServerConnection
from edge.rtmp.events import ClockAsked, ClockTold
from tests.harness.clock import deadline, wait_until
from tests.harness.wire import VIDEO
from tests.net.fakes import Source, decode


class ScriptedSession:
    """Its deadline is the test's; when it has passed there are three events."""

    def __init__(self) -> None:
        self.events: deque[str] = deque()
        self.deadline_ms: int | None = None
        self.peer_tells_clock = False
        self.asked: list[tuple[int, ...]] = []

    def tell_clock(self, *times_us: int) -> None:
        self.asked.append(times_us)

    def next_deadline_ms(self) -> int | None:
        return self.deadline_ms

    def handle_timer(self, now_ms: int) -> None:
        self.deadline_ms = None
        self.events += ["late", "close", "after the end"]


class Shell(RtmpConnection[Any]):
    """Remembers what it is told."""

    def __init__(self, wire: ByteStream, context: NetContext) -> None:
        super().__init__(wire, context, ScriptedSession(), "peer")
        self.told: list[object] = []

    def _on_event(self, event: object) -> None:
        self.told.append(event)
        if event == "close":
            self.close_now("scripted")

    def on_data(self, data: bytes) -> None:
        if not self._is_deadline_watched:
            self._watch_deadline()

    def on_closed(self, why: str) -> None:
        self._close_writers()

    def send_session(self) -> None:
        self.told.append("sent")

    def writer_finished(self, message_stream_id: int, reason: str) -> None:
        self.told.append((message_stream_id, reason))


@asynccontextmanager
async def joined() -> AsyncIterator[tuple[Shell, socket.socket]]:
    """A shell on a loop of its own making, and the socket at the other end."""
    context = NetContext(asyncio.get_running_loop(), NetConfig(flush_interval_ms=0))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    theirs.setblocking(False)
    shell = Shell(stream_of(ours), context)
    with theirs:
        yield shell, theirs
        shell.close_now("test over")
    context.close()
    assert context.internal_error_count == 0


def received(sock: socket.socket, chunk_size: int) -> list[bytes]:
    """Bodies of the pictures that have come."""
    try:
        data = sock.recv(65536)
    except BlockingIOError:
        return []
    return [message.payload for message in decode(data, chunk_size) if message.type_id == VIDEO]


async def test_deadline_of_the_session_is_kept_and_nothing_is_heard_after_the_end() -> None:
    async with joined() as (shell, _):
        shell._session.deadline_ms = now_ms()
        shell._watch_deadline()
        await wait_until(lambda: shell.told, deadline(2), "the deadline")
        assert shell.told == ["late", "close"]
        assert shell.state == "closed"


async def test_clock_of_a_node_is_asked_for_from_the_first_need_until_the_end() -> None:
    async with joined() as (shell, _):
        assert shell.peer_clock() is None
        shell._session.peer_tells_clock = True
        clock = shell.peer_clock()
        assert clock is not None and clock is shell.peer_clock()
        ((sent_us,),) = shell._session.asked
        assert shell.told == ["sent"]
        shell._on_clock_told(ClockTold(sent_us, sent_us - 3_600_000_000))
        ours = clock.ours(0)
        assert ours is not None and 0 <= ours - 3_600_000_000 < 1_000_000 * deadline(1)
        shell._on_clock_asked(ClockAsked(77))
        assert shell._session.asked[-1][0] == 77 and len(shell._session.asked[-1]) == 2
        count = len(shell._session.asked)
        shell.close_now("over")
        clock._last_us = None
        clock.keep()
        assert len(shell._session.asked) == count


async def test_clock_that_nobody_needs_is_not_asked_for() -> None:
    async with joined() as (shell, _):
        shell._on_clock_told(ClockTold(1, 2))
        assert shell._session.asked == []


async def test_session_that_has_a_deadline_again_is_watched_again() -> None:
    async with joined() as (shell, peer):
        shell._session.deadline_ms = now_ms()
        shell._watch_deadline()
        assert shell._is_deadline_watched
        shell._session.deadline_ms = None
        await wait_until(lambda: not shell._is_deadline_watched, deadline(2), "the end of the watch")
        assert shell.told == []
        shell._session.deadline_ms = now_ms()
        peer.send(b"x")
        await wait_until(lambda: shell.told, deadline(2), "the deadline")


async def test_session_without_a_deadline_is_not_watched() -> None:
    async with joined() as (shell, _):
        shell._watch_deadline()
        assert not shell._is_deadline_watched


async def test_closed_connection_has_no_deadline() -> None:
    async with joined() as (shell, _):
        shell._session.deadline_ms = now_ms() + 10_000
        shell._watch_deadline()
        assert shell.next_deadline_ms() == shell._session.deadline_ms
        shell.close_now("over")
        assert shell.next_deadline_ms() is None


async def test_writers_are_opened_once_and_closed_with_the_connection() -> None:
    async with joined() as (shell, peer):
        source, form = Source(), RtmpForm(4096)
        writers = shell._open_writers(4096)
        assert shell._open_writers(4096) is writers
        writers.open(source.stream, 1, form, is_hop=False)
        source.video(0, is_keyframe=True)
        found: list[bytes] = []
        await wait_until(lambda: found.extend(received(peer, 4096)) or found, deadline(2), "the picture")
        assert found == [frame.payload for frame in source.frames]
        source.stream.end("over")
        await wait_until(lambda: shell.told, deadline(2), "the end")
        assert shell.told == [(1, "over")]
        shell.close_now("done")
        assert source.stream.readers == []


async def test_closed_connection_pumps_nothing() -> None:
    async with joined() as (shell, _):
        source = Source()
        shell._open_writers(4096).open(source.stream, 1, RtmpForm(4096), is_hop=False)
        shell.is_pump_scheduled = False
        shell.state = "closing"
        source.video(0, is_keyframe=True)
        assert not shell.is_pump_scheduled
        assert shell.pump() == 0
        shell.state = "open"
        assert shell.pump() == 1


@pytest.mark.parametrize("kind", [RtmpServerConnection, RtmpClientConnection])
def test_connections_have_no_dictionary(kind: type) -> None:
    """There are thousands of them: a dictionary each would double their size."""
    assert not kind.__dictoffset__


async def test_frames_that_its_writers_leave_out_are_counted_with_those_of_players() -> None:
    async with joined() as (shell, _):
        source, fanout = Source(), shell.context.fanout
        shell._open_writers(4096).count_left_out(source.stream, 7, jump_count=1)
        assert (fanout.jump_count, fanout.dropped_count) == (1, 7)
        assert (source.stream.stats.player_jump_count, source.stream.stats.player_dropped_count) == (1, 7)
