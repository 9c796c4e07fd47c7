"""Billing events: when a play or publish began, how much it has come to, and when it was over.

As media-server writes them. Nothing is done per frame: what is billed counts itself, and is looked at on a tick.
One that has had its line rests for the interval; then its next line comes with its next byte.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from edge.logbook.words import word

#: What is looked at in one tick at most, so that a crowd does not hold up the loop; the rest has its turn in the next.
MAX_LOOKS_PER_TICK = 2000

Line = tuple[str, tuple[object, ...]]


@dataclass(slots=True)
class Bill:
    """What is known of one play or publish.

    Attributes:
        what: behind the ``_`` of the event: ``play``, ``flv_play``, ``publish`` ...
        key: as requested.
        endpoint: ``ip:port`` of the client.
        is_internal: another node's, not a viewer's.
        count: bytes so far; 0 before it has begun.
        is_received: they came, rather than went.
        begins_at_zero: the first line tells of no bytes although some have gone.
        base: bytes that another bill has told of.
        request_id: "" before the first line.
        told: bytes at the last line.
    """

    what: str
    key: str
    endpoint: str
    is_internal: bool
    count: Callable[[], int]
    is_received: bool = False
    begins_at_zero: bool = False
    base: int = 0
    request_id: str = ""
    told: int = 0


def bill_line(event: str, bill: Bill, request_id: str, *, sent_bytes: int, received_bytes: int) -> Line:
    """The line as a ``%``-style text and its arguments; a space in a key would make fields of it."""
    return (
        "%s_%s key:%s request:%s send:%d recv:%d type:%s endpoint:%s",
        (
            event,
            bill.what,
            word(bill.key, " "),
            request_id,
            sent_bytes,
            received_bytes,
            "internal" if bill.is_internal else "external",
            word(bill.endpoint, " "),
        ),
    )


def segment_lines(bill: Bill, request_id: str, size_bytes: int) -> list[Line]:
    """Of a segment that is complete when it is asked for: it begins and ends at once, both with all of it."""
    return [bill_line(event, bill, request_id, sent_bytes=size_bytes, received_bytes=0) for event in ("start", "stop")]


class Bills:
    """Those that are open.

    Made where the interval is above 0; ``write`` takes each line.
    """

    def __init__(self, new_id: Callable[[], str], write: Callable[[Line], None]) -> None:
        self._new_id = new_id
        self._write = write
        self._open: dict[Hashable, Bill] = {}
        # Those whose next byte makes a line, and those that have had one, with the moment from which they may again.
        self._due: dict[Hashable, Bill] = {}
        self._resting: deque[tuple[int, Hashable, str]] = deque()
        self._interval_ms = 0

    def __len__(self) -> int:
        return len(self._open)

    def open(self, subject: Hashable, bill: Bill) -> None:
        """``subject`` has been granted; its first line comes with its first byte."""
        self._open[subject] = self._due[subject] = bill

    def tick(self, now_ms: int, interval_ms: int) -> None:
        """Write the lines that are due; an interval that is another than it was is so for those that rest, too."""
        if interval_ms != self._interval_ms:
            changed_ms, self._interval_ms = interval_ms - self._interval_ms, interval_ms
            self._resting = deque((until_ms + changed_ms, who, named) for until_ms, who, named in self._resting)
        while self._resting and self._resting[0][0] <= now_ms:
            _, subject, request_id = self._resting.popleft()
            bill = self._open.get(subject)
            if bill is not None and bill.request_id == request_id:
                self._due[subject] = bill
        for _ in range(min(len(self._due), MAX_LOOKS_PER_TICK)):
            subject = next(iter(self._due))
            bill = self._due.pop(subject)
            if self._tell_growth(bill):
                self._resting.append((now_ms + interval_ms, subject, bill.request_id))
            else:
                self._due[subject] = bill  # to the end: all have their turn

    def _tell_growth(self, bill: Bill) -> bool:
        count = bill.count() - bill.base
        if count <= bill.told:
            return False
        if not bill.request_id:
            bill.request_id = self._new_id()
            self._tell("start", bill, 0 if bill.begins_at_zero else count)
        else:
            self._tell("on", bill, count)
        bill.told = count
        return True

    def _tell(self, event: str, bill: Bill, count: int) -> None:
        sent, received = (0, count) if bill.is_received else (count, 0)
        self._write(bill_line(event, bill, bill.request_id, sent_bytes=sent, received_bytes=received))

    def pause(self, subject: Hashable) -> None:
        """``subject`` is over for now; when it goes on it has another id, and counts from zero."""
        bill = self._open.get(subject)
        if bill is None:
            return
        self._tell_stop(bill)
        bill.base, bill.told, bill.request_id = bill.count(), 0, ""
        self._due[subject] = bill

    def close(self, subject: Hashable) -> None:
        """``subject`` is over; nothing is said of one that has never begun."""
        bill = self._open.pop(subject, None)
        self._due.pop(subject, None)
        if bill is not None:
            self._tell_stop(bill)

    def _tell_stop(self, bill: Bill) -> None:
        count = bill.count() - bill.base
        if not bill.request_id and count > 0:  # shorter than a tick
            bill.request_id = self._new_id()
            self._tell("start", bill, 0 if bill.begins_at_zero else count)
        if bill.request_id:
            self._tell("stop", bill, count)
