"""What one node knows of a stream: for its own page, and for the next node, which gets no addresses of clients."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from edge.hub.key import PUBLISH_REALM, StreamKey
from edge.hub.stream import Stream
from edge.media.frame import AUDIO, VIDEO
from edge.service.advice import has_cause
from edge.service.answers import Happened, NodeReport, Trouble
from edge.service.condition import Condition, conditions_of
from edge.service.insight import NOTHING, Insight, Way
from edge.service.service import Service
from edge.service.spelling import hint_of
from edge.service.story import MAX_TEXT, Entry, Kind

#: What one node tells another, in bytes, with all that it has heard from those behind it.
MAX_ANSWER_BYTES = 4096
#: Nodes, and entries of each, that are taken from an answer.
MAX_NODES = 8
_MAX_ENTRIES = 16
_MAX_COUNT = 2**53
#: The stream is not here; by these of its story it has been asked for up the way.
_MISSING = frozenset({Kind.ABSENT, Kind.NOT_ASKED})
_ASKED = frozenset({Kind.ASKED, Kind.RUNS, Kind.PUBLISHED})
_ADDRESS = re.compile(r"\[[0-9a-fA-F:.]{2,45}\](:\d+)?|\b\d{1,3}(\.\d{1,3}){3}(:\d+)?")


def node_report(service: Service, key: StreamKey, now_ms: int) -> NodeReport:
    """What this node knows of ``key`` now and of before, its clients included."""
    insight = service.source.insight(key) if service.source is not None else NOTHING
    live, pushed = service.registry.find(key), service.registry.find(key._replace(realm=PUBLISH_REALM))
    stream = pushed if pushed is not None and (live is None or live.publisher is None) else live
    found = [*insight.conditions, *_conditions(service, key, live, pushed, now_ms, can_ask=bool(insight.neighbours))]
    wall_ms = service.registry.wall_ms()
    return NodeReport(
        id=service.service_id,
        name=service.hostname,
        role="edge" if service.source_of(key) is not None else "origin",
        state=_state(stream, insight),
        publisher=_publisher_of(stream),
        players=sum(each.player_count for each in (live, pushed) if each is not None),
        video=stream.codec_of(VIDEO) if stream is not None else "",
        audio=stream.codec_of(AUDIO) if stream is not None else "",
        ways=insight.ways,
        conditions=tuple(Trouble(each.kind.value, each.text) for each in dict.fromkeys(found)),
        story=tuple(happened(entry, wall_ms) for entry in service.chronicle.stories.of_stream(key)),
    )


def _conditions(
    service: Service, key: StreamKey, live: Stream | None, pushed: Stream | None, now_ms: int, *, can_ask: bool
) -> list[Condition]:
    """``can_ask``: another node can be asked, which knows more."""
    found = [each for stream in (pushed, live) if stream is not None for each in conditions_of(stream, now_ms)]
    if service.lets_nobody_in:
        found.insert(0, Condition(Kind.DRAINING, "the server is being stopped"))
    if live is None and pushed is None:
        found.append(_absence(service, key, can_ask=can_ask))
    hint = hint_of(service, key) if any(each.kind in _MISSING for each in found) else ""
    return [each._replace(text=f"{each.text}; {hint}") if hint and each.kind in _MISSING else each for each in found]


def _absence(service: Service, key: StreamKey, *, can_ask: bool) -> Condition:
    """The stream is not here: what that says depends on who else can be asked, and on what was heard of it."""
    if service.source_of(key) is None:
        return Condition(Kind.ABSENT, "nobody publishes it here")
    if can_ask:
        return Condition(Kind.ABSENT, "nobody plays or publishes it here")
    kinds = [entry.kind for entry in service.chronicle.stories.of_stream(key)]
    if has_cause(kinds):
        what = "nobody plays or publishes it here, and there is no connection on which to ask the upstream"
        return Condition(Kind.ABSENT, f"{what}: play it here, then ask again")
    if _ASKED.isdisjoint(kinds):
        return Condition(Kind.NOT_ASKED, "this edge has not asked its upstream for it yet")
    return Condition(Kind.NOT_ASKED, "this edge does not ask its upstream for it any more")


def _state(stream: Stream | None, insight: Insight) -> str:
    if stream is None:
        return "absent"
    pull = next((way for way in insight.ways if way.use == "pull"), None)
    if stream.pull is not None and pull is not None:
        return pull.state
    if stream.publisher is None:
        return "grace" if stream.feed.grace_until_ms else "waiting"
    return "live"


def _publisher_of(stream: Stream | None) -> str:
    if stream is None or stream.publisher is None:
        return ""
    if stream.pull is not None:
        return "pulled" if stream.has_begun else ""
    return "node" if stream.publisher.is_hop else "client"


def happened(entry: Entry, wall_ms: int) -> Happened:
    """An entry of a story, with ages for times."""
    return Happened(
        kind=entry.kind.value,
        text=entry.text,
        age_s=max(wall_ms - entry.at_ms, 0) // 1000,
        first_age_s=max(wall_ms - entry.first_ms, 0) // 1000,
        count=entry.count,
        amount=entry.amount,
        server=entry.server,
        client=entry.client,
    )


# --- between nodes ------------------------------------------------------------------


def encode_nodes(nodes: Sequence[NodeReport]) -> str:
    """The reports of this node and of those behind it, for the node before: without clients, at most 4 KB.

    What does not fit is left out from the oldest on, where most is told.
    """
    rows = [_for_others(node) for node in nodes[:MAX_NODES]]
    while len(text := json.dumps(rows, ensure_ascii=True, separators=(",", ":"))) > MAX_ANSWER_BYTES:
        longest = max(rows, key=lambda row: len(row["story"]))
        if longest["story"]:
            longest["story"].pop()
        else:
            rows.pop()
    return text


def _for_others(node: NodeReport) -> dict[str, Any]:
    """``node`` without its clients: neither who they are nor what texts say of where they come from."""
    servers = {way.server for way in node.ways} | {entry.server for entry in node.story}

    def hide(text: str) -> str:
        text = text[:MAX_TEXT]
        return _ADDRESS.sub(lambda found: found.group() if found.group() in servers else "...", text)

    row = asdict(node)
    row["ways"] = [asdict(replace(way, error=hide(way.error))) for way in node.ways]
    row["conditions"] = [asdict(replace(each, text=hide(each.text))) for each in node.conditions]
    entries = (asdict(replace(entry, text=hide(entry.text))) for entry in node.story[:_MAX_ENTRIES])
    row["story"] = [{name: value for name, value in entry.items() if name != "client"} for entry in entries]
    return row


def decode_nodes(text: str) -> list[NodeReport]:
    """The reports in an answer of another node; what is not as it should be is left out, and nothing is believed."""
    if len(text) > MAX_ANSWER_BYTES:
        return []
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if not isinstance(found, list):
        return []
    return [_node(_Values(each)) for each in found[:MAX_NODES] if isinstance(each, dict)]


class _Values:
    """The fields of an object that somebody else has written."""

    def __init__(self, found: dict[str, Any]) -> None:
        self._found = found

    def text(self, name: str) -> str:
        """A string, cut to what is shown, without what is no text in UTF-8; "" for anything else."""
        value = self._found.get(name)
        return value[:MAX_TEXT].encode("utf-8", "replace").decode() if isinstance(value, str) else ""

    def number(self, name: str) -> int:
        """A whole number that is not negative; 0 for anything else."""
        value = self._found.get(name)
        return min(max(value, 0), _MAX_COUNT) if type(value) is int else 0

    def rows(self, name: str) -> Iterator[_Values]:
        """The objects in a list."""
        value = self._found.get(name)
        found = value[:_MAX_ENTRIES] if isinstance(value, list) else ()
        return (_Values(row) for row in found if isinstance(row, dict))


def _node(found: _Values) -> NodeReport:
    text, number = found.text, found.number
    return NodeReport(
        id=text("id"),
        name=text("name"),
        role=text("role"),
        state=text("state"),
        publisher=text("publisher"),
        players=number("players"),
        video=text("video"),
        audio=text("audio"),
        ways=tuple(
            Way(row.text("use"), row.text("state"), row.text("server"), row.text("error"), row.number("attempt_count"))
            for row in found.rows("ways")
        ),
        conditions=tuple(Trouble(row.text("kind"), row.text("text")) for row in found.rows("conditions")),
        story=tuple(_entry(row) for row in found.rows("story")),
    )


def _entry(row: _Values) -> Happened:
    return Happened(
        kind=row.text("kind"),
        text=row.text("text"),
        age_s=row.number("age_s"),
        first_age_s=row.number("first_age_s"),
        count=row.number("count"),
        amount=row.number("amount"),
        server=row.text("server"),
        client="",
    )
