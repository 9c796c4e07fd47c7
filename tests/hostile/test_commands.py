"""At an origin: commands and stream names."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.accounting import AAC_SEQUENCE_HEADER, AVC_SEQUENCE_HEADER, back_steps
from tests.hostile._arena import Row
from tests.hostile._wire import AUDIO, COMMAND, VIDEO, RawPeer, audio, control, encode_amf, message, video

_REJECTED = "NetConnection.Connect.Rejected"
_PLAY_FAILED, _NOT_FOUND = "NetStream.Play.Failed", "NetStream.Play.StreamNotFound"
_BAD_NAME = "NetStream.Publish.BadName"
_CODES = {"play": _NOT_FOUND, "publish": _BAD_NAME}


def assert_rejected(peer: RawPeer, transaction: float) -> None:
    peer.wait(lambda: peer.replies(transaction), "the answer")
    answer = peer.replies(transaction)[0]
    assert answer[0] == "_error" and answer[3]["code"] == _REJECTED and answer[3]["level"] == "error", answer


def key_of(row: Row, peer: RawPeer) -> tuple[str, str, str]:
    (found,) = [each for each in row.server.streams() if each["publisher"] == peer.name]
    return found["vhost"], found["app"], found["stream"]


@pytest.mark.parametrize(
    "name", ["createStream", "play", "publish", "deleteStream", "FCPublish", "_result", "nonsense"]
)
def test_M1_command_before_connect_closes(row: Row, name: str) -> None:
    peer = row.shaken()
    peer.command(0, name, 1, None, "x")
    row.closes(peer, "not_connected")


@pytest.mark.parametrize("app", ["live", "other"])
def test_M2_second_connect_is_rejected_and_closes(row: Row, app: str) -> None:
    peer = row.connected()
    peer.command(0, "connect", 9, {"app": app, "tcUrl": f"rtmp://other.example/{app}"})
    assert_rejected(peer, 9)
    row.closes(peer, "connect_twice")


def test_M3_missing_tc_url_is_built_from_the_app(row: Row) -> None:
    peer = row.shaken()
    peer.connect("shows", tcUrl=None)
    peer.open_stream()
    peer.publish(row.arena.new_name())
    assert key_of(row, peer)[:2] == ("_", "shows")


@pytest.mark.parametrize(
    "tc_url",
    [
        pytest.param("rtmp://h/" + "a" * 4088, id="4097-bytes"),
        pytest.param("rtmp://h/" + "a" * 60_000, id="60000-bytes"),
        *("http://h/live", "file:///etc/passwd", "rtmp://h:0/live", "rtmp://h:65536/live", "rtmp://h:12x/live"),
        *(
            "rtmp://h:/live",
            "rtmp://h:²/live",
            "rtmp://[::1/live",
            "rtmp://h/li ve",
            "rtmp://h/\r\nX: y",
            "rtmp://h/\x00",
        ),
    ],
)
def test_M3_bad_tc_url_is_rejected_and_closes(row: Row, tc_url: str) -> None:
    peer = row.shaken()
    peer.command(0, "connect", 1, {"app": "live", "tcUrl": tc_url})
    assert_rejected(peer, 1)
    row.closes(peer, "bad_url")


@pytest.mark.parametrize("tc_url", ["rtmp://[::1]:1935/live", "rtmp://user:word@h:1935/live", "rtmps://h/live"])
def test_M3_unusual_tc_url_is_accepted(row: Row, tc_url: str) -> None:
    peer = row.shaken()
    peer.connect(tcUrl=tc_url)
    peer.open_stream()
    peer.publish(row.arena.new_name())
    assert key_of(row, peer)[1] == "live"


def test_M4_idle_streams_are_bounded(row: Row) -> None:
    peer = row.connected()
    assert [peer.open_stream() for _ in range(16)] == list(range(1, 17))
    peer.command(0, "createStream", 50, None)
    peer.wait(lambda: peer.replies(50), "the answer")
    answer = peer.replies(50)[0]
    assert answer[0] == "_error" and answer[3]["code"] == "NetConnection.CreateStream.Rejected", answer
    peer.command(0, "deleteStream", 0, None, 3)
    assert peer.open_stream() == 17, "an id was used again"


def test_M4_streams_in_all_are_bounded(custom: Callable[..., Row]) -> None:
    row = custom("-max_message_streams=20")
    peer = row.connected(stream_multiplexing=True)
    for _ in range(20):
        peer.play("canary", peer.open_stream())
    peer.command(0, "createStream", 50, None)
    row.closes(peer, "too_many_streams")


@pytest.mark.parametrize(("command", "code"), [("play", _PLAY_FAILED), ("publish", _BAD_NAME)])
@pytest.mark.parametrize("which", ["zero", "deleted", "never-made"])
def test_M5_stream_that_does_not_exist_is_refused(row: Row, which: str, command: str, code: str) -> None:
    peer, other = row.connected(), row.connected()
    for _ in range(3):
        other.open_stream()
    first, second = peer.open_stream(), peer.open_stream()
    peer.command(0, "deleteStream", 0, None, first)
    peer.open_stream()
    stream = {"zero": 0, "deleted": first, "never-made": second + 7}[which]
    peer.command(stream, command, 4, None, "canary")
    row.refuses(peer, code, "")
    row.fails("no_stream")


def test_M6_publisher_that_plays_goes_on_publishing(row: Row) -> None:
    publisher, player = row.pair()
    publisher.command(publisher.stream, "play", 5, None, "canary")
    row.refuses(publisher, "NetStream.Failed", "stream_busy", is_closed=False)
    publisher.media(VIDEO, video(1))
    player.wait(lambda: player.received(VIDEO) == [video(1)], "the next frame")
    assert not publisher.received(VIDEO)
    row.fails("stream_busy")


def test_M6_player_that_publishes_goes_on_playing(row: Row) -> None:
    publisher, player = row.pair()
    player.command(player.stream, "publish", 5, None, row.arena.new_name(), "live")
    row.refuses(player, "NetStream.Failed", "stream_busy", is_closed=False)
    publisher.media(VIDEO, video(1))
    player.wait(lambda: player.received(VIDEO) == [video(1)], "the next frame")
    row.fails("stream_busy")


def test_M7_same_key_again_starts_again_without_doubling(row: Row) -> None:
    publisher, player = row.pair()
    name = key_of(row, publisher)[2]
    player.play(name)
    assert player.statuses[-2:] == ["NetStream.Play.Reset", "NetStream.Play.Start"]
    for number in range(1, 6):
        publisher.media(VIDEO, video(number, is_keyframe=False), at=number * 40)
    player.wait(lambda: video(5, is_keyframe=False) in player.received(VIDEO), "the last frame")
    player.settle()
    bodies = player.received(VIDEO)
    assert len(bodies) == len(set(bodies)), "a frame came twice"


def test_M7_another_key_moves_the_player_over(row: Row) -> None:
    first, player = row.pair()
    second, _ = row.pair()
    player.play(key_of(row, second)[2])
    player.settle()
    player.forget_media()
    first.media(VIDEO, video(11))
    second.media(VIDEO, video(22))
    player.wait(lambda: video(22) in player.received(VIDEO), "the other stream")
    player.settle()
    assert video(11) not in player.received(VIDEO)


def test_M7_play_while_paused_unpauses(row: Row) -> None:
    publisher, player = row.pair()
    player.command(player.stream, "pause", 0, None, True, 0)
    player.wait(lambda: "NetStream.Pause.Notify" in player.statuses, "Pause.Notify")
    player.play(key_of(row, publisher)[2])
    player.forget_media()
    publisher.media(VIDEO, video(1))
    player.wait(lambda: video(1) in player.received(VIDEO), "a frame")


def start_picture(publisher: RawPeer, first: int, header: bytes = AVC_SEQUENCE_HEADER) -> None:
    publisher.media(VIDEO, header, at=0)
    for number in range(3):
        publisher.media(VIDEO, video(first + number, is_keyframe=number == 0), at=number * 40)


def test_M8_reject_leaves_the_first_publisher_unharmed(custom: Callable[..., Row]) -> None:
    row = custom("-reject_second_stream_when_republish")
    publisher, player = row.pair()
    name = key_of(row, publisher)[2]
    second = row.connected()
    second.command(second.open_stream(), "publish", 5, None, name, "live")
    row.refuses(second, _BAD_NAME, "stream_busy")
    row.fails("stream_busy")
    publisher.media(VIDEO, video(1))
    player.wait(lambda: player.received(VIDEO) == [video(1)], "the next frame")


@pytest.mark.parametrize("stops", [False, True])
def test_M8_replacement_goes_on_with_new_headers_and_a_keyframe(custom: Callable[..., Row], stops: bool) -> None:
    row = custom("-stop_kickedoff_publisher") if stops else custom()
    publisher, player = row.pair(is_started=False)
    start_picture(publisher, 10)
    player.wait(lambda: len(player.received(VIDEO)) == 4, "the first publisher")
    second = row.publisher(key_of(row, publisher)[2])
    other_header = AVC_SEQUENCE_HEADER[:6] + b"\x64" + AVC_SEQUENCE_HEADER[7:]
    second.media(VIDEO, other_header)
    second.media(VIDEO, video(19, is_keyframe=False))  # waits for its keyframe
    for number in range(3):
        publisher.media(VIDEO, video(90 + number), at=200)
    start_picture(second, 20, other_header)
    player.wait(lambda: video(22, is_keyframe=False) in player.received(VIDEO), "the second publisher")
    after = player.received(VIDEO)[4:]
    expected = [other_header, video(20), video(21, is_keyframe=False), video(22, is_keyframe=False)]
    assert after == expected, [body[:9] for body in after]
    assert not back_steps([each.timestamp for each in player.messages if each.type_id == VIDEO])
    if stops:
        row.refuses(publisher, _BAD_NAME, "kicked")
        row.fails("kicked")
    else:
        row.stays_open(publisher)


def test_M8_publishers_do_not_kick_each_other_more_than_once_a_second(row: Row) -> None:
    publisher, _ = row.pair()
    name = key_of(row, publisher)[2]
    row.publisher(name)
    third = row.connected()
    third.command(third.open_stream(), "publish", 5, None, name, "live")
    row.refuses(third, _BAD_NAME, "stream_busy")
    row.fails("stream_busy")


@pytest.mark.parametrize("number", [math.nan, -1.0, 2.0**32, 99.0, 1e308], ids=str)
def test_M9_delete_of_an_unknown_stream_is_ignored(row: Row, number: float) -> None:
    publisher, player = row.pair()
    publisher.command(0, "deleteStream", 0, None, number)
    publisher.media(VIDEO, video(1))
    player.wait(lambda: player.received(VIDEO) == [video(1)], "the next frame")
    row.notes("no_stream")


def test_M9_delete_twice_is_ignored(row: Row) -> None:
    peer = row.connected()
    stream = peer.open_stream()
    peer.command(0, "deleteStream", 0, None, stream)
    peer.command(0, "deleteStream", 0, None, stream)
    row.stays_open(peer)
    row.notes("no_stream")


def test_M9_close_stream_ends_a_publisher_and_pauses_a_player(row: Row) -> None:
    publisher, player = row.pair()
    player.command(player.stream, "closeStream", 0, None)
    row.stays_open(player)
    publisher.media(VIDEO, video(1))
    player.settle()
    assert not player.received(VIDEO)
    publisher.command(publisher.stream, "closeStream", 0, None)
    publisher.wait(lambda: "NetStream.Unpublish.Success" in publisher.statuses, "Unpublish.Success")
    assert not [each for each in row.server.streams() if each["publisher"] == publisher.name]


def test_M10_unknown_commands_are_answered_a_hundred_times(row: Row) -> None:
    peer = row.connected()
    peer.command(0, "<b>odd\x1b[0m</b>", 7, None)
    peer.wait(lambda: peer.replies(7), "the answer")
    assert peer.replies(7)[0][0] == "_result" and not any(peer.replies(7)[0][2:])
    before = len(peer.commands)
    peer.command(0, "odd", 0, None)
    row.stays_open(peer)
    assert len(peer.commands) == before + 1, "an answer to number 0"
    for _ in range(98):
        peer.command(0, "odd", 0, None)
    row.stays_open(peer)
    peer.command(0, "odd", 0, None)
    row.closes(peer, "too_many_unknown")
    row.notes("unknown_command", 101)


def test_M11_courtesies_have_no_effect_on_others(row: Row) -> None:
    publisher, player = row.pair()
    name = key_of(row, publisher)[2]
    stranger = row.connected()
    order = ["FCUnpublish", "releaseStream", "_checkbw", "FCPublish", "getStreamLength", "releaseStream", "FCUnpublish"]
    for number, command in enumerate(order, 1):
        stranger.command(0, command, number, None, name)
        stranger.wait(lambda number=number: stranger.replies(number), f"the answer to {command}")
        assert stranger.replies(number)[0][0] == "_result"
    publisher.media(VIDEO, video(1))
    player.wait(lambda: player.received(VIDEO) == [video(1)], "the next frame")


def test_M12_seek_fails_and_pauses_cost_nothing(row: Row) -> None:
    publisher, player = row.pair()
    player.command(player.stream, "seek", 0, None, 1000)
    player.wait(lambda: any(each[0] == "_error" for each in player.commands), "_error")
    before_kb = row.server.rss_kb
    pause = message(COMMAND, encode_amf("pause", 0, None, True, 0), stream=player.stream)
    unpause = message(COMMAND, encode_amf("pause", 0, None, False, 0), stream=player.stream)
    player.send((pause + unpause) * 1000 + pause)
    player.wait(lambda: player.statuses.count("NetStream.Pause.Notify") == 1001, "all answers", 3.0)
    player.send(pause * 3)
    for number in range(200):
        publisher.media(VIDEO, video(number, is_keyframe=False, size=20_000), at=number * 40)
    row.stays_open(player)
    assert player.statuses.count("NetStream.Pause.Notify") == 1001, "a repetition was answered"
    assert row.server.rss_kb - before_kb < 16 * 1024
    player.forget_media()
    player.send(unpause)
    player.wait(lambda: "NetStream.Unpause.Notify" in player.statuses, "Unpause.Notify")
    publisher.media(VIDEO, video(7), at=9000)
    player.wait(lambda: video(7) in player.received(VIDEO), "a frame after the pause")


def test_M12_pause_before_play_fails(row: Row) -> None:
    peer = row.connected()
    peer.command(peer.open_stream(), "pause", 0, None, True, 0)
    peer.wait(lambda: any(each[0] == "_error" for each in peer.commands), "_error")
    row.stays_open(peer)


@pytest.mark.parametrize("name", ["_result", "_error", "onStatus"])
def test_M13_replies_sent_to_the_server_are_ignored(row: Row, name: str) -> None:
    peer = row.connected()
    for number in (0, 1, 2, 77777):
        peer.command(0, name, number, None, {"code": "NetStream.Play.Start", "level": "status"})
    row.stays_open(peer)
    row.notes("unexpected_reply", 4)


def ask(row: Row, command: str, name: str, app: str = "live", **properties: Any) -> RawPeer:
    peer = row.connected(app, **properties)
    peer.command(peer.open_stream(), command, 5, None, name, *(("live",) if command == "publish" else ()))
    return peer


@pytest.mark.parametrize("command", _CODES)
@pytest.mark.parametrize("size", [0, 513, 60_000])
def test_M14_names_out_of_bounds_are_refused(row: Row, size: int, command: str) -> None:
    row.refuses(ask(row, command, "n" * size), _CODES[command], "bad_name")
    row.fails("bad_name")


@pytest.mark.parametrize("size", [511, 512])
def test_M14_names_up_to_the_limit_are_used(row: Row, size: int) -> None:
    name = row.arena.new_name().ljust(size, "n")
    publisher = row.publisher(name)
    assert key_of(row, publisher) == ("_", "live", name)


@pytest.mark.parametrize("command", _CODES)
@pytest.mark.parametrize("parameter", ["vhost", "app"])
def test_M14_vhost_and_app_are_bounded_too(row: Row, parameter: str, command: str) -> None:
    row.refuses(ask(row, command, f"x?{parameter}={'h' * 513}"), _CODES[command], "bad_name")
    row.fails("bad_name")


def test_M14_app_of_connect_is_bounded(row: Row) -> None:
    peer = row.shaken()
    peer.command(0, "connect", 1, {"app": "a" * 513})
    assert_rejected(peer, 1)
    row.closes(peer, "bad_url")


_BAD = ["..", ".", "a/../b", "/a", "a/", "a\\b", "a\x01b", "a\x7fb", "a\r\nb", "a\x00b"]
_BAD_RAW = {"utf-8": b"a\xff\xfeb", "surrogate": b"a\xed\xa0\x80b", "overlong": b"a\xc0\xafb"}


@pytest.mark.parametrize("command", _CODES)
@pytest.mark.parametrize("name", _BAD, ids=ascii)
def test_M15_names_that_could_become_a_path_are_refused(row: Row, name: str, command: str) -> None:
    row.refuses(ask(row, command, name), _CODES[command], "bad_name")
    row.fails("bad_name")


@pytest.mark.parametrize("command", _CODES)
@pytest.mark.parametrize("kind", _BAD_RAW)
def test_M15_names_that_are_no_utf8_are_refused(row: Row, kind: str, command: str) -> None:
    peer = row.connected()
    body = encode_amf(command, 5, None) + b"\x02" + len(_BAD_RAW[kind]).to_bytes(2, "big") + _BAD_RAW[kind]
    peer.send_message(COMMAND, body, stream=peer.open_stream())
    row.refuses(peer, _CODES[command], "bad_name")
    row.fails("bad_name")


_AWKWARD = [
    *("two words", 'it\'s "quoted"', "<b>&amp;", "a|b", "a#b", "100%", "%2e%2e%2f", "%0d%0a", "\U0001f600", "a‮b"),
    *("a\xa0b", "clip.flv", "clip.pubproxy", "clip.lss1", "a/b", "…"),
]


@pytest.mark.parametrize("name", [*_AWKWARD], ids=ascii)
def test_M16_awkward_names_are_usable(row: Row, name: str) -> None:
    publisher, player = row.publisher(name), row.player(name)
    publisher.media(VIDEO, video(4))
    player.wait(lambda: player.received(VIDEO) == [video(4)], "the frame")
    assert key_of(row, publisher) == ("_", "live", name)
    assert b"<b>&amp;" not in row.server.http("/streams?format=html")
    publisher.close()
    player.wait_closed(0.5)


@pytest.mark.parametrize(
    ("name", "tc_url", "expected"),
    [
        ("s?vhost=v.example&wshost=w&domain=d", "rtmp://h/live", ("v.example", "live", "s")),
        ("s?wshost=w.example&domain=d", "rtmp://h/live", ("w.example", "live", "s")),
        ("s?domain=d.example", "rtmp://h/live", ("d.example", "live", "s")),
        ("s?vhost=a.example&vhost=b.example", "rtmp://h/live", ("b.example", "live", "s")),
        ("s?vhost=b.example:1935", "rtmp://h/live", ("b.example", "live", "s")),
        ("s?vhost=", "rtmp://h.example/live", ("h.example", "live", "s")),
        ("s", "rtmp://h.example/live?vhost=q.example", ("q.example", "live", "s")),
        ("s?app=other", "rtmp://localhost/live", ("_", "other", "s")),
        ("s?app=one&app=two", "rtmp://localhost/live", ("_", "two", "s")),
        ("a/b", "rtmp://localhost/v", ("_", "v", "a/b")),
    ],
)
def test_M17_parameters_name_the_stream_by_precedence(
    row: Row, name: str, tc_url: str, expected: tuple[str, str, str]
) -> None:
    peer = row.connected(tcUrl=tc_url)
    peer.open_stream()
    peer.publish(name)
    assert key_of(row, peer) == expected
    peer.command(0, "deleteStream", 0, None, peer.stream)
    row.stays_open(peer)


@pytest.mark.parametrize("command", _CODES)
@pytest.mark.parametrize("query", ["vhost=a/b", "app=a/b", "app=.."])
def test_M17_values_with_a_slash_are_refused(row: Row, query: str, command: str) -> None:
    row.refuses(ask(row, command, f"s?{query}"), _CODES[command], "bad_name")
    row.fails("bad_name")


def test_M17_keys_are_compared_as_triples(row: Row) -> None:
    first = row.connected(tcUrl="rtmp://localhost/live")
    first.open_stream()
    first.publish("b?vhost=v.example&app=a")
    player = row.connected(tcUrl="rtmp://localhost/live")
    player.command(player.open_stream(), "play", 4, None, "a/b?vhost=v.example&app=live")
    player.wait(lambda: _NOT_FOUND in player.statuses, _NOT_FOUND)
    row.fails("not_found")


def test_headers_of_both_media_reach_a_late_player(row: Row) -> None:
    publisher = row.publisher(name := row.arena.new_name())
    publisher.media(AUDIO, AAC_SEQUENCE_HEADER)
    publisher.media(VIDEO, AVC_SEQUENCE_HEADER)
    publisher.media(VIDEO, video(1))
    publisher.media(AUDIO, audio(1))
    publisher.send(control(3, bytes(4)))
    time.sleep(0.01)
    player = row.player(name)
    player.wait(lambda: player.received(AUDIO) == [AAC_SEQUENCE_HEADER, audio(1)], "the sound")
    assert player.received(VIDEO) == [AVC_SEQUENCE_HEADER, video(1)]
