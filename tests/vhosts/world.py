"""Two vhosts that differ by one flag, without sockets: a service, its publishers and players, and a clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from edge.flags.registry import DEFINITIONS
from edge.hub.stream import Stream
from edge.net.context import NetContext
from edge.net.fan.fanout import Fanout
from edge.net.fan.player import Player
from edge.net.rtmp.form import RtmpForm
from edge.net.rtmp.ingest import MANY, IngestTicker
from edge.net.rtmp.opening import RtmpOpening
from edge.net.rtmp.publish_watch import PublishWatch
from edge.rtmp import amf0
from edge.runtime.rules import rules_of, with_values
from edge.service.grants import Play, Publish
from edge.service.names import StreamName, parse_tc_url
from edge.service.refusal import Refusal
from edge.service.request import PlayRequest, PublishRequest
from edge.service.rules import Rulebook, Vhost
from tests.harness.wire import AUDIO, DATA, VIDEO
from tests.net.fakes import FakePeer, ManualLoop, audio, video
from tests.runtime.nodes import settings_of
from tests.service.fakes import VIEWER, Door, FakeClient

SET, PLAIN = "set.example", "plain.example"
CHUNK = 4096


class Encoder:
    """A publisher's connection, as far as the watch of publishes sees it."""

    fd, state, read_limit, is_hop = -1, "open", 0, False

    def __init__(self, grant: Publish) -> None:
        self.grants = [grant]
        self.told: list[Refusal] = []
        self.is_fast = False
        self.is_polled = True
        self.answer_ms = 0
        grant.owner = self

    def publishes(self) -> list[Publish]:
        return list(self.grants)

    def publish_stopped(self, publish: Publish, refusal: Refusal) -> None:
        self.grants.clear()
        self.told.append(refusal)

    def is_publish_kept_alive(self, now_ms: int, limit_ms: int) -> bool:
        return False

    def is_silent_publisher_gone(self, now_ms: int, quiet_ms: int, answer_ms: int) -> bool:
        self.answer_ms = answer_ms
        return False

    def is_over_rate(self, now_ms: int, limit_kbps: int) -> bool:
        return self.is_fast

    def read_some(self) -> int:
        return 0

    def poll_reads(self, is_polled: bool) -> None:
        """Whether it is left to the poller."""
        self.is_polled = is_polled


class World:
    """The service; ``vhost`` is the one that is looked at."""

    def __init__(self, flag: str, text: str, vhost: str) -> None:
        settings = settings_of()
        root = rules_of(settings)
        others = with_values(root, {flag: DEFINITIONS[flag].parser.parse(text)})
        self.door = Door()
        self.service = self.door.service
        self.vhost = vhost
        self.service.rulebook.replace(Rulebook(root, [Vhost(SET, others), Vhost(PLAIN, root)]))
        self.net = settings.net
        self.number = 0
        self.loop = ManualLoop()
        self.fanout = Fanout(self.loop, settings.net, now_ms=self.loop.now_ms)  # type: ignore[arg-type]

    def wait(self, ms: int) -> None:
        self.door.now_ms += ms
        self.loop.run_for(ms)

    def name(self, stream: str = "s", *, is_play: bool = False) -> StreamName:
        found = self.service.resolve(stream, parse_tc_url(f"rtmp://{self.vhost}/live"), is_play=is_play)
        assert isinstance(found, StreamName)
        return found

    def ask_publish(self, stream: str = "s", client: FakeClient = VIEWER, **options: Any) -> Publish | Refusal:
        answers: list[Publish | Refusal] = []
        request = PublishRequest(client, self.name(stream), **options)
        self.service.publish(request, answers.append, self.door.now_ms)
        return answers[0]

    def publish(self, stream: str = "s", client: FakeClient = VIEWER, **options: Any) -> Publish:
        found = self.ask_publish(stream, client, **options)
        assert isinstance(found, Publish), found
        return found

    def ask_play(self, stream: str = "s", client: FakeClient = VIEWER) -> Play | Refusal:
        answers: list[Play | Refusal] = []
        self.service.play(PlayRequest(client, self.name(stream, is_play=True)), answers.append, self.door.now_ms)
        return answers[0]

    def picture(self, grant: Publish, at_ms: int, *, is_keyframe: bool = False, size: int = 20) -> None:
        self.number += 1
        payload = video(self.number, is_keyframe=is_keyframe, size=size)
        grant.publisher.push(VIDEO, at_ms & 0xFFFFFFFF, payload, self.door.now_ms)
        grant.publisher.commit()

    def sound(self, grant: Publish, at_ms: int) -> None:
        self.number += 1
        grant.publisher.push(AUDIO, at_ms, audio(self.number), self.door.now_ms)
        grant.publisher.commit()

    def metadata(self, grant: Publish, width: float) -> None:
        payload = amf0.encode_all("onMetaData", {"width": width})
        grant.publisher.push(DATA, 0, payload, self.door.now_ms)

    def run(self, grant: Publish, seconds: int, *, gop: int = 10, size: int = 20, first_s: int = 0) -> None:
        """So many seconds of 25 pictures."""
        for index in range(first_s * 25, (first_s + seconds) * 25):
            self.picture(grant, index * 40, is_keyframe=index % gop == 0, size=size)
            self.wait(40)

    def live(self, seconds: int = 0, **options: Any) -> Stream:
        """A published stream, of which so much has come."""
        grant = self.publish()
        self.run(grant, seconds, **options)
        return grant.stream

    def watch(self, stream: Stream, room: int | None = None) -> FakePeer:
        """A player by RTMP."""
        peer, form = FakePeer(room), RtmpForm(CHUNK)
        peer.player = Player(peer, peer.send, RtmpOpening.of(stream, form, 1))
        self.fanout.attach(peer.player, stream, form)
        return peer

    def stamps(self, peer: FakePeer) -> list[int]:
        """Of the pictures that have arrived."""
        return [m.wire_timestamp for m in peer.messages(CHUNK) if m.type_id == VIDEO]

    def among_many(self, grant: Publish) -> Encoder:
        """A publisher's connection, once it is settled how it and many others are read."""
        loop = asyncio.new_event_loop()
        context = NetContext(loop, self.net)
        try:
            ingest, encoder = IngestTicker(context), Encoder(grant)
            ingest.publishers.update((encoder, *(Encoder(grant) for _ in range(MANY))))
            ingest.tick()
            ingest.close()
            return encoder
        finally:
            context.close()
            loop.close()

    def looked_after(self, grant: Publish, *ticks: int, is_fast: bool = False) -> Encoder:
        """A publisher's connection after the watch has looked at it, so many ms from now."""
        loop = asyncio.new_event_loop()
        context = NetContext(loop, self.net)
        try:
            ingest, encoder = IngestTicker(context), Encoder(grant)
            ingest.publishers.add(encoder)
            encoder.is_fast = is_fast
            watch = PublishWatch(context, ingest)
            for after_ms in ticks:
                at_ms = self.door.now_ms + after_ms
                watch.tick(at_ms, self.door.now_ms)
            return encoder
        finally:
            context.close()
            loop.close()


Observe = Callable[[World], Any]
