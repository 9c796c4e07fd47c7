"""Keys of tokens from a real server that answers well, badly, late, and not at all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from edge.access.jwt_keys import Keyring
from edge.facts.orders import SetFlag
from edge.runtime.jwt_fetch import MAX_TOLD_BYTES, MAX_WAITING, KeyFetcher, KeyFetchers, Pace
from tests.access.tokens import claims, jwk, jwks, token
from tests.net.live import eventually, status
from tests.runtime.nodes import RunningNode, running

OLD, NEW = jwks(jwk("ES256", "old")), jwks(jwk("EdDSA", "new"))
#: Nothing happens by itself, and whoever wants keys may have them.
STILL = Pace(refresh_s=3600, retry_s=3600, least_s=0, within_s=30)


class KeyServer:
    """Attributes:
    text, status: its answer.
    asked_count: how often it was asked.
    gate: it answers while that is set.
    """

    def __init__(self) -> None:
        self.text, self.status, self.asked_count = OLD, 200, 0
        self.headers: dict[str, str] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked_count += 1
        self.authorization = request.headers.get("Authorization", "")
        await self.gate.wait()
        return web.Response(text=self.text, status=self.status, headers=self.headers)


@pytest.fixture
async def server() -> AsyncIterator[KeyServer]:
    made, app = KeyServer(), web.Application()
    app.router.add_get("/jwks", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/jwks"
    yield made
    made.gate.set()
    await runner.cleanup()


class Fetching:
    """A fetcher of one URL, ended with the test."""

    def __init__(self, url: str, pace: Pace) -> None:
        self.all = KeyFetchers(pace=pace)
        self.url = url
        self.all.take(self.all.prepare([url]))
        self.all.start()

    @property
    def one(self) -> KeyFetcher:
        return self.all.prepare([self.url])[self.url]

    @property
    def ring(self) -> Keyring:
        return self.one.ring

    @property
    def names(self) -> list[str]:
        return [each.key_id for each in self.ring.keys]

    async def asked_again(self) -> None:
        """Want other keys, and have the answer."""
        told = asyncio.Event()
        await eventually(lambda: self.ring.wants(told.set), "the question")
        await eventually(told.is_set, "the answer")

    async def __aenter__(self) -> Fetching:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.all.close()


async def test_keys_are_asked_for_at_the_start_and_again_in_time(server: KeyServer) -> None:
    async with Fetching(server.url, Pace(refresh_s=0.05, least_s=0)) as fetching:
        await eventually(lambda: fetching.names == ["old"], "the keys")
        keys = fetching.ring.keys
        await eventually(lambda: server.asked_count > 2, "further questions")
        assert fetching.ring.keys is keys, "the same ones: what is known of tokens stays known"
        server.text = NEW
        await eventually(lambda: fetching.names == ["new"], "the others")


@pytest.mark.parametrize(
    ("text", "status_code"),
    [
        (jwks(), 200),
        ("", 200),
        ("<html>", 200),
        (jwks({"kty": "oct", "k": "c2VjcmV0"}), 200),
        (NEW, 404),
        (NEW, 500),
        (NEW, 302),
        ("x" * 70_000, 200),
    ],
    ids=["empty set", "nothing", "a page", "a secret", "404", "500", "a redirect", "too long"],
)
async def test_AU24_answer_that_cannot_be_used_leaves_the_keys(
    server: KeyServer, text: str, status_code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with Fetching(server.url.replace("//", "//user:s3cr3t@") + "?key=s3cr3t", STILL) as fetching:
        await eventually(lambda: fetching.names, "the keys")
        assert server.authorization.startswith("Basic ")
        server.text, server.status, server.headers = text, status_code, {"Location": server.url}
        await fetching.asked_again()
        assert fetching.names == ["old"] and server.asked_count == 2
        (warning,) = [each for each in caplog.records if each.levelno >= logging.WARNING]
        assert warning.levelname == "WARNING" and "stay in force" in warning.getMessage()
        server.text, server.status = NEW, 200
        await fetching.asked_again()
        assert fetching.names == ["new"]
        assert "s3cr3t" not in caplog.text and server.url in caplog.text


async def test_AU24_server_that_is_dead_at_the_start_is_asked_until_it_answers(
    server: KeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.status = 503
    async with Fetching(server.url, Pace(least_s=0.05)) as fetching:
        await eventually(lambda: server.asked_count > 1, "more than one question")
        assert not fetching.ring.keys and "every token is refused" in caplog.text
        server.status = 200
        await eventually(lambda: fetching.names == ["old"], "the keys")


async def test_who_answers_too_late_has_not_answered(server: KeyServer, caplog: pytest.LogCaptureFixture) -> None:
    server.gate.clear()
    async with Fetching(server.url, Pace(least_s=0.05, within_s=0.2)) as fetching:
        await eventually(lambda: "no answer in 200 ms" in caplog.text, "the warning")
        assert not fetching.ring.keys


async def test_AU23_flood_of_unknown_kids_asks_once(server: KeyServer) -> None:
    async with Fetching(server.url, Pace(least_s=3600)) as fetching:
        await eventually(lambda: fetching.names, "the keys")
        assert not any(fetching.ring.wants(lambda: None) for _ in range(1000))
        assert server.asked_count == fetching.one.asked_count == 1


async def test_many_who_want_keys_at_once_wait_for_one_answer(server: KeyServer) -> None:
    async with Fetching(server.url, STILL) as fetching:
        await eventually(lambda: fetching.names, "the keys")
        server.text = NEW
        server.gate.clear()
        told: list[list[str]] = []
        taken = [fetching.ring.wants(lambda: told.append(fetching.names)) for _ in range(MAX_WAITING + 100)]
        assert taken.count(True) == MAX_WAITING and not told
        await eventually(lambda: server.asked_count == 2, "the question")
        server.gate.set()
        await eventually(lambda: len(told) == MAX_WAITING, "all that wait")
        assert told == [["new"]] * MAX_WAITING and server.asked_count == 2


async def test_who_waits_is_told_at_the_end_and_nobody_waits_after_it(server: KeyServer) -> None:
    server.gate.clear()
    fetching = Fetching(server.url, STILL)
    told: list[bool] = []
    ring = fetching.ring
    assert ring.wants(lambda: told.append(True)), "the first question is under way"
    await fetching.all.close()
    assert told == [True] and not ring.wants(lambda: told.append(True))


async def test_urls_that_no_setting_names_any_more_are_left(server: KeyServer) -> None:
    async with Fetching(server.url, STILL) as fetching:
        await eventually(lambda: fetching.names, "the keys")
        first, ring = fetching.one, fetching.ring
        fetching.all.take(fetching.all.prepare([server.url, f"{server.url}?x"]))
        assert fetching.one is first and len(fetching.all) == 2
        await eventually(lambda: server.asked_count == 2, "the new one")
        fetching.all.take({})
        await eventually(lambda: not ring.wants(lambda: None), "the end")


# --- in a node ---------------------------------------------------------------------------


async def told(one: RunningNode, name: str) -> str:
    """What a player is told who is refused."""
    client = await one.client()
    client.play(name)
    return str((await status(client, "NetStream.Play.Failed"))["description"])


async def test_node_takes_keys_of_a_url_and_others_by_a_reload(server: KeyServer, tmp_path: object) -> None:
    old = f"s?token={token(claims(path='live/s'), 'ES256', kid='old')}"
    new = f"s?token={token(claims(path='live/s'), 'EdDSA', kid='new')}"
    server.gate.clear()
    async with running("-play_auth=jwt", f"-jwt_keys={server.url}") as one:
        await one.publisher("s", pictures=2)
        client = await one.client()
        client.play(old)  # who comes before the first answer waits for it
        await eventually(lambda: server.asked_count == 1, "the question")
        server.gate.set()
        await status(client, "NetStream.Play.Start")
        assert await told(one, new) == "TokenInvalid" and server.asked_count == 1, "ten seconds are not over"
        server.text = NEW
        bad = one.reloader.set_value(SetFlag("jwt_keys", "https://", "page"), "test")
        assert bad.result.value != "done"
        done = one.reloader.set_value(SetFlag("jwt_keys", f"{server.url}?2", "page"), "test")
        assert done.result.value == "done", done
        await one.player(new)
        assert await told(one, old) == "TokenInvalid" and server.asked_count == 2
        (gates,) = one.node.access.gates
        assert gates.guessing._addresses, "it counts"


async def test_upgrade_while_nobody_gives_keys_leaves_those_of_before_in_force(server: KeyServer) -> None:
    before = Fetching(server.url, STILL)
    await eventually(lambda: before.one.ring.knows("old"), "keys")
    told_of = before.all.answers()
    await before.all.close()
    server.status = 500
    after = KeyFetchers(pace=STILL)
    after.take(after.prepare([server.url, f"{server.url}?2", f"{server.url}?3"]))
    after.adopt({**told_of, f"{server.url}?2": b"{}", "http://gone/": OLD.encode()})
    after.start()
    await eventually(lambda: server.asked_count >= 4, "they are asked for all the same")
    rings = [each.ring for each in after.prepare([server.url, f"{server.url}?2", f"{server.url}?3"]).values()]
    assert [len(ring.keys) for ring in rings] == [1, 0, 0]
    assert after.answers() == told_of == {server.url: OLD.encode()}, "for the next one"
    after.adopt({f"{server.url}?2": OLD.encode() + b" " * MAX_TOLD_BYTES})
    assert after.answers() == told_of, "what is too long for a frame does not keep the rest from going"
    await after.close()


async def test_AU24_node_without_an_answer_refuses_all_and_warns(caplog: pytest.LogCaptureFixture) -> None:
    said = f"s?token={token(claims(path='live/s'), 'ES256', kid='old')}"
    async with running("-play_auth=jwt", "-jwt_keys=http://127.0.0.1:1/jwks") as one:
        await one.publisher("s", pictures=2)
        for _ in range(2):
            assert await told(one, said) == "TokenInvalid"
        await eventually(lambda: "http://127.0.0.1:1/jwks gives no keys" in caplog.text, "the warning")
        (gates,) = one.node.access.gates
        assert not gates.guessing._addresses, "nobody is to blame"
        code, text = await one.get(f"/live/s.flv?{said.partition('?')[2]}")
        assert (code, text) == (503, "TokenInvalid\n")
