"""What is answered to who asks why: records of plain values, as they travel between nodes and as pages show them.

Kinds are the words of ``Kind``; a later node may know more of them. Ages stand in place of
times: no two wall clocks are compared.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.service.insight import Way

#: Whether a stream plays, in a word: not known where no node that could know has been asked.
PLAYS, DOES_NOT_PLAY, NOT_KNOWN = "plays", "does_not_play", "not_known"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong at this moment."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Happened:
    """An entry of a story, see ``edge.service.story.Entry``; ``client`` is "" where another node tells it."""

    kind: str
    text: str
    age_s: int
    first_age_s: int
    count: int
    amount: int
    server: str
    client: str


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What one node knows of a stream.

    Attributes:
        id, name: its service and its host.
        role: ``origin`` or ``edge``.
        state: ``live``, ``waiting``, ``grace``, ``absent``, or that of a pull.
        publisher: who feeds it: ``client``, ``node``, ``pulled``, or "" for nobody.
        players: those of this node, other nodes among them.
        video, audio: codecs.
        conditions: what is wrong now, the worst first.
        story: the newest entry first.
    """

    id: str
    name: str
    role: str
    state: str
    publisher: str
    players: int
    video: str
    audio: str
    ways: tuple[Way, ...]
    conditions: tuple[Trouble, ...]
    story: tuple[Happened, ...]


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a stream does not play, or plays badly.

    Attributes:
        node, node_name: place among the nodes that were asked, and host.
        advice: what is to be done, in a sentence.
        age_s: 0 of what is so now.
        is_in_force: the stream has not begun to run again since.
    """

    node: int
    node_name: str
    kind: str
    text: str
    advice: str
    age_s: int = 0
    count: int = 1
    amount: int = 0
    server: str = ""
    client: str = ""
    is_now: bool = False
    is_in_force: bool = True


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Whether a stream plays, and if not why.

    Attributes:
        stream: its key.
        plays: who came to the first node would see it.
        verdict: a sentence.
        causes: what is so now, at the node farthest up the way first; then the newest first.
        nodes: this one first, those up the way behind it.
        near: names of streams that are here and are written much like it.
        state: ``plays``, ``does_not_play`` or ``not_known``.
    """

    stream: str
    plays: bool
    verdict: str
    causes: tuple[Cause, ...]
    nodes: tuple[NodeReport, ...] = ()
    near: tuple[str, ...] = ()
    state: str = DOES_NOT_PLAY


@dataclass(frozen=True, slots=True)
class OpenConnection:
    """A connection of an address that is open now; ``keys``: the streams that it carries, some of them."""

    id: int
    protocol: str
    role: str
    keys: str
    uptime_s: int


@dataclass(frozen=True, slots=True)
class AddressAnswer:
    """What was decided about the clients of an address; ``causes`` and ``story`` the newest first."""

    address: str
    verdict: str
    causes: tuple[Cause, ...]
    story: tuple[Happened, ...]
    connections: tuple[OpenConnection, ...]
