"""Segments of frames that come by chance: playlists follow each other, and whoever makes a segment makes the same."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from edge.hls.config import HlsConfig
from edge.hls.segmenter import Segmenter
from edge.hub.config import HubConfig
from tests.hls.feeding import (
    AAC_BODY,
    AAC_MONO_BODY,
    AVC_BODY,
    AVC_OTHER_BODY,
    WALL_MS,
    Hop,
    Origin,
    Watched,
    assert_same,
)

KINDS = pytest.mark.parametrize("kind", ["ts", "m4s"])

#: What comes, how much later than what came before it, how big it is, and how far its own stamp is off.
STEPS = st.lists(
    st.tuples(st.sampled_from("kppppaaaaaah" + "n"), st.integers(0, 200), st.integers(0, 300), st.integers(-150, 150)),
    min_size=20,
    max_size=150,
)
Steps = list[tuple[str, int, int, int]]
RULE = HubConfig(hls_fragment_s=0.6, hls_part_ms=100, hls_max_segment_bytes=4000)


def play(origin: Origin, steps: Steps, each: object = None, *, quiet_ms: int = 0) -> None:
    """Push frames; ``h`` are other headers, not so soon after a publish began, ``n`` another publisher."""
    wall_ms, ms, begun_ms = WALL_MS, 0, 0
    for number, (what, passed_ms, size, off_ms) in enumerate(steps):
        ms += passed_ms
        if what == "n":
            wall_ms += ms - begun_ms
            begun_ms = ms
            origin.begin(f"e{number}", WALL_MS + ms)
            origin.headers()
        elif what == "h":
            if ms - begun_ms < quiet_ms:
                continue
            origin.headers([AVC_BODY, AVC_OTHER_BODY][number % 2], [AAC_BODY, AAC_MONO_BODY][number // 2 % 2])
        elif what == "a":
            origin.sound(max(ms - begun_ms + off_ms, 0), size)
        else:
            origin.picture(ms - begun_ms, is_keyframe=what == "k", size=size)
        if callable(each):
            each()


@settings(deadline=None, max_examples=30, derandomize=True, phases=[Phase.generate])
@given(steps=STEPS, kind=st.sampled_from(["ts", "m4s"]), window_s=st.sampled_from([0.5, 2, 30]), ends=st.booleans())
def test_any_frames_make_playlists_that_follow_each_other(steps: Steps, kind: str, window_s: float, ends: bool) -> None:
    origin = Origin(RULE)
    watched = Watched(origin.stream, kind, HlsConfig(hls_window_s=window_s), may_grow=True)
    origin.headers()
    play(origin, steps)
    if ends:
        origin.stream.announce_unpublished("")
        origin.stream.end("")
    again = Watched(origin.stream, kind, HlsConfig(hls_window_s=window_s), may_grow=True)
    assert again.it.is_ended == ends
    for each in watched.it.segments:
        for index, part in enumerate(each.parts):
            assert each.part_bytes(index) is not None and part.duration_ms > 0


@KINDS
@pytest.mark.parametrize("seed", [*range(40), 152, 157, 187, 191])
def test_any_frames_make_the_same_segments_at_all_nodes(kind: str, seed: int) -> None:
    """By chances of our own: those of hypothesis change with the modules that are loaded."""
    chance = random.Random(seed)
    steps = [
        (chance.choice("kppppaaaaaahn"), chance.randint(0, 200), chance.randint(0, 300), chance.randint(-150, 150))
        for _ in range(chance.randint(20, 150))
    ]
    place, earlier_ms, commits_each = chance.random(), chance.randint(0, 3000), chance.random() < 0.5
    origin = Origin(RULE)
    first = Watched(origin.stream, kind, may_grow=True)
    origin.headers()
    origin.sound(0)  # a header of which no frame has come is not kept for those who begin later
    at, behind = int(place * len(steps)), chance.randint(1, 20)
    nodes: list[Hop] = []

    def receive() -> None:
        nonlocal at
        at -= 1
        if at == 0:
            nodes.append(Hop(origin, replace(RULE, hls_fragment_s=50)))
            nodes[0].stream.timeline.last_dts_ms = earlier_ms
            watched.append(Watched(nodes[0].stream, kind, may_grow=True))
        elif at == -behind and nodes:
            nodes.append(Hop(nodes[0]))
            watched.append(Watched(nodes[1].stream, kind, may_grow=True))
        for node in nodes:
            node.receive(commits_each=commits_each)

    watched: list[Watched] = []
    # In its first second a publish may mend its headers without a cut: who begins then has the later ones only.
    play(origin, steps, receive, quiet_ms=1100)
    for each in watched:
        assert_same(first, each)


@KINDS
@pytest.mark.parametrize("seed", range(20))
def test_work_in_pieces_makes_the_same_segments(kind: str, seed: int) -> None:
    """However much has come when there is time for it; and from a queue that lets go of frames meanwhile."""
    chance = random.Random(seed)
    steps = [
        (chance.choice("kppppaaaaaahn"), chance.randint(0, 200), chance.randint(0, 300), chance.randint(-150, 150))
        for _ in range(chance.randint(20, 300))
    ]
    origin = Origin(replace(RULE, log_retain_ms=chance.choice([0, 1000, 10_000]), gop_cache_max_bytes=20_000))
    at_once = Watched(origin.stream, kind, may_grow=True)
    waiting: list[Segmenter] = []
    in_pieces = [Watched(origin.stream, kind, may_grow=True, on_work=waiting.append)]
    origin.headers()
    often = chance.random()

    def work() -> None:
        if len(in_pieces) < 2 and chance.random() < 0.02:
            in_pieces.append(Watched(origin.stream, kind, may_grow=True, on_work=waiting.append))
        while waiting and chance.random() < often:
            segmenter = waiting.pop(0)
            if segmenter.work():
                waiting.append(segmenter)
        assert len(set(waiting)) == len(waiting), "one asks once"

    play(origin, steps, work)
    while waiting:
        if waiting[0].work():
            waiting.append(waiting[0])
        del waiting[0]
    origin.stream.end("")
    assert assert_same(at_once, in_pieces[0]) == len(at_once.whole())
    for each in in_pieces:
        assert_same(at_once, each)
        assert [one.name for one in each.it.segments] == [one.name for one in at_once.it.segments][
            -len(each.it.segments) :
        ]
