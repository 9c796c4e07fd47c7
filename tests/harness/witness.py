"""The standing witnesses: a healthy stream and the process itself, watched while something else goes on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from tests.harness.clock import FairClock, deadline, wait_until_sync
from tests.harness.player import SynthPlayer
from tests.harness.server import EdgeServer
from tests.harness.synth import SynthPublisher

_T = TypeVar("_T")
_CANARY = "canary"
#: W2 is judged by it: CPU time of the server's own thread, which others on the machine do not lengthen.
LONGEST_TURN = "loop_turn_cpu_max_ms"
_MIB_KB = 1024


class Witness:
    """Around a row: ``with Witness(server): attack()``. The canary runs in a thread of its own.

    At the end it asserts W1 (canary whole and without long gaps) and W2 (CPU time of the
    longest turn of the loop), both whoever else uses the machine, W3 memory, W4 descriptors and threads, W5 log, W6
    idle CPU, W7 service and W8 same process without internal errors. The attack's
    own connections must be gone by then.

    Attributes:
        findings: what was measured, for the report.
    """

    def __init__(self, server: EdgeServer, *, budget_mib: int = 64, settle_s: float = 5.0, checks_cpu: bool = False):
        self.server = server
        self.findings: dict[str, float] = {}
        self._budget_kb, self._settle_s, self._checks_cpu = budget_mib * _MIB_KB, settle_s, checks_cpu
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="canary", daemon=True)

    def _do(self, coroutine: Coroutine[Any, Any, _T], within_s: float = 10.0) -> _T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(deadline(within_s))

    def __enter__(self) -> Witness:
        self._thread.start()
        url = self.server.rtmp_url("live", _CANARY)
        try:
            self._do(self._begin(url))
        except BaseException:
            self._leave()
            raise
        self._pid = self.server.pid
        # Its first page: what it loads for it is here before memory is measured.
        self._internal_errors = self.server.counters().get("error_internal_count", 0)
        self._fds, self._threads = self.server.fds, self.server.thread_count
        self._rss_kb = self.server.rss_kb
        return self

    async def _begin(self, url: str) -> None:
        self._publisher = SynthPublisher(url)
        self._player = SynthPlayer(url, clock=FairClock(self.server.pid))
        await self._publisher.start()
        await self._player.start()
        await self._player.wait_frames(5, 3)

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._judge()
        finally:
            self._leave()

    def _leave(self) -> None:
        async def close() -> None:
            for end in ("_player", "_publisher"):
                if hasattr(self, end):
                    await getattr(self, end).stop()

        try:
            self._do(close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _judge(self) -> None:
        server = self.server
        assert server.is_running and server.pid == self._pid, f"W8: the process ended\n{server.log[-3000:]}"
        self._do(self._serve_newcomer())
        self._do(self._player.wait_more_frames(20, 3))
        account = self._player.account
        self.findings["canary_gap_ms"] = account.largest_gap_s * 1000
        assert self._player.error is None and not self._player.has_ended, f"W1: {self._player.error!r}"
        account.assert_complete()
        assert account.largest_gap_s <= deadline(0.2), f"W1: canary gap {account.largest_gap_s * 1000:.0f} ms"
        self._judge_process()

    async def _serve_newcomer(self) -> None:
        """W7: a new player has its first frame within a second."""
        began = time.monotonic()
        async with SynthPlayer(self._publisher.url) as newcomer:
            await newcomer.wait_frames(1, 1.0)
        self.findings["newcomer_ms"] = (time.monotonic() - began) * 1000

    def _judge_process(self) -> None:
        server = self.server
        peak_kb = server.peak_rss_kb - self._rss_kb
        assert peak_kb <= self._budget_kb, f"W3: peak RSS grew by {peak_kb} KiB"
        settle_s = deadline(self._settle_s)
        wait_until_sync(lambda: server.fds <= self._fds, settle_s, f"W4: fds back to {self._fds}")
        wait_until_sync(lambda: server.thread_count <= self._threads, settle_s, f"W4: threads back to {self._threads}")
        wait_until_sync(
            lambda: server.rss_kb <= self._rss_kb + 8 * _MIB_KB, settle_s, f"W3: RSS back to {self._rss_kb} KiB + 8 MiB"
        )
        counters = server.counters()
        self.findings.update(
            {"peak_growth_kib": peak_kb, **{name: counters[name] for name in ("loop_lag_max_ms", LONGEST_TURN)}}
        )
        assert counters[LONGEST_TURN] <= deadline(100), f"W2: {counters[LONGEST_TURN]} ms of CPU in one turn"
        errors = counters.get("error_internal_count", 0) - self._internal_errors
        assert errors == 0, f"W8: {errors} internal errors\n{server.log[-3000:]}"
        server.assert_clean_log()
        if self._checks_cpu:
            before = server.cpu_s
            time.sleep(1.0)
            self.findings["idle_cpu_pct"] = (server.cpu_s - before) * 100
            assert self.findings["idle_cpu_pct"] < deadline(3), f"W6: {self.findings['idle_cpu_pct']:.1f} % CPU"
