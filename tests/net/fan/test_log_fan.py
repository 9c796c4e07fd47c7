"""The bytes of shared-log players: each stream of them decodes to exactly the frames, clocks from 0."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.hub.config import HubConfig
from edge.hub.log import StreamLog
from edge.hub.reader import QuietReader
from edge.media.frame import AUDIO, DATA, VIDEO
from edge.net.fan.log_fan import MAX_SLOT_MEMBERS
from edge.net.fan.player import Player, Slot
from edge.rtmp.chunk_writer import encode_message
from tests.net.fakes import AUDIO_HEADER_BODY, VIDEO_HEADER_BODY, Rig
from tests.net.forms import TextForm

#: Small enough that frames go soon.
TIGHT = HubConfig(log_retain_ms=200, max_cached_frames=60)


def control(text: bytes) -> bytes:
    """A message for one player alone."""
    return encode_message(3, 20, 0, 0, text, 64)


def controls_of(rig: Rig, peer) -> list[bytes]:
    return [m.payload for m in peer.messages(rig.chunk_size) if m.type_id == 20]


def test_new_player_gets_prologue_headers_and_the_newest_group_from_0() -> None:
    rig = Rig()
    rig.source.headers()
    rig.source.run(25, from_ms=7_000_000)
    peer = rig.play(prologue=control(b"start"))
    messages = peer.messages(rig.chunk_size)
    assert [m.type_id for m in messages[:4]] == [20, DATA, VIDEO, AUDIO]
    assert [m.payload for m in messages[2:4]] == [VIDEO_HEADER_BODY, AUDIO_HEADER_BODY]
    assert [m.wire_timestamp for m in messages[1:5]] == [0, 0, 0, 0]
    keyframe = rig.source.stream.queue.keyframes[-1]
    assert rig.seqs_of(peer) == rig.wanted(keyframe)
    rig.source.run(5, from_ms=7_001_000)
    assert rig.seqs_of(peer) == rig.wanted(keyframe)


def test_up_to_date_player_stands_in_its_slot_and_costs_one_call_per_message() -> None:
    rig = Rig()
    rig.source.headers()
    rig.source.run(12)
    peer = rig.play()
    assert peer.player.position >= 0
    calls = peer.calls
    rig.source.video(480)
    assert peer.calls == calls + 1


def test_player_that_has_no_metadata_track_yet_still_joins_its_slot() -> None:
    rig = Rig()
    rig.source.headers()
    rig.source.run(3)
    peer = rig.play()
    rig.source.run(3, from_ms=120)
    assert peer.player.position >= 0
    rig.source.data(240)
    rig.source.run(3, from_ms=240)
    assert rig.seqs_of(peer) == rig.wanted(rig.seqs_of(peer)[0])


def test_audio_that_first_appears_later_is_primed_for_every_player() -> None:
    rig = Rig()
    for n in range(15):
        rig.source.video(n * 40, is_keyframe=n % 5 == 0)
    early = [rig.play() for _ in range(3)]
    rig.source.audio(600)
    late = rig.play()
    rig.source.run(4, from_ms=640)
    for peer in (*early, late):
        seqs = rig.seqs_of(peer)
        assert seqs == rig.wanted(seqs[0])
        assert peer.player.position >= 0


@pytest.mark.parametrize("track_mask", [5, 6], ids=["audio", "video"])
def test_form_of_one_medium_leaves_the_other_out(track_mask: int) -> None:
    rig = Rig(track_mask=track_mask)
    rig.source.headers()
    rig.source.run(12)
    peer = rig.play()
    rig.source.run(12, from_ms=480)
    kinds = {m.type_id for m in rig.media_of(peer)}
    assert kinds == ({AUDIO, DATA} if track_mask == 5 else {VIDEO, DATA})
    seqs = rig.seqs_of(peer)
    assert seqs == rig.wanted(seqs[0])


@pytest.mark.parametrize("offset", [16_770_000, -60_000, 2**32 - 500], ids=["24-bit", "negative", "wrap"])
def test_timestamp_offset_crosses_the_limits_of_the_wire(offset: int) -> None:
    rig = Rig(timestamp_offset=offset)
    rig.source.headers()
    rig.source.run(12)
    peer = rig.play()
    late = rig.play()
    rig.source.run(600, from_ms=480)
    for one in (peer, late):
        seqs = rig.seqs_of(one)
        assert seqs == rig.wanted(seqs[0])


def test_clock_of_the_publisher_wraps_and_players_do_not_notice() -> None:
    rig = Rig()
    rig.source.run(60, from_ms=2**32 - 1000)
    peer = rig.play()
    rig.source.run(30, from_ms=1400)
    assert rig.seqs_of(peer) == rig.wanted(rig.seqs_of(peer)[0])


def test_short_write_at_every_offset() -> None:
    whole = Rig()
    whole.source.headers()
    whole.source.run(3, gop=3)
    reference = whole.play()
    whole.source.run(2, from_ms=120, gop=9)
    for cut in range(1, len(reference.received)):
        rig = Rig()
        rig.source.headers()
        rig.source.run(3, gop=3)
        peer = rig.play(room=cut)
        rig.source.run(2, from_ms=120, gop=9)
        peer.give_room(None)
        assert peer.received == reference.received, cut
        assert peer.player.position >= 0
        assert not peer.is_write_wanted


def test_private_bytes_wait_for_a_message_boundary_at_every_offset() -> None:
    size = len(_blocked_play(None)[1].received)
    for cut in range(1, size):
        rig, peer = _blocked_play(cut)
        peer.player.fan.send_private(peer.player, control(b"one"))
        peer.player.fan.send_private(peer.player, control(b"two"))
        peer.give_room(7)
        peer.player.fan.send_private(peer.player, control(b"three"))
        peer.give_room(None)
        rig.source.run(1, from_ms=400)
        assert controls_of(rig, peer) == [b"one", b"two", b"three"]
        seqs = rig.seqs_of(peer)
        assert seqs == rig.wanted(seqs[0]), cut


def _blocked_play(room: int | None) -> tuple[Rig, object]:
    rig = Rig()
    rig.source.headers()
    rig.source.run(2)
    peer = rig.play(room)
    rig.source.video(80, size=150)
    rig.source.audio(90)
    return rig, peer


def test_private_bytes_for_a_member_go_out_at_once_and_it_returns() -> None:
    rig = Rig()
    rig.source.run(5)
    peer = rig.play()
    peer.player.fan.send_private(peer.player, control(b"pong"))
    assert controls_of(rig, peer) == [b"pong"]
    assert peer.player.position >= 0


@pytest.mark.parametrize("room", [1, 13, 60, 150, 333])
def test_blocked_player_jumps_to_a_keyframe_when_its_frames_go(room: int) -> None:
    rig = Rig(hub=TIGHT)
    rig.source.headers()
    rig.source.run(10)
    peer, witness = rig.play(room), rig.play()
    rig.source.run(200, from_ms=400)
    assert peer.player.jump_count
    peer.give_room(None)
    rig.source.run(20, from_ms=8400)
    seqs, frames = rig.seqs_of(peer), rig.source.frames
    breaks = [n for n in range(1, len(seqs)) if seqs[n - 1] + 1 != seqs[n] and frames[seqs[n] - 1].kind == 0]
    assert all(frames[seqs[n]].is_keyframe for n in breaks)
    assert len(breaks) <= 1
    assert seqs[-1] == len(frames) - 1
    counted = rig.source.stream.stats
    assert counted.player_jump_count == rig.fanout.jump_count == peer.player.jump_count
    everything = rig.seqs_of(witness)
    assert counted.player_dropped_count == rig.fanout.dropped_count == len(everything) - len(seqs)
    assert everything == rig.wanted(everything[0])


def test_player_behind_without_any_keyframe_held_waits_for_the_next() -> None:
    rig = Rig(hub=TIGHT)
    rig.source.run(5)
    peer = rig.play(room=50)
    rig.source.run(1, from_ms=200, gop=1)
    for n in range(200):
        rig.source.video(240 + n * 40)
    assert peer.player.waiting_since_ms is not None
    peer.give_room(None)
    assert not peer.is_write_wanted
    rig.source.video(9000, is_keyframe=True)
    rig.source.video(9040)
    seqs = rig.seqs_of(peer)
    assert seqs[-2:] == [len(rig.source.frames) - 2, len(rig.source.frames) - 1]
    assert peer.player.position >= 0


def test_jump_repeats_only_headers_that_changed_meanwhile() -> None:
    rig = Rig(hub=TIGHT)
    rig.source.headers()
    rig.source.run(10)
    peer = rig.play(room=300)
    rig.source.run(30, from_ms=400)
    rig.source.push(VIDEO, 1600, VIDEO_HEADER_BODY + b"2")
    rig.source.run(100, from_ms=1600)
    peer.give_room(None)
    bodies = [m.payload for m in rig.media_of(peer)]
    assert bodies.count(AUDIO_HEADER_BODY) == 1
    assert bodies.count(VIDEO_HEADER_BODY + b"2") == 1


def test_end_reaches_a_member_at_once_and_a_blocked_player_when_it_has_read() -> None:
    rig = Rig()
    rig.source.run(20)
    member, blocked = rig.play(), rig.play(room=77)
    rig.source.run(5, from_ms=800)
    rig.source.stream.end("over")
    rig.loop.run_soon()
    assert member.finished == "over"
    assert blocked.finished is None
    blocked.give_room(None)
    assert blocked.finished == "over"
    for peer in (member, blocked):
        seqs = rig.seqs_of(peer)
        assert seqs == rig.wanted(seqs[0])
    assert rig.fanout.player_count == 0
    assert rig.source.stream.readers == []


def test_end_does_not_wait_for_ever_and_stays_on_a_boundary() -> None:
    rig = Rig()
    rig.source.run(20)
    blocked = rig.play(room=77)
    rig.source.stream.end("over")
    rig.loop.run_for(2100)
    assert blocked.finished == "over"
    seqs = rig.seqs_of(blocked)
    assert seqs == rig.wanted(seqs[0], seqs[-1] + 1)


def test_player_that_waits_for_a_keyframe_is_ended_too() -> None:
    rig = Rig()
    rig.source.video(0)
    peer = rig.play()
    assert rig.media_of(peer) == []
    rig.source.stream.end("over")
    rig.loop.run_soon()
    assert peer.finished == "over"


def test_video_without_keyframe_begins_after_the_wait() -> None:
    rig = Rig()
    rig.source.video(0)
    peer = rig.play()
    for n in range(24):
        rig.tick()
        rig.source.video(40 + n * 250)
    seqs = rig.seqs_of(peer)
    assert seqs and seqs == rig.wanted(seqs[0])


def test_lost_socket_harms_nobody_else() -> None:
    rig = Rig()
    rig.source.run(5)
    peers = [rig.play() for _ in range(5)]
    peers[1].error = ConnectionResetError()
    peers[4].error = BrokenPipeError()
    rig.source.run(3, from_ms=200)
    assert [peer.failed is None for peer in peers] == [True, False, True, True, False]
    assert rig.fanout.player_count == 3
    for peer in (peers[0], peers[2], peers[3]):
        seqs = rig.seqs_of(peer)
        assert seqs == rig.wanted(seqs[0])


def test_last_player_takes_the_log_with_it_while_other_readers_are_served() -> None:
    rig = Rig()
    rig.source.run(5)
    only = rig.play()
    served = []

    class Other(QuietReader):
        def on_frames(self) -> None:
            served.append(rig.source.stream.queue.end)

        def on_evict(self, base: int) -> None:
            """Nothing is kept."""

        def on_end(self, reason: str) -> None:
            """Nothing to do."""

        def on_unpublished(self, reason: str) -> None:
            """Nothing to do."""

    rig.source.stream.readers.append(Other())
    only.error = ConnectionResetError()
    rig.source.video(200)
    assert served == [rig.source.stream.queue.end]
    for _ in range(12):
        rig.tick()
    assert rig.source.stream.logs == {}


def test_slots_are_bounded() -> None:
    rig = Rig()
    rig.source.run(2)
    peers = [rig.play() for _ in range(MAX_SLOT_MEMBERS + 3)]
    fan = peers[0].player.fan
    assert [len(slot) for slot in fan.slots] == [MAX_SLOT_MEMBERS, 3]
    for peer in peers[MAX_SLOT_MEMBERS:]:
        peer.leave()
    assert len(fan.slots) == 1


def test_original_timestamps_for_the_domains_that_want_them() -> None:
    rig = Rig(original=True)
    rig.source.run(10, from_ms=5_000_000)
    peer = rig.play()
    assert [m.wire_timestamp for m in rig.media_of(peer)[:2]] == [5_000_000, 5_000_020]


def test_lag_is_told_in_stream_time() -> None:
    rig = Rig()
    rig.source.run(10)
    peer = rig.play(room=1)
    rig.source.run(10, from_ms=400, gop=99)
    assert 300 < peer.player.fan.lag_ms(peer.player) <= 800


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("video"), st.integers(0, 90)),
        st.tuples(st.just("key"), st.integers(0, 200)),
        st.tuples(st.just("audio"), st.integers(0, 90)),
        st.tuples(st.just("data"), st.just(0)),
        st.tuples(st.just("header"), st.integers(0, 2)),
        st.tuples(st.just("join"), st.sampled_from([None, 0, 1, 40, 300])),
        st.tuples(st.just("room"), st.sampled_from([None, 0, 1, 33, 200, 1000])),
        st.tuples(st.just("private"), st.integers(0, 90)),
        st.tuples(st.just("leave"), st.just(0)),
        st.tuples(st.just("pass"), st.sampled_from([5, 60, 1000])),
        st.tuples(st.just("tick"), st.just(0)),
    ),
    min_size=30,
    max_size=120,
)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(steps=STEPS, interval_ms=st.sampled_from([0, 50]), order=st.randoms(use_true_random=False))
def test_any_course_of_events_leaves_every_player_a_clean_stream(steps, interval_ms, order) -> None:
    rig = Rig(hub=HubConfig(log_retain_ms=300, max_cached_frames=40), interval_ms=interval_ms)
    clock, peers, sent, number = 0, [], {}, 0
    for what, value in steps:
        clock += 15
        if what in ("video", "key"):
            rig.source.video(clock, is_keyframe=what == "key", size=value)
        elif what == "audio":
            rig.source.audio(clock, size=value)
        elif what == "data":
            rig.source.data(clock)
        elif what == "header":
            rig.source.push(VIDEO, clock, VIDEO_HEADER_BODY + b"%d" % value)
        elif what == "join":
            peers.append(rig.play(value))
            sent[peers[-1]] = []
        elif what == "pass":
            rig.loop.run_for(value)
        elif what == "tick":
            rig.tick()
        elif peers:
            peer = order.choice(peers)
            if what == "room":
                peer.give_room(value)
            elif what == "private":
                number += 1
                sent[peer].append(b"%d" % number + b"p" * value)
                peer.player.fan.send_private(peer.player, control(sent[peer][-1]))
            else:
                peer.leave()
                peers.remove(peer)
    for peer in peers:
        peer.give_room(None)
    for n in range(3):
        rig.source.video(clock + 40 + n, is_keyframe=n == 0)
        rig.source.audio(clock + 40 + n)
    rig.loop.run_for(200)
    _check_all(rig, peers, sent)


def _check_all(rig: Rig, peers, sent) -> None:
    frames = rig.source.frames
    for peer in peers:
        assert controls_of(rig, peer) == sent[peer]
        seqs = rig.seqs_of(peer)
        assert seqs == sorted(set(seqs))
        wanted = rig.wanted(seqs[0])
        missing = sorted(set(wanted) - set(seqs))
        assert bool(missing) <= bool(peer.player.jump_count)
        assert missing == [] or seqs[-1] == wanted[-1]
        for before, after in pairwise(seqs):
            if any(frames[n].kind == 0 for n in range(before + 1, after)):
                has_keyframe = any(f.type_id == VIDEO for f in frames)
                assert frames[after].is_keyframe or not has_keyframe or not rig.source.stream.queue.keyframes
        assert peer.player.position >= 0
        assert not peer.is_write_wanted


def test_player_behind_goes_on_with_the_sound_when_no_picture_comes_any_more() -> None:
    rig = Rig(chunk_size=4096, hub=HubConfig(queue_length_s=5))
    rig.source.run(10)
    peer = rig.play()
    peer.room = 0
    for index in range(1000):
        rig.source.audio(400 + index * 20)
        if index % 12 == 0:
            rig.tick()
            if rig.loop.now > 10000 and peer.room == 0:
                peer.give_room(None)
    seqs = rig.seqs_of(peer)
    assert seqs[-1] == len(rig.source.frames) - 1
    assert rig.source.stream.stats.player_dropped_count == seqs[-1] + 1 - seqs[0] - len(seqs), "the wait counts too"


def test_newcomer_far_back_in_a_long_group_is_not_late_for_that() -> None:
    rig = Rig(chunk_size=4096, hub=HubConfig(queue_length_s=5))
    rig.source.run(250, step_ms=200, gop=999)
    peer = rig.play(room=0)
    for index in range(16):
        peer.give_room(600)
        rig.source.video(50_000 + index * 250)
        rig.tick()
    assert rig.fanout.jump_count == 0
    peer.give_room(None)
    seqs = rig.seqs_of(peer)
    assert seqs == rig.wanted(0)
    assert peer.player.placed_lag_ms == 0


def test_late_player_stays_where_no_better_place_is_ahead() -> None:
    rig = Rig(chunk_size=4096, hub=HubConfig(queue_length_s=2))
    rig.source.run(5)
    peer = rig.play()
    rig.source.run(3, from_ms=200, gop=99)
    peer.room = 0
    for index in range(40):
        rig.source.video(400 + index * 250)
        rig.tick()
    assert rig.fanout.jump_count == 0
    peer.give_room(None)
    rig.source.video(11_000)
    assert rig.seqs_of(peer) == rig.wanted(0)


def test_newcomer_to_slides_gets_the_present_one_at_its_0() -> None:
    rig = Rig(chunk_size=4096)
    rig.source.headers()
    rig.source.video(0, is_keyframe=True)
    for ms in range(0, 14_000, 20):
        rig.source.audio(ms)
    slide = rig.source.frames[1]
    peer = rig.play()
    first = [m for m in rig.media_of(peer) if m.payload == slide.payload]
    assert [m.wire_timestamp for m in first] == [0]
    sounds = [m for m in rig.media_of(peer) if m.type_id == AUDIO and m.payload != AUDIO_HEADER_BODY]
    assert [m.wire_timestamp for m in sounds] == [0]
    rig.source.audio(14_000)
    rig.source.video(14_010, is_keyframe=True)
    times = [m.wire_timestamp for m in rig.media_of(peer) if m.type_id == VIDEO]
    assert times == [0, 0, 30]


def _clock(what: str, ms: int) -> int:
    """Stamp at ``ms`` of a clock that is wrong."""
    if what == "back":  # 200 ms too far, each second
        return ms + ms // 1000 * 100 - ms % 1000 // 500 * 200
    return int(ms * {"slow": 44.1 / 48, "frozen": 0.0, "double": 2.0}[what])


@pytest.mark.parametrize("what", ["slow", "frozen", "double", "back"])
@pytest.mark.parametrize("odd", [AUDIO, VIDEO], ids=["sound", "picture"])
def test_players_in_step_get_all_of_both_tracks_whatever_their_clocks_do(what: str, odd: int) -> None:
    rig = Rig(chunk_size=4096, hub=HubConfig(queue_length_s=2))
    peers = [rig.play()]
    for n in range(3000):
        stamps = {AUDIO: n * 40, VIDEO: n * 40, odd: _clock(what, n * 40)}
        rig.source.audio(stamps[AUDIO])
        rig.source.video(stamps[VIDEO], is_keyframe=n % 50 == 0)
        if n == 2990:
            peers += [rig.play(), rig.play(room=99)]
        if n % 7 == 0:
            rig.tick()
            for peer in peers[2:]:
                peer.give_room(400)
    assert rig.fanout.jump_count == 0
    bodies = [frame.payload for frame in rig.source.frames]
    for peer in peers:
        peer.give_room(None)
        messages = rig.media_of(peer)
        got = [message.payload for message in messages]
        assert got == bodies[bodies.index(got[0]) :]
        assert peer is peers[0] or messages[0].payload[0] == 0x17
        assert peer.player.position >= 0, "it costs a call of its own for each message"
        for type_id in (AUDIO, VIDEO):
            times = [message.wire_timestamp for message in messages if message.type_id == type_id]
            assert times == sorted(times)


class Counts:
    """How often players are taken out of slots, and the log is read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken_out = self.reads = 0
        take_out, read = Slot.take_out, StreamLog.read

        def count_take_out(slot: Slot, player: Player) -> None:
            self.taken_out += 1
            take_out(slot, player)

        def count_read(log: StreamLog, start: int, limit: int) -> bytes:
            self.reads += 1
            return read(log, start, limit)

        monkeypatch.setattr(Slot, "take_out", count_take_out)
        monkeypatch.setattr(StreamLog, "read", count_read)


@pytest.mark.parametrize("plain", [None, TextForm()], ids=["primed", "plain"])
def test_jump_without_a_keyframe_costs_nobody_its_place_in_the_slot(
    plain: TextForm | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(hub=TIGHT, plain=plain)
    rig.source.run(5)
    slow, witness = rig.play(room=50), rig.play()
    rig.source.run(1, from_ms=200, gop=1)
    for n in range(200):
        rig.source.video(240 + n * 40)
    assert slow.player.waiting_since_ms is not None
    slow.give_room(None)
    rig.source.run(2, from_ms=9000)
    assert [peer.player.position for peer in (witness, slow)] == [0, 1]
    counts = Counts(monkeypatch)
    for n in range(10):
        rig.source.video(9100 + n * 40)
    assert (counts.taken_out, counts.reads) == (0, 10), "one read for both players"
    assert slow.received[-300:] == witness.received[-300:]


def test_plain_form_sends_headers_with_the_clock_of_the_stream() -> None:
    rig = Rig(plain=TextForm(), hub=TIGHT)
    rig.source.headers()
    rig.source.run(30)
    peer = rig.play()
    assert bytes(peer.received).startswith(b"<800:")
    headers, _, frames = bytes(peer.received).partition(b"[")
    assert headers.count(b"<800:") == 3
    assert frames.startswith(b"800:\x17\x01")
    assert peer.player.position >= 0
