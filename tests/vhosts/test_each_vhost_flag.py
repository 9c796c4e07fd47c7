"""Of each flag that may stand in a vhost: it acts there, and not in another one.

A flag is looked at in ``ROWS`` here, in ``ACCESS`` and ``HOOKS``, in ``AT_NODES`` where that takes a whole node, or
elsewhere. What is in none of them stands in ``NOT_YET``, from which flags are taken out, and to which none is added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from edge.flags.classes import Scope
from edge.flags.registry import DEFINITIONS
from edge.media.frame import METADATA
from edge.service.refusal import Refusal
from tests.service.fakes import NODE
from tests.vhosts.test_access_flags import ROWS as ACCESS
from tests.vhosts.test_hook_flags import ROWS as HOOKS
from tests.vhosts.test_vhost_flags_at_nodes import AT_NODES
from tests.vhosts.world import PLAIN, SET, Observe, World

#: In tests of their own, which compare two vhosts.
ELSEWHERE = {
    "max_players": "tests/service/test_limits.py",
    "max_streams": "tests/service/test_limits.py",
    "max_players_per_stream": "tests/service/test_limits.py",
    "max_publishers_per_ip": "tests/service/test_limits.py",
    "max_out_kbps": "tests/service/test_limits.py",
    "hls_cdn_secret_file": "tests/httpd/test_hls_permits.py",
    "proxy_to": "tests/vhosts/test_two_vhosts.py",
    "proxy_vhost": "tests/vhosts/test_two_vhosts.py",
    "hls_path": "tests/hls_disk/test_recorder.py",
    "hls_m3u8_file": "tests/hls_disk/test_recorder.py",
    "hls_ts_file": "tests/hls_disk/test_recorder.py",
    "hls_fmp4_file": "tests/hls_disk/test_recorder.py",
    "hls_init_file": "tests/hls_disk/test_recorder.py",
    "hls_on_error": "tests/hls_disk/test_recorder.py",
    "hls_end_list_on_unpublish": "tests/hls_disk/test_recorder.py",
    "hls_keep_s": "tests/hls_disk/test_store.py",
    "hls_cleanup": "tests/hls_disk/test_store.py",
}

NOT_YET = frozenset({"hooks_on_dvr"})


def published_again(world: World) -> bool:
    world.publish()
    world.wait(5000)
    return not isinstance(world.ask_publish(), Refusal)


def replaced_is_ended(world: World) -> bool:
    first = world.publish()
    world.wait(5000)
    world.publish()
    for call in world.door.soon:
        call()
    return first.stopped is not None


def replaced_twice(world: World) -> bool:
    world.publish()
    world.wait(5000)
    world.publish()
    world.wait(5000)
    return not isinstance(world.ask_publish(), Refusal)


def first_stamp(world: World) -> int:
    grant = world.publish()
    world.picture(grant, 1000, is_keyframe=True)
    return world.stamps(world.watch(grant.stream))[0]


def pictures_at_start(world: World) -> bool:
    """More than a second of them."""
    return len(world.stamps(world.watch(world.live(5)))) > 25


def begins_between_keyframes(world: World) -> bool:
    stream = world.live(1, gop=20)  # the newest keyframe is the sixth last picture
    return len(world.stamps(world.watch(stream))) < 3


def held_groups(world: World) -> bool:
    """More than two of 4 s, of a stream that nobody plays."""
    stream = world.live(30, gop=100)
    stream.evict()
    return len(stream.queue.keyframes) > 2


def held_frames(world: World) -> bool:
    return len(world.live(30, gop=10000).queue.frames) > 200


def held_bytes(world: World) -> bool:
    return world.live(10, gop=10000, size=1000).queue.size_bytes > 100_000


def held_sounds(world: World) -> bool:
    grant = world.publish()
    for number in range(2000):
        world.sound(grant, number * 20)
        world.wait(20)
    return len(grant.stream.queue.frames) > 250


def held_for_nodes(world: World) -> bool:
    """More than 5 s of what a node may come back for."""
    grant = world.publish()
    grant.stream.retention.claim()
    world.run(grant, 30)
    queue = grant.stream.queue
    return queue[queue.end - 1].dts_ms - queue[queue.base].dts_ms > 5000


def step_after(jump_ms: int) -> Observe:
    def step(world: World) -> int:
        grant = world.publish()
        for at_ms in (0, 40, 40 + jump_ms):
            world.picture(grant, at_ms, is_keyframe=True)
        queue = grant.stream.queue
        return queue[queue.end - 1].dts_ms - queue[queue.end - 2].dts_ms

    return step


def jumps(world: World) -> int:
    stream = world.live(1)
    world.watch(stream, room=100)
    (grant,) = world.service.publishes.values()
    world.run(grant, 5, first_s=1)
    world.fanout.tick(world.loop.now)
    return world.fanout.jump_count


def begins_without_keyframe(world: World) -> bool:
    grant = world.publish()
    peer = world.watch(grant.stream)
    for number in range(3):
        world.picture(grant, number * 40)
        world.fanout.tick(world.loop.now)
    return bool(world.stamps(peer))


def arrives_at_once(world: World) -> bool:
    stream = world.live(1)
    peer = world.watch(stream)
    before = len(world.stamps(peer))
    (grant,) = world.service.publishes.values()
    world.picture(grant, 1000)
    return len(world.stamps(peer)) > before


def stream_stays(world: World) -> bool:
    grant = world.publish()
    world.service.end_publish(grant, world.door.now_ms)
    return world.service.registry.find(grant.stream.key) is not None


def lost_push_is_waited_for(world: World) -> bool:
    grant = world.publish(client=NODE)
    world.service.end_publish(grant, world.door.now_ms, is_loss=True)
    return world.service.registry.find(grant.stream.key) is not None


def ended_without_a_frame(world: World) -> bool:
    return bool(world.looked_after(world.publish(), 5000).told)


def asked_when_silent(world: World) -> bool:
    grant = world.publish()
    world.picture(grant, 0, is_keyframe=True)
    return world.looked_after(grant, 3000).answer_ms > 0


def time_to_answer(world: World) -> int:
    grant = world.publish()
    world.picture(grant, 0, is_keyframe=True)
    return world.looked_after(grant, 9000).answer_ms


def ended_when_silent(world: World) -> bool:
    grant = world.publish()
    world.picture(grant, 0, is_keyframe=True)
    return bool(world.looked_after(grant, 9000).told)


def ended_when_idle(world: World) -> bool:
    grant = world.publish()
    world.picture(grant, 0, is_keyframe=True)
    world.ask_play()
    used = world.looked_after(grant, 4000)
    assert not used.told, "somebody plays it"
    (play,) = grant.stream.roster.plays()
    world.service.end_play(play, world.door.now_ms)
    return bool(world.looked_after(grant, 4500, 6500).told)


def ended_when_fast(world: World) -> bool:
    grant = world.publish()
    world.picture(grant, 0, is_keyframe=True)
    return bool(world.looked_after(grant, 1000, is_fast=True).told)


def read_in_turn(world: World) -> bool:
    grant = world.publish()
    return not world.among_many(grant).is_polled


def metadata_taken(world: World) -> int:
    grant = world.publish()
    for number in range(5):
        world.metadata(grant, float(number))
        world.picture(grant, number * 40, is_keyframe=True)
        world.wait(40)
    return sum(frame.kind == METADATA for frame in grant.stream.queue.frames)


def sound_is_in_its_place(world: World) -> bool:
    grant = world.publish()
    for at_ms in range(0, 1000, 40):
        world.picture(grant, at_ms, is_keyframe=True)
        if at_ms >= 300:
            world.sound(grant, at_ms - 290)
    stamps = [frame.dts_ms for frame in grant.stream.queue.frames]
    return stamps == sorted(stamps)


def cuts(**options: Any) -> Observe:
    """Segments that have begun in 12 s."""

    def count(world: World) -> int:
        stream = world.live(12, **options)
        assert stream.cuts is not None
        state = stream.cuts.state_at(stream.queue, stream.queue.end)
        assert state is not None
        return state.number

    return count


@dataclass(frozen=True)
class Row:
    """A value, what is seen in the vhost with it, and what in the other."""

    text: str
    observe: Observe
    there: Any
    elsewhere: Any


ROWS = {
    "reject_second_stream_when_republish": Row("true", published_again, False, True),
    "stop_kickedoff_publisher": Row("true", replaced_is_ended, True, False),
    "republish_min_interval_ms": Row("60000", replaced_twice, False, True),
    "timestamp_offset": Row("77", first_stamp, 77, 0),
    "time_jitter": Row("off", first_stamp, 1000, 0),
    "mix_correct": Row("true", sound_is_in_its_place, True, False),
    "gop_cache": Row("false", begins_between_keyframes, True, False),
    "min_buffering_ms": Row("2000", pictures_at_start, True, False),
    "max_cached_keyframes": Row("5", held_groups, True, False),
    "max_cached_frames": Row("100", held_frames, False, True),
    "gop_cache_max_bytes": Row("65536", held_bytes, False, True),
    "log_max_bytes": Row("65536", held_bytes, False, True),
    "min_cached_frames_without_keyframes": Row("300", held_sounds, True, False),
    "log_retain_ms": Row("1000", held_for_nodes, False, True),
    "max_jitter_ms": Row("100", step_after(1000), 40, 1000),
    "frame_interval_ms": Row("20", step_after(20000), 20, 40),
    "queue_length_s": Row("2", jumps, 1, 0),
    "keyframe_wait_ms": Row("0", begins_without_keyframe, True, False),
    "flush_interval_ms": Row("200", arrives_at_once, False, True),
    "publisher_grace_ms": Row("5000", stream_stays, True, False),
    "publisher_return_ms": Row("0", lost_push_is_waited_for, False, True),
    "publish_firstpkt_timeout_ms": Row("1000", ended_without_a_frame, True, False),
    "publish_normal_timeout_ms": Row("1000", asked_when_silent, True, False),
    "publish_ping_timeout_ms": Row("777", time_to_answer, 777, 3000),
    "publish_silent_timeout_ms": Row("1000", ended_when_silent, True, False),
    "publish_kickoff_for_idle_s": Row("2", ended_when_idle, True, False),
    "ingest_tick_ms": Row("0", read_in_turn, False, True),
    "max_publish_kbps": Row("100", ended_when_fast, True, False),
    "hls_aof_ratio": Row("1", cuts(gop=10000), 5, 1),
    "hls_wait_keyframe": Row("false", cuts(gop=10000), 6, 1),
    "hls_max_segment_bytes": Row("65536", cuts(gop=25, size=4000), 18, 5),
    "max_metadata_per_s": Row("1", metadata_taken, 1, 2),
}


@pytest.mark.parametrize("flag", ROWS)
def test_a_flag_acts_in_its_vhost_and_in_no_other(flag: str) -> None:
    row = ROWS[flag]
    assert row.there != row.elsewhere
    seen = {vhost: row.observe(World(flag, row.text, vhost)) for vhost in (SET, PLAIN)}
    assert seen == {SET: row.there, PLAIN: row.elsewhere}


def test_each_flag_that_may_stand_in_a_vhost_is_looked_at() -> None:
    may = {name for name, definition in DEFINITIONS.items() if definition.scope is Scope.VHOST}
    looked_at = [*ROWS, *AT_NODES, *ACCESS, *HOOKS, *ELSEWHERE, *NOT_YET]
    assert len(looked_at) == len(set(looked_at))
    assert set(looked_at) == may
