"""Puts together what the nodes of a stream's way know: does it play, and if not why, the newest cause first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge.hub.key import StreamKey
from edge.service.advice import BEGINNINGS, EVENTS, OF_SOME, advice_of
from edge.service.answers import DOES_NOT_PLAY, NOT_KNOWN, PLAYS, Cause, Diagnosis, Happened, NodeReport
from edge.service.story import Kind
from edge.service.wording import spoken_time

#: What happened longer ago is no part of the sentence about a stream that plays.
RECENT_S = 600
#: Causes that only say that others say no: others of the same node come first in the sentence.
_VAGUE = frozenset({Kind.GAVE_UP, Kind.ABSENT, Kind.NOT_FOUND, Kind.WAITING, Kind.NO_ANSWER})
#: It is not at that node, which says nothing of the nodes behind.
_MISSING = frozenset({Kind.ABSENT, Kind.NOT_ASKED})
#: Conditions that have come about by something: what, the story tells.
_CAME_ABOUT = _VAGUE | {Kind.PUBLISHER_LOST}
_KINDS = {kind.value: kind for kind in Kind}
_MAX_CAUSES = 40
#: With these of the first node it stands still.
_STALLED = frozenset({Kind.SILENT, Kind.MUTE, Kind.NO_ANSWER, Kind.PUBLISHER_LOST, Kind.NO_MEDIA})
_UNPLAYABLE = frozenset({Kind.NO_HEADER, Kind.NO_KEYFRAME, Kind.NO_MEDIA})
#: What is wrong with the media is so at each node; the deepest one that sees it tells.
_OF_MEDIA = frozenset({Kind.NO_HEADER, Kind.NO_KEYFRAME, Kind.CODEC, Kind.CLOCK, Kind.WAITS, Kind.SLOW_LINE})


def diagnose(key: StreamKey, nodes: Sequence[NodeReport], near: Sequence[str] = ()) -> Diagnosis:
    """What ``nodes`` (see ``report.py``, the nearest first) say of ``key``.

    ``near``: names of streams that are here and are written much like it.
    """
    now = list(_present(nodes))
    told = {(cause.node, cause.kind) for cause in now}  # what a server does now is not told of before too
    past = (cause for cause in _past(nodes) if not cause.server or (cause.node, cause.kind) not in told)
    before = sorted(past, key=lambda cause: cause.age_s)
    causes = [*now, *before][:_MAX_CAUSES]
    plays = _plays(nodes, now)
    if plays:
        state, verdict = PLAYS, _verdict_of_playing(nodes, causes)
    elif now and now[0].kind == Kind.NOT_ASKED.value and nodes[0].state == "absent":
        state, verdict = NOT_KNOWN, _verdict_of_not_known(nodes, now[0], near)
    else:
        state, verdict = DOES_NOT_PLAY, _verdict_of_not(nodes, now, before, near)
    return Diagnosis(key.text, plays, verdict, tuple(causes), tuple(nodes), tuple(near), state)


def _present(nodes: Sequence[NodeReport]) -> Iterator[Cause]:
    """What is wrong now, at the node farthest from whoever asks first."""
    seen: set[Kind] = set()
    for place in reversed(range(len(nodes))):
        for row in nodes[place].conditions:
            kind = _KINDS.get(row.kind)
            if kind is None or (kind in _OF_MEDIA and kind in seen):
                continue
            if kind in _MISSING and place < len(nodes) - 1:
                continue  # it is looked for farther on
            seen.add(kind)
            name = nodes[place].name
            yield Cause(place, name, kind.value, row.text, advice_of(kind), is_now=True)


def _past(nodes: Sequence[NodeReport]) -> Iterator[Cause]:
    """The causes in the stories; what came before the stream last began to run is not in force."""
    for place, node in enumerate(nodes):
        is_in_force = True
        for row in node.story:
            kind = _KINDS.get(row.kind)
            if kind in BEGINNINGS:
                is_in_force = False
            if kind is not None and kind not in EVENTS:
                yield cause_of(row, kind, place=place, node_name=node.name, is_in_force=is_in_force)


def cause_of(row: Happened, kind: Kind, *, place: int = 0, node_name: str = "", is_in_force: bool = True) -> Cause:
    """An entry of a story as a cause, with advice."""
    return Cause(
        node=place,
        node_name=node_name,
        kind=kind.value,
        text=row.text,
        advice=advice_of(kind),
        age_s=row.age_s,
        count=row.count,
        amount=row.amount,
        server=row.server,
        client=row.client,
        is_in_force=is_in_force,
    )


def _plays(nodes: Sequence[NodeReport], now: Sequence[Cause]) -> bool:
    """Whether somebody who came to the first node would see it."""
    if not nodes:
        return False
    kinds = {_KINDS[cause.kind] for cause in now}
    if not kinds.isdisjoint(_UNPLAYABLE):
        return False
    mine = nodes[0]
    if any(way.use == "push" and way.state != "live" for way in mine.ways):
        return False  # what is published here reaches nobody
    if mine.state == "live":
        return not any(cause.node == 0 and _KINDS[cause.kind] in _STALLED for cause in now)
    # Nobody plays it here just now: it would be fetched from the next node.
    return mine.state == "absent" and any(node.state == "live" for node in nodes[1:])


def _verdict_of_playing(nodes: Sequence[NodeReport], causes: Sequence[Cause]) -> str:
    codecs = ", ".join(each for each in (nodes[-1].video, nodes[-1].audio) if each)
    where = f" over {len(nodes)} nodes" if len(nodes) > 1 else ""
    players = "1 player" if nodes[0].players == 1 else f"{nodes[0].players} players"
    text = f"it plays{where}{f' ({codecs})' if codecs else ''}, {players} here"
    trouble = [cause for cause in causes if cause.is_in_force and cause.age_s <= RECENT_S]
    trouble.sort(key=lambda cause: not cause.is_now)
    return f"{text}; but {_told(nodes, trouble[0])}" if trouble else text


def _verdict_of_not_known(nodes: Sequence[NodeReport], cause: Cause, near: Sequence[str]) -> str:
    """The last node that was reached could not say: that is no reason, and nothing for the encoder to do."""
    parts = [_told(nodes, cause), *([f"there is {', '.join(near)}"] if near else [])]
    return f"not known: {'; '.join(parts)}; play it once, or ask the origin"


def _verdict_of_not(
    nodes: Sequence[NodeReport], now: Sequence[Cause], before: Sequence[Cause], near: Sequence[str]
) -> str:
    """The cause that is deepest, and behind a vague one what is known of how it came to that."""
    if not nodes:
        return "it does not play: no node answers"
    first = next(iter(now), None)
    in_force = [cause for cause in before if cause.is_in_force]
    parts: list[str] = []
    if first is not None:
        parts.append(_told(nodes, first))
        if _KINDS[first.kind] is Kind.ABSENT and near:
            parts.append(f"there is {', '.join(near)}")
    specific = [cause for cause in in_force if _KINDS[cause.kind] not in _VAGUE | OF_SOME]
    specific.sort(key=lambda cause: (cause.age_s, not cause.server))  # what a server did, before what came of it
    if first is None or _KINDS[first.kind] in _CAME_ABOUT:
        here = [cause for cause in specific if first is None or cause.node == first.node]
        for cause in (here or specific or (in_force if first is None else []))[:1]:
            parts.append(_told(nodes, cause))
    if not parts:
        parts.append("it has not been asked for here, and nothing is known of it")
    return f"it does not play: {'; '.join(parts)}"


def _told(nodes: Sequence[NodeReport], cause: Cause) -> str:
    where = f" (at {cause.node_name}, node {cause.node + 1})" if len(nodes) > 1 else ""
    when = "" if cause.is_now else f", {spoken_time(cause.age_s)} ago"
    return f"{cause.text}{where}{when}"
