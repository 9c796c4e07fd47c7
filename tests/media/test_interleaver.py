"""Whatever the order is in which sound and picture come: none is lost, and within the bounds they come out by time."""

from __future__ import annotations

from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st

from edge.media.frame import AUDIO, VIDEO
from edge.media.interleaver import MAX_BYTES, MAX_COUNT, MAX_SPAN_MS, Interleaver, Message

KINDS = st.sampled_from((AUDIO, VIDEO))
WRAP = 1 << 32


def numbered(script: list[tuple[int, int]]) -> list[Message]:
    return [(type_id, stamp % WRAP, b"%d" % number) for number, (type_id, stamp) in enumerate(script)]


def through(messages: list[Message], headers: frozenset[int] = frozenset()) -> list[Message]:
    """What comes out of these, with those at ``headers`` for headers, and of the end."""
    interleaver, out = Interleaver(), []
    for number, message in enumerate(messages):
        out += interleaver.add(message, is_media=number not in headers)
        assert len(interleaver) == len(interleaver.waiting()) < MAX_COUNT
        assert len({type_id for type_id, _, _ in interleaver.waiting()}) < 2, "one kind waits for the other"
    return out + interleaver.flush()


def of(kind: int, messages: list[Message]) -> list[Message]:
    return [message for message in messages if message[0] == kind]


def at_rest(interleaver: Interleaver, *messages: Message) -> list[int]:
    """Stamps of what goes on at once."""
    return [stamp for message in messages for _, stamp, _ in interleaver.add(message, is_media=True)]


@given(
    script=st.lists(st.tuples(KINDS, st.one_of(st.integers(0, 3000), st.integers(0, WRAP - 1))), max_size=80),
    headers=st.frozensets(st.integers(0, 79), max_size=12),
)
def test_none_is_lost_and_each_kind_keeps_its_order_whatever_the_stamps_say(
    script: list[tuple[int, int]], headers: frozenset[int]
) -> None:
    messages = numbered(script)
    out = through(messages, headers)
    assert Counter(out) == Counter(messages)
    for kind in (AUDIO, VIDEO):
        assert of(kind, out) == of(kind, messages)


@given(
    first=st.sampled_from((0, 5000, (1 << 31) - 500, WRAP - 500, WRAP - 1)),
    steps=st.lists(st.tuples(KINDS, st.integers(0, 100)), max_size=120),
    turns=st.lists(st.booleans(), min_size=120, max_size=120),
)
def test_disorder_within_the_bounds_comes_out_by_time(
    first: int, steps: list[tuple[int, int]], turns: list[bool]
) -> None:
    """Two kinds, each in order, mixed at will, as long as not too much of one comes before what it waits for."""
    queues: dict[int, list[int]] = {AUDIO: [], VIDEO: []}
    at_ms = first
    for kind, step_ms in steps:
        at_ms += step_ms
        queues[kind].append(at_ms)
    newest = {AUDIO: first - 1, VIDEO: first - 1}
    waiting: dict[int, list[int]] = {AUDIO: [], VIDEO: []}
    script: list[tuple[int, int]] = []
    for is_video in turns:
        kind = VIDEO if is_video else AUDIO
        other = AUDIO + VIDEO - kind
        if not queues[kind]:
            continue
        would_wait = [*(each for each in waiting[kind] if each >= newest[other]), queues[kind][0]]
        if len(would_wait) >= MAX_COUNT or would_wait[-1] - would_wait[0] > MAX_SPAN_MS:
            continue
        waiting[kind] = would_wait
        newest[kind] = queues[kind].pop(0)
        waiting[other] = [each for each in waiting[other] if each >= newest[kind]]
        script.append((kind, newest[kind]))
    out = through(numbered(script))
    times = [(stamp - first) % WRAP for _, stamp, _ in out]
    assert times == sorted((at_ms - first) % WRAP for _, at_ms in script)


@given(kind=KINDS, step_ms=st.integers(0, 40), count=st.integers(1, 60))
@example(VIDEO, 0, 40)
def test_of_one_kind_alone_no_more_than_ten_wait(kind: int, step_ms: int, count: int) -> None:
    interleaver = Interleaver()
    out = at_rest(interleaver, *((kind, number * step_ms, b"x") for number in range(count)))
    assert out == [number * step_ms for number in range(max(count - MAX_COUNT + 1, 0))]


def test_pictures_that_come_once_in_a_while_wait_for_the_next_at_most() -> None:
    interleaver = Interleaver()
    assert at_rest(interleaver, (VIDEO, 0, b"x"), (VIDEO, 5000, b"x"), (VIDEO, 10000, b"x")) == [0, 5000]


def test_what_waits_is_bounded_in_bytes() -> None:
    interleaver, size = Interleaver(), MAX_BYTES // 2
    assert at_rest(interleaver, *((VIDEO, number, bytes(size)) for number in range(4))) == [0, 1]
    assert at_rest(interleaver, (VIDEO, 4, bytes(MAX_BYTES + 1))) == [2, 3, 4]
    assert not len(interleaver)


def test_a_clock_that_is_set_back_lets_go_of_all() -> None:
    interleaver = Interleaver()
    assert at_rest(interleaver, *((VIDEO, 90000 + 40 * number, b"x") for number in range(4))) == []
    assert at_rest(interleaver, (VIDEO, 0, b"x")) == [90000, 90040, 90080, 90120]
    assert at_rest(interleaver, (AUDIO, 90100, b"x"), (VIDEO, 40, b"x"), (AUDIO, 23, b"x")) == [0, 40, 90100]
    assert at_rest(interleaver, (VIDEO, 80, b"x")) == [23]


def test_one_that_is_somewhat_late_is_no_clock_that_is_set_back() -> None:
    interleaver = Interleaver()
    assert at_rest(interleaver, (VIDEO, 1000, b"x"), (VIDEO, 960, b"x")) == []
    assert at_rest(interleaver, (AUDIO, 1010, b"x")) == [1000, 960]


def test_headers_stay_between_the_frames_that_they_are_between() -> None:
    interleaver = Interleaver()
    add = interleaver.add
    assert add((VIDEO, 0, b"header"), is_media=False) == [(VIDEO, 0, b"header")], "nothing is before it"
    assert add((VIDEO, 100, b"a"), is_media=True) == []
    assert add((VIDEO, 0, b"another"), is_media=False) == []
    assert add((AUDIO, 0, b"sound's"), is_media=False) == [(AUDIO, 0, b"sound's")], "no sound is before it"
    assert add((VIDEO, 140, b"b"), is_media=True) == []
    assert add((AUDIO, 120, b"s"), is_media=True) == [(VIDEO, 100, b"a"), (VIDEO, 0, b"another"), (AUDIO, 120, b"s")]
    assert interleaver.flush() == [(VIDEO, 140, b"b")]
