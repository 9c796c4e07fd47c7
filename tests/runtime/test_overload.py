"""What a node does against too much load, on a service with a clock of its own."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import pytest

from edge.hub.registry import Registry
from edge.hub.stream import Stream
from edge.media.frame import VIDEO
from edge.runtime.overload import Overload
from edge.service.config import OverloadConfig
from edge.service.grants import NOT_SERVED, Play, Publish, Served
from edge.service.refusal import Reason, Refusal
from edge.service.service import Service
from tests.net.fakes import VIDEO_HEADER_BODY
from tests.service.fakes import Door, FakeClient

MIB = 1 << 20
KEYFRAME_BODY, PICTURE_BODY = b"\x17\x01\0\0\0key", b"\x27\x01\0\0\0between"


@dataclass
class Owner:
    """Serves a play that stands so many frames behind."""

    behind: int
    told: list[Refusal] = field(default_factory=list)

    def served(self, play: Play) -> Served:
        return NOT_SERVED._replace(next_seq=play.stream.queue.end - self.behind)

    def play_stopped(self, play: Play, refusal: Refusal) -> None:
        self.told.append(refusal)

    def play_has_nothing_yet(self, play: Play, *, is_known: bool) -> None:
        """It has."""


class Unit:
    def __init__(self, door: Door) -> None:
        self.registry: Registry = door.registry
        self.service: Service = door.service


class Rig:
    """A service, and figures that a test sets."""

    p90_ms = 0

    def __init__(self) -> None:
        self.door = Door(log_retain_ms=10_000)
        self.used, self.now_ms, self.given_back, self.is_loading = 10, 0, 0, False
        self.overload = Overload(
            OverloadConfig(max_memory_mb=100),
            [Unit(self.door)],
            self,
            is_loading=lambda: self.is_loading,
            resident_bytes=lambda: self.used * MIB,
            give_back=self._give_back,
        )

    def _give_back(self) -> None:
        self.given_back += 1

    def tick(self, used: int, *, after_ms: int = 250) -> None:
        self.used = used
        self.now_ms += after_ms
        self.overload.tick(self.now_ms)

    def publish(self) -> Publish:
        answer = self.door.publish("s")
        assert isinstance(answer, Publish)
        return answer

    def play(self, *, behind: int, number: int, protocol: str = "rtmp", name: str = "s") -> Owner:
        answer = self.door.play(name, FakeClient(number, f"10.0.0.{number}:9", protocol))
        assert isinstance(answer, Play)
        answer.owner = owner = Owner(behind)
        return owner


def fill(stream: Stream, *, groups: int, pictures: int = 25) -> None:
    """Groups of a second each."""
    stream.push(VIDEO, 0, VIDEO_HEADER_BODY, 0)
    for number in range(groups * pictures):
        body = KEYFRAME_BODY if number % pictures == 0 else PICTURE_BODY
        stream.push(VIDEO, number * 40, body, number * 40)
        stream.commit()


def test_R3_newcomers_then_caches_then_the_slowest_players(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    publish = rig.publish()
    publish.stream.retention.claim()  # as for a node that may come back
    fill(publish.stream, groups=8)
    owners = [rig.play(behind=behind, number=number) for number, behind in enumerate((0, 30, 5), 1)]
    shared = rig.play(behind=500, number=4, protocol="hls")
    held = len(publish.stream.queue.frames)
    assert not rig.door.service.admission.rules
    with caplog.at_level(logging.INFO):
        rig.tick(85)
        assert isinstance(rig.door.play("s"), Refusal) and isinstance(rig.door.publish("t"), Refusal)
        assert len(publish.stream.queue.frames) == held and not rig.given_back
        rig.tick(92)
        assert len(publish.stream.queue.frames) <= 25 + 32 < held and rig.given_back == 1
        assert publish.stream.queue.keyframes, "who is let in again must find a place to begin"
        rig.tick(97)
    assert [len(owner.told) for owner in owners] == [0, 1, 0], "the one that is farthest behind"
    assert owners[1].told[0].reason is Reason.OVERLOADED
    rig.tick(97)
    assert rig.overload.closed_count == 1, "not more than once a second"
    rig.tick(97, after_ms=1000)
    assert rig.overload.closed_count == 2
    assert publish.stopped is None and not shared.told
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 3 and all("cause=memory" in text and "-max_memory_mb" in text for text in warnings)


def test_other_nodes_are_closed_after_all_viewers() -> None:
    rig = Rig()
    rig.publish()
    node = rig.play(behind=99, number=1, name="s?idcpassed=1")
    viewer = rig.play(behind=0, number=2)
    rig.tick(99)
    assert (len(node.told), len(viewer.told)) == (0, 1)


def test_R3_all_is_as_before_when_it_is_over() -> None:
    rig = Rig()
    publish = rig.publish()
    rig.tick(97)
    assert publish.stream.is_tight and rig.door.registry.is_tight
    for _ in range(4):
        rig.tick(10, after_ms=5000)
    assert not publish.stream.is_tight and not rig.door.registry.is_tight
    assert isinstance(rig.door.play("s"), Play) and not rig.door.service.admission.rules
    assert rig.overload.state == ""


def test_state_and_counters_are_told() -> None:
    rig = Rig()
    rig.publish()
    rig.tick(86)
    rig.door.play("s")
    assert rig.overload.counters() == {
        "overload_level": 1,
        "overload_refused_count": 1,
        "overload_closed_count": 0,
        "memory_limit_bytes": 100 * MIB,
    }
    assert rig.overload.state == "newcomers are refused: memory 86 MiB of 100 MiB (-max_memory_mb)"


def test_R4_lag_shuts_the_door_too() -> None:
    rig = Rig()
    rig.publish()
    rig.p90_ms = 250
    rig.tick(10)
    refusal = rig.door.play("s")
    assert isinstance(refusal, Refusal) and "250 ms late" in refusal.detail


def test_a_loop_that_is_late_as_something_is_loaded_is_excused() -> None:
    rig = Rig()
    rig.is_loading, rig.p90_ms = True, 900
    rig.tick(10)
    rig.is_loading = False
    rig.tick(10, after_ms=1500)
    assert rig.overload.state == ""
    rig.tick(10, after_ms=1000)
    assert "900 ms late" in rig.overload.state, "it is late all the same"


def test_new_limits_act_at_the_next_look() -> None:
    rig = Rig()
    rig.tick(86)
    rig.overload.reconfigure(OverloadConfig(max_memory_mb=200))
    rig.tick(86)
    assert not rig.door.service.admission.rules and rig.overload.counters()["overload_level"] == 0
