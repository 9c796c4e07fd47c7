"""Messages pushed together leave a stream exactly as they do one by one, whatever is among them."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.hub.config import HubConfig
from edge.hub.key import StreamKey
from edge.hub.publisher import Publisher
from edge.hub.stream import Stream
from edge.media.frame import AUDIO, VIDEO, Epoch, Frame
from tests.net.forms import FORMS

PICTURES = [
    b"\x27\x01\0\0\0picture",
    b"\x17\x01\0\0\0keyframe",
    b"\x17\0\0\0\0header",
    b"\x17\0\0\0\0another header",
    b"\x27\x02\0\0\0end",
    b"\x57\x01\0\0\0command",
    b"\x22picture of H.263",
    b"\x12keyframe of H.263",
    b"\x91hvc1\0\0\0picture",
    b"\x93hvc1keyframe",
    b"\x90hvc1header",
    b"\x96\x01hvc1\x01second track",
    b"\x2c\x01\0\0\0HEVC by number",
]
SOUNDS = [b"\xaf\x01sound", b"\xaf\0header", b"\x2fMP3", b"\x2f\0MP3", b"\x91Opussound", b"\x90Opusheader"]
STEPS = [0, 20, 40, 40, 40, 500, 9000, -30, -300, -9000]


def state_of(queue: Any) -> Any:
    """All that a queue, a clock or the counters hold, by value."""

    def value(thing: Any) -> Any:
        if isinstance(thing, Frame):
            names = ("type_id", "dts_ms", "payload", "kind", "is_keyframe", "track", "index")
            return (*(getattr(thing, name) for name in names), thing.epoch and thing.epoch.id)
        if isinstance(thing, dict):
            return [(key, value(each)) for key, each in thing.items()]
        if hasattr(thing, "__slots__") or hasattr(thing, "__dict__"):
            slots = [name for cls in type(thing).__mro__ for name in getattr(cls, "__slots__", ())]
            return {name: value(getattr(thing, name)) for name in sorted({*slots, *getattr(thing, "__dict__", ())})}
        if isinstance(thing, (list, tuple)) or hasattr(thing, "popleft"):
            return [value(each) for each in thing]
        return thing

    return value(queue)


def published(runs: Any, *, together: bool) -> Stream:
    stream = Stream(StreamKey("_", "live", "s"), HubConfig(log_retain_ms=500, max_cached_frames=60), 0)
    publisher = Publisher(stream, "1.2.3.4:5", 0)
    stream.begin_publish(publisher, Epoch("e1"), 0)
    for form in FORMS:
        stream.open_log(form)
    now_ms, clocks = 0, {AUDIO: 0, VIDEO: 0}
    for run, is_switch in runs:
        now_ms += 40
        messages = []
        for type_id, body, step in run:
            clocks[type_id] = (clocks[type_id] + step) & 0xFFFFFFFF
            messages.append((type_id, clocks[type_id], body))
        if is_switch:
            other = Publisher(stream, "1.2.3.4:6", now_ms)
            stream.begin_publish(other, Epoch(f"e{now_ms}"), now_ms)
            publisher = other
        if together:
            publisher.push_all(messages, now_ms)
        else:
            for message in messages:
                publisher.push(*message, now_ms)
        publisher.commit()
    return stream


message = st.one_of(
    st.tuples(st.just(VIDEO), st.sampled_from(PICTURES), st.sampled_from(STEPS)),
    st.tuples(st.just(AUDIO), st.sampled_from(SOUNDS), st.sampled_from(STEPS)),
    st.tuples(st.just(VIDEO), st.just(PICTURES[0]), st.just(40)),
    st.tuples(st.just(AUDIO), st.just(SOUNDS[0]), st.just(23)),
)
runs = st.lists(st.tuples(st.lists(message, max_size=12), st.booleans()), max_size=12)


@given(runs)
@settings(max_examples=300, deadline=None)
def test_together_is_one_by_one(runs: Any) -> None:
    one, all_ = published(runs, together=False), published(runs, together=True)
    assert state_of(all_.queue) == state_of(one.queue)
    assert state_of(all_.timeline) == state_of(one.timeline)
    assert state_of(all_.stats) == state_of(one.stats)
    assert all_.epoch is not None and one.epoch is not None
    assert all_.epoch.next_index == one.epoch.next_index
    for form in FORMS:
        log, other = all_.logs[form], one.logs[form]
        assert log.end == other.end
        assert log.read(log.start, log.end) == other.read(other.start, other.end)


def test_usual_messages_are_taken_without_the_careful_way(monkeypatch: Any) -> None:
    stream = Stream(StreamKey("_", "live", "s"), HubConfig(), 0)
    publisher = Publisher(stream, "1.2.3.4:5", 0)
    stream.begin_publish(publisher, Epoch("e1"), 0)
    for type_id, body in ((VIDEO, PICTURES[2]), (AUDIO, SOUNDS[1]), (VIDEO, PICTURES[1]), (AUDIO, SOUNDS[0])):
        publisher.push(type_id, 0, body, 0)
    publisher.push(VIDEO, 40, PICTURES[0], 0)
    publisher.push(VIDEO, 80, PICTURES[0], 0)
    publisher.push(AUDIO, 80, SOUNDS[0], 0)
    careful: list[bytes] = []
    push = Stream.push
    monkeypatch.setattr(Stream, "push", lambda self, *message: (careful.append(message[2]), push(self, *message)))
    usual = [(VIDEO, 120 + n, PICTURES[0]) for n in range(3)] + [(AUDIO, 120 + n, SOUNDS[0]) for n in range(3)]
    publisher.push_all([*usual, (VIDEO, 200, PICTURES[1]), (VIDEO, 240, PICTURES[0]), (AUDIO, 240, SOUNDS[1])], 0)
    assert careful == [PICTURES[1], SOUNDS[1]]
