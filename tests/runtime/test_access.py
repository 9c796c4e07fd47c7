"""The gates of a node that runs: plugged in where something is asked, read again, all or nothing."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from edge.access.config import AccessConfig
from edge.access.edge_scheme import EdgeScheme
from edge.access.token import Asked
from edge.facts.orders import SetFlag
from edge.flags.gflags import parse
from edge.net.aio import TaskOwner, wall_ms
from edge.runtime.access import MAX_THREADS, MAX_WAITING, PasswordThreads, access_configs
from edge.runtime.rules import new_rulebook
from edge.runtime.settings import build_settings
from edge.runtime.vhost_files import with_vhosts
from tests.harness.clock import deadline
from tests.harness.wire import WireError
from tests.net.fakes import video
from tests.net.live import eventually, pictures, send_video, status
from tests.runtime.nodes import RunningNode, running, settings_of

SIGN_KEY = b"0123456789abcdef0123456789abcdef"
KEY, OTHER = "b7Qk-9sXw2-Lm4Tz8Rv1", "c8Rl-0tYx3-Mn5Ua9Sw2"


def keys_file(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "stream.keys"
    path.write_text("\n".join(lines) + "\n")
    return path


async def refusal(one: RunningNode, name: str) -> str:
    """What a publisher is told."""
    client = await one.client()
    client.publish(name)
    return str((await status(client, "NetStream.Publish.Rejected"))["description"])


async def test_key_is_published_and_the_name_is_played(tmp_path: Path) -> None:
    path = keys_file(tmp_path, f"live/hall {KEY}")
    async with running("-publish_auth=key", f"-stream_keys_file={path}") as one:
        await one.publisher(KEY, pictures=2)
        (stream,) = one.node.units[0].registry.streams.values()
        assert str(stream.key) == "_/live/hall"
        await one.player("hall")
        assert await refusal(one, "hall") == await refusal(one, OTHER) == "KeyInvalid"


async def test_AU29_AU30_file_is_read_again_and_who_is_on_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = keys_file(tmp_path, f"live/hall {KEY}")
    async with running("-publish_auth=key", f"-stream_keys_file={path}") as one:
        await one.publisher(KEY, pictures=2)
        keys_file(tmp_path, f"live/stage {OTHER}")
        await one.reloader.reload("SIGHUP")
        await one.publisher(OTHER, pictures=2)
        assert await refusal(one, KEY) == "KeyInvalid"
        names = {str(stream.key) for stream in one.node.units[0].registry.streams.values()}
        assert names == {"_/live/hall", "_/live/stage"}
        keys_file(tmp_path, f"live/stage {KEY}", "broken")
        report = await one.reloader.reload("SIGHUP")
        assert f"{path}:2" in report.error + caplog.text and KEY not in caplog.text
        assert await refusal(one, KEY) == "KeyInvalid", "what was read before stays in force"


async def test_gates_that_ask_nothing_are_not_asked(tmp_path: Path) -> None:
    path = keys_file(tmp_path, f"live/hall {KEY}")
    async with running() as one:
        admission = one.node.units[0].service.admission
        assert not admission.rules and not admission.connect_rules and not admission.entry_rules
        for name, value in (("stream_keys_file", str(path)), ("publish_auth", "key"), ("refer_all", "none")):
            outcome = one.reloader.set_value(SetFlag(name, value, "page"), "test")
            assert "Done" in str(outcome) or outcome.result.value == "done", outcome
        (gates,) = one.node.access.gates
        assert admission.rules == admission.connect_rules == admission.entry_rules == [gates]
        assert await refusal(one, "hall") == "KeyInvalid"
        bad = one.reloader.set_value(SetFlag("stream_keys_file", str(tmp_path / "none"), "page"), "test")
        assert bad.result.value != "done" and "No such file" in bad.text
        for name in ("publish_auth", "refer_all", "stream_keys_file"):
            one.reloader.set_value(SetFlag(name, "", "page"), "test")
        assert not admission.rules and not admission.connect_rules and not admission.entry_rules


async def test_AU21_address_that_guesses_is_closed_at_accept(tmp_path: Path) -> None:
    path = keys_file(tmp_path, f"live/hall {KEY}")
    flags = ("-publish_auth=key", f"-stream_keys_file={path}", "-auth_failures_per_min=3")
    async with running(*flags) as one:
        for _ in range(3):
            assert await refusal(one, OTHER) == "KeyInvalid"
        with pytest.raises((WireError, OSError, asyncio.IncompleteReadError)):
            await one.client()
        code, text = await one.get(f"/live/{KEY}.flv")
        assert (code, text) == (429, "TooManyFailures\n")
        samples = {(each.metric, each.labels): each.value for each in await one.facts.samples()}
        assert samples["refused_by_rules", ("publish", "auth_key_invalid")] == 3
        assert samples["auth_blocked_count", ()] == 1


async def test_AU21_flood_of_who_guesses_is_dropped_and_others_play_on(tmp_path: Path) -> None:
    path = keys_file(tmp_path, f"live/hall {KEY}")
    flags = ("-publish_auth=key", f"-stream_keys_file={path}", "-auth_failures_per_min=3", "-auth_told_per_s=2")
    async with running(*flags) as one:
        publisher = await one.publisher(KEY)
        reader, writer = await asyncio.open_connection("127.0.0.1", one.port(), local_addr=("127.0.0.2", 0))
        writer.write(b"GET /live/hall.flv HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        for _ in range(3):
            assert await refusal(one, OTHER) == "KeyInvalid"
        sent, dropped, end = 1, 0, asyncio.get_running_loop().time() + deadline(10)
        while dropped < 2 and asyncio.get_running_loop().time() < end:  # the flood: each leaves without a word
            try:
                async with asyncio.timeout(0.2):
                    (await asyncio.open_connection("127.0.0.1", one.port()))[1].close()
            except TimeoutError:
                dropped += 1
            send_video(publisher, sent, is_keyframe=False)
            sent += 1
        assert dropped == 2, "the kernel answers no more"
        got = b""
        async with asyncio.timeout(deadline(5)):
            while not all(video(number, is_keyframe=number == 0)[1:] in got for number in range(sent)):
                got += await reader.read(65536)
        assert one.node.context.counters["error_auth_failures_count"] >= 1
        told = 0
        while told != 429 and asyncio.get_running_loop().time() < end:
            with contextlib.suppress(TimeoutError, IndexError, OSError):
                told, _ = await one.get(f"/live/{KEY}.flv")
        assert told == 429, "told again in the next second"
        writer.close()


async def test_AU21_balancer_is_not_dropped_for_one_of_its_clients(tmp_path: Path) -> None:
    path = keys_file(tmp_path, f"live/hall {KEY}")
    flags = ("-publish_auth=key", f"-stream_keys_file={path}", "-auth_failures_per_min=3", "-auth_told_per_s=1")
    async with running(*flags, "-rtmp_proxy_protocol", "-trusted_proxies=127.0.0.1") as one:

        async def asked(client: str) -> bytes:
            """What one behind the balancer is answered."""
            reader, writer = await asyncio.open_connection("127.0.0.1", one.port())
            writer.write(f"PROXY TCP4 {client} 10.0.0.1 4711 1935\r\n".encode())
            writer.write(b"GET /live/hall.flv HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            try:
                async with asyncio.timeout(deadline(3)):
                    return await reader.readline()
            finally:
                writer.close()

        (gates,) = one.node.access.gates
        for host in ("203.0.113.9", "203.0.113.9", "203.0.113.9", "127.0.0.1", "127.0.0.1", "127.0.0.1"):
            gates.guessing.failed(host)
        assert gates.shuts_out("203.0.113.9") and not gates.shuts_out("127.0.0.1")
        for _ in range(5):
            assert b"404" in await asked("203.0.113.9") and b"404" in await asked("203.0.113.10")
        assert not one.node.context.counters["error_auth_failures_count"]


async def test_node_is_trusted_by_its_address_for_all_that_asks(tmp_path: Path) -> None:
    path = keys_file(tmp_path, f"live/hall {KEY}")
    flags = ("-publish_auth=key", f"-stream_keys_file={path}", "-trusted_nodes=127.0.0.0/8")
    async with running(*flags) as one:
        await one.publisher("other", pictures=1)
        (publish,) = one.node.units[0].service.publishes.values()
        assert publish.client.is_proven


async def test_vhosts_have_gates_of_their_own(tmp_path: Path) -> None:
    path, conf = keys_file(tmp_path, f"live/hall {KEY}"), tmp_path / "edge.conf"
    gate = f"publish_auth key; stream_keys_file {path};"
    conf.write_text(f"vhost __defaultVhost__ {{ }}\nvhost a.example {{ {gate} }}\n")
    with_gate = parse([f"-vhost_config={conf}", "-port=0", "-bind=127.0.0.1", "-internal_port=-1"])
    with_vhosts(with_gate, {})
    settings = build_settings(with_gate)
    book = new_rulebook(settings)
    configs = {book.root.of(AccessConfig), AccessConfig(publish_auth=("key",), stream_keys_file=str(path))}
    assert access_configs(book) == configs
    async with running(f"-vhost_config={conf}") as one:
        if not one.node.rulebook.has_vhosts:
            one.node.rulebook.replace(book)
            one.node.access.read_again()
        await one.publisher("open", pictures=1)
        assert await refusal(one, "hall?vhost=a.example") == "KeyInvalid"
        await one.publisher(f"{KEY}?vhost=a.example", pictures=1)
        names = {str(stream.key) for stream in one.node.units[0].registry.streams.values()}
        assert names == {"_/live/open", "a.example/live/hall"}


async def test_AU34_node_of_ours_that_is_denied_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    lists = ("-publish_deny=127.0.0.0/8", "-play_deny=127.0.0.0/8")
    async with AsyncExitStack() as stack:
        origin = await stack.enter_async_context(running(*lists))
        to_origin = f"-proxy_to=127.0.0.1:{origin.port()}"
        edge = await stack.enter_async_context(running(to_origin, "-retry_interval_ms=100"))
        await edge.publisher("s", pictures=1)
        client = await edge.client()
        client.play("t")
        await eventually(lambda: "may not publish" in caplog.text and "may not play" in caplog.text, "both")
    for action in ("publish", "play"):
        warned = [each for each in caplog.records if f"(-{action}_allow, -{action}_deny)" in each.getMessage()]
        assert warned and warned[0].levelname == "WARNING" and "127.0.0.1" in warned[0].getMessage()


async def test_limits_of_an_origin_count_no_edge_that_proves_itself(tmp_path: Path) -> None:
    secret = tmp_path / "node.secret"
    secret.write_text("a secret of this fleet alone\n")
    secret.chmod(0o600)
    for proof, is_second_let_in in (((f"-node_secret_file={secret}",), True), ((), False)):
        async with AsyncExitStack() as stack:
            origin = await stack.enter_async_context(running("-max_players_per_stream=1", *proof))
            await origin.publisher("s", pictures=2)
            flags = (f"-proxy_to=127.0.0.1:{origin.port()}", *proof)
            edges = [await stack.enter_async_context(running(*flags)) for _ in range(2)]
            await pictures(await edges[0].player("s"), 0)
            client = await edges[1].client()
            client.play("s")
            if is_second_let_in:
                await pictures(client, 0)
            else:
                assert "LimitReached" in (await status(client, "NetStream.Play.Failed"))["description"]
            for each in reversed(edges):
                await each.close()


def signed(stream: str, *, within_s: float = 3600) -> str:
    """The query that lets a player of ``live/stream`` in."""
    asked = Asked("play", "_", "live", stream, "", "", wall_ms() / 1000)
    return EdgeScheme().sign(asked, SIGN_KEY, int(asked.now_s + within_s))


async def test_what_let_a_player_in_stays_at_the_edge(tmp_path: Path) -> None:
    keys = tmp_path / "sign.keys"
    keys.write_bytes(SIGN_KEY)
    async with AsyncExitStack() as stack:
        origin = await stack.enter_async_context(running())
        await origin.publisher("s", pictures=2)
        gate = ("-play_auth=sign", f"-sign_keys_file={keys}", "-auth_upstream=off")
        edge = await stack.enter_async_context(running(f"-proxy_to=127.0.0.1:{origin.port()}", *gate))
        await edge.player(f"s?{signed('s')}&a=1")
        (stream,) = origin.node.units[0].registry.streams.values()
        await eventually(lambda: stream.player_count, "the pull")
        assert [play.query for play in stream.roster.plays()] == ["a=1"]


async def test_session_ends_with_its_token(tmp_path: Path) -> None:
    keys = tmp_path / "sign.keys"
    keys.write_bytes(SIGN_KEY)
    async with running("-play_auth=sign", f"-sign_keys_file={keys}", "-auth_end_at_expiry") as one:
        await one.publisher("s", pictures=2)
        player = await one.player(f"s?{signed('s', within_s=3)}")
        assert (await status(player, "NetStream.Play.Failed"))["description"] == "Expired"
        (stream,) = one.node.units[0].registry.streams.values()
        assert not stream.player_count


async def test_AU33_preflight_needs_no_token_and_a_head_does(tmp_path: Path) -> None:
    keys = tmp_path / "sign.keys"
    keys.write_text("0123456789abcdef0123456789abcdef\n")
    async with running("-play_auth=sign", f"-sign_keys_file={keys}") as one:
        for path in ("/live/s.flv", "/live/s.m3u8", "/live/s.ts"):
            assert (await one.get(path, method="OPTIONS"))[0] == 204
            assert (await one.get(path, method="HEAD"))[0] == (await one.get(path))[0] == 403


async def test_AU22_passwords_are_looked_at_two_at_a_time() -> None:
    owner, answers = TaskOwner("test"), list[bool | None]()
    threads, going, at_once, most = PasswordThreads(owner), threading.Event(), 0, 0
    lock = threading.Lock()

    def work() -> bool:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        going.wait(10)
        with lock:
            at_once -= 1
        return True

    count = MAX_THREADS + MAX_WAITING
    for _ in range(count + 34):
        threads.run(work, answers.append)
    assert answers == [None] * 34, "who would wait too long is told so at once"
    going.set()
    await eventually(lambda: len(answers) == count + 34, "all answers")
    assert answers.count(True) == count and most <= MAX_THREADS
    await owner.close()


def test_settings_of_all_streams_are_known() -> None:
    found = access_configs(new_rulebook(settings_of("-play_deny=10.0.0.1")))
    assert found == {AccessConfig(play_deny=("10.0.0.1",))}
