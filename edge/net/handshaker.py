"""Runs the handshakes of TLS on the loop, as ``HandshakeQueue`` says."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from edge.errors import EdgeError, TlsError
from edge.net.handshakes import HandshakeQueue
from edge.net.poller import READ, WRITE, Poller
from edge.net.tls import TlsStream

logger = logging.getLogger(__name__)

_OVERDUE_STEP_MS = 100

Done = Callable[[Exception | None], None]
"""Told once: None, or the TlsError or OSError that ended it. The stream is to be used, or closed, by who is told."""


def monotonic_us() -> int:
    """The clock of ``aio.now_ms``."""
    return time.monotonic_ns() // 1000


def thread_cpu_us() -> int:
    """CPU time of this thread."""
    return time.thread_time_ns() // 1000


class _One:
    """A handshake, as the poller's owner of its descriptor."""

    __slots__ = ("_handshaker", "done", "fd", "stream")

    def __init__(self, handshaker: Handshaker, stream: TlsStream, done: Done) -> None:
        self._handshaker = handshaker
        self.stream = stream
        self.fd = stream.fileno()
        self.done = done

    def on_ready(self, events: int) -> None:
        """Its turn will come; until then the poller would tell of it again and again."""
        self._handshaker.on_ready(self)

    def abort(self, why: str) -> None:
        """See ``Poller.handler_failed``."""
        self._handshaker.end(self, TlsError(why))


class Handshaker:
    """Handshakes of accepted connections on one loop.

    A stream given to ``begin`` must not be in the poller, and is not when ``done`` is called.

    Attributes:
        completed_count: handshakes that succeeded.
        failed_count: those that did not.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        poller: Poller,
        *,
        max_pending: int,
        timeout_ms: int,
        now_us: Callable[[], int] = monotonic_us,
        cpu_us: Callable[[], int] = thread_cpu_us,
    ) -> None:
        self._loop = loop
        self._poller = poller
        self._now_us = now_us
        self._cpu_us = cpu_us
        self._queue: HandshakeQueue[_One] = HandshakeQueue(
            max_pending=max_pending, timeout_ms=timeout_ms, now_us=now_us(), cpu_us=cpu_us()
        )
        self._ones: dict[TlsStream, _One] = {}
        self._run_handle: asyncio.Handle | None = None
        self._overdue_timer: asyncio.TimerHandle | None = None
        self.completed_count = 0
        self.failed_count = 0

    def __len__(self) -> int:
        return len(self._ones)

    @property
    def waiting_count(self) -> int:
        """How many have not begun for want of a place or of time."""
        return self._queue.waiting_count

    def reconfigure(self, *, max_pending: int, timeout_ms: int) -> None:
        """New limits, for those in progress too."""
        self._queue.max_pending, self._queue.timeout_ms = max_pending, timeout_ms
        self._schedule()

    def begin(self, stream: TlsStream, accepted_ms: int, done: Done) -> None:
        """Shake hands, soon; ``done`` is never called from here."""
        one = self._ones[stream] = _One(self, stream, done)
        self._queue.add(one, accepted_ms)
        self._schedule()
        if self._overdue_timer is None:
            self._overdue_timer = self._loop.call_later(_OVERDUE_STEP_MS / 1000, self._give_up_overdue)

    def cancel(self, stream: TlsStream) -> None:
        """Forget it, without ``done``; harmless when it is over. The stream stays the caller's to close."""
        one = self._ones.pop(stream, None)
        if one is not None:
            self._queue.remove(one)
            self._poller.remove(one.fd)
            self._schedule()

    def close(self) -> None:
        """Close all streams whose handshake is not over, without ``done``."""
        for handle in (self._run_handle, self._overdue_timer):
            if handle is not None:
                handle.cancel()
        for stream in list(self._ones):
            self.cancel(stream)
            stream.close()
        if self._run_handle is not None:
            self._run_handle.cancel()

    def on_ready(self, one: _One) -> None:
        """The socket of one can be read or written, or has broken."""
        self._poller.remove(one.fd)
        self._queue.wake(one)
        self._schedule()

    def end(self, one: _One, error: Exception | None) -> None:
        """Its handshake is over; told once."""
        self._queue.remove(one)
        self._poller.remove(one.fd)
        if self._ones.pop(one.stream, None) is None:
            return
        if error is None:
            self.completed_count += 1
        else:
            self.failed_count += 1
        try:
            one.done(error)
        except Exception:
            self._poller.internal_error_count += 1
            logger.exception("end of a handshake failed")
            one.stream.close()

    # --- turns ---------------------------------------------------------------

    def _schedule(self) -> None:
        if self._run_handle is not None:
            return
        delay_ms = self._queue.delay_ms(self._now_us())
        if delay_ms == 0:
            self._run_handle = self._loop.call_soon(self._run)
        elif delay_ms is not None:
            self._run_handle = self._loop.call_later(delay_ms / 1000, self._run)

    def _run(self) -> None:
        self._run_handle = None
        self._queue.begin_turn(self._now_us(), self._cpu_us())
        while (one := self._queue.take(self._now_us(), self._cpu_us())) is not None:
            self._step(one)
        self._schedule()

    def _step(self, one: _One) -> None:
        error: Exception | None = None
        try:
            is_over = one.stream.handshake()
            if not is_over:
                self._poller.add(one.fd, one, WRITE if one.stream.has_unsent else READ)
        except (EdgeError, OSError) as failure:
            error, is_over = failure, True
        except Exception as failure:
            self._poller.internal_error_count += 1
            logger.exception("handshake failed fd=%d", one.fd)
            error, is_over = failure, True
        self._queue.stepped(one, self._now_us(), self._cpu_us(), is_over=is_over)
        if is_over:
            self.end(one, error)

    def _give_up_overdue(self) -> None:
        self._overdue_timer = None
        for one, why in self._queue.overdue(self._now_us() // 1000):
            self.end(one, TlsError(why, reason="tls_timeout"))
        self._schedule()
        if self._ones:
            self._overdue_timer = self._loop.call_later(_OVERDUE_STEP_MS / 1000, self._give_up_overdue)
