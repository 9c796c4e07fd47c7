"""What pulls and pushes tell their stream's story: whom they asked, what came of it, where they run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from edge.errors import UpstreamTlsError
from edge.net.rtmp.client import LinkEnd, RtmpClientConnection
from edge.service.condition import SILENT_MS, Condition
from edge.service.insight import Insight, Neighbour, Way
from edge.service.story import Kind, Stories

if TYPE_CHECKING:
    from edge.hub.key import StreamKey
    from edge.upstream.target import Target
    from naming.node import ServerNode


class Told(Protocol):
    """A pull or push, as far as its story is concerned; see ``UpstreamLink``."""

    what: str
    key: StreamKey
    query: str
    state: str
    server: ServerNode | None
    connection: RtmpClientConnection | None
    target: Target
    attempt_count: int
    last_error: str
    failed_at: str
    last_end: LinkEnd | None

    @property
    def began_ms(self) -> int:
        """When the attempt in progress, or the last one, began to connect."""
        ...


class ToldPull(Told, Protocol):
    """A pull."""

    is_missing: bool

    @property
    def last_data_ms(self) -> int:
        """When its upstream last sent something, or accepted it."""
        ...


class ToldPush(Told, Protocol):
    """A push."""

    def behind_ms(self) -> int:
        """How much of what its publisher has sent waits for the line to the upstream."""
        ...


#: An attempt under way for so long is told of.
_LONG_MS = 500
#: What is shown of the name of a list, which may be the list itself.
_MAX_SHOWN = 60
#: A push so far behind its publisher has too slow a line.
_BEHIND_MS = 2000

_KINDS = {
    LinkEnd.REFUSED: Kind.REFUSED,
    LinkEnd.NOT_FOUND: Kind.NOT_FOUND,
    LinkEnd.UNPUBLISHED: Kind.PUBLISHER_LEFT,
    LinkEnd.NO_DATA: Kind.MUTE,
    LinkEnd.LOOP: Kind.LOOP,
    LinkEnd.KICKED: Kind.KICKED,
}
# What the texts of lost and timed out attempts begin with; the first that fits counts.
_BEGINNINGS = (
    (UpstreamTlsError.reason, Kind.TLS),
    ("no server", Kind.NO_SERVER),
    ("not acted on yet", Kind.NO_SERVER),
    ("it speaks HTTP", Kind.FOREIGN),
    ("handshake_timeout", Kind.TIMED_OUT),
    ("connect_timeout", Kind.TIMED_OUT),
    ("connect timeout", Kind.TIMED_OUT),
    ("connect: ", Kind.DOWN),
    ("no answer in", Kind.TIMED_OUT),
    ("silent for", Kind.MUTE),
    ("asking again", Kind.MUTE),
    ("answers no ping", Kind.MUTE),
    ("redirected to", Kind.BAD_REDIRECT),
    ("more than", Kind.BAD_REDIRECT),
    ("redirected in a circle", Kind.LOOP),
    ("closed by the peer", Kind.CLOSED),
    ("reset", Kind.CLOSED),
    ("NetConnection.", Kind.CLOSED),
)
# Words of the errors of a peer that speaks something else.
_FOREIGN = ("handshake", "rtmp_version", "chunk", "protocol", "amf", "ctrl_")


def kind_of(end: LinkEnd | None, text: str) -> Kind:
    """What an attempt that ended so is told as; ``text`` is the link's own or the upstream's."""
    for beginning, kind in _BEGINNINGS:
        if text.startswith(beginning) and (end is not LinkEnd.REFUSED or kind in (Kind.TLS, Kind.BAD_REDIRECT)):
            return kind
    if end in _KINDS:
        return _KINDS[end]
    if text.startswith(_FOREIGN):
        return Kind.FOREIGN
    return Kind.TIMED_OUT if end is LinkEnd.TIMEOUT else Kind.CLOSED


_WORDS = {
    Kind.DOWN: "takes no connection",
    Kind.TIMED_OUT: "does not answer",
    Kind.MUTE: "sends nothing",
    Kind.CLOSED: "has closed the connection",
    Kind.REFUSED: "refuses",
    Kind.NOT_FOUND: "does not have the stream",
    Kind.PUBLISHER_LEFT: "says that the publisher has left",
    Kind.TLS: "cannot be believed, or does not speak TLS",
    Kind.FOREIGN: "speaks something else",
    Kind.LOOP: "gets the stream from here",
    Kind.BAD_REDIRECT: "sends us to a place that cannot be used",
    Kind.KICKED: "has another publisher instead",
}


def words_of(kind: Kind, server: str, text: str) -> str:
    """A sentence on what a server did, or on there being none."""
    if not server or kind not in _WORDS:
        return text
    return f"server {server} {_WORDS[kind]}: {text}"


#: Why a link is given up: as what it is told, and in which words. Any other is told by its last attempt.
_GIVEN_UP = {
    LinkEnd.LOOP.value: (Kind.LOOP, "the servers fetch the stream from each other"),
    LinkEnd.KICKED.value: (Kind.KICKED, "another publisher has taken its place"),
    "publisher_gone": (Kind.PUBLISHER_LEFT, "the publisher has left, and has not come back in time"),
    "upstream_refused": (Kind.REFUSED, "the upstream refuses"),
    "no_data": (Kind.MUTE, "no server has sent any data of it in time"),
    "never_useful": (Kind.GAVE_UP, "no server has it"),
    "retry_expired": (Kind.GAVE_UP, "it was tried for as long as it may be"),
    "retry_disabled": (Kind.GAVE_UP, "it is not tried again"),
}


class LinkStory:
    """The part of a story that the links of a service tell."""

    def __init__(self, stories: Stories) -> None:
        self._stories = stories

    def asked(self, link: Told) -> None:
        """An attempt begins."""
        what = "asked for it" if link.what == "pull" else "it is offered to it"
        self._tell(link, Kind.ASKED, f"{link.what}: {what}")

    def runs(self, link: Told) -> None:
        """Data come, or are taken."""
        self._tell(link, Kind.RUNS, f"{link.what}: it runs")

    def ended(self, link: Told, end: LinkEnd, text: str) -> None:
        """An attempt, or what it had become, is over."""
        server = link.server.endpoint if link.server is not None else ""
        kind = kind_of(end, text)
        fault = _of_target(link.target) if kind is Kind.NO_SERVER else None
        if fault is not None:
            kind, text = fault
        self._tell(link, kind, f"{link.what}: {words_of(kind, server, text)}")

    def waits(self, link: Told) -> None:
        """The upstream has no publisher either."""
        self._tell(link, Kind.WAITING, f"{link.what}: the server has no publisher of it, and waits for one")

    def moved(self, link: Told, why: str) -> None:
        """It goes to another server."""
        self._tell(link, Kind.MOVED, f"{link.what}: leaves the server for another one: {why}")

    def redirected(self, link: Told, place: str) -> None:
        """The server names another place."""
        self._tell(link, Kind.REDIRECTED, f"{link.what}: the server says to ask at {place}")

    def gave_up(self, link: Told, why: str) -> None:
        """No more attempts are made."""
        kind, words = _GIVEN_UP.get(why, (Kind.GAVE_UP, why))
        last = f": {link.last_error}" if link.last_error else ""
        self._tell(link, kind, f"{link.what} given up, {words}{last}")

    def _tell(self, link: Told, kind: Kind, text: str) -> None:
        server = link.server.endpoint if link.server is not None else ""
        self._stories.tell(kind, text, key=link.key, server=server, query=link.query)


# --- how things stand now -------------------------------------------------------------


def insight_of(
    pull: ToldPull | None,
    push: ToldPush | None,
    *,
    target: Target | None,
    now_ms: int,
    others: Sequence[RtmpClientConnection] = (),
) -> Insight:
    """How a stream is fetched and sent on.

    ``target`` is where it would be fetched from without a pull, None for nowhere; ``others`` are connections to
    other nodes that are open, the most likely first: one of them is asked where there is neither.
    """
    links: list[Told] = [link for link in (pull, push) if link is not None]
    conditions = [*(_of_pull(pull, now_ms) if pull is not None else ())]
    conditions += _of_push(push, now_ms) if push is not None else ()
    targets = dict.fromkeys(link.target for link in links) or ((target,) if target is not None else ())
    conditions += [fault for each in targets if (fault := _of_target(each)) is not None]
    return Insight(tuple(_way_of(link) for link in links), tuple(conditions), tuple(_neighbours(links, others)))


def _way_of(link: Told) -> Way:
    server = link.server.endpoint if link.server is not None else ""
    error = link.last_error if link.state in ("connecting", "retrying") else ""
    if error and link.failed_at not in ("", server):
        error = f"{link.failed_at}: {error}"
    return Way(link.what, link.state, server, error, link.attempt_count)


def _of_pull(pull: ToldPull, now_ms: int) -> list[Condition]:
    server = pull.server.endpoint if pull.server is not None else ""
    if pull.state == "live":
        silent_ms = now_ms - pull.last_data_ms
        text = f"server {server} has sent nothing of it for {silent_ms // 1000} s"
        return [Condition(Kind.MUTE, text)] if silent_ms >= SILENT_MS else []
    if pull.state == "waiting":
        if pull.is_missing:
            return [Condition(Kind.WAITING, f"server {server} has no publisher of it, and waits for one")]
        waited_s = (now_ms - pull.began_ms) // 1000
        return [Condition(Kind.MUTE, f"server {server} took the request {waited_s} s ago and has sent nothing yet")]
    return _in_vain(pull, now_ms)


def _of_push(push: ToldPush, now_ms: int) -> list[Condition]:
    if push.state != "live":
        return _in_vain(push, now_ms)
    behind_ms = push.behind_ms()
    server = push.server.endpoint if push.server is not None else ""
    if behind_ms < _BEHIND_MS:
        return []
    text = f"server {server} takes it too slowly: the push is {behind_ms / 1000:.1f} s behind its publisher"
    return [Condition(Kind.SLOW_PUSH, text)]


def _in_vain(link: Told, now_ms: int) -> list[Condition]:
    server = link.server.endpoint if link.server is not None else ""
    if link.last_error:
        kind = kind_of(link.last_end, link.last_error)
        if kind is Kind.NO_SERVER and _of_target(link.target) is not None:
            return []  # the target's own words say more
        return [Condition(kind, f"{link.what}: {words_of(kind, link.failed_at, link.last_error)}")]
    asked_ms = now_ms - link.began_ms
    if link.state == "connecting" and asked_ms >= _LONG_MS:
        return [Condition(Kind.TIMED_OUT, f"{link.what}: server {server} has not answered for {asked_ms} ms")]
    return []


def _of_target(target: Target) -> Condition | None:
    """Why there is no server to ask, or why the list of servers may be out of date."""
    naming = target.naming()
    state, error, shown = naming["state"], naming.get("last_error") or "", target.address.shown[:_MAX_SHOWN]
    count = len(target.servers)
    if state == "unusable":
        return Condition(Kind.NAMING, f"{shown} cannot be used: {error}")
    if not count:
        if error and state != "current":
            return Condition(Kind.NAMING, f"{shown} gives no answer: {error}")
        return Condition(Kind.NO_SERVER, f"{shown} names no server that may be used")
    if state == "kept in outage":
        text = f"{shown} gives no answer any more: {error}; the {count} servers known before are used"
        return Condition(Kind.NAMING, text)
    return None


def _neighbours(links: list[Told], others: Sequence[RtmpClientConnection]) -> Sequence[tuple[str, Neighbour]]:
    """The nodes that these are connected to; without any link, one that a connection is still open to."""
    found: dict[str, tuple[str, Neighbour]] = {}
    for link in links:
        connection = link.connection
        if connection is not None and connection.edge_id:
            found.setdefault(connection.edge_id, (connection.endpoint, connection))
    if found:
        return list(found.values())
    return [(each.endpoint, each) for each in others if each.edge_id][:1]
