"""The mark between nodes of ours: a data message that names the next media message.

It bears the epoch (one per publish at the origin), the index within it, the
origin's stream clock, and the age of the publish; see ``edge/hub/hop.py`` for its use.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.errors import AmfError
from edge.rtmp import amf0

MARK = "onEdgeMark"
_MARK_PREFIX = b"\x02\x00\x0a" + MARK.encode()


@dataclass(frozen=True, slots=True)
class Mark:
    """What a mark says of the next media message: its epoch and index, its dts and the epoch's start at the origin.

    ``age_ms`` is how long ago that was when the mark was written, by the sender's monotonic clock; a node
    that takes it up counts back from its own. ``wall_ms`` is for people: the clocks of two nodes differ.

    With ``is_lost`` it says that no such message will come for now: the sender has
    lost the node that feeds it, and holds nothing more.
    """

    epoch: str
    index: int
    dts_ms: int
    wall_ms: int
    age_ms: int = 0
    is_lost: bool = False

    def encode(self) -> bytes:
        """Body of the data message."""
        fields = {
            "epoch": self.epoch,
            "index": self.index,
            "dts": self.dts_ms,
            "wall": self.wall_ms,
            "age": self.age_ms,
        }
        return amf0.encode_all(MARK, {**fields, "lost": True} if self.is_lost else fields)


def is_mark(payload: bytes) -> bool:
    """Whether a data message body is a mark, well-formed or not."""
    return payload.startswith(_MARK_PREFIX)


def decode_mark(payload: bytes) -> Mark | None:
    """The mark in a data message body, or None for any other data.

    Raises:
        AmfError: it is a mark and malformed.
    """
    if not is_mark(payload):
        return None
    values = amf0.decode_all(payload)
    if len(values) < 2 or not isinstance(values[1], dict):
        raise AmfError("mark without fields")
    fields = values[1]
    epoch = fields.get("epoch")
    numbers = [fields.get("index"), fields.get("dts"), fields.get("wall"), fields.get("age", 0)]
    if not isinstance(epoch, str) or not epoch or len(epoch) > 64:
        raise AmfError("mark without an epoch")
    if not all(isinstance(n, (int, float)) and 0 <= n < 2**53 for n in numbers):
        raise AmfError("mark with bad numbers")
    index, dts_ms, wall_ms, age_ms = (int(n) for n in numbers if n is not None)
    return Mark(epoch, index, dts_ms, wall_ms, age_ms, is_lost=fields.get("lost") is True)
