"""Hostile media, as RTMP players see them."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable

import pytest

from tests.harness.accounting import AAC_SEQUENCE_HEADER, AVC_SEQUENCE_HEADER
from tests.harness.clock import deadline, wait_until_sync
from tests.harness.wire import decode_amf
from tests.hostile._arena import Row
from tests.hostile._wire import AUDIO, DATA, VIDEO, RawPeer, audio, encode_amf, message, video

HEVC_HEADER = b"\x1c\x00\x00\x00\x00\x01\x01\x60" + bytes(20)
HEVC_FRAME = b"\x1c\x01\x00\x00\x00" + struct.pack(">I", 4) + b"\x26\x01xx"
MP3_FRAME = b"\x2f\xff\xfb\x90\x00" + bytes(30)


def arrive(player: RawPeer, type_id: int, bodies: list[bytes], within_s: float = 2.0) -> None:
    """Exactly those bodies, in that order."""
    player.wait(lambda: len(player.received(type_id)) >= len(bodies), f"{len(bodies)} messages", within_s)
    assert player.received(type_id) == bodies, [body[:12] for body in player.received(type_id)]


def stream_of(row: Row, publisher: RawPeer) -> dict[str, object]:
    (found,) = [each for each in row.server.streams() if each["publisher"] == publisher.name]
    return found


def name_of(row: Row, publisher: RawPeer) -> str:
    return str(stream_of(row, publisher)["stream"])


def test_V1_frames_without_a_header_are_relayed(row: Row) -> None:
    publisher, player = row.pair()
    publisher.media(VIDEO, video(1))
    publisher.media(AUDIO, audio(1))
    arrive(player, VIDEO, [video(1)])
    arrive(player, AUDIO, [audio(1)])


def test_V2_codec_changes_bring_their_header_first(row: Row) -> None:
    publisher, player = row.pair()
    sent = [AVC_SEQUENCE_HEADER, video(1), HEVC_HEADER, HEVC_FRAME, AVC_SEQUENCE_HEADER, video(2)]
    sounds = [AAC_SEQUENCE_HEADER, audio(1), MP3_FRAME, AAC_SEQUENCE_HEADER, audio(2)]
    for number, body in enumerate(sounds):
        publisher.media(AUDIO, body, at=number * 40)
    for number, body in enumerate(sent):
        publisher.media(VIDEO, body, at=number * 40)
    arrive(player, VIDEO, sent)
    late = row.player(name_of(row, publisher))
    late.wait(lambda: late.received(VIDEO), "a frame")
    assert late.received(VIDEO)[0] == AVC_SEQUENCE_HEADER, "not the header of the newest keyframe"
    assert [body for body in player.received(AUDIO) if body != AAC_SEQUENCE_HEADER] == [audio(1), MP3_FRAME, audio(2)]


@pytest.mark.parametrize("type_id", [AUDIO, VIDEO])
@pytest.mark.parametrize("size", [0, 1])
def test_V3_bodies_too_short_for_a_frame_are_ignored(row: Row, type_id: int, size: int) -> None:
    publisher, player = row.pair()
    publisher.media(type_id, {AUDIO: b"\xaf", VIDEO: b"\x17"}[type_id][:size])
    publisher.media(VIDEO, video(1))
    arrive(player, VIDEO, [video(1)])
    assert not player.received(AUDIO)
    row.notes("media_short")


def test_V3_avc_packet_of_only_its_head_is_ignored(row: Row) -> None:
    publisher, player = row.pair()
    publisher.media(VIDEO, b"\x27\x01\x00\x00\x00")
    publisher.media(VIDEO, video(1))
    arrive(player, VIDEO, [video(1)])
    row.notes("media_short")


def test_V4_broken_units_and_records_are_relayed_untouched(row: Row) -> None:
    publisher, player = row.pair()
    head = b"\x27\x01\x00\x00\x00"
    frames = [head + struct.pack(">I", size) + b"\x41xyz" for size in (0, 0xFFFFFFFF, 100, 1)]
    records = [AVC_SEQUENCE_HEADER[:cut] for cut in range(6, len(AVC_SEQUENCE_HEADER))]
    records.append(AVC_SEQUENCE_HEADER[:10] + b"\xff" + AVC_SEQUENCE_HEADER[11:])  # 31 parameter sets announced
    records.append(AVC_SEQUENCE_HEADER[:11] + bytes(2) + AVC_SEQUENCE_HEADER[13:])  # of size 0
    sent = list(frames)
    for number, record in enumerate(records):
        sent += [record, video(number)]
    for number, body in enumerate(sent):
        publisher.media(VIDEO, body, at=number * 10)
    arrive(player, VIDEO, sent)
    assert row.server.http("/streams")


@pytest.mark.once
def test_V5_huge_keyframes_are_relayed_and_evicted_by_bytes(row: Row) -> None:
    publisher, player = row.pair()
    bodies = [video(number, size=9_000_000) for number in range(6)]
    for number, body in enumerate(bodies):
        publisher.media(VIDEO, body, at=number * 1000)
        player.wait(lambda body=body: player.received(VIDEO)[-1:] == [body], "the keyframe", 3.0)
    assert int(str(stream_of(row, publisher)["bytes_held"])) <= 33554432
    late = row.player(name_of(row, publisher))
    late.wait(lambda: late.received(VIDEO), "a keyframe", 3.0)
    assert late.received(VIDEO)[0] == bodies[-1]


@pytest.mark.once
def test_V6_newcomer_without_a_keyframe_begins_after_a_while(row: Row) -> None:
    publisher = row.publisher(name := row.arena.new_name())
    publisher.media(VIDEO, video(0, is_keyframe=False))
    player = row.player(name)
    began = time.monotonic()
    number = 0
    while time.monotonic() - began < deadline(6) and not player.received(VIDEO):
        number += 1
        publisher.media(VIDEO, video(number, is_keyframe=False), at=number * 40)
        player.settle(0.04)
    assert player.received(VIDEO), "waited for ever"
    assert time.monotonic() - began >= 4.5


@pytest.mark.parametrize("has_first", [True, False], ids=["once", "never"])
def test_V6_cache_without_keyframes_is_bounded(custom: Callable[..., Row], has_first: bool) -> None:
    row = custom("-max_cached_frames=1000")
    publisher = row.publisher()
    publisher.media(VIDEO, video(0, is_keyframe=has_first))
    body = b"".join(
        message(VIDEO, video(n, is_keyframe=False), csid=6, stream=publisher.stream, at=n * 40, chunk_size=65536)
        for n in range(1, 3001)
    )
    publisher.send(body)
    wait_until_sync(lambda: int(str(stream_of(row, publisher)["next_index"])) >= 3001, deadline(3), "3001 frames")
    assert int(str(stream_of(row, publisher)["frames_held"])) <= 1064


def test_V6_stream_of_keyframes_only_plays(row: Row) -> None:
    publisher, player = row.pair()
    bodies = [video(number) for number in range(1, 100)]
    for number, body in enumerate(bodies):
        publisher.media(VIDEO, body, at=number * 40)
    arrive(player, VIDEO, bodies)


@pytest.mark.parametrize("type_id", [AUDIO, VIDEO])
def test_V7_one_medium_alone_is_playable_within_a_second(row: Row, type_id: int) -> None:
    publisher = row.publisher(name := row.arena.new_name())
    header, body = (AAC_SEQUENCE_HEADER, audio(1)) if type_id == AUDIO else (AVC_SEQUENCE_HEADER, video(1))
    publisher.media(type_id, header)
    publisher.media(type_id, body)
    player = row.player(name)
    player.wait(lambda: player.received(type_id) == [header, body], "header and frame", 1.0)


def test_V7_second_medium_may_appear_late(row: Row) -> None:
    publisher, player = row.pair()
    publisher.media(VIDEO, video(1), at=60_000)
    publisher.media(AUDIO, AAC_SEQUENCE_HEADER, at=60_000)
    publisher.media(AUDIO, audio(1), at=60_010)
    arrive(player, AUDIO, [AAC_SEQUENCE_HEADER, audio(1)])
    arrive(player, VIDEO, [video(1)])


def test_V7_sound_alone_does_not_fill_the_memory(custom: Callable[..., Row]) -> None:
    row = custom("-log_retain_ms=1000")
    publisher = row.publisher()
    body = b"".join(
        message(AUDIO, audio(n), csid=4, stream=publisher.stream, at=n * 23, chunk_size=65536) for n in range(10_000)
    )
    publisher.send(body)
    wait_until_sync(lambda: int(str(stream_of(row, publisher)["next_index"])) >= 10_000, deadline(3), "10 000 frames")
    assert int(str(stream_of(row, publisher)["frames_held"])) <= 256


_ENHANCED = {
    "unknown-fourcc": b"\x91zzzz" + bytes(20),
    "fourcc-with-control-bytes": b"\x91\x00\x1b[3" + bytes(20),
    "truncated-fourcc": b"\x91hvc1",
    "chained-modifiers": b"\x97" + b"\x00\x00\x07" * 40 + b"hvc1" + bytes(10),
    "modifiers-without-end": b"\x97" + b"\x00\x00\x07" * 40,
    "modifier-of-64k": b"\x97\xff\xff\xff" + bytes(20),
    "multitrack-bad-size": b"\x96\x11hvc1\x00\xff\xff\xff" + bytes(5),
    "multitrack-cut": b"\x96\x21hvc1",
}


@pytest.mark.parametrize("kind", _ENHANCED)
def test_V8_enhanced_bodies_are_relayed_as_they_are(row: Row, kind: str) -> None:
    publisher, player = row.pair()
    publisher.media(VIDEO, _ENHANCED[kind])
    publisher.media(VIDEO, video(1))
    arrive(player, VIDEO, [_ENHANCED[kind], video(1)])
    assert row.server.http("/streams")


@pytest.mark.parametrize(
    "body",
    [
        *(bytes((frame_type << 4 | 7,)) + b"\x01\x00\x00\x00" + bytes(8) for frame_type in (0, 6, 7)),
        *(bytes((0x20 | codec,)) + bytes(12) for codec in (0, 8, 9, 10, 11, 14, 15)),
    ],
    ids=lambda body: body[:1].hex(),
)
def test_V9_reserved_video_is_relayed(row: Row, body: bytes) -> None:
    publisher, player = row.pair()
    publisher.media(VIDEO, body)
    publisher.media(VIDEO, video(1))
    arrive(player, VIDEO, [body, video(1)])


@pytest.mark.parametrize(
    "config", [b"\x12", b"\x78\x00", b"\x17\x80\x00\x00\x00\x00"], ids=["1-byte", "rate", "rate-0"]
)
def test_V9_senseless_aac_config_is_relayed(row: Row, config: bytes) -> None:
    publisher, player = row.pair()
    publisher.media(AUDIO, b"\xaf\x00" + config)
    publisher.media(AUDIO, audio(1))
    arrive(player, AUDIO, [b"\xaf\x00" + config, audio(1)])
    assert row.server.http("/streams")


@pytest.mark.parametrize("offset", [0x7FFFFF, 0x800000, 0xFFFFFF])
def test_V10_composition_offsets_end_nothing(row: Row, offset: int) -> None:
    publisher, player = row.pair()
    body = b"\x27\x01" + offset.to_bytes(3, "big") + bytes(12)
    publisher.media(VIDEO, body, at=40)
    publisher.media(VIDEO, video(1), at=80)
    arrive(player, VIDEO, [body, video(1)])


def test_V11_repeated_headers_are_not_sent_again(row: Row) -> None:
    publisher, player = row.pair()
    for number in range(1, 30):
        publisher.media(VIDEO, AVC_SEQUENCE_HEADER, at=number * 40)
        publisher.media(VIDEO, video(number, is_keyframe=False), at=number * 40)
        publisher.media(AUDIO, AAC_SEQUENCE_HEADER, at=number * 40)
        publisher.media(AUDIO, audio(number), at=number * 40)
    player.wait(lambda: len(player.received(AUDIO)) >= 30, "the sound")
    player.settle()
    assert player.received(VIDEO).count(AVC_SEQUENCE_HEADER) == 1
    assert player.received(AUDIO).count(AAC_SEQUENCE_HEADER) == 1


@pytest.mark.once
def test_V12_flood_of_metadata_is_thinned_and_the_last_stays(row: Row) -> None:
    publisher, player = row.pair()
    before_kb = row.server.rss_kb
    began = time.monotonic()
    for number in range(1000):
        # Below the cap of 65 536 bytes for one message.
        publisher.media(DATA, encode_amf("@setDataFrame", "onMetaData", {"n": number, "filler": "m" * 60_000}))
        if number % 10 == 9:
            publisher.media(VIDEO, video(number, is_keyframe=number % 100 == 99), at=number)
    took_s = time.monotonic() - began
    publisher.media(VIDEO, video(5), at=1000 + int(took_s * 1000))
    player.wait(lambda: video(5) in player.received(VIDEO), "the last frame", 3.0)
    time.sleep(0.2)
    publisher.media(VIDEO, video(6), at=2000 + int(took_s * 1000))
    player.wait(lambda: video(6) in player.received(VIDEO), "one more frame", 3.0)
    found = [decode_amf(body)[1]["n"] for body in player.received(DATA) if decode_amf(body)[0] == "onMetaData"]
    assert len(found) <= 10 * (time.monotonic() - began) + 2, f"{len(found)} in {took_s:.2f} s"
    assert found[-1] == 999
    assert row.server.rss_kb - before_kb < 32 * 1024


@pytest.mark.once
def test_V13_tiny_frames_and_a_fast_push_starve_nobody(row: Row) -> None:
    publisher, player = row.pair()
    reader = threading.Thread(target=player.settle, args=(2.0,))
    reader.start()
    frame = message(AUDIO, audio(1, 2), csid=4, stream=publisher.stream, at=10, chunk_size=65536)
    big = message(VIDEO, video(1, is_keyframe=False, size=60_000), csid=6, stream=publisher.stream, chunk_size=65536)
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        publisher.send(frame * 100 + big * 20)
        time.sleep(0.02)
    reader.join()
    row.assert_loop_was_free()


@pytest.mark.once
def test_V13_publisher_above_the_cap_is_refused(custom: Callable[..., Row]) -> None:
    row = custom("-max_publish_kbps=4000")
    publisher = row.publisher()
    began = time.monotonic()
    while "NetStream.Publish.BadName" not in publisher.statuses and time.monotonic() - began < deadline(4):
        publisher.media(VIDEO, video(1, size=50_000), at=int((time.monotonic() - began) * 1000))
        publisher.settle(0.02)
    row.refuses(publisher, "NetStream.Publish.BadName", "rate_limit")
    row.fails("rate_limit")


def test_V14_random_frames_are_relayed_bit_exact(row: Row) -> None:
    publisher, player = row.pair()
    bodies = []
    for number in range(1, 60):
        body = bytearray(video(number, is_keyframe=number % 10 == 0, size=700))
        for at in range(9, 700, 13):
            body[at] ^= 1 << (at + number) % 8
        bodies.append(bytes(body))
    for number, body in enumerate(bodies):
        publisher.media(VIDEO, body, at=number * 40)
    arrive(player, VIDEO, bodies)
