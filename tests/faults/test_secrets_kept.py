"""What clients and operators say in confidence is in no line of a log and on no page, whatever is done with it.

A real origin and a real edge, with all detail of the log and all statistics switched on. Each secret is a word of its
own, so that one that is found tells where it came in.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import jwt
import pytest

from tests.harness.client import RtmpClient
from tests.harness.clock import ROOT, deadline, wait_until_sync
from tests.harness.portable import python_path
from tests.harness.server import EdgeServer
from tests.harness.wire import AUDIO, VIDEO, WireError
from tests.net.fakes import AUDIO_HEADER_BODY, VIDEO_HEADER_BODY
from tests.net.live import send, send_video

pytestmark = pytest.mark.faults

MARK = "s3cr3t"
_FLAGS = ("-bind=127.0.0.1", "-v=1", "-log_stats", "-dump_stats_interval=1", "-pithy_print_ms=300", "-log_error_text")
_FLAGS += ("-log_connection_close", "-log_idle_connection_close", "-reject_second_stream_when_republish")
PAGES = (
    *("/", "/status", "/status?format=json", "/streams", "/api/streams", "/health", "/healthz", "/readyz", "/version"),
    *("/connections", "/api/connections", "/vars", "/flags", "/metrics", "/media_server", "/players/_/live/a"),
    *("/upstreams", "/naming", "/services", "/api/upstreams", "/play_hls", "/player", "/player/live/a"),
)


_ANYTHING = [{"action": action, "path": ""} for action in ("publish", "read")]
#: So long is read from what has no end; what has one came before.
_MOMENT_S = 1.0


def secret(where: str) -> str:
    """A word that no other place uses."""
    return f"{MARK}-{where}"


class Tree:
    """The two nodes, and clients that are closed with them."""

    def __init__(self, origin: EdgeServer, edge: EdgeServer) -> None:
        self.origin = origin
        self.edge = edge
        self.clients: list[RtmpClient] = []

    @property
    def nodes(self) -> tuple[EdgeServer, EdgeServer]:
        return self.origin, self.edge

    async def connect(self, node: EdgeServer, where: str, **connect: object) -> RtmpClient:
        """With a secret in the query of the server's URL."""
        url = f"rtmp://{node.address}/live?sign={secret(where + '-tcurl')}"
        more = {"tcUrl": url, "app": f"live?key={secret(where + '-app')}", **connect}
        more |= {"pageUrl": f"http://x/?t={secret(where + '-page')}", "swfUrl": f"http://x/?t={secret(where + '-swf')}"}
        client, _ = await RtmpClient.open(f"rtmp://{node.address}/live/a", **more)
        self.clients.append(client)
        return client

    async def publish(self, node: EdgeServer, name: str, where: str) -> RtmpClient:
        client = await self.connect(node, where)
        client.publish(f"{name}?token={secret(where)}&x={secret(where + '-x')}&jwt={secret(where + '-jwt')}")
        send(client, VIDEO, 0, VIDEO_HEADER_BODY)
        send(client, AUDIO, 0, AUDIO_HEADER_BODY)
        for number in range(10):
            send_video(client, number, is_keyframe=number % 5 == 0)
        await client.peer.drain()
        return client

    async def play(self, node: EdgeServer, name: str, where: str) -> RtmpClient:
        client = await self.connect(node, where)
        client.play(
            f"{name}?token={secret(where)}&jwt={secret(where + '-jwt')}"
            f"&sign={secret(where + '-sign')}/{secret(where + '-slash')}=="
        )
        return client

    def close(self) -> None:
        for client in self.clients:
            client.peer.abort()


@contextlib.asynccontextmanager
async def tree(*of_edge: str) -> AsyncIterator[Tree]:
    origin = EdgeServer(*_FLAGS)
    with origin:
        edge = EdgeServer(
            *_FLAGS, f"-proxy_to={origin.address}", "-max_retry_duration_ms=500", "-timeout_ms=1000", *of_edge
        )
        with edge:
            both = Tree(origin, edge)
            try:
                yield both
            finally:
                both.close()


async def ask(
    node: EdgeServer, target: str, *, head: str = "", is_internal: bool = False, within_s: float = _MOMENT_S
) -> bytes:
    """Send a request and read up to the end, or what comes within ``within_s``."""
    port = node.internal_port if is_internal else node.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{head}\r\n".encode())
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(within_s):
                return await reader.read()
        return b""
    finally:
        writer.transport.abort()


async def do_everything(both: Tree) -> None:
    """Publish, play and be refused, in all ways in which somebody may say something in confidence."""
    origin, edge = both.nodes
    publisher = await both.publish(edge, "a", "publish-edge")
    await both.publish(origin, "b", "publish-origin")
    await asyncio.to_thread(wait_until_sync, lambda: origin.has_stream("a"), deadline(10.0), "the push")
    await asyncio.to_thread(wait_until_sync, lambda: origin.has_stream("b"), deadline(10.0), "the publish")
    await both.publish(origin, "b", "publish-busy")
    for node in both.nodes:
        where = "edge" if node is edge else "origin"
        await both.play(node, "b", f"play-{where}")
        await both.play(node, "nosuch", f"play-missing-{where}")
        await both.play(node, "a/../b", f"play-bad-{where}")
        await both.publish(node, "bad\\name", f"publish-bad-{where}")
        await both.publish(node, "", f"publish-empty-{where}")
        query = f"?token={secret(f'http-{where}')}&sign={secret(f'http-sign-{where}')}"
        targets = [f"/live/b.flv{query}", f"/live/b.m3u8{query}", f"/live/b.dynamic.m3u8{query}", f"/live/b.ts{query}"]
        targets += [f"/live/nosuch.flv{query}", f"/live/nosuch.m3u8{query}", f"/live/b/1.ts{query}", f"/nosuch{query}"]
        targets += [f"/live/b.flv{query}%zz", f"/live/../b.flv{query}", f"/live.flv{query}", f"/live/b-1-0.ts{query}"]
        targets += [f"/live/b%00.flv{query}", f"/live/b.flv{query}&{'&'.join('abcdefgh' * 200)}"]
        targets += [f"http://user:{secret('userinfo-' + where)}@h/live/b.flv{query}", f"/status{query}"]
        await asyncio.gather(*(ask(node, target) for target in targets))
        wrong_socket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 1\r\n"
        await ask(node, f"/live/b.flv{query}", head=wrong_socket)
        for path in ("/live/b.flv", "/live/b.m3u8", "/status", "/nosuch"):
            await ask(node, f"{path}?jwt={secret('j')}", head=f"Authorization: Bearer {secret('bearer-' + where)}\r\n")
        await ask(node, "/live/b.flv", head=f"Authorization: {secret('header-' + where)}\r\nCookie: {secret('c')}\r\n")
        await ask(node, f"/live/b.flv{query}", head="Content-Length: x\r\n")
        await ask(node, f"/live/b.flv{query}", head=f"X: {'x' * 70000}\r\n")
        for number, url in enumerate(
            (
                f"rtmp://user:{secret(f'tcurl-userinfo-{where}')}@127.0.0.1/live",
                f"rtmp://127.0.0.1:{secret(f'tcurl-port-{where}')}/live",
                f"{secret(f'tcurl-scheme-{where}')}://127.0.0.1/live?sign={secret(f'tcurl-odd-{where}')}",
                f"rtmp://127.0.0.1/live?sign={secret(f'tcurl-long-{where}')}{'x' * 5000}",
                f"rtmp://127.0.0.1/live?sign={secret(f'tcurl-bytes-{where}')}\x01",
            )
        ):
            with contextlib.suppress(WireError, OSError, EOFError, TimeoutError):
                async with asyncio.timeout(deadline(2.0)):
                    client = await both.connect(node, f"odd-{where}-{number}", tcUrl=url)
                    client.play(f"b?token={secret(f'odd-{where}-{number}-play')}")
        strange = await both.connect(node, f"strange-{where}")
        with contextlib.suppress(WireError, OSError, EOFError, TimeoutError):
            async with asyncio.timeout(deadline(2.0)):
                strange.peer.send_command(0, f"cmd-{where}", 9, None, f"a?token={secret(f'command-{where}')}")
                strange.peer.send_command(7, "play", 0, None, f"b?token={secret(f'no-stream-{where}')}", -2000)
                strange.play(f"b?token={secret(f'long-{where}')}{'y' * 9000}")
                await strange.next_message()
    publisher.delete_stream("a")


def assert_kept(text: str, what: str) -> None:
    hits = sorted({match.group() for match in re.finditer(rf"[^\n]{{0,120}}{MARK}[^\n]{{0,80}}", text)})
    assert not hits, f"{what}:\n" + "\n".join(hits[:20])


async def test_no_line_and_no_page_tells_what_was_said_in_confidence() -> None:
    async with tree() as both:
        await do_everything(both)
        for mark in ("[STATS]", "[CONN_STATS]", "stage=", "_publish key:", "_play key:"):
            for node in both.nodes:
                await asyncio.to_thread(wait_until_sync, lambda: mark in node.log, deadline(20.0), mark)  # noqa: B023
        for node in both.nodes:
            for page in PAGES:
                for is_internal in (False, True):
                    for head in ("", "User-Agent: Mozilla/5.0\r\nAccept: text/html\r\n"):
                        answer = await ask(node, page, head=head, is_internal=is_internal, within_s=deadline(5))
                        assert answer.startswith(b"HTTP/1.1 "), page
                        assert_kept(answer.decode(errors="replace"), page)
        logs = [node.log for node in both.nodes]
    for log in logs:
        assert_kept(log, "the log")


async def test_no_line_and_no_page_tells_the_tokens_of_who_is_let_in_or_refused(tmp_path: Path) -> None:
    """Whole and in parts; keys that are shared, and where keys come from."""
    keys = tmp_path / "jwt.keys"
    keys.write_text(f"HS256 {MARK}-{'x' * 32}\n")
    right = jwt.encode({"exp": 4_000_000_000, "mediamtx_permissions": _ANYTHING}, f"{MARK}-{'x' * 32}", "HS256")
    gate = ("-publish_auth=jwt", "-play_auth=jwt", f"-jwt_keys={keys}", "-enable_rpcz")
    wrong = f"{right[:-7]}{MARK}{right[-1]}"
    with EdgeServer(*_FLAGS, *gate) as node:
        both = Tree(node, node)
        try:
            publisher = await both.connect(node, "right")
            publisher.publish(f"a?jwt={right}")
            send(publisher, VIDEO, 0, VIDEO_HEADER_BODY)
            send_video(publisher, 0, is_keyframe=True)
            for said in (right, wrong, f"{right}.{MARK}", f"{right}&jwt={right}"):
                for name in ("token", "jwt"):
                    (await both.connect(node, "player")).play(f"a?{name}={said}")
                    await ask(node, f"/live/a.flv?{name}={said}", within_s=0.2)
                await ask(node, "/live/a.m3u8", head=f"Authorization: Bearer {said}\r\n", within_s=0.2)
            for mark in ("auth_malformed", "auth_invalid", "play started"):
                await asyncio.to_thread(wait_until_sync, lambda: mark in node.log, deadline(10.0), mark)  # noqa: B023
            pages = (*PAGES, "/rpcz", "/why?address=127.0.0.1", "/why?stream=live/a", "/players/_/live/a")
            for page in pages:
                answer = await ask(node, page, is_internal=True, within_s=deadline(5))
                shown = answer.decode(errors="replace")
                assert_kept(shown, page)
                assert right[-20:-6] not in shown and right.split(".")[1] not in shown, page
        finally:
            both.close()
        log = node.log
    assert_kept(log, "the log")
    assert right[-20:-6] not in log and right.split(".")[1] not in log


def test_where_keys_come_from_is_shown_without_what_it_bears(tmp_path: Path) -> None:
    conf = tmp_path / "edge.conf"
    url = f"http://user:{secret('userinfo')}@h.example/jwks?key={secret('query')}&jwt={secret('jwt')}"
    conf.write_text(f"vhost a.example {{ play_auth jwt; jwt_keys {url}; }}\n")
    for flags in (("-check",), ("-dump_config",)):
        for named in ((f"-jwt_keys={url}",), (f"-vhost_config={conf}",)):
            said = edge_says("-play_auth=", *flags, *named)
            assert_kept(said, "what is said")
            assert "h.example" in said


async def test_no_other_client_is_told_either() -> None:
    """Statuses that players are sent when what another player asked for fails."""
    async with tree("-nopull_wait_for_stream") as both:
        players = {where: await both.play(both.edge, "c", where) for where in ("first", "second")}
        for where, player in players.items():
            told: list[str] = []
            async with asyncio.timeout(deadline(4.0)):
                while not told or "NetStream.Play.StreamNotFound" not in told[-1]:
                    text = (await player.next_message()).payload.decode(errors="replace")
                    told.append(re.sub(rf"{secret(where)}(-jwt|-sign|-slash)?", "", text))
            for text in told:
                assert_kept(text, "a status")


@pytest.mark.parametrize(
    "target",
    [
        f"rtmp://user:{secret('userinfo')}@127.0.0.1:1935",
        f"rtmp://127.0.0.1:1935/live?token={secret('query')}",
        f"http://user:{secret('http-userinfo')}@127.0.0.1:1",
        f"consul://svc?token={secret('consul')}",
        f"nacos://svc?accessToken={secret('nacos')}",
        f"remotefile://user:{secret('remote')}@127.0.0.1:1/list?sign={secret('sign')}",
        f"list://user:{secret('list')}@127.0.0.1:1",
        f"nosuch://user:{secret('scheme')}@h?key={secret('key')}",
    ],
)
def test_a_target_is_shown_without_what_it_bears(target: str) -> None:
    assert_kept(edge_says("-check", f"-proxy_to={target}", "-proxy_lb=rr"), "what the check says")


def edge_says(*flags: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "edge", "-port=0", *flags],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": python_path(), "PATH": "/usr/bin:/bin"},
        timeout=deadline(20.0),
        check=False,
    )
    return done.stdout + done.stderr
