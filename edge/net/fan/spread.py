"""The players of a log over slots: as many as there are turns in an interval, and one where all is sent at once."""

from __future__ import annotations

from edge.net.fan.interval import MERGE_MS
from edge.net.fan.log_fan import MAX_SLOT_MEMBERS, LogFan
from edge.net.fan.player import Slot
from edge.net.fan.wheel import TICK_MS, Wheel

_MIN_MEMBERS_TO_SPLIT = 32
#: A turn of the loop costs as much as some thirty calls.
_TURN_MS = 25


def spread(fan: LogFan, wheel: Wheel, interval_ms: int) -> None:
    """Split slots until there is one each 25 ms, if they have the members; up to ``MERGE_MS`` merge them."""
    slots = fan.slots
    if interval_ms <= MERGE_MS:
        if len(slots) > 1:
            _merge(fan)
        return
    members = sum(len(slot.members) for slot in slots)
    wanted = max(min(interval_ms // _TURN_MS, members // _MIN_MEMBERS_TO_SPLIT), 1)
    if len(slots) >= wanted:
        return
    before = len(slots)
    largest = max(slots, key=lambda slot: len(slot.members))
    while len(slots) < wanted and len(largest.members) >= 2 * _MIN_MEMBERS_TO_SPLIT:
        _split(largest, wheel)
        largest = max(slots, key=lambda slot: len(slot.members))
    if len(slots) == before:
        return
    for number, slot in enumerate(slots):
        slot.due_tick = wheel.tick + 1 + number * interval_ms // TICK_MS // len(slots)


def _split(slot: Slot, wheel: Wheel) -> None:
    other = Slot(slot.fan, slot.offset, slot.seq)
    half = len(slot.members) // 2
    other.members = slot.members[half:]
    del slot.members[half:]
    other.missing = slot.missing
    for position, player in enumerate(other.members):
        player.slot, player.position = other, position
    slot.fan.slots.append(other)
    if slot.is_scheduled:
        wheel.schedule(other)  # it has unsent frames too, and the next one may be long in coming


def _merge(fan: LogFan) -> None:
    first = fan.slots[0]
    for slot in fan.slots[1:]:
        if slot.offset != first.offset or len(first) + len(slot) > MAX_SLOT_MEMBERS:
            continue
        for player in slot.members:
            player.slot = first
            first.add(player)
        for player in slot.roaming:
            player.slot = first
            first.roaming.add(player)
        slot.members, slot.roaming = [], set()
        fan.slots.remove(slot)
