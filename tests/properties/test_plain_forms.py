"""Any course of events leaves every player of a form without priming a clean stream."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.hub.config import HubConfig
from edge.hub.wire_form import PlainForm
from edge.media.frame import AUDIO, MEDIA, VIDEO
from edge.net.flv_form import FlvForm
from edge.net.ts_form import TsForm
from edge.net.ws_form import WsForm
from edge.net.ws_frames import pong_frame
from tests.net.fakes import FakePeer, Rig
from tests.net.forms import AAC_HEADER_BODY, AVC_HEADER_BODY, coded_picture, sent_of

FORMS = (FlvForm(), WsForm(FlvForm()), TsForm(), TsForm(2), TsForm(1))
PONG = pong_frame(b"pong")

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("picture"), st.integers(0, 400)),
        st.tuples(st.just("keyframe"), st.integers(0, 900)),
        st.tuples(st.just("sound"), st.integers(0, 300)),
        st.tuples(st.just("header"), st.integers(0, 2)),
        st.tuples(st.just("join"), st.sampled_from([None, 0, 1, 188, 3000])),
        st.tuples(st.just("room"), st.sampled_from([None, 0, 1, 188, 1000, 5000])),
        st.tuples(st.just("private"), st.just(0)),
        st.tuples(st.just("leave"), st.just(0)),
        st.tuples(st.just("pass"), st.sampled_from([5, 60, 1000])),
        st.tuples(st.just("tick"), st.just(0)),
    ),
    min_size=30,
    max_size=120,
)


class Course:
    """A stream of one form, and its players."""

    def __init__(self, form: PlainForm, interval_ms: int) -> None:
        config = HubConfig(log_retain_ms=300, max_cached_frames=40)
        self.rig = Rig(hub=config, interval_ms=interval_ms, plain=form)
        self.form = form
        self.clock_ms = 0
        self.peers: list[FakePeer] = []
        self.header(2)

    def header(self, which: int) -> None:
        if which != 1:
            self.rig.source.push(VIDEO, self.clock_ms, AVC_HEADER_BODY)
        if which != 0:
            self.rig.source.push(AUDIO, self.clock_ms, AAC_HEADER_BODY)

    def picture(self, size: int, *, is_keyframe: bool = False) -> None:
        self.rig.source.number += 1
        body = coded_picture(self.rig.source.number, is_keyframe=is_keyframe, size=size)
        self.rig.source.push(VIDEO, self.clock_ms, body)

    def step(self, what: str, value: Any, order: Any) -> None:
        self.clock_ms += 15
        if what in ("picture", "keyframe"):
            self.picture(value, is_keyframe=what == "keyframe")
        elif what == "sound":
            self.rig.source.audio(self.clock_ms, size=value)
        elif what == "header":
            self.header(value)
        elif what == "join":
            self.peers.append(self.rig.play(value))
        elif what == "pass":
            self.rig.loop.run_for(value)
        elif what == "tick":
            self.rig.tick()
        elif self.peers:
            peer = order.choice(self.peers)
            if peer.slow is not None:
                self.peers.remove(peer)  # it was closed for its many jumps
            elif what == "room":
                peer.give_room(value)
            elif what == "private" and isinstance(self.form, WsForm):
                peer.player.fan.send_private(peer.player, PONG)
            elif what == "leave":
                peer.leave()
                self.peers.remove(peer)

    def finish(self) -> None:
        """Everybody reads, and a keyframe comes."""
        self.peers = [peer for peer in self.peers if peer.slow is None]
        for peer in self.peers:
            peer.give_room(None)
        for n in range(3):
            self.clock_ms += 15
            self.picture(20, is_keyframe=n == 0)
            self.rig.source.audio(self.clock_ms)
        self.rig.loop.run_for(200)

    def check(self) -> None:
        """Each got whole frames in their order, none left out but where it jumped, with the clock of the stream."""
        numbered: dict[int, tuple[int, bool]] = {}
        for frame in self.rig.source.frames:
            if frame.kind == MEDIA and self.form.accepts(frame):
                number = int(frame.payload[10:18] if frame.type_id == VIDEO else frame.payload[2:10])
                numbered[number] = frame.dts_ms, frame.is_keyframe
        everything = sorted(numbered)
        for peer in self.peers:
            sent = sent_of(self.form, bytes(peer.received))
            numbers = [number for number, _ in sent]
            assert numbers == sorted(numbers)
            assert set(numbers) <= set(everything) and numbers[-1] == everything[-1]
            # Where a clock stands still a muxer must move on; a picture that stands still is sent once more.
            assert [at for number, at in sent[1:]] == [numbered[number][0] for number in numbers[1:]]
            missing = set(everything[everything.index(numbers[0]) :]) - set(numbers)
            assert bool(missing) <= bool(peer.player.jump_count)
            assert peer.player.position >= 0
            assert not peer.is_write_wanted


@pytest.mark.parametrize("form", FORMS, ids=str)
@settings(max_examples=120, deadline=None, derandomize=True)
@given(steps=STEPS, interval_ms=st.sampled_from([0, 50]), order=st.randoms(use_true_random=False))
def test_any_course_of_events_leaves_every_player_a_clean_stream(form, steps, interval_ms, order) -> None:
    course = Course(form, interval_ms)
    for what, value in steps:
        course.step(what, value, order)
    course.finish()
    course.check()
