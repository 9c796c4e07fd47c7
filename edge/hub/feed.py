"""Who feeds a stream: the publish that is seen, and those that wait behind it.

Several publishes of one key may be granted, at this node and at others that push
here. One is *seen*, the others are *muted*: they stay connected, and what they send
is dropped. The youngest is seen, and when it ends the next youngest that still sends.

Age counts in milliseconds of this node's own monotonic clock: the mark between nodes
says how old a publish is, so that no two wall clocks are ever compared. An age is wrong
by the time that its mark was under way; publishes that seem to have begun within
``SAME_MOMENT_MS`` of each other are told apart by their arrival here.

Nothing waits on a timer: a muted publish asks at each of its messages (``yields_to``).
"""

from __future__ import annotations

from typing import Any

from edge.hub.publisher import Publisher
from edge.media.frame import Epoch

#: Publishes that began no further apart are told apart by their arrival.
SAME_MOMENT_MS = 1000

#: A stream whose publisher changes now and then; who still holds an older epoch than these has long let go of it.
_MAX_PAST_EPOCHS = 8
#: A publish that has not sent anything yet keeps older ones from being seen so long at most.
_UNPROVEN_MS = 1500
#: A node whose connection broke goes on with the very next frame when it is back: its place is kept so long.
_LOSS_WAIT_MS = 2000
#: Who has been silent for so long does not keep an older one from filling an empty place.
_SILENT_MS = 1000


class Feed:
    """The publishes of one stream.

    Attributes:
        current: the publisher that is seen, or None.
        muted: those that are not, in the order in which they became so.
        epoch: the publish in progress or the last one, None before the first.
        past_epochs: of the last epochs before this one the index that would have come next, by id.
        grace_until_ms: 0, or when a publisher that left is given up.
        replaced_ms: when one that was seen was last replaced by another.
        min_interval_ms: live publishers replace each other no faster.
    """

    __slots__ = (
        "_arrivals",
        "_held_until_ms",
        "_is_over",
        "current",
        "epoch",
        "grace_until_ms",
        "min_interval_ms",
        "muted",
        "past_epochs",
        "replaced_ms",
    )

    def __init__(self, min_interval_ms: int = 1000) -> None:
        self.current: Publisher[Any] | None = None
        self.muted: list[Publisher[Any]] = []
        self.epoch: Epoch | None = None
        self.past_epochs: dict[str, int] = {}
        self.grace_until_ms = 0
        self.replaced_ms = -(10**9)
        self.min_interval_ms = min_interval_ms
        self._held_until_ms = 0
        self._arrivals = 0
        self._is_over = False

    @property
    def is_vacant(self) -> bool:
        """Nobody feeds the stream, and nobody is waited for."""
        return self.current is None and not self.muted and not self.grace_until_ms

    @property
    def is_of_hop(self) -> bool:
        """A node of ours brings the epoch, or has brought it and is waited for."""
        return self.current.is_hop if self.current is not None else bool(self.grace_until_ms)

    # --- coming and going ----------------------------------------------------

    def arrive(self, publisher: Publisher[Any]) -> None:
        """``publisher`` is the latest arrival: it came, or is about to bring another publish."""
        self._arrivals += 1
        publisher.arrival = self._arrivals

    def join(self, publisher: Publisher[Any]) -> None:
        """A publish that is muted for now."""
        self.arrive(publisher)
        self.muted.append(publisher)

    def see(self, publisher: Publisher[Any], now_ms: int) -> None:
        """``publisher`` is seen from now on, and whoever was before is muted."""
        old = self.current
        if old is publisher:
            return
        if publisher in self.muted:
            self.muted.remove(publisher)
        else:
            self.arrive(publisher)
        if old is not None:
            old.is_active = False
            self.muted.append(old)
        self.current = publisher
        self.grace_until_ms = self._held_until_ms = 0
        publisher.is_active = True
        publisher.seen_since_ms = now_ms

    def begin(self, epoch: Epoch) -> None:
        """The publish of the current publisher is ``epoch``; the one before it is remembered."""
        if self.epoch is not None and self.epoch is not epoch:
            self._remember(self.epoch)
        self.epoch = epoch

    def _remember(self, epoch: Epoch) -> None:
        self.past_epochs.pop(epoch.id, None)
        self.past_epochs[epoch.id] = epoch.next_index
        if len(self.past_epochs) > _MAX_PAST_EPOCHS:
            del self.past_epochs[next(iter(self.past_epochs))]

    def leave(self, publisher: Publisher[Any], now_ms: int = 0, *, is_held: bool = False) -> None:
        """``publisher`` has left; with ``is_held`` its place is kept for a moment, should others wait for it."""
        if publisher in self.muted:
            self.muted.remove(publisher)
        if publisher is self.current:
            publisher.is_active = False
            self.current = None
            self.replaced_ms = -(10**9)
            self._held_until_ms = now_ms + _LOSS_WAIT_MS if is_held else 0

    def end(self) -> None:
        """The stream is over: nobody is seen any more."""
        self._is_over = True
        if self.current is not None:
            self.leave(self.current)
        self.muted.clear()
        self.grace_until_ms = 0

    # --- who is seen ---------------------------------------------------------

    def yields_to(self, publisher: Publisher[Any], now_ms: int) -> bool:
        """Whether ``publisher``, muted and with a message at hand, is to be seen from now on."""
        current = self.current
        if self._is_over:
            return False
        if current is None:
            return self._is_place_free(publisher, now_ms) and not self._is_outranked(publisher, now_ms)
        if current.epoch_id and publisher.epoch_id == current.epoch_id:
            # One publish by two ways. Who is behind goes on when it has caught up; see HopReceiver.
            return now_ms - max(current.last_media_ms, current.seen_since_ms) >= _SILENT_MS
        if is_younger(publisher, current):
            return now_ms - self.replaced_ms >= self.min_interval_ms
        return self._is_idle(current, now_ms) and not self._is_outranked(publisher, now_ms)

    def is_settled_against(self, publisher: Publisher[Any], now_ms: int) -> bool:
        """Whether a muted publish comes too late: a younger one sends."""
        current = self.current
        if current is None or not current.epoch_id or current.epoch_id == publisher.epoch_id:
            return False
        return not is_younger(publisher, current) and not self._is_idle(current, now_ms)

    def _is_idle(self, current: Publisher[Any], now_ms: int) -> bool:
        """A publish that has not begun to send, or that is lost on its way, lets older ones be seen meanwhile."""
        if current.is_lost:
            return now_ms - current.lost_ms >= _LOSS_WAIT_MS
        return current.last_frame_ms < current.seen_since_ms <= now_ms - _UNPROVEN_MS

    def _is_place_free(self, publisher: Publisher[Any], now_ms: int) -> bool:
        epoch = self.epoch
        if now_ms >= self._held_until_ms or epoch is None or publisher.epoch_id == epoch.id:
            return True
        return publisher.began_ms > epoch.began_ms

    def _is_outranked(self, publisher: Publisher[Any], now_ms: int) -> bool:
        """Whether another muted one, which sends as well, comes before it."""
        if publisher.is_lost:
            return any(not other.is_lost for other in self.muted)
        return any(
            is_younger(other, publisher) and now_ms - other.last_frame_ms < _SILENT_MS
            for other in self.muted
            if other is not publisher and not other.is_lost
        )


def is_younger(one: Publisher[Any], other: Publisher[Any]) -> bool:
    """Whether ``one`` began later than ``other``, or arrived later when both began at about the same moment."""
    difference_ms = one.began_ms - other.began_ms
    if abs(difference_ms) <= SAME_MOMENT_MS and not one.is_lost:
        return one.arrival > other.arrival
    return difference_ms > 0
