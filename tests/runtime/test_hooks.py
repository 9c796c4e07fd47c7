"""A node that asks servers of the operator, and tells them, over real connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.facts.orders import Kick
from edge.tools.hook_demo import HookDemo
from tests.harness.wire import WireError
from tests.httpd.feeding import Source
from tests.net.live import ended, eventually, pictures, send_video, status
from tests.runtime.handing import move_all
from tests.runtime.nodes import RunningNode, running

#: However busy the machine is.
_PATIENT = "-hook_timeout_ms=20000"
PAGES = ("/flags", "/flags/hooks_on_publish", "/vars", "/status", "/rpcz", "/metrics", "/why?stream=live/cam")
_ALL = ("connect", "close", "publish", "unpublish", "play", "stop")


@asynccontextmanager
async def hooked(*flags: str, events: tuple[str, ...] = _ALL) -> AsyncIterator[tuple[RunningNode, HookDemo]]:
    """A node and the server that it asks."""
    demo = HookDemo()
    await demo.start()
    try:
        urls = [f"-hooks_on_{event}={demo.url('/' + event)}" for event in events]
        async with running(*urls, _PATIENT, "-hook_drain_ms=20000", *flags) as one:
            yield one, demo
    finally:
        await demo.close()


def told(demo: HookDemo) -> list[tuple[str, str]]:
    return [(each.action, str(each.what.get("stream", each.what.get("name", "")))) for each in demo.told]


async def test_an_opening_for_each_and_an_end_for_each_be_it_by_kick_or_by_the_end_of_all() -> None:
    async with hooked() as (one, demo):
        publisher = await one.publisher("cam?token=1")
        player = await one.player("cam")
        await pictures(player, 0)
        assert demo.actions() == ["on_connect", "on_publish", "on_connect", "on_play"]
        published = demo.told[1].what
        assert (published["vhost"], published["app"], published["param"]) == ("__defaultVhost__", "live", "?token=1")
        assert published["tcUrl"].startswith("rtmp://127.0.0.1:")
        (connection,) = [each for each in one.node.context.connections if each.describe().role == "play"]
        await one.orders.carry_out(Kick(connection.number), "test")
        await ended(player)
        await eventually(lambda: len(demo.told) == 6, "the ends of the player")
        assert sorted(demo.actions()[4:]) == ["on_close", "on_stop"]
        assert demo.told[-1].what["client_id"] == demo.told[2].what["client_id"]
        _, metrics = await one.get("/metrics")
        assert 'edge_hook_calls_total{event="on_publish",result="yes"} 1' in metrics
        assert "edge_hook_call_seconds_count" in metrics
        del publisher
    assert sorted(demo.actions()[6:]) == ["on_close", "on_unpublish"]


async def test_a_no_at_connect_is_the_answer_to_connect() -> None:
    async with hooked() as (one, demo):
        demo.say("no Not today", "on_connect")
        with pytest.raises(WireError, match=r"NetConnection.Connect.Rejected.*HookDenied: Not today"):
            await one.client()
        await eventually(lambda: not one.node.context.connections, "the connection to go")
    assert demo.actions() == ["on_connect"]


async def test_a_yes_at_connect_may_give_another_app() -> None:
    async with hooked("-hook_form=nginx") as (one, demo):
        demo.say("redirect studio", "connect")
        await one.publisher("cam")
        assert [str(key) for key in one.node.units[0].registry.streams] == ["_/studio/cam"]
        assert ("publish", "studio") in [(each.action, each.what.get("app", "")) for each in demo.told]
        demo.say("redirect a/../b", "connect")
        with pytest.raises(WireError, match="NetConnection"):
            await one.client()


async def test_vhosts_have_hooks_of_their_own(tmp_path: Path) -> None:
    demo, conf = HookDemo("no"), tmp_path / "edge.conf"
    await demo.start()
    try:
        hooks = f"http_hooks {{ enabled on; on_publish {demo.url()}; }}"
        conf.write_text(f"vhost a.example {{ {hooks} }} vhost __defaultVhost__ {{ }}")
        async with running(f"-vhost_config={conf}", _PATIENT) as one:
            await one.publisher("cam")
            client = await one.client()
            client.publish("cam?vhost=a.example")
            await status(client, "NetStream.Publish.Rejected")
        assert [each.what["vhost"] for each in demo.told] == ["a.example"]
    finally:
        await demo.close()


async def test_a_secret_stream_key_is_no_business_of_hooks(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("live/hall b7Qk-9sXw2-Lm4Tz8Rv1\n")
    keys.chmod(0o600)
    gate = ("-publish_auth=key", f"-stream_keys_file={keys}")
    async with hooked(*gate, events=("publish", "unpublish")) as (one, demo):
        await one.publisher("b7Qk-9sXw2-Lm4Tz8Rv1")
        client = await one.client()
        client.publish("b7Qk-9sXw2-Lm4Tz8Rv2")
        await status(client, "NetStream.Publish.Rejected")
    assert told(demo) == [("on_publish", "hall"), ("on_unpublish", "hall")]
    assert not any(b"b7Qk" in each.body for each in demo.told)


async def test_a_no_comes_in_place_of_the_start_and_with_its_reason() -> None:
    async with hooked() as (one, demo):
        demo.say("no Not paid? really", "on_publish")
        demo.say("status 403", "on_play")
        client = await one.client()
        client.publish("cam")
        refused = await status(client, "NetStream.Publish.Rejected")
        assert refused["description"] == "HookDenied: Not paid"
        assert not any(b"NetStream.Publish.Start" in message.payload for message in client.backlog)
        player = await one.client()
        player.play("cam")
        assert (await status(player, "NetStream.Play.Failed"))["description"] == "HookDenied"
        code, body = await one.get("/live/cam.flv")
        assert (code, body) == (403, "HookDenied\n")
        code, body = await one.get("/live/cam.m3u8")
        assert code == 403
        _, why = await one.get("/why?stream=live/cam")
        assert "the hook says no: code 1" in why
        assert one.node.units[0].registry.streams == {}
        for each in (client, player):
            await ended(each)
    assert "on_unpublish" not in demo.actions()


async def test_a_stream_goes_on_under_the_name_that_the_hook_gives_it() -> None:
    async with hooked("-hook_form=nginx") as (one, demo):
        demo.say("redirect hall", "publish")
        publisher = await one.publisher("s3cret")
        player = await one.player("hall")
        await pictures(player, 0)
        assert [str(key) for key in one.node.units[0].registry.streams] == ["_/live/hall"]
        demo.say("redirect rtmp://127.0.0.1/x", "play")
        other = await one.client()
        other.play("hall")
        await status(other, "NetStream.Play.Failed")
        publisher.peer.abort()
        await eventually(lambda: ("publish_done", "hall") in told(demo), "the end of the publish")
    assert ("publish", "s3cret") in told(demo)


async def test_media_wait_for_a_slow_yes_and_nobody_else_does() -> None:
    async with hooked() as (one, demo):
        demo.say("slow 0.5", "on_publish")
        publisher = await one.publisher("cam", pictures=3)
        player = await one.player("cam")
        await pictures(player, 2)
        demo.say("nothing", "on_publish")
        waiting = await one.client()
        waiting.publish("other")
        await eventually(lambda: ("on_publish", "other") in told(demo), "the question")
        send_video(publisher, 3)
        await pictures(player, 3)
        waiting.peer.abort()
        await eventually(lambda: len(one.node.context.connections) == 2, "it to be gone")
        # The stream is not busy with one who has left.
        demo.say("yes")
        await one.publisher("other?token=2")


async def test_a_dead_hook_refuses_and_says_so() -> None:
    demo = HookDemo()
    await demo.start()
    url = demo.url()
    await demo.close()
    async with running(f"-hooks_on_play={url}", f"-hooks_on_publish={url}") as one:
        for _ in range(6):
            client = await one.client()
            client.publish("cam")
            refused = await status(client, "NetStream.Publish.Rejected")
            assert refused["description"] == "HookUnavailable"
        code, body = await one.get("/live/cam.flv")
        assert (code, body) == (503, "HookUnavailable\n")
        _, metrics = await one.get("/metrics")
        assert "edge_hooks_left_alone 1" in metrics
        assert "edge_hook_denied_total 7" in metrics


async def test_hooks_come_and_go_with_the_flags(tmp_path: Path) -> None:
    path = tmp_path / "flags"
    path.touch()
    demo = HookDemo("no")
    await demo.start()
    try:
        async with running(f"-flagfile={path}", _PATIENT) as one:
            await one.publisher("cam")
            path.write_text(f"-hooks_on_publish={demo.url()}\n-hooks_on_unpublish={demo.url()}\n")
            assert (await one.reloader.reload("SIGHUP")).state == "done"
            client = await one.client()
            client.publish("other")
            await status(client, "NetStream.Publish.Rejected")
            path.write_text(f"-hooks_on_publish={demo.url()}\n-hook_secret_file={tmp_path / 'none'}\n")
            assert (await one.reloader.reload("SIGHUP")).state == "refused"
            secret = tmp_path / "secret"
            secret.write_text("0123456789abcdef")
            path.write_text(f"-hooks_on_publish={demo.url()}\n-hook_secret_file={secret}\n")
            assert (await one.reloader.reload("SIGHUP")).state == "done"
            demo.say("yes")
            await one.publisher("third")
            assert demo.told[-1].headers["webhook-signature"].startswith("v1,")
            path.write_text("")
            assert (await one.reloader.reload("SIGHUP")).state == "done"
            await one.publisher("fourth")
        # What began before there were hooks has no end for them, nor has what nobody is to be told of.
        assert demo.actions() == ["on_publish", "on_publish"]
    finally:
        await demo.close()


async def test_sessions_that_move_to_a_new_process_end_there() -> None:
    async with hooked() as (old, demo):
        await old.publisher("cam", pictures=2)
        player = await old.player("cam")
        await pictures(player, 1)
        urls = [f"-hooks_on_{event}={demo.url('/' + event)}" for event in _ALL]
        async with running(*urls, _PATIENT) as new:
            move_all(old.node, new.node)
            (moved,) = [each for each in new.node.context.connections if each.describe().role == "publish"]
            assert moved.said.tc_url == demo.told[1].what["tcUrl"]  # type: ignore[attr-defined]
            old.clients[0].delete_stream("cam")
            await status(player, "NetStream.Play.UnpublishNotify")
            for client in old.clients:
                client.peer.abort()
            await eventually(lambda: len(demo.told) == 8, "all ends")
    ends = [(each.action, each.what["client_id"]) for each in demo.told[4:]]
    ids = [demo.told[number].what["client_id"] for number in (0, 2)]
    assert sorted(ends) == sorted(
        [("on_close", ids[0]), ("on_close", ids[1]), ("on_stop", ids[1]), ("on_unpublish", ids[0])]
    )


async def test_a_session_that_may_not_go_on_is_ended() -> None:
    async with hooked("-hook_update_s=1", events=("update",)) as (one, demo):
        publisher = await one.publisher("cam")
        await eventually(lambda: "on_update" in demo.actions(), "the first question")
        demo.say("no Time is over")
        stopped = await status(publisher, "NetStream.Publish.Rejected")
        assert stopped["description"] == "HookDenied: Time is over"
        await ended(publisher)


async def test_a_viewer_of_hls_is_asked_about_once_and_leaves_with_the_play() -> None:
    async with hooked("-hls_default=classic", "-hls_fragment_s=0.5", events=("play", "stop")) as (one, demo):
        source = await Source.at(one, "cam")
        source.push(76)
        for path in ("/live/cam.m3u8", "/live/cam.m3u8", "/live/cam.classic.m3u8", "/live/cam.m3u8?token=2"):
            code, body = await one.get(path)
            assert code == 200, body
        assert [(each.action, each.what["param"]) for each in demo.told] == [
            ("on_play", ""),
            ("on_play", "?token=2"),
        ]
        media = body.splitlines()[-1]
        assert "?p=" in media
        fetching = asyncio.create_task(one.get(f"/live/{media}"))
        while not fetching.done():  # it waits for segments to be complete
            source.push(25)
            await asyncio.sleep(0.2)
        assert (await fetching)[0] == 200
        code, body = await one.get(f"/live/{media.partition('?')[0]}?token=2")
        assert (code, len(demo.told)) == (403, 2)
        demo.say("no")
        code, body = await one.get("/live/cam.m3u8?token=3")
        assert (code, body) == (403, "HookDenied\n")
        source.end()
        await eventually(lambda: len(demo.told) == 5, "the ends")
        assert sorted((each.action, each.what["param"]) for each in demo.told[3:]) == [
            ("on_stop", ""),
            ("on_stop", "?token=2"),
        ]


async def test_segments_that_are_written_are_told(tmp_path: Path) -> None:
    flags = (f"-hls_path={tmp_path}", "-hls_fragment_s=0.5")
    async with hooked(*flags, events=("hls",)) as (one, demo):
        source = await Source.at(one, "cam")
        source.push(76)
        await eventually(lambda: len(demo.told) >= 2, "two segments")
        first, second = (each.what for each in demo.told[:2])
        assert second["seq_no"] == first["seq_no"] + 1
        assert (first["action"], first["stream"], first["duration"]) == ("on_hls", "cam", 1.0)
        for name in ("file", "m3u8"):
            assert await asyncio.to_thread(Path(first[name]).is_file)
        assert first["m3u8_url"] == "live/cam.m3u8"
        assert first["file"] == str(tmp_path / first["url"])


async def test_AU20_credentials_of_hooks_are_shown_nowhere() -> None:
    demo = HookDemo()
    await demo.start()
    try:
        url = demo.url("/x").replace("http://", "http://user:s3cr3t@")
        async with running(f"-hooks_on_publish={url}", "-v=1", _PATIENT) as one:
            await one.publisher("cam")
            assert demo.told[0].headers["authorization"] == "Basic dXNlcjpzM2NyM3Q="
            for page in PAGES:
                _, body = await one.get(page)
                assert "s3cr3t" not in body, page
    finally:
        await demo.close()


async def test_a_secret_is_read_again_and_what_is_none_leaves_the_old_one(tmp_path: Path) -> None:
    """A reload that changed no flag went on signing with the secret of the start."""
    path = tmp_path / "secret"
    path.write_text("the secret of the start\n")
    async with hooked(f"-hook_secret_file={path}") as (one, _):
        parts = one.node.hooks._parts
        assert parts is not None
        path.write_text("the next one of them\n")
        one.node.read_files_again()
        assert parts.signing.secrets == {str(path): b"the next one of them"}
        path.write_text("short\n")
        one.node.read_files_again()
        assert parts.signing.secrets == {str(path): b"the next one of them"}


def test_a_secret_that_cannot_be_read_keeps_the_node_from_starting() -> None:
    async def main() -> None:
        async with running("-hooks_on_play=http://h/", "-hook_secret_file=/nonexistent"):
            pass

    with pytest.raises(ConfigError, match="hook_secret_file"):
        asyncio.run(main())


async def test_without_hooks_there_is_nothing() -> None:
    async with running() as one:
        assert one.node.hooks.counters() == {}
        assert one.node.hooks.took is None
        assert one.node.units[0].service.admission.connect_rules == []
