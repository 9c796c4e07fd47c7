from __future__ import annotations

import pytest

from edge.errors import ChunkError, HandshakeError, ProtocolError, TlsError
from edge.media.frame import VIDEO
from edge.service.chronicle import said_as
from edge.service.grants import Play, Publish
from edge.service.names import parse_stream_name, parse_tc_url
from edge.service.refusal import Reason, Refusal
from edge.service.story import Entry, Kind
from tests.service.fakes import NODE, SERVER_URL, VIEWER, Door, FakeClient

PUBLISHER = FakeClient(3, "10.9.9.7:5")


def kinds(door: Door, name: str = "s") -> list[Kind]:
    """Of the story of a stream, the newest first."""
    return [entry.kind for entry in story(door, name)]


def story(door: Door, name: str = "s") -> list[Entry]:
    return door.service.chronicle.stories.of_stream(f"_/live/{name}")


def published(door: Door, **options: object) -> Publish:
    answer = door.publish(**options)  # type: ignore[arg-type]
    assert isinstance(answer, Publish)
    return answer


def test_play_of_what_is_not_there_is_told_by_stream_and_by_address() -> None:
    door = Door()
    door.play()
    (entry,) = story(door)
    assert (entry.kind, entry.client) == (Kind.ABSENT, VIEWER.peer)
    assert [each.client for each in door.service.chronicle.stories.of_address("10.9.9.9")] == ["_/live/s"]


def test_publish_play_and_their_ends() -> None:
    door = Door()
    publish = published(door, client=PUBLISHER)
    play = door.play()
    assert isinstance(play, Play)
    publish.publisher.push(VIDEO, 0, b"\x17\x01x", 5)
    door.service.end_play(play, door.now_ms)
    door.service.end_publish(publish, door.now_ms)
    assert kinds(door) == [Kind.PUBLISHER_LEFT, Kind.LEFT, Kind.JOINED, Kind.PUBLISHED]


def test_loss_says_what_broke_and_what_had_been_missing() -> None:
    door = Door()
    publish = published(door, client=PUBLISHER)
    door.service.end_publish(publish, door.now_ms, is_loss=True, why="reset: Connection reset by peer")
    newest, before = story(door)[:2]
    assert newest.kind is Kind.PUBLISHER_LOST and "Connection reset by peer" in newest.text
    assert before.kind is Kind.NO_MEDIA


def test_pictures_without_a_keyframe_are_told_when_nobody_can_look_any_more() -> None:
    door = Door()
    publish = published(door, client=PUBLISHER)
    publish.publisher.push(VIDEO, 0, b"\x27\x01x", 5)
    door.service.end_publish(publish, door.now_ms)
    assert Kind.NO_KEYFRAME in kinds(door)


class Owner:
    """Gives grants back when they are stopped."""

    def __init__(self, door: Door) -> None:
        self.door = door

    def play_stopped(self, play: Play, refusal: Refusal) -> None:
        self.door.service.end_play(play, self.door.now_ms)

    def play_has_nothing_yet(self, play: Play, *, is_known: bool) -> None:
        """It waits."""

    def publish_stopped(self, publish: Publish, refusal: Refusal) -> None:
        self.door.service.end_publish(publish, self.door.now_ms)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (Reason.IDLE, Kind.IDLE),
        (Reason.UNUSED, Kind.UNUSED),
        (Reason.KICKED, Kind.KICKED),
        (Reason.UPSTREAM, Kind.REFUSED),
    ],
)
def test_publisher_that_may_not_go_on_is_told_with_the_reason(reason: Reason, kind: Kind) -> None:
    door = Door()
    publish = published(door, client=PUBLISHER)
    publish.owner = Owner(door)
    publish.publisher.push(VIDEO, 0, b"\x17\x01x", 5)
    publish.stop(Refusal(reason, "because"))
    newest = story(door)[0]
    assert (newest.kind, newest.text) == (kind, "the publisher was ended: because")


def test_player_that_may_not_go_on_is_told_with_the_reason() -> None:
    door = Door()
    published(door, client=PUBLISHER)
    play = door.play("s?token=abc")
    assert isinstance(play, Play)
    play.owner = Owner(door)
    play.stop(Refusal(Reason.FORBIDDEN, "token abc is too old"))
    assert story(door)[0].text == "a player was ended: token ... is too old"


def test_replaced_publisher() -> None:
    door = Door()
    published(door, client=PUBLISHER)
    door.now_ms += 5000
    published(door, client=VIEWER)
    newest = story(door)[0]
    assert (newest.kind, newest.client) == (Kind.REPLACED, PUBLISHER.peer)


def test_muted_publisher_that_leaves_is_no_cause() -> None:
    door = Door()
    old = published(door, client=PUBLISHER)
    old.publisher.push(VIDEO, 0, b"\x17\x01x", 5)
    door.now_ms += 5000
    published(door, client=VIEWER)
    door.service.end_publish(old, door.now_ms)
    assert story(door)[0].kind is Kind.LEFT


def test_second_publisher_that_is_refused() -> None:
    door = Door(reject_second_stream_when_republish=True)
    published(door, client=PUBLISHER)
    door.publish(client=VIEWER)
    assert story(door)[0].kind is Kind.BUSY


def test_another_node_is_told_as_one() -> None:
    door = Door()
    door.play(client=NODE)
    assert story(door)[0].text == "another node plays it"


def test_jumps_are_summed_up() -> None:
    door = Door()
    stream = published(door, client=PUBLISHER).stream
    for count in (3, 4):
        door.service.chronicle.on_jumped(stream, count)
    assert (story(door)[0].amount, story(door)[0].count) == (7, 2)


def test_bad_name_is_kept_as_it_would_stand_in_a_key() -> None:
    door = Door()
    refusal = Refusal(Reason.BAD_NAME, "stream name has an empty part")
    door.service.chronicle.refused_name("a//cam?token=secret1", SERVER_URL, refusal, "10.0.0.9:5")
    (entry,) = story(door, "a//cam")
    assert entry.kind is Kind.BAD_NAME and "secret1" not in entry.text


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (HandshakeError("x", reason="detect_timeout"), Kind.HANDSHAKE),
        (TlsError("x"), Kind.CLIENT_TLS),
        (ChunkError("x"), Kind.PROTOCOL),
        (ProtocolError("x", reason="max_connections"), Kind.TOO_MANY),
        (HandshakeError("x", reason="plain_on_tls"), Kind.CLIENT_TLS),
    ],
)
def test_faults_of_connections_are_told_by_address(error: ProtocolError, kind: Kind) -> None:
    door = Door()
    door.service.chronicle.connection_failed(error, "10.0.0.9:5")
    assert [entry.kind for entry in door.service.chronicle.stories.of_address("10.0.0.9")] == [kind]


def test_slow_player_is_told_once_with_its_stream() -> None:
    door = Door()
    door.service.chronicle.connection_failed(ProtocolError("x", reason="slow_player"), VIEWER.peer)
    assert door.service.chronicle.stories.of_address(VIEWER.peer) == []


@pytest.mark.parametrize(
    ("url", "name", "words"),
    [
        ("rtmp://10.0.0.1/live", "cam", ""),
        ("rtmp://10.0.0.1", "cam", "names no app"),
        ("rtmp://10.0.0.1/live/x", "cam", "x, which follows the app"),
        ("rtmp://localhost/live", "cam", "host localhost means vhost _"),
        ("rtmp://10.0.0.1/live", "cam?app=other", "app other"),
    ],
)
def test_how_a_key_differs_from_what_the_url_says(url: str, name: str, words: str) -> None:
    server_url = parse_tc_url(url)
    said = said_as(server_url, parse_stream_name(name, server_url, is_play=True), "live")
    assert words in said and bool(words) == bool(said)
