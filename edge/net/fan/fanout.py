"""When players get what: which logs have players, and how often their slots are flushed.

While there are few calls to make, every message is sent at once. From some
players on messages are merged, and with more players these are flushed in
turns, each slot once per interval (``interval.py``). Bytes are not counted: a
longer interval cannot save them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from edge.hub.histogram import Histogram
from edge.hub.stream import Stream
from edge.hub.wire_form import WireForm
from edge.net.config import NetConfig
from edge.net.fan.ends import Ends
from edge.net.fan.interval import FlushInterval
from edge.net.fan.log_fan import LogFan
from edge.net.fan.player import Player, Slot
from edge.net.fan.spread import spread
from edge.net.fan.wheel import Pumpable, Wheel

_REST_MS = 2000


class Fanout:
    """All shared-log players of one event loop; the host of their fans.

    Attributes:
        interval_ms: 0 for every message at once, else how often a slot is flushed.
        schedule_pump: lets a connection that writes for itself (``Pumpable``) write with the next flush.
        jump_count: times that a player, or another node, fell behind and went to a keyframe.
        dropped_count: frames that were left out by that.
        send_count: ``send`` calls to players so far.
        first_frame: milliseconds from a request to play to the first bytes of media.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        config: NetConfig,
        *,
        now_ms: Callable[[], int],
        first_frame: Histogram | None = None,
    ) -> None:
        self.now_ms = now_ms
        self._fans: dict[tuple[Stream, WireForm], LogFan] = {}
        self._resting: dict[LogFan, int] = {}
        self._flush = FlushInterval(-1, 1)
        self._others: dict[int, FlushInterval] = {}  # by the flag of vhosts where it is not that of all
        self._apply(config)
        self._wheel = Wheel(loop, self._flush, now_ms=now_ms, flush_slot=self._flush_slot, run_pump=self._run_pump)
        self._ends = Ends(loop)
        self.schedule_pump: Callable[[Pumpable], None] = self._wheel.schedule_pump
        self.jump_count = 0
        self.dropped_count = 0
        self.send_count = 0
        self.first_frame = first_frame or Histogram()

    def _apply(self, config: NetConfig) -> None:
        self._config = config
        self._flush.reconfigure(config.flush_interval_ms, config.flush_cpu_pct)

    def reconfigure(self, config: NetConfig) -> None:
        """Take other settings, for those who play now too."""
        self._apply(config)
        self._others.clear()

    def _interval_of(self, stream: Stream) -> FlushInterval:
        """That of all, unless the stream's vhost has another flag; one for all whose flag is that."""
        fixed_ms = stream.rules.of(NetConfig).flush_interval_ms
        if fixed_ms == self._config.flush_interval_ms:
            return self._flush
        interval = self._others.get(fixed_ms)
        if interval is None:
            interval = self._others[fixed_ms] = FlushInterval(fixed_ms, self._config.flush_cpu_pct)
        return interval

    @property
    def interval_ms(self) -> int:
        """Flush interval in force."""
        return self._flush.interval_ms

    @property
    def is_brief(self) -> bool:
        """The interval is automatic, and as long as it takes to merge messages: reading may wait for that."""
        return self._flush.is_brief

    @property
    def read_ms(self) -> int:
        """How often publishers are read while that is so."""
        return self._flush.read_ms

    def has_read(self) -> None:
        """Publishers have been read, and what came has been sent."""
        self._flush.has_read()

    @property
    def call_us(self) -> float:
        """Measured fixed cost of a ``send``, in microseconds of CPU time."""
        return self._flush.call_us

    @property
    def player_count(self) -> int:
        """Shared-log players now."""
        return sum(fan.player_count for fan in self._fans.values())

    @property
    def max_jumps(self) -> int:
        """Jumps that a player may make within a minute; 0 for no limit."""
        return self._config.slow_player_max_jumps

    # --- players -------------------------------------------------------------

    def attach(self, player: Player, stream: Stream, form: WireForm) -> None:
        """``player`` begins to play ``stream``; it was made with an opening of ``form``."""
        fan = self._fans.get((stream, form))
        if fan is None:
            fan = self._fans[stream, form] = LogFan(self, stream, form, self._interval_of(stream))
        fan.add(player, self.now_ms())
        if fan.end_reason is not None:  # the stream has ended meanwhile, and says so only once
            self._ends.end_player(fan, player)

    def attach_at(self, player: Player, stream: Stream, form: WireForm, seq: int, *, has_begun: bool) -> None:
        """``player`` goes on with frame ``seq`` (see ``LogFan.add_at``); nothing is sent before ``go_on``."""
        fan = self._fans.get((stream, form))
        if fan is None:
            stream.open_whole_log(form)
            fan = self._fans[stream, form] = LogFan(self, stream, form, self._interval_of(stream))
        fan.add_at(player, seq, has_begun=has_begun)

    def flush_all(self) -> None:
        """Send all players that take it all that there is for them."""
        for fan in list(self._fans.values()):
            for slot in list(fan.slots):
                self._flush_slot(slot)

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

    def end(self, fan: LogFan) -> None:
        """Flush and end all players of ``fan``, some per turn; stragglers have ``end_flush_ms``."""
        if fan.player_count:
            self._ends.end(fan, self._config.end_flush_ms)
        else:
            self._drop(fan)

    def lose(self, fan: LogFan, player: Player, error: OSError) -> None:
        """The socket of ``player`` is gone, one of very many: close it when its turn comes."""
        self._ends.lose(fan, player, error)

    # --- bytes ---------------------------------------------------------------

    def on_frames(self, fan: LogFan) -> None:
        """A stream has new frames."""
        if fan.waiting_for_keyframe:
            fan.begin_waiting(self.now_ms())
        flush, slots = fan.flush_interval, fan.slots
        flush.demand(fan.count_new() * sum([len(slot.members) for slot in slots]))
        if flush.interval_ms == 0 or flush.is_brief:  # reading has waited to merge messages
            if len(slots) == 1:
                self._flush_slot(slots[0])
            else:
                self._wheel.flush_now(slots)
            return
        for slot in slots:
            if not slot.is_scheduled:
                self._wheel.schedule(slot)

    def _flush_slot(self, slot: Slot) -> None:
        members = len(slot.members)
        flush, delay = slot.fan.flush_interval, slot.fan.stream.delay
        is_timed = slot.seq <= delay.seq and members > 0
        if members >= 16 or flush.is_sample_due():
            size = slot.fan.log.end - slot.offset
            began = time.thread_time_ns()
            calls = slot.fan.flush(slot)
            flush.spent(calls, size * calls, time.thread_time_ns() - began)
        else:
            calls = slot.fan.flush(slot)
        if is_timed:
            delay.note_flush()
        flush.sent(calls)
        self.send_count += calls

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

    # --- once in a while -----------------------------------------------------

    def tick(self, now_ms: int) -> None:
        """Four times a second: adapt the interval, spread the slots, look after the slow."""
        for interval in (self._flush, *self._others.values()):
            interval.adapt(now_ms)
        for fan, until_ms in list(self._resting.items()):
            if fan.player_count:
                del self._resting[fan]
            elif now_ms >= until_ms:
                self._drop(fan)
        for fan in list(self._fans.values()):
            fan.flush_interval = self._interval_of(fan.stream)
            spread(fan, self._wheel, fan.flush_interval.interval_ms)
            for slot in fan.slots:
                if slot.roaming:
                    self._look_after_slow(fan, slot, now_ms)
            if fan.waiting_for_keyframe:
                fan.begin_waiting(now_ms)

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

    def count_left_out(self, stream: Stream, frame_count: int, *, jump_count: int = 0) -> None:
        """A player of ``stream`` fell behind: it jumped, or after that frames went by until a keyframe came."""
        stream.stats.player_jump_count += jump_count
        if jump_count and stream.on_jumped is not None:
            stream.on_jumped(stream, frame_count)
        stream.stats.player_dropped_count += frame_count
        self.jump_count += jump_count
        self.dropped_count += frame_count

    def count_first_frame(self, player: Player) -> None:
        """``player``, a viewer's, has just been sent its first bytes."""
        self.first_frame.observe(self.now_ms() - player.asked_ms)
        player.asked_ms = 0

    def close(self) -> None:
        """Stop the ticker; players are their connections' to close."""
        self._wheel.close()
