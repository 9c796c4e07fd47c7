"""What was decided about each stream and each client, in plain words: kept for a while, and bounded.

A story is a ring of entries. What happens again is no new entry: the one that says the
same moves to the end with a count, so that a retry every second does not push out what
began it. Nothing here is told per frame.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from edge.hub.key import StreamKey
from edge.service.hiding import without_queries

#: Entries of one story: the newest are kept.
MAX_ENTRIES = 32
#: Streams, names that were refused among them, and clients' addresses with a story: who was heard of last stays.
MAX_STREAMS = 10_000
MAX_ADDRESSES = 4096
#: All stories together, by an estimate of what an entry takes beside its texts.
MAX_BYTES = 8 * 1024 * 1024
_ENTRY_BYTES = 400
#: A text, and a name that is no key, are cut to this.
MAX_TEXT = 240
MAX_NAME = 256


class Kind(Enum):
    """What an entry is about; the values are stable words for scripts."""

    # By identity, without a call of Python's: it is looked up for each who comes and goes.
    __hash__ = object.__hash__

    # What a client says, and what it is answered.
    BAD_NAME = "bad_name"
    NAMED = "named"
    FORBIDDEN = "forbidden"
    RULE_FAILED = "rule_failed"
    BUSY = "busy"
    OVERLOAD = "overload"
    DRAINING = "draining"
    ABSENT = "absent"
    NOT_ASKED = "not_asked"
    CONTAINER = "container"
    # Who feeds a stream.
    PUBLISHED = "published"
    REPLACED = "replaced"
    KICKED = "kicked"
    ENDED = "operator_ended"
    ENDED_BY_TIME = "ended_by_time"
    IDLE = "idle"
    UNUSED = "unused"
    TOO_FAST = "too_fast"
    PUBLISHER_LEFT = "publisher_left"
    PUBLISHER_LOST = "publisher_lost"
    # What it sends.
    NO_MEDIA = "no_media"
    SILENT = "silent"
    NO_KEYFRAME = "no_keyframe"
    NO_HEADER = "no_header"
    CODEC = "codec"
    SLOW_LINE = "slow_line"
    SLOW_PUSH = "slow_push"
    CLOCK = "clock"
    # Servers up the way.
    ASKED = "asked"
    RUNS = "runs"
    MOVED = "moved"
    REDIRECTED = "redirected"
    DOWN = "upstream_down"
    TIMED_OUT = "upstream_timed_out"
    MUTE = "upstream_silent"
    CLOSED = "upstream_closed"
    REFUSED = "upstream_refused"
    NOT_FOUND = "upstream_not_found"
    WAITING = "waiting_for_publisher"
    TLS = "upstream_tls"
    FOREIGN = "upstream_protocol"
    LOOP = "loop"
    BAD_REDIRECT = "bad_redirect"
    NAMING = "naming"
    NO_SERVER = "no_server"
    GAVE_UP = "gave_up"
    NO_ANSWER = "no_answer"
    # Who plays it.
    JOINED = "joined"
    LEFT = "left"
    WAITS = "waits_for_keyframe"
    JUMPED = "jumped"
    TOO_SLOW = "too_slow"
    EXPELLED = "operator_kicked"
    # A connection.
    PROTOCOL = "protocol"
    HANDSHAKE = "handshake"
    CLIENT_TLS = "client_tls"
    TOO_MANY = "too_many"


@dataclass(slots=True)
class Entry:
    """One thing that happened, once or again and again.

    Attributes:
        kind: what it is about.
        text: in plain words, without queries.
        at_ms: wall clock, the last time.
        first_ms: the first time.
        count: how often.
        amount: what the text counts, summed up; 0 where it counts nothing.
        server: ``host:port`` up the way that it is about, or "".
        client: whom it is about, for this node's own pages only: ``c7 10.0.0.9:51234``, or a stream's key.
    """

    kind: Kind
    text: str
    at_ms: int
    first_ms: int
    count: int = 1
    amount: int = 0
    server: str = ""
    client: str = ""


class Stories:
    """The stories of a service, by stream and by client's address.

    Attributes:
        size_bytes: what they take, about.
    """

    def __init__(
        self, wall_ms: Callable[[], int], *, max_streams: int = MAX_STREAMS, max_bytes: int = MAX_BYTES
    ) -> None:
        self._wall_ms = wall_ms
        self._max_streams = max_streams
        self._max_bytes = max_bytes
        self._streams: OrderedDict[str, OrderedDict[tuple[Kind, str, str], Entry]] = OrderedDict()
        self._addresses: OrderedDict[str, OrderedDict[tuple[Kind, str, str], Entry]] = OrderedDict()
        self.size_bytes = 0

    def tell(
        self,
        kind: Kind,
        text: str,
        *,
        key: StreamKey | str = "",
        peer: str = "",
        server: str = "",
        query: str = "",
        amount: int = 0,
    ) -> None:
        """Add an entry to the story of a stream, of a client's address, or of both.

        ``key`` may be a name that is none; ``peer`` is the client's ``ip:port``. What of
        ``text`` stands in ``query`` is left out.
        """
        name = key.text if isinstance(key, StreamKey) else key.partition("?")[0][:MAX_NAME]
        text = without_queries(text, query)[:MAX_TEXT]
        self.note(kind, text, name=name, peer=peer, server=server, amount=amount)

    def note(self, kind: Kind, text: str, *, name: str = "", peer: str = "", server: str = "", amount: int = 0) -> None:
        """The same for a ``text`` of our own, and a ``name`` that is one: thousands come and go."""
        if name:
            self._add(self._streams, name, kind, text, server, peer, amount)
        if peer:
            self._add(self._addresses, host_of(peer), kind, text, server, name, amount)
        is_full = len(self._addresses) > MAX_ADDRESSES or len(self._streams) > self._max_streams
        if is_full or self.size_bytes > self._max_bytes:
            self._shrink()

    def _add(
        self,
        stories: OrderedDict[str, OrderedDict[tuple[Kind, str, str], Entry]],
        name: str,
        kind: Kind,
        text: str,
        server: str,
        client: str,
        amount: int,
    ) -> None:
        story = stories.get(name)
        if story is None:
            story = stories[name] = OrderedDict()
            self.size_bytes += _ENTRY_BYTES + _bytes_of(name)
        else:
            stories.move_to_end(name)
        mark, now = (kind, text, server), self._wall_ms()
        entry = story.get(mark)
        if entry is not None:
            story.move_to_end(mark)
            self.size_bytes += _bytes_of(client) - _bytes_of(entry.client)
            entry.at_ms, entry.client = now, client
            entry.count += 1
            entry.amount += amount
            return
        entry = story[mark] = Entry(kind, text, now, now, 1, amount, server, client)
        self.size_bytes += _size_of(entry)
        if len(story) > MAX_ENTRIES:
            self._forget(story)

    def _forget(self, story: OrderedDict[tuple[Kind, str, str], Entry]) -> None:
        _, old = story.popitem(last=False)
        self.size_bytes -= _size_of(old)

    def _shrink(self) -> None:
        """Whole stories go, of whom nothing was heard for longest."""
        while len(self._addresses) > MAX_ADDRESSES or (self.size_bytes > self._max_bytes and len(self._addresses) > 1):
            self._drop(self._addresses)
        while len(self._streams) > self._max_streams or (self.size_bytes > self._max_bytes and len(self._streams) > 1):
            self._drop(self._streams)

    def _drop(self, stories: OrderedDict[str, OrderedDict[tuple[Kind, str, str], Entry]]) -> None:
        name, story = stories.popitem(last=False)
        while story:
            self._forget(story)
        self.size_bytes -= _ENTRY_BYTES + _bytes_of(name)

    # --- for readers ------------------------------------------------------------

    def of_stream(self, key: StreamKey | str) -> list[Entry]:
        """The entries of a stream, the newest first; none of one that nothing was heard of."""
        return list(reversed(self._streams.get(key.text if isinstance(key, StreamKey) else key, {}).values()))

    def of_address(self, address: str) -> list[Entry]:
        """The entries of an address, with or without a port, the newest first."""
        return list(reversed(self._addresses.get(host_of(address), {}).values()))

    def names(self) -> Iterator[str]:
        """The streams and refused names that have a story, those heard of last first."""
        return reversed(self._streams)


def _bytes_of(text: str) -> int:
    """What its letters take at most; ``sys.getsizeof`` would say something else after it has been encoded once."""
    return len(text) if text.isascii() else 4 * len(text)


def _size_of(entry: Entry) -> int:
    return _ENTRY_BYTES + _bytes_of(entry.text) + _bytes_of(entry.client)


def host_of(peer: str) -> str:
    """The address in ``ip:port`` or ``[v6]:port``; an address alone is returned as it is."""
    if peer.startswith("["):
        return peer[1:].partition("]")[0]
    return peer.partition(":")[0] if peer.count(":") == 1 else peer
