"""Questions about clients: nodes of ours answer them, servers of other makes by how they treat a play."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from edge.hub.key import StreamKey
from edge.rtmp.events import MayAsked
from edge.service.refusal import Reason, Refusal
from edge.upstream import asking
from edge.upstream.asking import NoAnswer, Question, Said, ask_upstream, refusal_in
from edge.upstream.manager import UpstreamManager
from tests.harness.clock import deadline
from tests.harness.foreign import ForeignServer, Script, status
from tests.harness.wire import VIDEO, RtmpPeer
from tests.net.fakes import VIDEO_HEADER_BODY
from tests.net.serving import Nodes

KEY = StreamKey("_", "live", "s")


def question(query: str = "token=1", *, is_publish: bool = False) -> Question:
    return Question(KEY, query, MayAsked(0, is_publish, "", address="203.0.113.7", protocol="rtmp"))


async def ask(manager: UpstreamManager, asked: Question | None = None) -> Said:
    return await ask_upstream(manager, asked or question(), int(deadline(2) * 1000))


@asynccontextmanager
async def before(on_play: Script | None) -> AsyncIterator[tuple[UpstreamManager, ForeignServer]]:
    """An edge of a server of another make."""
    async with ForeignServer(on_play) as foreign, Nodes() as nodes:
        yield await nodes.add("edge").follow(foreign.port, timeout_ms=int(deadline(2) * 1000)), foreign


async def test_server_that_accepts_a_play_and_closes_it_then_has_said_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "SETTLED_MS", 60_000)  # however long it takes to see the end

    async def start_and_close(peer: RtmpPeer) -> None:
        status(peer, "NetStream.Play.Start")
        await asyncio.sleep(0.05)
        peer.abort()

    async with before(start_and_close) as (manager, foreign):
        said = await ask(manager)
        assert isinstance(said, Refusal) and said.reason is Reason.TOKEN_INVALID
        assert foreign.asked == 1


async def test_media_are_a_yes_and_so_is_a_play_that_goes_on() -> None:
    async def play(peer: RtmpPeer) -> None:
        status(peer, "NetStream.Play.Start")
        peer.send_message(VIDEO, 0, VIDEO_HEADER_BODY, message_stream_id=1)

    async def wait(peer: RtmpPeer) -> None:
        status(peer, "NetStream.Play.Start")

    for script in (play, wait):
        async with before(script) as (manager, foreign):
            assert await ask(manager) is None
            assert foreign.asked == 1
            assert not manager.pulls


async def test_a_no_is_told_in_words_that_begin_no_login() -> None:
    async def refuse(peer: RtmpPeer) -> None:
        status(peer, "NetStream.Play.Failed", level="error")

    async with before(refuse) as (manager, _):
        said = await ask(manager)
        assert isinstance(said, Refusal) and said.told == "TokenInvalid: why"


async def test_who_does_not_answer_has_said_nothing() -> None:
    async with before(None) as (manager, _):
        assert await ask_upstream(manager, question(), 100) == NoAnswer("no answer in 100 ms")
    async with Nodes() as nodes:
        gone = nodes.add("gone")
        gone.stop_listening()
        manager = await nodes.add("edge").follow(gone.port)
        said = await ask(manager)
        assert isinstance(said, NoAnswer) and "gives no answer" in said.why


async def test_node_of_ours_is_asked_by_a_command_and_nothing_begins_there() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        manager = await edge.follow(origin.port)
        assert await ask(manager) is None
        assert await ask(manager, question(is_publish=True)) is None
        assert not origin.registry.streams and not manager.pulls
        assert origin.rtmp.may_desk.answered_count == 2
        assert manager.pool.connect_count == 1, "on the connection that streams share"
        looped = question()._replace(asked=MayAsked(0, False, "", hops=(origin.service.service_id,)))
        said = await ask(manager, looped)
        assert isinstance(said, Refusal) and "proxy_loop" in said.detail


async def test_publish_cannot_be_asked_of_another_make_and_nobody_comes_beside_one_that_runs() -> None:
    async with ForeignServer() as foreign, Nodes() as nodes:
        edge = nodes.add("edge")
        manager = await edge.follow(foreign.port)
        assert await ask(manager, question(is_publish=True)) is None
        await nodes.publisher(edge)
        said = await ask(manager, question(is_publish=True))
        assert isinstance(said, Refusal) and said.reason is Reason.BUSY


@pytest.mark.parametrize(
    ("code", "words", "reason", "told"),
    [
        ("NetStream.Play.Failed", "TokenExpired", Reason.TOKEN_EXPIRED, "TokenExpired"),
        ("NetStream.Play.Failed", "HookDenied: Not paid", Reason.HOOK_DENIED, "HookDenied: Not paid"),
        ("NetStream.Play.Failed", "go away", Reason.TOKEN_INVALID, "TokenInvalid: go away"),
        ("NetStream.Play.Failed", "[ AccessManager.Reject ] : authmod=adobe", Reason.TOKEN_INVALID, "TokenInvalid"),
        ("NetStream.Play.Failed", "no: token=1", Reason.TOKEN_INVALID, "TokenInvalid: no:"),
        ("NetStream.Play.StreamNotFound", "none", Reason.NOT_FOUND, "none"),
    ],
)
def test_words_of_an_upstream(code: str, words: str, reason: Reason, told: str) -> None:
    found = refusal_in(code, words, "token=1")
    assert found.reason is reason and found.told.startswith(told)
    assert "token=1" not in found.told + found.detail
