"""A service that asks its hooks and tells them: who is let in, under which name, and what is told in the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from edge.hooks.caller import Reply
from edge.hooks.config import HookConfig
from edge.hooks.desk import HookDesk
from edge.hooks.event import Segment
from edge.hooks.figures import Figures
from edge.hooks.form import Call
from edge.hooks.judge import Judge, Signing
from edge.hooks.places import Places
from edge.hooks.teller import Teller
from edge.hub.key import StreamKey
from edge.service.grants import Play, Publish
from edge.service.handover import grant_state
from edge.service.refusal import Reason, Refusal
from edge.service.request import PlayRequest, PublishRequest, Said
from tests.hooks.virtual_time import Scripted, no, nothing, now_ms, run, yes
from tests.service.fakes import Door, FakeClient

URL = ("http://h/",)
ALL = HookConfig(
    hooks_on_publish=URL,
    hooks_on_unpublish=URL,
    hooks_on_play=URL,
    hooks_on_stop=URL,
)
COMING = replace(ALL, hooks_on_connect=URL, hooks_on_close=URL)
CLIENT = FakeClient(7, "10.9.9.9:5", page_url="http://p/", said=Said("rtmp://h/live", "s.swf", "FMLE", "agent"))


def data(**values: object) -> Callable[[Call], Reply]:
    return lambda _: Reply(200, "", json.dumps({"code": 0, "data": values}).encode())


class Rig:
    """A service with hooks."""

    def __init__(self, caller: Scripted, config: HookConfig = ALL, **hub: Any) -> None:
        self.caller = caller
        self.door = Door(**hub)
        self.config = config
        figures, signing = Figures(now_ms), Signing(lambda: "1", lambda: 0)
        self.judge = Judge(caller, signing, figures, Places(256), now_ms)
        self.teller = Teller(caller, signing, figures, 256, now_ms)
        self.desk = HookDesk(
            self.door.service,
            self.judge,
            self.teller,
            server_id="vid",
            now_ms=now_ms,
            config_of=self.config_of,
        )
        self.desk.attach()

    def config_of(self, key: StreamKey) -> HookConfig:
        return self.config

    def asked(self, client: FakeClient = CLIENT, name: str = "s", *, is_play: bool = False) -> list[Any]:
        """The answers, of which there is one once it has come."""
        answers: list[Any] = []
        service, asked = self.door.service, self.door.name(name, is_play=is_play)
        if is_play:
            self.asking = service.play(PlayRequest(client, asked), answers.append, 1000)
        else:
            self.asking = service.publish(PublishRequest(client, asked), answers.append, 1000)
        return answers

    async def publish(self, client: FakeClient = CLIENT, name: str = "s") -> Any:
        answers = self.asked(client, name)
        await asyncio.sleep(5)
        (answer,) = answers
        return answer

    async def play(self, client: FakeClient = CLIENT, name: str = "s") -> Any:
        answers = self.asked(client, name, is_play=True)
        await asyncio.sleep(5)
        (answer,) = answers
        return answer

    def told(self) -> list[tuple[str, str, str]]:
        """What the server was told: event, client, stream."""
        found = [json.loads(call.body) for call in self.caller.calls]
        return [(each["action"], each["client_id"], each.get("stream", "")) for each in found]


def test_each_opening_that_was_accepted_has_one_end() -> None:
    async def main() -> None:
        rig = Rig(Scripted(yes))
        publish = await rig.publish()
        assert isinstance(publish, Publish)
        play = await rig.play(replace(CLIENT, number=8))
        assert isinstance(play, Play)
        assert rig.desk.session_count == 2
        rig.door.service.end_play(play, 2000)
        rig.door.service.end_publish(publish, 2000)
        await rig.teller.drain(10)
        assert rig.told() == [
            ("on_publish", "7", "s"),
            ("on_play", "8", "s"),
            ("on_stop", "8", "s"),
            ("on_unpublish", "7", "s"),
        ]
        assert rig.desk.session_count == 0
        body = json.loads(rig.caller.calls[1].body)
        assert body == {
            "server_id": "vid",
            "service_id": "me",
            "action": "on_play",
            "client_id": "8",
            "ip": "10.9.9.9",
            "vhost": "__defaultVhost__",
            "app": "live",
            "stream": "s",
            "tcUrl": "rtmp://h/live",
            "param": "",
            "pageUrl": "http://p/",
            "stream_url": "__defaultVhost__/live/s",
        }

    run(main())


def test_a_no_is_a_refusal_with_the_reason_of_the_hook() -> None:
    async def main() -> None:
        rig = Rig(Scripted(no))
        refusal = await rig.publish()
        assert refusal == Refusal(Reason.HOOK_DENIED, "the hook says no: code 1, not paid", said="not paid")
        assert refusal.told == "HookDenied: not paid"
        assert rig.door.registry.streams == {}
        rig.caller.react = nothing
        refusal = await rig.publish()
        assert refusal.reason is Reason.HOOK_UNAVAILABLE
        assert refusal.told == "HookUnavailable"
        await rig.teller.drain(1)
        assert [event for event, _, _ in rig.told()] == ["on_publish"] * 2

    run(main())


def test_that_nothing_is_forwarded_to_the_urls_of_a_yes_is_said_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        body = b'{"code":0,"data":{"urls":["rtmp://cdn.example/live/secret-key"]}}'
        rig = Rig(Scripted(lambda _: Reply(200, "", body)))
        assert isinstance(await rig.publish(), Publish)
        (record,) = [each for each in caplog.records if each.levelname == "WARNING"]
        assert record.getMessage() == "hook on_publish of key=_/live/s names urls to forward to, which is not done"
        assert "secret-key" not in caplog.text

    run(main())


def test_AU15_who_has_left_before_the_answer_is_nobody() -> None:
    """No publisher, no end told, and the stream is free for the next one."""

    async def main() -> None:
        rig = Rig(Scripted(yes, takes_s=1))
        answers = rig.asked()
        await asyncio.sleep(0.5)
        rig.asking.cancel()
        await asyncio.sleep(2)
        assert answers == []
        assert rig.door.registry.streams == {}
        assert rig.desk.session_count == 0
        assert isinstance(await rig.publish(replace(CLIENT, number=9)), Publish)
        assert [event for event, _, _ in rig.told()] == ["on_publish"] * 2

    run(main())


@pytest.mark.parametrize(
    ("given", "name"),
    [({"stream": "hall"}, "live/hall"), ({"app": "a", "stream": "b/c"}, "a/b/c"), ({"app": "a"}, "a/s")],
)
def test_a_yes_may_give_another_name(given: dict[str, str], name: str) -> None:
    async def main() -> None:
        rig = Rig(Scripted(data(**given)))
        publish = await rig.publish()
        assert str(publish.stream.key) == f"_/{name}"
        rig.door.service.end_publish(publish, 2000)
        await rig.teller.drain(1)
        app, _, stream = name.partition("/")
        assert json.loads(rig.caller.calls[-1].body)["app"] == app
        assert rig.told() == [("on_publish", "7", "s"), ("on_unpublish", "7", stream)]

    run(main())


@pytest.mark.parametrize("stream", ["../x", "a//b", "a?vhost=v", "x" * 5000, "a\\b", "."])
def test_AU16_but_none_that_is_no_name(stream: str) -> None:
    async def main() -> None:
        rig = Rig(Scripted(data(stream=stream)))
        refusal = await rig.publish()
        assert refusal.reason is Reason.BAD_NAME
        assert rig.door.registry.streams == {}

    run(main())


def test_AU16_a_name_that_is_taken_is_busy_and_hooks_are_not_asked_again() -> None:
    async def main() -> None:
        rig = Rig(Scripted(data(stream="hall")), reject_second_stream_when_republish=True)
        assert isinstance(await rig.publish(), Publish)
        refusal = await rig.publish(replace(CLIENT, number=8), "t")
        assert refusal.reason is Reason.BUSY
        await rig.teller.drain(1)
        assert rig.told() == [("on_publish", "7", "s"), ("on_publish", "8", "t")]

    run(main())


def test_sessions_go_on_in_another_process() -> None:
    """It tells their ends, and remembers for them what was said."""

    async def main() -> None:
        old, new = Rig(Scripted(data(stream="hall"))), Rig(Scripted(yes))
        publish = await old.publish()
        state = grant_state(publish)
        old.door.service.hand_over_publish(publish)
        old.door.service.end_publish(publish, 2000)
        await old.teller.drain(1)
        assert old.told() == [("on_publish", "7", "s")]
        claim = new.door.registry.claim_publisher(state.stream_key, "10.9.9.9:5", 1000)
        request = state.publish_request(replace(CLIENT, number=1))
        there = new.door.service.resume_publish(request, claim.publisher)
        assert new.desk.session_count == 1
        new.caller.react = nothing
        graced = await new.publish(replace(CLIENT, number=2))
        assert str(graced.stream.key) == "_/live/hall"
        new.caller.react = yes
        new.door.service.end_publish(there, 2000)
        await new.teller.drain(1)
        assert new.told()[-1] == ("on_unpublish", "7", "hall")

    run(main())


def test_a_yes_may_be_for_a_time_and_for_so_much() -> None:
    async def main() -> None:
        rig = Rig(Scripted(data(lifetime_s=60, max_kbps=800)))
        publish = await rig.publish()
        assert publish.max_kbps == 800
        assert publish.ends_ms - publish.since_ms == 60_000

    run(main())


def test_nodes_of_ours_are_no_viewers_and_those_who_only_say_so_are() -> None:
    async def main() -> None:
        rig = Rig(Scripted(no))
        assert isinstance(await rig.publish(replace(CLIENT, edge_id="n", is_proven=True)), Publish)
        assert rig.caller.calls == []
        refusal = await rig.play(replace(CLIENT, edge_id="n"), "s?idcpassed=1")
        assert refusal.reason is Reason.HOOK_DENIED

    run(main())


def test_ends_alone_may_be_told() -> None:
    config = HookConfig(hooks_on_unpublish=URL)

    async def main() -> None:
        rig = Rig(Scripted(yes), config)
        publish = rig.door.publish()
        assert isinstance(publish, Publish)
        rig.door.service.end_publish(publish, 2000)
        await rig.teller.drain(1)
        assert [event for event, _, _ in rig.told()] == ["on_unpublish"]

    run(main())


def test_without_hooks_nothing_is_done() -> None:
    async def main() -> None:
        rig = Rig(Scripted(yes), HookConfig())
        publish = rig.door.publish()
        assert isinstance(publish, Publish)
        assert rig.desk.session_count == 0

    run(main())


def test_who_was_let_in_by_the_answer_to_another_has_no_end_of_his_own() -> None:
    config = replace(ALL, hook_cache_s=60)

    async def main() -> None:
        rig = Rig(Scripted(yes), config)
        await rig.publish(replace(CLIENT, number=1))
        plays = [rig.asked(replace(CLIENT, number=number), is_play=True) for number in (2, 3)]
        await asyncio.sleep(1)
        plays.append(rig.asked(replace(CLIENT, number=4), is_play=True))
        for (play,) in plays:
            rig.door.service.end_play(play, 2000)
        await rig.teller.drain(1)
        assert rig.told()[1:] == [("on_play", "2", "s"), ("on_stop", "2", "s")]

    run(main())


def test_a_dead_hook_lets_those_in_again_whom_it_knows() -> None:
    async def main() -> None:
        rig = Rig(Scripted(yes))
        await rig.publish()
        play = await rig.play()
        rig.caller.react = nothing
        await asyncio.sleep(600)
        rig.door.service.end_play(play, 2000)
        await asyncio.sleep(59)
        assert isinstance(await rig.play(), Play)
        assert isinstance(await rig.play(replace(CLIENT, peer="10.0.0.7:1")), Refusal)

    run(main())


def test_the_end_of_a_publish_is_told_before_the_next_one_is_asked_about() -> None:
    async def main() -> None:
        rig = Rig(Scripted(yes, takes_s=0.5))
        publish = await rig.publish()
        rig.door.service.end_publish(publish, 2000)
        assert isinstance(await rig.publish(replace(CLIENT, number=8)), Publish)
        assert rig.told() == [("on_publish", "7", "s"), ("on_unpublish", "7", "s"), ("on_publish", "8", "s")]
        assert rig.caller.most == 1
        # A server that takes no ends keeps nobody out.
        rig.door.service.end_publish(next(iter(rig.door.service.publishes.values())), 2000)
        rig.caller.react = lambda call: None if b"on_unpublish" in call.body else yes(call)
        assert isinstance(await rig.publish(replace(CLIENT, number=9)), Publish)

    run(main())


def test_a_connection_is_let_in_or_not_and_its_end_is_told() -> None:
    async def main() -> None:
        rig = Rig(Scripted(yes), COMING)
        service, answers = rig.door.service, []
        service.connect(CLIENT.server_url, CLIENT, answers.append)
        await asyncio.sleep(1)
        assert answers == [None]
        service.disconnected(CLIENT, 10, 20)
        service.disconnected(CLIENT, 10, 20)
        await rig.teller.drain(1)
        assert rig.told() == [("on_connect", "7", ""), ("on_close", "7", "")]
        assert b'"send_bytes":20,"recv_bytes":10}' in rig.caller.calls[1].body
        rig.caller.react = no
        service.connect(CLIENT.server_url, CLIENT, answers.append)
        await asyncio.sleep(1)
        assert answers[1].told == "HookDenied: not paid"
        service.disconnected(CLIENT, 10, 20)
        # One who leaves before the answer has no end.
        rig.caller.react = yes
        service.connect(CLIENT.server_url, CLIENT, answers.append)
        service.disconnected(CLIENT, 10, 20)
        await asyncio.sleep(1)
        assert len(answers) == 2
        await rig.teller.drain(1)
        assert [event for event, _, _ in rig.told()[2:]] == ["on_connect", "on_connect"]

    run(main())


def test_the_end_of_a_connection_that_has_moved_is_told_where_it_went() -> None:
    async def main() -> None:
        old, new = Rig(Scripted(yes), COMING), Rig(Scripted(yes), COMING)
        old.door.service.connect(CLIENT.server_url, CLIENT, lambda _: None)
        await asyncio.sleep(1)
        data = old.door.service.export_client(CLIENT)
        old.door.service.hand_over_client(CLIENT)
        old.door.service.disconnected(CLIENT, 1, 2)
        there = replace(CLIENT, number=99)
        assert new.door.service.export_client(there) == b""
        new.door.service.resume_client(there, data)
        new.door.service.resume_client(replace(CLIENT, number=100), b"nonsense")
        new.door.service.disconnected(there, 1, 2)
        for rig in (old, new):
            await rig.teller.drain(1)
        assert (old.told(), new.told()) == ([("on_connect", "7", "")], [("on_close", "7", "")])

    run(main())


def test_a_name_leads_nobody_past_who_is_asked_at_connect() -> None:
    """``?vhost=`` and ``?app=`` in a stream's name mean others than those that the connection came to."""

    async def main() -> None:
        rig = Rig(Scripted(yes), COMING)
        service, client = rig.door.service, replace(CLIENT, protocol="rtmp")
        service.connect(client.server_url, client, lambda _: None)
        await asyncio.sleep(1)
        publish = await rig.publish(client)
        assert isinstance(publish, Publish)
        assert rig.told() == [("on_connect", "7", ""), ("on_publish", "7", "s")]
        elsewhere = await rig.publish(client, "t?vhost=other.example.com&app=vip")
        assert isinstance(elsewhere, Publish)
        service.end_publish(elsewhere, 2000)
        await rig.teller.drain(10)
        assert [event for event, _, _ in rig.told()[2:]] == ["on_connect", "on_publish", "on_unpublish", "on_close"]
        asked = json.loads(rig.caller.calls[2].body)
        assert (asked["vhost"], asked["app"], asked["stream"]) == ("other.example.com", "vip", "")
        rig.caller.react = lambda call: no(call) if b"on_connect" in call.body else yes(call)
        for name in ("u?vhost=other.example.com", "u?app=vip"):
            refusal = await rig.publish(client, name)
            assert isinstance(refusal, Refusal), name
            assert refusal.reason is Reason.HOOK_DENIED
        # One who came before anybody was asked is asked about as well, and the app may be another one.
        rig.caller.react = lambda call: data(app="rooms")(call) if b"on_connect" in call.body else yes(call)
        play = await rig.publish(replace(client, number=8), "v")
        assert isinstance(play, Publish)
        assert play.name.key == StreamKey("_", "rooms", "v")
        assert grant_state(play).opening
        # Clients of other protocols have come nowhere before.
        other = await rig.publish(replace(CLIENT, number=9, protocol="http-flv"), "w")
        assert isinstance(other, Publish)
        assert other.name.key.app == "live"

    run(main())


def test_sessions_are_asked_about_while_they_go_on() -> None:
    config = HookConfig(hooks_on_update=URL, hook_update_s=30)

    async def main() -> None:
        rig = Rig(Scripted(yes), config)
        publish = rig.door.publish()
        assert isinstance(publish, Publish)
        stopped: list[Refusal] = []

        class Owner:
            def publish_stopped(self, publish: Publish, refusal: Refusal) -> None:
                stopped.append(refusal)
                rig.door.service.end_publish(publish, 0)

        publish.owner = Owner()
        for react, calls in ((yes, 1), (nothing, 2), (lambda _: Reply(500, "", b""), 3), (no, 4)):
            rig.caller.react = react
            assert stopped == []
            await asyncio.sleep(30)
            rig.desk.tick(now_ms())
            await asyncio.sleep(4)
            assert len(rig.caller.calls) == calls
        assert [refusal.told for refusal in stopped] == ["HookDenied: not paid"]
        body = json.loads(rig.caller.calls[0].body)
        assert (body["action"], body["of"], body["age"]) == ("on_update", "on_publish", 30)
        await asyncio.sleep(60)
        rig.desk.tick(now_ms())
        await asyncio.sleep(1)
        assert len(rig.caller.calls) == 4

    run(main())


def test_viewers_who_share_a_play_are_each_asked_about_once_and_end_with_it() -> None:
    async def main() -> None:
        rig = Rig(Scripted(yes))
        await rig.publish()
        service, name = rig.door.service, rig.door.name("s")
        refusals: list[Refusal | None] = []

        async def enters(number: int, ip: str) -> FakeClient:
            client = replace(CLIENT, number=number, peer=f"{ip}:1", protocol="hls")
            service.judge(PlayRequest(client, name), refusals.append)
            await asyncio.sleep(1)
            return client

        first = await enters(1, "10.0.0.1")
        play = rig.asked(first, is_play=True)[0]
        await enters(2, "10.0.0.2")
        await enters(3, "10.0.0.1")  # the first one again
        rig.caller.react = no
        await enters(4, "10.0.0.3")
        assert [refusal and refusal.told for refusal in refusals] == [None, None, None, "HookDenied: not paid"]
        assert rig.told()[1:] == [("on_play", number, "s") for number in "124"]
        service.end_play(play, 2000)
        await rig.teller.drain(1)
        assert sorted(rig.told()[4:]) == [("on_stop", "1", "s"), ("on_stop", "2", "s")]

    run(main())


def test_viewers_with_a_permit_go_on_under_the_name_that_was_given_at_the_entry() -> None:
    async def main() -> None:
        rig = Rig(Scripted(data(stream="hall")))
        await rig.publish()
        viewer = replace(CLIENT, number=8, peer="10.0.0.1:1", protocol="hls")
        rig.door.service.judge(PlayRequest(viewer, rig.door.name("s?token=1")), lambda _: None)
        await asyncio.sleep(1)
        (play,) = rig.asked(replace(viewer, number=9, is_proven=True), is_play=True)
        assert str(play.stream.key) == "_/live/hall"
        assert rig.told()[1:] == [("on_play", "8", "s")]
        rig.door.service.end_play(play, 2000)
        await rig.teller.drain(1)
        assert rig.told()[2:] == [("on_stop", "8", "s")]

    run(main())


def test_segments_are_told() -> None:
    config = HookConfig(hooks_on_hls=URL, hooks_on_hls_notify=("http://n/[app]/[ts_url]",))

    async def main() -> None:
        rig = Rig(Scripted(yes), config)
        rig.desk.on_segment_listed(StreamKey("_", "live", "s"), Segment(3, 2.0, "f", "live/s-3.ts", "m", "v"))
        await rig.teller.drain(1)
        assert [call.url for call in rig.caller.calls] == ["http://h/", "http://n/live/live/s-3.ts"]
        body = json.loads(rig.caller.calls[0].body)
        assert (body["action"], body["stream"], body["seq_no"]) == ("on_hls", "s", 3)

    run(main())


def test_a_viewer_of_what_is_shared_is_let_in_for_as_long_as_he_may() -> None:
    async def main() -> None:
        rig = Rig(Scripted(data(lifetime_s=100)))
        client = replace(CLIENT, protocol="hls")

        async def enters() -> float:
            answers: list[Refusal | None] = []
            request = PlayRequest(client, rig.door.name("s"))
            rig.door.service.judge(request, answers.append)
            await asyncio.sleep(1)
            assert answers == [None]
            return request.lifetime_s

        assert await enters() == 100
        await asyncio.sleep(39)
        assert 55 < await enters() < 65
        assert len(rig.caller.calls) == 1, "he has been asked about"
        await asyncio.sleep(100)
        assert await enters() == 100
        assert len(rig.caller.calls) == 2

    run(main())


@pytest.mark.parametrize("protocol", ["rtmp", "http-flv", "hls"])
def test_a_node_that_is_trusted_by_address_is_not_asked_about_whatever_it_speaks(protocol: str) -> None:
    async def main() -> None:
        rig, answers = Rig(Scripted(no), COMING), []
        rig.door.service.trusts = lambda host: host == "10.9.9.9"
        client = replace(CLIENT, protocol=protocol)
        assert isinstance(await rig.publish(client), Publish)
        assert isinstance(await rig.play(client), Play)
        rig.door.service.judge(PlayRequest(client, rig.door.name("s")), answers.append)
        assert answers == [None]
        assert isinstance(await rig.play(replace(client, peer="10.9.9.8:5")), Refusal)

    run(main())
