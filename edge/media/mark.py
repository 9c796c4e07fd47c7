"""The mark between nodes of ours: a data message that names the next media message.

It bears the epoch (one per publish at the origin), the index within it, the
origin's stream clock, the age of the publish, how far the HLS segment in
progress is, and about once a second how long that message has been on its way; see
``edge/hub/hop.py`` for its use.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.errors import AmfError
from edge.media.cut_rule import CutState, state_of_fields
from edge.rtmp import amf0

MARK = "onEdgeMark"
_MARK_PREFIX = b"\x02\x00\x0a" + MARK.encode()


#: Nodes whose delays a mark names; more than any stream comes through.
MAX_DELAYS = 32
#: A delay that seems longer tells of a clock that has stood still, or of one that is made up.
MAX_DELAY_US = 600_000_000


@dataclass(frozen=True, slots=True)
class MarkDelay:
    """How long the next media message has been on its way, in microseconds.

    Attributes:
        began_us: when it came to the first node that measures, by the clock of the node that says so, on
            that node itself its present wall clock (see ``clock_us`` in ``edge/net/aio.py``).
        ingest_us: how late it came there, compared with the most punctual ones before it.
        hops_us: what each hop so far took; their sum is the delay between ``began_us`` and its arrival at the sender.
        is_whole: the first node that measures is the one that the stream is published to.
    """

    began_us: int
    ingest_us: int = 0
    hops_us: tuple[int, ...] = ()
    is_whole: bool = True

    def fields(self) -> dict[str, object]:
        """For the mark."""
        return {"at": self.began_us, "ingest": self.ingest_us, "hops": list(self.hops_us), "whole": self.is_whole}


def delay_of_fields(fields: object) -> MarkDelay | None:
    """What ``fields()`` gave, as it came from another node; None where it makes no sense."""
    if not isinstance(fields, dict):
        return None
    began, ingest, hops = fields.get("at"), fields.get("ingest"), fields.get("hops")
    if not isinstance(hops, list) or len(hops) > MAX_DELAYS:
        return None
    numbers = [n for n in (began, ingest, *hops) if isinstance(n, (int, float)) and not isinstance(n, bool)]
    # NaN fails the comparisons. An estimate may be a little less than nothing.
    if len(numbers) < 2 + len(hops) or not all(abs(n) < 2**53 for n in numbers):
        return None
    began_us, ingest_us, *hops_us = map(int, numbers)
    if not (began_us >= 0 and 0 <= ingest_us <= MAX_DELAY_US and all(abs(hop) <= MAX_DELAY_US for hop in hops_us)):
        return None
    return MarkDelay(began_us, ingest_us, tuple(hops_us), fields.get("whole") is True)


@dataclass(frozen=True, slots=True)
class Mark:
    """What a mark says of the next media message: its epoch and index, its dts and the epoch's start at the origin.

    ``age_ms`` is how long ago that was when the mark was written, by the sender's monotonic clock; a node
    that takes it up counts back from its own. ``wall_ms`` is for people: the clocks of two nodes differ.

    With ``is_lost`` it says that no such message will come for now: the sender has
    lost the node that feeds it, and holds nothing more.

    ``cut`` says how far the HLS segment in progress is before that message; None where nobody counts.

    ``delay`` is of that message; None where it is not measured, as nearly everywhere.
    """

    epoch: str
    index: int
    dts_ms: int
    wall_ms: int
    age_ms: int = 0
    is_lost: bool = False
    cut: CutState | None = None
    delay: MarkDelay | None = None

    def encode(self) -> bytes:
        """Body of the data message."""
        fields: dict[str, object] = {
            "epoch": self.epoch,
            "index": self.index,
            "dts": self.dts_ms,
            "wall": self.wall_ms,
            "age": self.age_ms,
        }
        if self.is_lost:
            fields["lost"] = True
        if self.cut is not None:
            fields["hls"] = self.cut.fields()
        if self.delay is not None:
            fields["delay"] = self.delay.fields()
        return amf0.encode_all(MARK, fields)


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
    cut, delay = state_of_fields(fields.get("hls")), delay_of_fields(fields.get("delay"))
    return Mark(epoch, index, dts_ms, wall_ms, age_ms, is_lost=fields.get("lost") is True, cut=cut, delay=delay)
