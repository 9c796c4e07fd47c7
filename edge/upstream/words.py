"""What clients are told when a pull or a push is given up."""

from __future__ import annotations

from edge.net.rtmp.client import LinkEnd

#: Why a pull is over whose publisher has left for good: the end of a broadcast.
PUBLISHER_GONE = "publisher_gone"


def meaning_for_player(why: str, *, was_live: bool, was_refused: bool) -> str:
    """In plain words, why there is nothing to play; ``why`` is for logs."""
    if why == PUBLISHER_GONE:
        return "the publisher has left"
    if was_live:
        return "the upstream was lost"
    return "no server has the stream" if was_refused else "no server could give the stream"


def told(why: str, meaning: str, last_error: str) -> str:
    """What players or a publisher are told: what it means, and how the last attempt ended.

    Where a node on the way has said the same its words stand, however far away it is, so
    that nothing grows from node to node. A loop and a replaced publisher keep their word: by
    it nodes know them again.
    """
    mark = why if why in (LinkEnd.LOOP.value, LinkEnd.KICKED.value) else meaning
    _, word, found = last_error.rpartition(mark)
    return f"{word}{found}" if word else f"{mark}: {last_error}"
