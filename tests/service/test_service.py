"""Who may play and publish on an origin and on an edge, asked without any transport."""

from __future__ import annotations

from edge.builtin.config import DebugConfig
from edge.hub.config import HubConfig
from edge.hub.key import LIVE_REALM, PUBLISH_REALM, StreamKey
from edge.hub.reader import QuietReader
from edge.hub.stream import Stream
from edge.service.admission import Answer
from edge.service.grants import Play, Publish
from edge.service.names import StreamName, parse_tc_url
from edge.service.refusal import Reason, Refusal
from edge.service.request import PlayRequest, PublishRequest
from edge.service.rules import Rulebook, Rules, Vhost
from edge.service.source import Standing
from edge.service.spans import SpanRing
from edge.service.trace_context import TraceContext
from tests.service.fakes import NODE, SERVER_URL, VIEWER, Door, FakeClient, NoSource

KEY = StreamKey("_", "live", "s")


class Owner:
    """Writes down what it is told of its grants, and gives them back."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.told: list[object] = []

    def play_stopped(self, play: Play, refusal: Refusal) -> None:
        self.told.append(refusal.detail)
        self.door.service.end_play(play, self.door.now_ms)

    def play_has_nothing_yet(self, play: Play, *, is_known: bool) -> None:
        self.told.append(is_known)

    def publish_stopped(self, publish: Publish, refusal: Refusal) -> None:
        self.told.append(refusal)
        self.door.service.end_publish(publish, self.door.now_ms)


def granted(answer: Play | Publish | Refusal) -> Play:
    assert isinstance(answer, Play), answer
    return answer


def published(answer: Play | Publish | Refusal) -> Publish:
    assert isinstance(answer, Publish), answer
    return answer


def test_origin_knows_what_is_published_and_nothing_else() -> None:
    door = Door()
    assert door.play() == Refusal(Reason.NOT_FOUND, "Fail to find key=_/live/s")
    assert door.service.publish_key(KEY).realm == LIVE_REALM
    publish = published(door.publish())
    assert publish.stream.key == KEY
    play = granted(door.play())
    assert play.stream is publish.stream
    assert (play.stream.player_count, play.stream.viewer_count) == (1, 1)
    door.service.end_play(play, door.now_ms)
    assert play.stream.player_count == 0
    door.service.end_publish(publish, door.now_ms)
    assert (door.registry.streams, door.service.publishes) == ({}, {})


def test_node_of_ours_may_wait_on_an_origin_and_is_told_so() -> None:
    door = Door()
    stream = granted(door.play(client=NODE)).stream
    assert door.service.standing(stream) == Standing(is_waiting=True, is_missing=True)
    door.publish()
    assert door.service.standing(stream) == Standing()


def test_node_of_ours_is_told_of_a_lost_publisher() -> None:
    door = Door()
    stream = granted(door.play(client=NODE)).stream
    publish = published(door.publish(client=NODE, is_lost=True))
    assert door.service.standing(stream) == Standing(is_lost=True)
    publish.publisher.is_lost = False
    assert door.service.standing(stream) == Standing()
    door.service.end_publish(publish, door.now_ms, is_loss=True)
    assert door.service.standing(stream) == Standing(is_lost=True)


def test_edge_tells_only_those_who_have_had_a_stream_that_it_is_missing() -> None:
    door = Door()
    source = door.service.source = NoSource()
    source.now = Standing(is_waiting=True, is_missing=True, via=("a",))
    stream = granted(door.play(client=NODE)).stream
    assert door.service.standing(stream) == Standing(is_waiting=True, via=("a",))
    assert door.service.standing(stream, has_run=True) == source.now


def test_edge_asks_its_source_and_keeps_publishes_apart() -> None:
    door = Door()
    source = door.service.source = NoSource()
    stream = granted(door.play("s?token=1")).stream
    assert source.begun == [(KEY, "token=1")]
    assert granted(door.play()).stream is stream
    assert door.service.publish_key(KEY).realm == PUBLISH_REALM


def test_stream_that_comes_from_who_asks_for_it_is_a_loop() -> None:
    door = Door()
    source = door.service.source = NoSource()
    granted(door.play()).stream.pull = source
    source.now = Standing(is_waiting=True, via=("n", "x"))
    answer = door.play(client=NODE, hops=("y", "n"))
    assert isinstance(answer, Refusal)
    assert (answer.reason, answer.detail) == (Reason.LOOP, "proxy_loop: _/live/s comes from a node that asks for it")
    assert isinstance(door.play(client=NODE, hops=("y",)), Play)


def test_local_copy_of_a_publish_may_be_played_by_its_suffix() -> None:
    door = Door()
    door.service.source = NoSource()
    stream = published(door.publish()).stream
    assert granted(door.play("s.pubproxy")).stream is stream


def test_suffix_of_a_local_copy_leads_past_no_rule() -> None:
    door = Door()
    door.service.source = NoSource()
    stream = published(door.publish()).stream
    asked: list[tuple[str, str]] = []

    class NotThisOne:
        def check(self, request: PlayRequest | PublishRequest, later: Answer) -> Refusal | None:
            asked.append((request.name.key.stream_name, request.suffix))
            return Refusal(Reason.ADDRESS, "no") if request.name.key.stream_name == "s" and is_closed else None

    door.service.admission.rules.append(NotThisOne())
    door.service.admission.entry_rules.append(NotThisOne())
    is_closed = True
    assert door.play("s.pubproxy", suffix=".flv") == Refusal(Reason.ADDRESS, "no")
    heard: list[Refusal | None] = []
    door.service.judge(PlayRequest(VIEWER, door.name("s.pubproxy")), heard.append)
    assert heard == [Refusal(Reason.ADDRESS, "no")]
    is_closed = False
    play = granted(door.play("s.pubproxy"))
    assert (play.stream, play.key.stream_name) == (stream, "s.pubproxy")
    assert asked == [("s", ".pubproxy.flv"), ("s", ".pubproxy"), ("s", ".pubproxy")]


def test_M19_refusal_of_the_source_is_passed_on() -> None:
    door, no = Door(), Refusal(Reason.OVERLOAD, "too_many_pulls")
    door.service.source = NoSource(no)
    assert door.play() == no
    assert door.registry.streams == {}


def test_limits_of_names_come_from_the_settings() -> None:
    refusal = Door(max_name_bytes=4).service.resolve("abcde", SERVER_URL, is_play=True)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.BAD_NAME


def test_a_stream_bears_the_name_of_its_vhost_whatever_name_was_said() -> None:
    door, rules = Door(), Rules([HubConfig()])
    door.service.rulebook.replace(Rulebook(rules, [Vhost("a.example", rules, ("*.a.example",)), Vhost("_", rules)]))
    said = {"a.example": "a.example", "x.a.example": "a.example", "other.example": "_", "10.0.0.1": "_"}
    for host, vhost in said.items():
        by_name = door.service.resolve("cam", parse_tc_url(f"rtmp://{host}/live"), is_play=True)
        by_path = door.service.resolve_path(host, "/live/cam", "")
        assert isinstance(by_name, StreamName)
        assert by_name == by_path
        assert by_name.key == StreamKey(vhost, "live", "cam")


def test_nobody_is_served_at_a_name_that_means_no_vhost() -> None:
    door, rules = Door(), Rules([HubConfig()])
    door.service.rulebook.replace(Rulebook(rules, [Vhost("a.example", rules)]))
    for host in ("other.example", "10.0.0.1"):
        refusal = Refusal(Reason.NO_VHOST, f"nobody is served at {'_' if host == '10.0.0.1' else host}")
        assert door.service.resolve("cam", parse_tc_url(f"rtmp://{host}/live"), is_play=False) == refusal
        assert door.service.resolve_path(host, "/live/cam", "") == refusal


def test_lines_of_a_process_with_two_services_begin_with_the_name() -> None:
    service = Door().service
    assert (service.name, service.log_prefix) == ("", "")
    service.name = "merge"
    assert service.log_prefix == "merge "


def test_source_that_gives_up_at_once_has_no_stream_to_play() -> None:
    door = Door()
    door.service.source = NoSource(on_begin=lambda stream: door.registry.end_stream(stream, "nobody to ask"))
    assert door.play() == Refusal(Reason.NOT_FOUND, "nobody to ask")
    assert door.registry.streams == {}


def test_second_publisher_is_refused_or_the_first_is_told() -> None:
    door = Door(reject_second_stream_when_republish=True)
    published(door.publish())
    answer = door.publish()
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.BUSY

    door = Door(stop_kickedoff_publisher=True)
    owner, first = Owner(door), published(door.publish())
    first.owner = owner
    door.now_ms += 5000
    second = published(door.publish(client=FakeClient(3, "10.9.9.7:5")))
    assert owner.told == [], "not before the newcomer has its answer"
    for call in door.soon:
        call()
    assert owner.told == [Refusal(Reason.KICKED, "Replaced by publisher from 10.9.9.7:5")]
    assert list(door.service.publishes.values()) == [second]
    for call in door.soon:
        call()
    assert len(owner.told) == 1, "who has left is told nothing"


def test_answer_comes_before_anybody_hears_of_the_publish() -> None:
    door = Door()
    order: list[str] = []
    door.service.on_published = lambda stream: order.append("published")  # type: ignore[method-assign]
    request = PublishRequest(VIEWER, door.name(is_play=False))
    door.service.publish(request, lambda answer: order.append("answer"), door.now_ms)
    assert order == ["answer", "published"]


class Download(QuietReader):
    """A client of a protocol that there is not: it plays through the service alone."""

    def __init__(self, door: Door, play: Play) -> None:
        self.door, self.play = door, play
        self.body: list[bytes] = []
        self.seq = 0
        self.end = ""
        play.owner = self
        play.stream.readers.append(self)

    def on_frames(self) -> None:
        queue = self.play.stream.queue
        self.body += [queue[seq].payload for seq in range(self.seq, queue.end)]
        self.seq = queue.end

    def on_evict(self, base: int) -> None:
        self.seq = max(self.seq, base)

    def on_end(self, reason: str) -> None:
        self.leave(reason)

    def leave(self, why: str) -> None:
        self.end = why
        self.play.stream.readers.remove(self)
        self.door.service.end_play(self.play, self.door.now_ms)

    def play_stopped(self, play: Play, refusal: Refusal) -> None:
        self.leave(refusal.detail)

    def play_has_nothing_yet(self, play: Play, *, is_known: bool) -> None:
        self.is_nothing_known = is_known


def test_client_of_another_protocol_plays_through_the_service_alone() -> None:
    door = Door()
    publish = published(door.publish())
    stream: Stream = publish.stream
    first, second = (Download(door, granted(door.play())) for _ in range(2))
    frames = [b"\x17\x01\0\0\0key", b"\x27\x01\0\0\0next"]
    for number, payload in enumerate(frames):
        publish.publisher.push(9, number * 40, payload, door.now_ms)
    publish.publisher.commit()
    assert first.body == second.body == frames
    first.play.tell_nothing_yet(is_known=True)
    assert first.is_nothing_known
    first.play.stop(Refusal(Reason.FORBIDDEN, "no more"))
    assert (first.end, second.end, stream.player_count) == ("no more", "", 1)
    door.service.end_publish(publish, door.now_ms)
    assert (second.end, stream.player_count) == ("publisher on key=_/live/s is gone", 0)


def test_answers_are_spans_where_somebody_wants_them() -> None:
    door = Door()
    door.play()
    now_us = [1_000_000]
    ring = SpanRing(now_us=lambda: now_us[0], wall_us=lambda: now_us[0], entropy=lambda count: b"\1" * count)
    door.service.spans = ring
    door.play()
    assert len(ring) == 0, "off"
    ring.configure(DebugConfig(enable_rpcz=True))
    door.play()
    door.publish()
    door.play(client=NODE, hops=("n",))
    hop, publish, refused = ring.newest_first()
    assert (refused.method, refused.error, refused.subject, refused.peer) == (
        *("service.play", "not_found", "_/live/s", VIEWER.peer),
    )
    assert (publish.method, publish.error, publish.log_id) == ("service.publish", "", VIEWER.number)
    assert (hop.error, hop.hops, hop.notes[0].text) == ("", ("n",), "has nothing yet, 1 players")
    assert refused.trace_id == publish.trace_id == hop.trace_id


def test_what_is_done_for_a_request_is_done_for_its_span() -> None:
    door, brought = Door(), TraceContext(1 << 100, 9)
    play = PlayRequest(VIEWER, door.name(), trace=brought)
    door.service.play(play, lambda _: None, door.now_ms)
    assert play.trace == brought, "without spans it is passed on as it came"
    ring = door.service.spans = SpanRing(now_us=lambda: 0, wall_us=lambda: 0, entropy=lambda count: b"\1" * count)
    ring.configure(DebugConfig(enable_rpcz=True))
    door.service.play(play, lambda _: None, door.now_ms)
    publish = door.publish(trace=brought)
    assert isinstance(publish, Publish)
    of_publish, of_play = ring.newest_first()
    assert {span.parent_id for span in (of_play, of_publish)} == {9}
    assert play.trace == TraceContext(1 << 100, of_play.span_id)
    assert publish.trace == TraceContext(1 << 100, of_publish.span_id)
