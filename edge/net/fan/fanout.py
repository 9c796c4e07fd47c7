"""When players get what: the flush interval, its slots, and the ends of streams.

While sending every message at once is cheap, it is done at once. When the
fixed cost of the calls passes ``flush_cpu_pct`` of a core, players are
flushed in turns, each slot once per interval; the interval follows the
measured cost between 10 and 350 ms. Bytes are not counted: a longer interval
cannot save them.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from edge.hub.stream import Stream
from edge.media.frame import Frame
from edge.net.config import NetConfig
from edge.net.fan.interval import FlushInterval
from edge.net.fan.log_fan import MAX_SLOT_MEMBERS, LogFan, Slot
from edge.net.fan.player import Player
from edge.net.rtmp.form import RtmpForm

TICK_MS = 10
_WHEEL_TICKS = 64
#: A turn of the loop takes hardly longer, however much there is to send.
TURN_BUDGET_NS = 10_000_000
_ENDS_PER_TURN = 256
_JUMP_WINDOW_MS = 60_000
_REST_MS = 2000
_MIN_MEMBERS_TO_SPLIT = 32


class Pumpable(Protocol):
    """A connection with several streams, which writes for itself (see ``stream_writer.py``)."""

    is_pump_scheduled: bool

    def pump(self) -> int:
        """Send what is due; returns the number of calls."""
        ...

    def failed_internally(self) -> None:
        """An exception of ours came out of ``pump`` and is being handled."""
        ...


class _Ending(NamedTuple):
    """A slot's last flush, or the end of a player (``error``: its socket is lost; ``is_late``: its time is up)."""

    fan: LogFan
    what: Slot | Player
    error: OSError | None = None
    is_late: bool = False


class Fanout:
    """All shared-log players of one event loop.

    Attributes:
        interval_ms: 0 for every message at once, else how often a slot is flushed.
        jump_count: times that a player, or another node, fell behind and went to a keyframe.
        dropped_count: frames that were left out by that.
        send_count: ``send`` calls to players so far.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        config: NetConfig,
        *,
        now_ms: Callable[[], int],
        timestamp_offset: int = 0,
        original_timestamp_domains: frozenset[str] = frozenset(),
    ) -> None:
        self._loop = loop
        self._config = config
        self.now_ms = now_ms
        self.timestamp_offset = timestamp_offset
        self._original_domains = original_timestamp_domains
        self._fans: dict[tuple[Stream, RtmpForm], LogFan] = {}
        self._wheel: list[list[Slot | Pumpable]] = [[] for _ in range(_WHEEL_TICKS)]
        self._tick = 0
        self._ticker: asyncio.TimerHandle | None = None
        self._leftover: deque[Slot | Pumpable] = deque()
        self._pumps: list[Pumpable] = []
        self._resting: dict[LogFan, int] = {}
        self._endings: deque[_Ending] = deque()
        self._is_ending = False
        self._is_flush_due = False
        self._flush = FlushInterval(config.flush_interval_ms, config.flush_cpu_pct)
        self.jump_count = 0
        self.dropped_count = 0
        self.send_count = 0

    @property
    def interval_ms(self) -> int:
        """Flush interval in force."""
        return self._flush.interval_ms

    @property
    def call_us(self) -> float:
        """Measured fixed cost of a ``send``, in microseconds of CPU time."""
        return self._flush.call_us

    @property
    def player_count(self) -> int:
        """Shared-log players now."""
        return sum(fan.player_count for fan in self._fans.values())

    def base_of(self, stream: Stream, frame: Frame) -> int:
        """Stream clock at which a player's clock reads 0."""
        if stream.key.vhost in self._original_domains:
            return stream.timeline.original_shift_ms
        return frame.dts_ms

    # --- players -------------------------------------------------------------

    def attach(self, player: Player, stream: Stream, form: RtmpForm) -> None:
        """``player`` begins to play ``stream``."""
        fan = self._fans.get((stream, form))
        if fan is None:
            fan = self._fans[stream, form] = LogFan(self, stream, form)
        fan.add(player, self.now_ms())
        if fan.end_reason is not None:  # the stream has ended meanwhile, and says so only once
            self._end_later([_Ending(fan, player, is_late=True)], is_now=False)

    def rest(self, fan: LogFan) -> None:
        """The last player of a log has left; another one may come soon and find it."""
        if fan.end_reason is not None:
            self._drop(fan)
        else:
            self._resting[fan] = self.now_ms() + _REST_MS

    def _drop(self, fan: LogFan) -> None:
        self._resting.pop(fan, None)
        if self._fans.pop((fan.stream, fan.form), None) is not None:
            fan.close()

    def on_frames(self, fan: LogFan) -> None:
        """A stream has new frames."""
        if fan.waiting_for_keyframe:
            fan.begin_waiting(self.now_ms())
        flush = self._flush
        if flush.interval_ms == 0:
            slots = fan.slots
            if len(slots) == 1:
                self._flush_slot(slots[0])
            else:
                self._flush_now(slots)
            return
        for slot in fan.slots:
            flush.demand(len(slot.members))
            if not slot.is_scheduled:
                self._schedule(slot)

    def _flush_now(self, slots: list[Slot]) -> None:
        """Flush one slot after the other; what a turn of the loop has no time for comes in the next."""
        until = time.monotonic_ns() + TURN_BUDGET_NS
        for slot in list(slots):
            if slot.is_scheduled:
                continue
            if time.monotonic_ns() < until:
                self._flush_slot(slot)
                continue
            slot.is_scheduled = True
            self._leftover.append(slot)
            if not self._is_flush_due:
                self._is_flush_due = True
                self._loop.call_soon(self._flush_due)

    def _flush_slot(self, slot: Slot) -> None:
        members = len(slot.members)
        flush = self._flush
        if flush.interval_ms == 0:
            flush.demand(members)
        if members >= 16 or flush.is_sample_due():
            size = slot.fan.log.end - slot.offset
            began = time.thread_time_ns()
            calls = slot.fan.flush(slot)
            flush.spent(calls, size * calls, time.thread_time_ns() - began)
        else:
            calls = slot.fan.flush(slot)
        flush.sent(calls)
        self.send_count += calls

    # --- connections with several streams ------------------------------------

    def schedule_pump(self, pump: Pumpable) -> None:
        """Let ``pump`` write with the next flush."""
        if pump.is_pump_scheduled:
            return
        pump.is_pump_scheduled = True
        if self._flush.interval_ms == 0:
            if not self._pumps:
                self._loop.call_soon(self._pump_all)
            self._pumps.append(pump)
        else:
            self._put_on_wheel(pump, (self.now_ms() + self._flush.interval_ms) // TICK_MS)

    def _pump_all(self) -> None:
        pumps, self._pumps = self._pumps, []
        for pump in pumps:
            self._run_pump(pump)

    def _run_pump(self, pump: Pumpable) -> None:
        pump.is_pump_scheduled = False
        try:
            calls = pump.pump()
        except Exception:
            pump.failed_internally()
            return
        self._flush.demand(calls)
        self._flush.sent(calls)
        self.send_count += calls

    # --- the wheel -----------------------------------------------------------

    def _schedule(self, slot: Slot) -> None:
        slot.is_scheduled = True
        self._put_on_wheel(slot, max(slot.due_tick, self._tick + 1))

    def _put_on_wheel(self, item: Slot | Pumpable, due_tick: int) -> None:
        if self._ticker is None:
            # The wheel has stood still: whatever was due then is due now.
            self._tick = max(self.now_ms() // TICK_MS, self._tick)
        due_tick = min(max(due_tick, self._tick + 1), self._tick + _WHEEL_TICKS - 1)
        self._wheel[due_tick % _WHEEL_TICKS].append(item)
        if self._ticker is None:
            self._ticker = self._loop.call_later(TICK_MS / 1000, self._on_tick)

    def _on_tick(self) -> None:
        """Flush what has come due; a late timer makes up for the ticks it missed."""
        self._ticker = None
        wheel, now_tick = self._wheel, self.now_ms() // TICK_MS
        for tick in range(self._tick + 1, min(now_tick, self._tick + _WHEEL_TICKS) + 1):
            due = wheel[tick % _WHEEL_TICKS]
            if due:
                wheel[tick % _WHEEL_TICKS] = []
                self._leftover.extend(due)
        self._tick = max(now_tick, self._tick)
        try:
            if not self._is_flush_due:
                self._flush_due()
        finally:
            if any(wheel) and self._ticker is None:
                delay_ms = (self._tick + 1) * TICK_MS - self.now_ms()
                self._ticker = self._loop.call_later(max(delay_ms, 1) / 1000, self._on_tick)

    def _flush_due(self) -> None:
        """Work off what is due; never twice in a turn of the loop, or turns would grow under load."""
        until = time.monotonic_ns() + TURN_BUDGET_NS
        interval_ticks = max(self._flush.interval_ms // TICK_MS, 1)
        leftover = self._leftover
        try:
            while leftover:
                item = leftover.popleft()
                if isinstance(item, Slot):
                    item.is_scheduled = False
                    item.due_tick = max(item.due_tick, self._tick - interval_ticks) + interval_ticks
                    if item.fan.end_reason is None:
                        self._flush_slot(item)
                else:
                    self._run_pump(item)
                if time.monotonic_ns() > until:
                    break
        finally:
            self._is_flush_due = bool(leftover)
            if leftover:
                self._loop.call_soon(self._flush_due)

    # --- once in a while -----------------------------------------------------

    def tick(self, now_ms: int) -> None:
        """Four times a second: adapt the interval, spread the slots, look after the slow."""
        self._flush.adapt(now_ms)
        for fan, until_ms in list(self._resting.items()):
            if fan.player_count:
                del self._resting[fan]
            elif now_ms >= until_ms:
                self._drop(fan)
        for fan in list(self._fans.values()):
            self._spread(fan)
            for slot in fan.slots:
                if slot.roaming:
                    self._look_after_slow(fan, slot, now_ms)
            if fan.waiting_for_keyframe:
                fan.begin_waiting(now_ms)

    def _spread(self, fan: LogFan) -> None:
        interval_ticks = self._flush.interval_ms // TICK_MS
        slots = fan.slots
        if interval_ticks == 0:
            if len(slots) > 1:
                self._merge(fan)
            return
        members = sum(len(slot.members) for slot in slots)
        wanted = max(min(interval_ticks, members // _MIN_MEMBERS_TO_SPLIT), 1)
        if len(slots) >= wanted:
            return
        before = len(slots)
        largest = max(slots, key=lambda slot: len(slot.members))
        while len(slots) < wanted and len(largest.members) >= 2 * _MIN_MEMBERS_TO_SPLIT:
            self._split(largest)
            largest = max(slots, key=lambda slot: len(slot.members))
        if len(slots) == before:
            return
        for number, slot in enumerate(slots):
            slot.due_tick = self._tick + 1 + number * interval_ticks // len(slots)

    def _split(self, slot: Slot) -> None:
        other = Slot(slot.fan, slot.offset, slot.seq)
        half = len(slot.members) // 2
        other.members = slot.members[half:]
        del slot.members[half:]
        other.primed = slot.primed
        for position, player in enumerate(other.members):
            player.slot, player.position = other, position
        slot.fan.slots.append(other)
        if slot.is_scheduled:
            self._schedule(other)  # it has unsent frames too, and the next one may be long in coming

    def _merge(self, fan: LogFan) -> None:
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

    def _look_after_slow(self, fan: LogFan, slot: Slot, now_ms: int) -> None:
        limit_ms = fan.stream.config.queue_length_s * 1000
        timeout_ms = self._config.send_timeout_ms
        for player in list(slot.roaming):
            if not player.is_blocked:
                continue
            if timeout_ms and now_ms - player.progress_ms > timeout_ms:
                fan.guard(player, player.owner.close_slow, f"no progress for {now_ms - player.progress_ms} ms")
            else:
                fan.guard(player, fan.jump_if_late, player, limit_ms)

    def is_jumping_too_often(self, player: Player) -> bool:
        """Count an attempt to jump to the newest keyframe; True from ``slow_player_max_jumps`` a minute on."""
        now = self.now_ms()
        if now - player.jumped_ms > _JUMP_WINDOW_MS:
            player.jumped_ms, player.jump_count = now, 0
        player.jump_count += 1
        limit = self._config.slow_player_max_jumps
        return 0 < limit < player.jump_count

    def count_left_out(self, stream: Stream, frame_count: int, *, jump_count: int = 0) -> None:
        """A player of ``stream`` fell behind: it jumped, or after that frames went by until a keyframe came."""
        stream.stats.player_jump_count += jump_count
        stream.stats.player_dropped_count += frame_count
        self.jump_count += jump_count
        self.dropped_count += frame_count

    # --- ends ----------------------------------------------------------------

    def end(self, fan: LogFan) -> None:
        """Flush and end all players of ``fan``, some per turn; stragglers have ``end_flush_ms``."""
        if not fan.player_count:
            self._drop(fan)
            return
        self._end_later([_Ending(fan, slot) for slot in fan.slots])
        self._loop.call_later(self._config.end_flush_ms / 1000, self._end_rest, fan)

    def lose(self, fan: LogFan, player: Player, error: OSError) -> None:
        """The socket of ``player`` is gone, one of very many: close it when its turn comes."""
        self._end_later([_Ending(fan, player, error)], is_now=False)

    def _end_later(self, endings: list[_Ending], *, is_now: bool = True) -> None:
        self._endings.extend(endings)
        if self._is_ending or not endings:
            return
        if is_now:
            self._end_some()
        else:
            self._is_ending = True
            self._loop.call_soon(self._end_some)

    def _end_some(self) -> None:
        self._is_ending = True
        endings, until = self._endings, time.monotonic_ns() + TURN_BUDGET_NS
        try:
            for _ in range(min(_ENDS_PER_TURN, len(endings))):
                self._end_one(endings.popleft())
                if time.monotonic_ns() > until:
                    break
        finally:
            self._is_ending = bool(endings)
            if endings:
                self._loop.call_soon(self._end_some)

    def _end_one(self, ending: _Ending) -> None:
        fan, what = ending.fan, ending.what
        if isinstance(what, Slot):
            fan.flush(what)
            self._endings.extend(_Ending(fan, player) for player in (*what.members, *what.roaming))
        elif what.fan is not fan:
            return
        elif ending.error is not None:
            fan.guard(what, what.owner.send_failed, ending.error)
        elif what.position >= 0 or ending.is_late:
            fan.guard(what, what.owner.play_finished, what, fan.end_reason or "")
        elif not what.is_blocked:
            fan.advance(what, fan.log.end)

    def _end_rest(self, fan: LogFan) -> None:
        players = [player for slot in fan.slots for player in (*slot.members, *slot.roaming)]
        self._end_later([_Ending(fan, player, is_late=True) for player in players])

    def close(self) -> None:
        """Stop the ticker; players are their connections' to close."""
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
