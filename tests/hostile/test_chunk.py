"""Chunk headers, sizes and control messages."""

from __future__ import annotations

import random
import struct
import threading
import time
from itertools import pairwise
from typing import Any

import pytest

from tests.harness.accounting import back_steps
from tests.harness.clock import deadline, wait_until_sync
from tests.hostile._arena import Row
from tests.hostile._wire import AUDIO, COMMAND, DATA, VIDEO, RawPeer, audio, basic, chunk, control, message, video
from tests.hostile._wire import encode_amf as amf

SET_CHUNK_SIZE, ABORT, ACK, USER_CONTROL, WINDOW, BANDWIDTH, AGGREGATE = 1, 2, 3, 4, 5, 6, 22
_PING, _PONG = 6, 7


def u32(value: int) -> bytes:
    return struct.pack(">I", value)


def frames_at(player: RawPeer, type_id: int = VIDEO) -> list[bytes]:
    return player.received(type_id)


def assert_arrive(player: RawPeer, type_id: int, bodies: list[bytes], within_s: float = 2.0) -> None:
    """Those bodies, byte by byte and in that order, nothing between them."""
    player.wait(lambda: len(player.received(type_id)) >= len(bodies), f"{len(bodies)} messages", within_s)
    assert player.received(type_id)[: len(bodies)] == bodies


@pytest.mark.parametrize("chunk_stream_id", [3, 64, 319, 320, 65599])
@pytest.mark.parametrize("fmt", [2, 3])
def test_C1_compressed_header_without_an_earlier_one_closes(row: Row, fmt: int, chunk_stream_id: int) -> None:
    peer = row.shaken()
    peer.send(chunk(fmt, chunk_stream_id) + bytes(40))
    row.closes(peer, "chunk_no_header")


def test_C2_type_1_on_a_fresh_chunk_stream_is_read_with_zeros(row: Row) -> None:
    peer = row.connected()
    peer.send(chunk(1, 2, struct.pack(">HI", _PING, 99), type_id=USER_CONTROL))
    # Chunk stream 2 had its header with SetChunkSize in no session of ours, so this one is fresh.
    peer.wait(lambda: struct.pack(">HI", _PONG, 99) in peer.received(USER_CONTROL), "the pong")
    row.notes("chunk_fresh_fmt1")
    row.stays_open(peer)


@pytest.mark.parametrize("length", [300, 100, 1000], ids=["same", "shorter", "longer"])
@pytest.mark.parametrize("fmt", [0, 1, 2])
def test_C3_header_inside_a_message_closes(row: Row, fmt: int, length: int) -> None:
    peer = row.shaken()
    peer.send(chunk(0, 3, bytes(128), length=300, type_id=VIDEO) + chunk(fmt, 3, bytes(128), length=length))
    row.closes(peer, "chunk_header_mid_message")


@pytest.mark.parametrize(
    "body",
    [u32(0), u32(1), u32(127), u32(1 << 31), u32(0xFFFFFFFF), b"\x00\x10\x00", b"\x00\x00\x10\x00\x00", bytes(33)],
    ids=["0", "1", "127", "2^31", "2^32-1", "3-bytes", "5-bytes", "33-bytes"],
)
def test_C4_bad_chunk_size_closes(row: Row, body: bytes) -> None:
    peer = row.shaken()
    peer.send(control(SET_CHUNK_SIZE, body))
    row.closes(peer, "chunk_size")


@pytest.mark.parametrize("size", [128, 129])
def test_C4_chunk_size_from_the_limit_on_is_used(row: Row, size: int) -> None:
    peer = row.connected()
    peer.set_chunk_size(size)
    peer.command(0, "createStream", 5, {"filler": "x" * 300})
    peer.wait(lambda: peer.replies(5), "the answer")


@pytest.mark.parametrize("size", [16777215, 16777216, 0x7FFFFFFF])
def test_C5_huge_chunk_size_is_accepted_and_costs_nothing(row: Row, size: int) -> None:
    before_kb = row.server.rss_kb
    publisher, player = row.pair()
    publisher.set_chunk_size(size)
    body = video(1, size=300_000)
    publisher.media(VIDEO, body)
    assert_arrive(player, VIDEO, [body])
    assert row.server.rss_kb - before_kb < 16 * 1024


def one_byte_chunks(body: bytes, csid: int, stream: int) -> bytes:
    """A message in chunks of one byte: a type-3 header before each byte but the first."""
    out = bytearray(len(body) * 2 - 1)
    out[0::2] = body
    out[1::2] = bytes((0xC0 | csid,)) * (len(body) - 1)
    return chunk(0, csid, type_id=VIDEO, length=len(body), stream=stream) + bytes(out)


@pytest.mark.once
def test_C6_chunks_of_one_byte_starve_nobody(roomy: Row) -> None:
    publisher, player = roomy.pair()
    body = video(1, size=10_000_000)
    publisher.set_chunk_size(1)
    publisher.send(one_byte_chunks(body, 6, publisher.stream))
    assert_arrive(player, VIDEO, [body], 20.0)
    roomy.assert_loop_was_free()


@pytest.mark.parametrize("length", [10485761, 0xFFFFFF])
def test_C7_length_above_the_cap_closes_at_the_header(row: Row, length: int) -> None:
    peer = row.shaken()
    peer.send(chunk(0, 4, length=length, type_id=VIDEO))
    row.closes(peer, "message_too_big")


@pytest.mark.parametrize("length", [10485759, 10485760])
def test_C7_length_up_to_the_cap_is_waited_for(row: Row, length: int) -> None:
    peer = row.shaken()
    peer.send(chunk(0, 4, bytes(100), length=length, type_id=VIDEO))
    peer.settle(0.1)
    assert not peer.is_closed


@pytest.mark.once
def test_C8_dripped_message_times_out_and_holds_what_came(hasty: Row) -> None:
    publisher = hasty.publisher()
    before_kb = hasty.server.rss_kb
    began = time.monotonic()
    publisher.send(chunk(0, 6, b"\x17", length=10485760, type_id=VIDEO, stream=publisher.stream))
    while time.monotonic() - began < 0.4:
        publisher.send(b"x")
        time.sleep(0.05)
    assert hasty.server.rss_kb - before_kb < 2048
    hasty.closes(publisher, "message_timeout", within_s=0.5)


def test_C9_many_unfinished_messages_overflow_their_common_cap(row: Row) -> None:
    peer = row.shaken()
    peer.set_chunk_size(65536)
    piece = bytes(65536)
    for number in range(257):
        peer.send(chunk(0, 64 + number, piece, length=100_000, type_id=VIDEO))
    row.closes(peer, "partial_overflow")
    row.wait_gone()


def test_C9_unfinished_messages_up_to_the_cap_are_held(row: Row) -> None:
    peer = row.shaken()
    peer.set_chunk_size(65536)
    for number in range(255):
        peer.send(chunk(0, 64 + number, bytes(65536), length=100_000, type_id=VIDEO))
    peer.settle(0.1)
    assert not peer.is_closed
    row.wait_gone()


@pytest.mark.parametrize("count", [1023, 1024, 1025])
def test_C10_distinct_chunk_streams_are_counted(row: Row, count: int) -> None:
    peer = row.shaken()
    # Each carries an acknowledgement, which does no harm.
    peer.send(b"".join(chunk(0, 2 + number, u32(0), type_id=ACK) for number in range(count)))
    if count > 1024:
        row.closes(peer, "too_many_chunk_streams")
    else:
        peer.connect()
    row.notes("ctrl_misplaced", min(count, 1024) - 1)


def test_C10_all_forms_of_an_id_share_their_state(row: Row) -> None:
    peer = row.connected()
    body = amf("createStream", 9, None, "x" * 200)
    head = basic(0, 64, 2) + bytes(3) + len(body).to_bytes(3, "big") + bytes((COMMAND,)) + bytes(4)
    peer.send(head + body[:128] + basic(3, 64, 3) + body[128:])
    peer.wait(lambda: peer.replies(9), "the answer")
    # A one-byte form exists for ids 2-63 only: two- and three-byte forms of 64 stand for one id.
    peer.send(basic(2, 64, 3) + bytes(3) + body[:128] + basic(3, 64, 2) + body[128:])
    peer.wait(lambda: len(peer.replies(9)) == 2, "the second answer")


def test_C10_ids_from_64_on_alone_are_legal(row: Row) -> None:
    peer = row.shaken()
    asked = amf("connect", 1, {"app": "live", "tcUrl": "rtmp://localhost/live"})
    peer.send(message(COMMAND, asked, csid=300))
    peer.wait(lambda: peer.replies(1), "the answer")
    peer.send(message(COMMAND, amf("createStream", 2, None), csid=65599))
    peer.wait(lambda: peer.replies(2), "the answer")


@pytest.mark.parametrize(("csid", "stream"), [(5, 0), (2, 1), (5, 1)])
def test_C11_misplaced_control_is_honoured_and_counted(row: Row, csid: int, stream: int) -> None:
    peer = row.connected()
    peer.send(control(SET_CHUNK_SIZE, u32(4096), csid=csid, stream=stream))
    peer.chunk_size = 4096
    peer.command(0, "createStream", 4, {"filler": "x" * 1000})
    peer.wait(lambda: peer.replies(4), "the answer")
    row.notes("ctrl_misplaced")


@pytest.mark.parametrize("repeats", [True, False], ids=["repeated", "not-repeated"])
@pytest.mark.parametrize("value", [0x1000000, 0xFFFFFF, 0x123456, 0x80000005], ids=hex)
def test_C12_extended_timestamp_leaves_frames_exact(row: Row, value: int, repeats: bool) -> None:
    publisher, player = row.pair()
    publisher.set_chunk_size(128)
    bodies = [video(n, size=500, is_keyframe=False) for n in range(3)]
    # Payload that looks like the field, where the second chunk begins.
    bodies[1] = bodies[1][:128] + u32(value if repeats else 0x55555555) + bodies[1][132:]
    for fmt, body in zip((0, 1, 2), bodies, strict=True):
        # Types 1 and 2 give a delta there; the absolute time is read as such when it is near.
        head = chunk(fmt, 6, type_id=VIDEO, length=500, stream=publisher.stream, at=0xFFFFFF, extended=value)
        again = u32(value) if repeats else b""
        pieces = [head + body[:128]]
        pieces += [chunk(3, 6) + again + body[at : at + 128] for at in range(128, 500, 128)]
        publisher.send(b"".join(pieces))
    publisher.media(AUDIO, audio(1))
    assert_arrive(player, VIDEO, bodies)
    player.wait(lambda: player.received(AUDIO), "the sound behind them")


def timeline(player: RawPeer, *types: int) -> list[int]:
    return [each.timestamp for each in player.messages if each.type_id in (types or (AUDIO, VIDEO))]


@pytest.mark.parametrize(
    "times",
    [
        pytest.param([10_000, 10_040, 10_039, 10_079], id="back-1ms"),
        pytest.param([4_000_000, 4_000_040, 400_000, 400_040], id="back-1h"),
        pytest.param([0x7FFFFFD8, 0x80000000, 0x80000028, 0x80000050], id="wrap-2^31"),
        pytest.param([0xFFFFFFB0, 0xFFFFFFD8, 0, 40], id="wrap-2^32"),
        pytest.param([0, 40, 3_600_040, 3_600_080], id="forward-1h"),
    ],
)
def test_C13_strange_timestamps_give_a_timeline_that_never_goes_back(row: Row, times: list[int]) -> None:
    publisher, player = row.pair(is_started=False)
    for number, at in enumerate(times):
        publisher.media(VIDEO, video(number, is_keyframe=number == 0), at=at)
        publisher.media(AUDIO, audio(number), at=at)
    player.wait(lambda: len(player.received(AUDIO)) == len(times), "all frames")
    for type_id in (AUDIO, VIDEO):
        line = timeline(player, type_id)
        assert len(line) == len(times) and not back_steps(line), line
        assert max(later - earlier for earlier, later in pairwise(line)) <= 5000, line


def test_C13_bases_hours_apart_do_not_tear_sound_from_picture(row: Row) -> None:
    publisher, player = row.pair(is_started=False)
    for number in range(5):
        publisher.media(VIDEO, video(number, is_keyframe=number == 0), at=number * 40)
        publisher.media(AUDIO, audio(number), at=20_000_000 + number * 40)
    player.wait(lambda: len(player.received(AUDIO)) == 5, "all frames")
    assert not back_steps(timeline(player, AUDIO)) and not back_steps(timeline(player, VIDEO))
    assert max(timeline(player)) - min(timeline(player)) <= 5000


@pytest.mark.once
def test_C13_a_hundred_thousand_frames_without_progress_are_evicted(row: Row) -> None:
    publisher, player = row.pair()
    reader = threading.Thread(target=player.settle, args=(1.5,))
    reader.start()
    head = chunk(0, 4, audio(1, 4), type_id=AUDIO, stream=publisher.stream)
    publisher.send(head + chunk(3, 4, audio(1, 4)) * 99_999)

    def found() -> dict[str, Any]:
        return next(each for each in row.server.streams() if each["publisher"] == publisher.name)

    wait_until_sync(lambda: found()["next_index"] > 100_000, deadline(5), "100 000 frames")
    assert found()["frames_held"] <= 32768 + 64
    reader.join()
    assert len(player.received(AUDIO)) > 1000
    assert not back_steps(timeline(player, AUDIO))


def test_C14_abort_drops_the_partial_message(row: Row) -> None:
    publisher, player = row.pair()
    publisher.send(chunk(0, 6, b"\x17" * 65536, length=200_000, type_id=VIDEO, stream=publisher.stream))
    publisher.send(control(ABORT, u32(6)))
    body = video(7)
    publisher.media(VIDEO, body)
    assert_arrive(player, VIDEO, [body])


@pytest.mark.parametrize("chunk_stream_id", [40, 2], ids=["idle", "its-own"])
def test_C14_abort_of_nothing_is_ignored(row: Row, chunk_stream_id: int) -> None:
    peer = row.connected()
    peer.send(control(ABORT, u32(chunk_stream_id)))
    row.stays_open(peer)
    row.notes("abort_idle")


@pytest.mark.parametrize("chunk_stream_id", [65600, 0xFFFFFFFF])
def test_C14_abort_of_an_impossible_id_closes(row: Row, chunk_stream_id: int) -> None:
    peer = row.shaken()
    peer.send(control(ABORT, u32(chunk_stream_id)))
    row.closes(peer, "ctrl_value")


@pytest.mark.parametrize(("window", "most"), [(0, 0), (1, 12), (0xFFFFFFFF, 0)])
def test_C15_windows_of_the_peer_bound_the_acknowledgements(row: Row, window: int, most: int) -> None:
    peer = row.connected()
    peer.send(control(WINDOW, u32(window)))
    for number in range(10):
        peer.send(control(ACK, u32(number)) * 100)
        time.sleep(0.005)
    row.stays_open(peer)
    count = len(peer.received(ACK))
    assert count <= most, f"{count} acknowledgements"
    assert count > 0 or not most


@pytest.mark.parametrize("number", [0xFFFFFFFF, 1 << 30, 0])
def test_C16_acknowledgements_of_anything_are_ignored(row: Row, number: int) -> None:
    peer = row.connected()
    peer.send(control(ACK, u32(number)) + control(ACK, u32(5)) * 1000)
    row.stays_open(peer)


def test_C16_unknown_limit_type_is_ignored(row: Row) -> None:
    peer = row.connected()
    before = len(peer.received(WINDOW))
    peer.send(control(BANDWIDTH, u32(1000) + b"\x07"))
    row.stays_open(peer)
    assert len(peer.received(WINDOW)) == before


@pytest.mark.parametrize(
    ("type_id", "size"), [(ACK, 3), (ACK, 5), (WINDOW, 3), (WINDOW, 5), (BANDWIDTH, 4), (BANDWIDTH, 6), (ABORT, 3)]
)
def test_C16_control_body_of_a_wrong_size_closes(row: Row, type_id: int, size: int) -> None:
    peer = row.connected()
    peer.send(control(type_id, bytes(size)))
    row.closes(peer, "ctrl_size")


@pytest.mark.parametrize("event", [0, 1, 2, 4, 9, 26, 31, 32, 0xFFFF])
def test_C17_unknown_and_server_events_are_ignored(row: Row, event: int) -> None:
    peer = row.connected()
    peer.send(control(USER_CONTROL, struct.pack(">HI", event, 1)))
    row.stays_open(peer)
    row.notes("user_control")


@pytest.mark.parametrize("size", [1, 33])
def test_C17_event_of_a_wrong_size_closes(row: Row, size: int) -> None:
    peer = row.connected()
    peer.send(control(USER_CONTROL, bytes(size)))
    row.closes(peer, "ctrl_size")


def test_C17_pings_are_answered_ten_times_a_second(row: Row) -> None:
    peer = row.connected()
    peer.send(control(USER_CONTROL, struct.pack(">HI", _PING, 1)) * 500)
    row.stays_open(peer)
    pongs = [body for body in peer.received(USER_CONTROL) if body[1] == _PONG]
    assert 10 <= len(pongs) <= 20  # 20 when a second of the server's turned in between


def test_C17_flood_of_pings_closes(row: Row) -> None:
    peer = row.connected()
    peer.send(control(USER_CONTROL, struct.pack(">HI", _PING, 1)) * 10_000)
    row.closes(peer, "ping_flood", within_s=0.5)


@pytest.mark.parametrize("type_id", [0, 7, 10, 11, 12, 13, 14, 21, 23, 100, 255])
def test_C18_unknown_types_are_ignored_twenty_times(row: Row, type_id: int) -> None:
    peer = row.connected()
    peer.send(message(type_id, b"?", csid=9) * 20)
    row.stays_open(peer)
    row.notes("unknown_type", 21)
    peer.send(message(type_id, b"?", csid=9))
    row.closes(peer, "too_many_unknown")


def tag(type_id: int, body: bytes, at: int = 0, length: int | None = None) -> bytes:
    """A sub-message of an aggregate (RTMP 1.0 §7.1.6)."""
    size = len(body) if length is None else length
    return bytes((type_id,)) + size.to_bytes(3, "big") + at.to_bytes(3, "big") + bytes(4) + body + u32(size + 11)


def test_C19_aggregate_past_its_end_closes(row: Row) -> None:
    publisher = row.publisher()
    publisher.media(AGGREGATE, tag(AUDIO, audio(1), length=500))
    row.closes(publisher, "aggregate_bounds")


def test_C19_aggregate_inside_an_aggregate_closes(row: Row) -> None:
    publisher = row.publisher()
    publisher.media(AGGREGATE, tag(AGGREGATE, tag(AUDIO, audio(1))))
    row.closes(publisher, "aggregate_nested")


def test_C19_a_hundred_thousand_empty_parts_cost_little(row: Row) -> None:
    publisher, player = row.pair()
    publisher.media(AGGREGATE, tag(AUDIO, b"") * 100_000 + tag(VIDEO, video(1)))
    assert_arrive(player, VIDEO, [video(1)])
    row.assert_loop_was_free()


def test_C19_command_inside_is_ignored_and_frames_pass(row: Row) -> None:
    publisher, player = row.pair()
    ends = tag(COMMAND, amf("deleteStream", 0, None, publisher.stream))
    publisher.media(AGGREGATE, b"")
    publisher.media(AGGREGATE, ends + tag(VIDEO, video(1)) + tag(AUDIO, audio(2)))
    assert_arrive(player, VIDEO, [video(1)])
    assert_arrive(player, AUDIO, [audio(2)])


def test_C20_interleaved_chunk_streams_and_a_new_size_between(row: Row) -> None:
    publisher, player = row.pair()
    publisher.set_chunk_size(128)
    bodies = {csid: video(csid, size=700, is_keyframe=False) for csid in (6, 70, 400)}
    heads = {csid: chunk(0, csid, type_id=VIDEO, length=700, stream=publisher.stream, at=csid * 10) for csid in bodies}
    taken = dict.fromkeys(bodies, 0)
    out, size = b"", 128
    while any(done < 700 for done in taken.values()):
        for csid, body in bodies.items():
            if taken[csid] < 700:
                out += (heads.pop(csid, b"") or chunk(3, csid)) + body[taken[csid] : taken[csid] + size]
                taken[csid] += size
            if csid == 70 and size < 300:
                size += 50
                out += control(SET_CHUNK_SIZE, u32(size))
    publisher.send(out)
    player.wait(lambda: len(player.received(VIDEO)) == 3, "three frames")
    assert sorted(player.received(VIDEO)) == sorted(bodies.values())


@pytest.mark.parametrize("type_id", [AUDIO, VIDEO, DATA, 15])
def test_C21_empty_media_are_ignored(row: Row, type_id: int) -> None:
    publisher, player = row.pair()
    publisher.media(type_id, b"")
    publisher.media(VIDEO, video(3))
    assert_arrive(player, VIDEO, [video(3)])
    assert not [each for each in player.messages if not each.payload]
    if type_id in (AUDIO, VIDEO):
        row.notes("media_short")


@pytest.mark.parametrize("type_id", [COMMAND, 17])
def test_C21_empty_command_closes(row: Row, type_id: int) -> None:
    peer = row.connected()
    peer.send_message(type_id, b"")
    row.closes(peer, "amf_malformed")


@pytest.mark.parametrize("type_id", [SET_CHUNK_SIZE, ABORT, ACK, USER_CONTROL, WINDOW, BANDWIDTH])
def test_C21_empty_control_closes(row: Row, type_id: int) -> None:
    peer = row.connected()
    peer.send(control(type_id, b""))
    row.closes(peer, "ctrl_size")


@pytest.mark.parametrize("stream", [0, 99])
def test_C22_media_on_no_stream_are_ignored_up_to_a_mebibyte(row: Row, stream: int) -> None:
    peer = row.connected()
    peer.set_chunk_size(65536)
    for _ in range(16):
        peer.send_message(VIDEO, bytes(65536), csid=6, stream=stream)
    row.stays_open(peer)
    assert not any(each["publisher"] == peer.name for each in row.server.streams())
    row.notes("media_no_stream")
    peer.send_message(VIDEO, b"x", csid=6, stream=stream)
    row.closes(peer, "media_no_stream")


@pytest.mark.parametrize("where", ["zero", "never-created", "playing", "unused"])
def test_C22_media_are_taken_for_the_only_publish(row: Row, where: str) -> None:
    publisher, player = row.pair()
    publishing = publisher.stream
    if where in ("playing", "unused"):
        other = publisher.open_stream()
        if where == "playing":
            publisher.play("canary", other)
    stream = {"zero": 0, "never-created": 99}.get(where, publisher.stream)
    bodies = [video(number) for number in range(1, 21)]
    for number, body in enumerate(bodies):
        publisher.send_message(VIDEO, body, csid=6, stream=stream or 0, at=number * 40)
    assert_arrive(player, VIDEO, bodies)
    assert publishing != stream
    row.notes("media_wrong_stream")


def test_C22_media_that_two_publishes_may_own_are_ignored(row: Row) -> None:
    publisher, player = row.pair()
    publisher.publish(row.arena.new_name(), publisher.open_stream())
    publisher.send_message(VIDEO, video(66), csid=6, stream=0)
    publisher.media(VIDEO, video(1), stream=publisher.stream - 1)
    assert_arrive(player, VIDEO, [video(1)])
    row.notes("media_no_stream")


def test_C22_media_on_a_playing_stream_are_ignored(row: Row) -> None:
    publisher, player = row.pair()
    player.media(VIDEO, video(66))
    publisher.media(VIDEO, video(1))
    assert_arrive(player, VIDEO, [video(1)])
    row.notes("media_no_stream")


def golden_session(name: str, stream: int = 1) -> bytes:
    """Everything a publisher says before and after the handshake's answer, in one piece."""
    out = message(COMMAND, amf("connect", 1, {"app": "live", "tcUrl": "rtmp://localhost/live"}))
    out += control(SET_CHUNK_SIZE, u32(4096)) + message(COMMAND, amf("createStream", 2, None), chunk_size=4096)
    out += message(COMMAND, amf("publish", 3, None, name, "live"), stream=stream, chunk_size=4096)
    for number in range(20):
        body = video(number, is_keyframe=number % 5 == 0, size=5000 if number == 3 else 60)
        out += message(VIDEO, body, csid=6, stream=stream, at=number * 40, chunk_size=4096)
        out += message(AUDIO, audio(number), csid=4, stream=stream, at=number * 40, chunk_size=4096)
    return out + message(200, b"?", csid=9, chunk_size=4096) + chunk(2, 33)


@pytest.mark.parametrize("seed", range(4))
def test_C23_any_split_gives_the_same_events(row: Row, seed: int) -> None:
    rng = random.Random(seed)
    peer = row.shaken()
    data, at = golden_session(row.arena.new_name()), 0
    while at < len(data):
        size = rng.choice((1, 2, 3, 11, 128, 700, 5000))
        peer.send(data[at : at + size])
        at += size
        if rng.random() < 0.1:
            time.sleep(0.001)
    row.notes("unknown_type")
    row.closes(peer, "chunk_no_header")
    names = [each[0] for each in peer.commands]
    assert names == ["_result", "onBWDone", "_result", "onStatus"], names
    assert len(peer.received(ACK)) == 0
