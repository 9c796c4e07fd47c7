"""What a stream keeps for those who read it: nobody is made to jump by what others do not need."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge.hub.config import HubConfig
from edge.hub.hop import find_resume
from edge.media.frame import MEDIA, VIDEO
from edge.net.flv_form import FlvForm
from edge.net.rtmp.form import RtmpForm
from edge.net.rtmp.play import PausedReader
from edge.rtmp.events import ResumePoint
from tests.net.fakes import FakePeer, Rig, Source, decode
from tests.net.writing import CHUNK, open_writer, take

#: Of each second 25 pictures and as many sounds, and a keyframe of two seconds.
_PER_S = 50


def run(source: Source, seconds: float, *, from_s: float = 0, each: Callable[[], None] = lambda: None) -> None:
    for n in range(int(25 * seconds)):
        at_ms = int(from_s * 1000) + n * 40
        source.video(at_ms, is_keyframe=n % 50 == 0)
        source.audio(at_ms + 20)
        each()


def held_s(source: Source) -> float:
    frames = source.stream.queue.frames
    return (frames[-1].dts_ms - frames[0].dts_ms) / 1000


def test_of_a_stream_that_nobody_plays_the_group_in_progress_is_kept() -> None:
    source = Source()
    held: list[float] = []
    run(source, 30, each=lambda: held.append(held_s(source)))
    assert max(held) < 4.5
    assert sum(held) / len(held) < 3


@pytest.mark.parametrize("interval_ms", [0, 100, 350])
def test_for_players_who_are_up_to_date_no_more_is_kept(interval_ms: int) -> None:
    rig = Rig(interval_ms=interval_ms)
    rig.source.headers()
    run(rig.source, 1)
    peers = [rig.play() for _ in range(40)]
    held: list[float] = []

    def pass_time() -> None:
        rig.loop.run_for(40)
        held.append(held_s(rig.source))

    run(rig.source, 30, from_s=1, each=pass_time)
    rig.loop.run_for(1000)
    assert max(held) < 5.5
    assert rig.source.stream.stats.player_jump_count == 0
    for peer in peers:
        assert rig.seqs_of(peer) == rig.wanted(rig.seqs_of(peer)[0])
    calls = peers[0].calls
    assert calls < 25 * 31 * 2 + 20 if interval_ms == 0 else calls < 31_000 / interval_ms + 20, (
        "flushed before its turn"
    )


def slow(peer: FakePeer, source: Source, form: RtmpForm, behind_s: float) -> Callable[[], None]:
    """Has ``peer`` take what is older than ``behind_s``."""

    def take_older() -> None:
        player = peer.player
        assert player is not None
        if player.fan is not None and player.offset < player.fan.log.end:
            log = player.fan.log
            upto = log.offset_of(max(source.stream.queue.end - int(behind_s * _PER_S), log._base))
            peer.give_room(max(upto - player.offset, 0))

    return take_older


@pytest.mark.parametrize("form", [None, FlvForm()], ids=["rtmp", "flv"])
def test_player_three_seconds_behind_is_not_made_to_jump(form) -> None:
    rig = Rig(plain=form)
    rig.source.headers()
    run(rig.source, 1)
    ahead, peer = rig.play(), rig.play(0)
    run(rig.source, 40, from_s=1, each=slow(peer, rig.source, rig.form, 3))
    assert rig.source.stream.stats.player_jump_count == 0
    assert 3 <= held_s(rig.source) < 5.5
    peer.give_room(None)
    assert peer.received == ahead.received or form is None
    if form is None:
        assert rig.seqs_of(peer) == rig.seqs_of(ahead)
    run(rig.source, 4, from_s=41)
    assert held_s(rig.source) < 4.5, "it has caught up"


@pytest.mark.parametrize("has_node", [False, True])
def test_player_farther_behind_than_the_retention_jumps_as_beside_a_node(has_node: bool) -> None:
    rig = Rig(hub=HubConfig(log_retain_ms=5000))
    rig.source.headers()
    run(rig.source, 1)
    rig.play(0)
    node = open_writer(rig.source, is_hop=True) if has_node else None
    jumps: list[int] = []
    run(rig.source, 20, from_s=1, each=lambda: jumps.append(rig.source.stream.stats.player_jump_count))
    assert 5 * 25 <= jumps.index(1) < 8 * 25
    assert held_s(rig.source) < 8
    assert (node is not None) == rig.source.stream.retention.is_full


@pytest.mark.parametrize(("behind_s", "has_jumped"), [(3, False), (9, False), (25, True)], ids=str)
def test_what_a_slow_writer_stands_on_is_kept_as_long(behind_s: int, has_jumped: bool) -> None:
    source = Source()
    run(source, 1)
    writer = open_writer(source)
    data = take(writer)
    frames = behind_s * _PER_S

    def take_older() -> None:
        nonlocal data
        while source.stream.queue.end - writer.seq > frames:
            data += take(writer, 1)

    run(source, 40, from_s=1, each=take_older)
    data += take(writer)
    assert bool(source.stream.stats.player_jump_count) is has_jumped
    assert held_s(source) < min(behind_s, 10) + 3
    if not has_jumped:
        bodies = [message.payload for message in decode(data, CHUNK)]
        assert bodies == [frame.payload for frame in source.frames[-len(bodies) :]]


def test_slow_writer_that_switches_the_picture_off_knows_the_last_one_that_it_got() -> None:
    source = Source()
    run(source, 1)
    writer = open_writer(source)
    take(writer)
    queue = source.stream.queue

    def take_older() -> None:
        while queue.end - writer.seq > 3 * _PER_S:
            take(writer, 1)
        assert any(queue[seq].type_id == VIDEO for seq in range(max(writer.seq - 2, queue.base), writer.seq))

    run(source, 30, from_s=1, each=take_older)
    assert held_s(source) < 5.5


def test_paused_player_begins_anew_and_needs_nothing() -> None:
    source = Source()
    paused = PausedReader(source.stream, lambda reason: None)
    run(source, 20)
    assert held_s(source) < 4.5
    paused.close()


def resumes(source: Source, back: int) -> bool:
    """Whether a node gets exactly the frame that it had to get ``back`` frames ago."""
    epoch, queue = source.stream.epoch, source.stream.queue
    assert epoch is not None
    return find_resume(queue, epoch, epoch.id, epoch.next_index - back) is not None


def test_for_a_node_all_of_the_retention_is_kept_also_when_it_has_left_just_now() -> None:
    source = Source()
    writer = open_writer(source, is_hop=True)
    run(source, 15)
    assert resumes(source, 10 * _PER_S)
    writer.close()
    writer.close()
    source.stream.tick(1000)
    run(source, 15, from_s=15)
    source.stream.tick(16_000)
    assert resumes(source, 10 * _PER_S)
    source.stream.tick(31_000)
    run(source, 2, from_s=30)
    assert not resumes(source, 5 * _PER_S)
    assert held_s(source) < 4.5


def test_node_that_was_there_for_a_moment_resumes_too() -> None:
    source = Source()
    run(source, 6)
    writer = open_writer(source, is_hop=True)
    take(writer)
    index = source.epoch.next_index
    writer.close()
    run(source, 8, from_s=6)
    again = open_writer(source, is_hop=True, resume=ResumePoint(source.epoch.id, index))
    bodies = [m.payload for m in decode(take(again), CHUNK)][1:]
    assert bodies == [f.payload for f in source.frames if f.kind == MEDIA and f.index >= index]
