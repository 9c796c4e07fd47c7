"""Publishers and players that disturb others, with RTMP players."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.harness.accounting import AVC_SEQUENCE_HEADER
from tests.harness.clock import deadline, wait_until_sync
from tests.harness.portable import needs_linux
from tests.hostile._arena import Row
from tests.hostile._wire import AUDIO, COMMAND, VIDEO, RawPeer, audio, encode_amf, message, video

_UNPUBLISHED = "NetStream.Play.UnpublishNotify"
_CROWD = 1000


def name_of(row: Row, publisher: RawPeer) -> str:
    (found,) = [each for each in row.server.streams() if each["publisher"] == publisher.name]
    return str(found["stream"])


@pytest.mark.once
def test_Q1_publisher_that_sends_nothing_ends_and_frees_its_name(hasty: Row) -> None:
    name = hasty.arena.new_name()
    publisher, player = hasty.publisher(name), hasty.player(name)
    took_s = publisher.wait_closed(2.5)
    assert took_s >= 1.2, f"after {took_s:.2f} s"
    hasty.fails("publish_timeout")
    player.wait_closed(0.5)
    hasty.publisher(name)


@pytest.mark.once
def test_Q1_publisher_that_has_vanished_ends_and_frees_its_name(custom: Callable[..., Row]) -> None:
    """Nothing is acknowledged any more: here the window of a connection that plays as well is full, and stays so."""
    row = custom("-publish_normal_timeout_ms=1000", "-publish_ping_timeout_ms=500", "-send_timeout_ms=60000")
    feeder, other = row.pair()
    name = row.arena.new_name()
    publisher = row.connected(receive_buffer=4096)
    publisher.play(name_of(row, feeder), publisher.open_stream())
    publisher.publish(name, publisher.open_stream())
    publisher.media(VIDEO, video(1))
    player = row.player(name)
    player.wait(lambda: player.received(VIDEO), "a frame")
    began = time.monotonic()
    number = 1
    while _UNPUBLISHED not in player.statuses and time.monotonic() - began < deadline(4):
        number += 1
        feeder.media(VIDEO, video(number, size=100_000), at=number * 40)
        other.settle(0.02)
        player.settle(0.02)
    took_s = time.monotonic() - began
    assert _UNPUBLISHED in player.statuses and took_s >= 1.2, f"{player.statuses} after {took_s:.2f} s"
    row.fails("publish_timeout")
    row.publisher(name)


@pytest.mark.once
@pytest.mark.parametrize(
    "does_answer",
    [pytest.param(True, id="answers-pings"), pytest.param(False, id="reads-nothing", marks=needs_linux)],
)
def test_Q1_silent_publisher_that_is_there_stays(hasty: Row, does_answer: bool) -> None:
    """A slide show: several times the time-out between pictures, and no sound. ffmpeg reads only while it writes."""
    name = hasty.arena.new_name()
    publisher, player = hasty.publisher(name), hasty.player(name)
    publisher.media(VIDEO, video(0))
    player.wait(lambda: player.received(VIDEO), "the first slide")
    if not does_answer:
        publisher.settle(0.1)
    for number in range(1, 4):
        until = time.monotonic() + 3
        while time.monotonic() < until:
            player.settle(0.1)
            if does_answer:
                publisher.settle(0.01)
                for body in [body for body in publisher.received(4) if body[:2] == b"\0\6"]:
                    publisher.send_message(4, b"\0\7" + body[2:], csid=2)
                publisher.inbox.messages.clear()
        publisher.media(VIDEO, video(number), at=number * 3000)
        player.wait(lambda number=number: player.received(VIDEO)[-1:] == [video(number)], "the next slide")
    assert _UNPUBLISHED not in player.statuses
    # The publisher of the row before falls silent when that row ends, and its end may stand in this one's log.
    ended = [line for line in hasty.new_log.splitlines() if "publish_timeout" in line and f"/{name}]" in line]
    assert not ended, ended


@pytest.mark.once
def test_Q1_silence_may_be_bounded(custom: Callable[..., Row]) -> None:
    row = custom("-publish_normal_timeout_ms=500", "-publish_silent_timeout_ms=2000")
    publisher, _ = row.pair()
    assert publisher.wait_closed(4.0) >= 1.5
    row.fails("publish_timeout")


@pytest.mark.once
def test_Q2_stall_shorter_than_the_timeout_resets_nothing(hasty: Row) -> None:
    publisher, player = hasty.pair()
    time.sleep(0.7)
    publisher.media(VIDEO, video(1, is_keyframe=False), at=700)
    player.wait(lambda: player.received(VIDEO) == [video(1, is_keyframe=False)], "the frame after the stall")
    for number in range(16):  # sound goes on, the picture stops
        publisher.media(AUDIO, audio(number), at=700 + number * 100)
        player.settle(0.1)
    assert len(player.received(AUDIO)) == 16
    assert not player.is_closed and _UNPUBLISHED not in player.statuses


@pytest.mark.parametrize("peers", [1, 2])
def test_Q3_fast_publishes_leave_nothing_behind(row: Row, peers: int) -> None:
    name = row.arena.new_name()
    publishers = [row.connected() for _ in range(peers)]
    for number in range(100):
        publisher = publishers[number % peers]
        publisher.open_stream()
        publisher.publish(name)
        header = AVC_SEQUENCE_HEADER[:-1] + bytes((number,))
        publisher.media(VIDEO, header)
        publisher.media(VIDEO, video(number))
        if number == 99:
            player = row.player(name)
            player.wait(lambda player=player: len(player.received(VIDEO)) == 2, "header and frame")
            assert player.received(VIDEO) == [header, video(99)]
            break
        publisher.command(0, "FCUnpublish", 0, None, name)
        publisher.command(0, "deleteStream", 0, None, publisher.stream)
        publisher.wait(lambda publisher=publisher: "NetStream.Unpublish.Success" in publisher.statuses, "the end")
        row.stays_open(publisher)
        publisher.inbox.messages.clear()
        # What stays_open made is idle, and bounded.
        publisher.command(0, "deleteStream", 0, None, publisher.stream + 1)
    (found,) = [each for each in row.server.streams() if each["stream"] == name]
    assert found["next_index"] == 1, "numbering of an earlier life"
    publisher.command(0, "FCUnpublish", 0, None, name)
    player.wait_closed(0.5)
    assert not [each for each in row.server.streams() if each["stream"] == name]


def assert_frames_whole(player: RawPeer, sent: dict[bytes, int]) -> list[int]:
    """Numbers of the frames received; each must be one of ``sent``."""
    return [sent[body] for body in player.received(VIDEO)]


@pytest.mark.once
def test_Q4_slow_player_jumps_to_a_keyframe_and_harms_nobody(custom: Callable[..., Row]) -> None:
    row = custom("-queue_length_s=1", "-log_retain_ms=2000", "-send_timeout_ms=20000")
    publisher, healthy = row.pair()
    slow = row.player(name_of(row, publisher), receive_buffer=4096)
    before_kb = row.server.rss_kb
    sent: dict[bytes, int] = {video(0): 0}
    for number in range(1, 101):
        body = video(number, is_keyframe=number % 10 == 0, size=100_000)
        sent[body] = number
        publisher.media(VIDEO, body, at=number * 40)
        healthy.wait(lambda number=number: len(healthy.received(VIDEO)) == number, "every frame", 1.0)
        time.sleep(0.02)
        if number % 5 == 0:
            slow.inbox.feed(slow.receive(0.01))  # some of it, much too late
    assert assert_frames_whole(healthy, sent) == list(range(1, 101))
    assert row.server.counters()["player_jump_count"] > 0
    assert row.server.rss_kb - before_kb < 32 * 1024
    last = max(sent, key=lambda body: sent[body])
    slow.wait(lambda: last in slow.received(VIDEO), "the newest frame", 5.0)
    numbers = assert_frames_whole(slow, sent)
    assert numbers == sorted(set(numbers)), "doubled or out of order"
    gaps = [after for before, after in pairwise(numbers) if after != before + 1]
    assert gaps and all(number % 10 == 0 for number in gaps), gaps


@pytest.mark.once
def test_Q5_player_that_never_reads_is_closed(hasty: Row) -> None:
    publisher, healthy = hasty.pair()
    stuck = hasty.player(name_of(hasty, publisher), receive_buffer=4096)
    began = time.monotonic()
    number = 0
    while time.monotonic() - began < deadline(4) and "reason=slow_player" not in hasty.new_log:
        number += 1
        publisher.media(VIDEO, video(number, is_keyframe=number % 5 == 0, size=300_000), at=number * 40)
        healthy.wait(lambda number=number: len(healthy.received(VIDEO)) == number, "every frame")
        healthy.settle(0.05)
    hasty.logs("slow_player", stuck, "W")
    hasty.fails("slow_player")
    assert time.monotonic() - began >= 1.5


@pytest.mark.once
def test_Q6_player_that_pauses_reading_loses_nothing(row: Row) -> None:
    publisher, player = row.pair()
    lazy = row.player(name_of(row, publisher), receive_buffer=4096)
    lazy.wait(lambda: lazy.received(VIDEO), "the first frame")
    lazy.forget_media()
    bodies = []
    for number in range(1, 76):
        body = video(number, is_keyframe=number % 25 == 0, size=20_000)
        bodies.append(body)
        publisher.media(VIDEO, body, at=number * 40)
        player.settle(0.04)
    lazy.wait(lambda: len(lazy.received(VIDEO)) == len(bodies), "all of it", 3.0)
    assert lazy.received(VIDEO) == bodies


def whole_play(name: str) -> bytes:
    """A player's whole side in one piece, in the form without a handshake."""
    out = b"\x03BDMS" + message(COMMAND, encode_amf("connect", 1, {"app": "live", "tcUrl": "rtmp://localhost/live"}))
    out += message(COMMAND, encode_amf("createStream", 2, None))
    return out + message(COMMAND, encode_amf("play", 3, None, name), stream=1)


@pytest.mark.once
def test_Q7_Q8_a_thousand_players_come_and_vanish_at_once(row: Row) -> None:
    publisher, _ = row.pair()
    publisher.media(VIDEO, video(1, size=10_000))
    name = name_of(row, publisher)
    before_kb, players_before = row.server.rss_kb, row.server.counters()["player_count"]
    crowd = [row.raw() for _ in range(_CROWD)]
    began = time.monotonic()
    for each in crowd:
        each.send(whole_play(name))
    took = []
    for each in crowd:
        each.wait(lambda each=each: each.received(VIDEO), "the first frame", 5.0)
        took.append(time.monotonic() - began)
    assert took[_CROWD * 99 // 100] <= deadline(2), f"p99 {took[_CROWD * 99 // 100]:.2f} s"
    assert all(each.received(VIDEO)[0] == video(1, size=10_000) for each in crowd)
    assert row.server.counters()["player_count"] == players_before + _CROWD
    assert row.server.rss_kb - before_kb < 64 * 1024
    for each in crowd:
        each.reset()
    wait_until_sync(
        lambda: row.server.counters()["player_count"] == players_before, deadline(2), "the crowd to be gone"
    )
    row.assert_loop_was_free()


@pytest.mark.parametrize("farewell", ["deleteStream", "FCUnpublish"])
def test_Q10_media_after_the_end_are_ignored_and_a_new_name_may_follow(row: Row, farewell: str) -> None:
    publisher, player = row.pair()
    name = name_of(row, publisher)
    publisher.command(0, farewell, 0, None, publisher.stream if farewell == "deleteStream" else name)
    publisher.media(VIDEO, video(66))
    publisher.media(VIDEO, video(67))
    player.wait_closed(0.5)
    assert not player.received(VIDEO)
    assert not [each for each in row.server.streams() if each["publisher"] == publisher.name]
    row.notes("media_no_stream")
    publisher.open_stream()
    publisher.publish(other := row.arena.new_name())
    publisher.media(VIDEO, video(1))
    second = row.player(other)
    second.wait(lambda: second.received(VIDEO) == [video(1)], "a frame under the new name")


def test_player_of_two_streams_gets_both(row: Row) -> None:
    publisher, player = row.pair()
    player.play("canary", player.open_stream())
    publisher.media(VIDEO, video(1))
    player.wait(lambda: video(1) in player.received(VIDEO), "the first stream's frame")
    player.wait(lambda: len({each.message_stream_id for each in player.messages if each.type_id == VIDEO}) == 2, "both")
    assert struct.pack(">HI", 0, player.stream) in player.received(4)
