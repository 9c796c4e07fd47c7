"""A server under attack beside a healthy stream, and the judgement of each attack."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections import Counter
from collections.abc import Coroutine
from typing import Any, TypeVar

from tests.harness.accounting import audit
from tests.harness.clock import FairClock, deadline, wait_until_sync
from tests.harness.player import SynthPlayer
from tests.harness.server import EdgeServer
from tests.harness.synth import SynthPublisher
from tests.harness.witness import LONGEST_TURN
from tests.hostile._wire import VIDEO, RawPeer, video

_T = TypeVar("_T")
_LEVELS = {"W": "WARNING", "I": "INFO"}
_LINES_PER_S = 10
_LINGER_S = 0.35  # the server holds what it closed for its last 300 ms

#: What the canary's own life may count while a row is judged.
_CANARY_URL = ("live", "canary")


class Canary:
    """A healthy publisher and player in a thread of their own (W1)."""

    def __init__(self, server: EdgeServer) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="canary", daemon=True)
        self._thread.start()
        url = server.rtmp_url(*_CANARY_URL)
        self._publisher = SynthPublisher(url)
        self.player = SynthPlayer(url, clock=FairClock(server.pid))
        self._judged = 0
        try:
            self._do(self._begin())
        except BaseException:
            self.close()
            raise

    def _do(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(deadline(10))

    async def _begin(self) -> None:
        await self._publisher.start()
        await self.player.start()
        await self.player.wait_frames(5, 3)

    def judge(self) -> float:
        """Assert that nothing was lost, doubled or late since the last time; returns the largest gap in seconds."""
        player = self.player
        assert player.error is None and not player.has_ended, f"W1: canary ended: {player.error!r} {player.statuses}"
        upto = len(player.deliveries)
        account = audit(player.deliveries[max(self._judged - 1, 0) : upto])
        self._judged = upto
        if account.frame_count:
            account.assert_complete()
        assert account.largest_gap_s <= deadline(0.2), f"W1: canary gap {account.largest_gap_s * 1000:.0f} ms"
        return account.largest_gap_s

    def close(self) -> None:
        async def stop() -> None:
            await self.player.stop()
            await self._publisher.stop()

        try:
            self._do(stop())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


class Arena:
    """A server with the given flags and its canary, for all rows of a module."""

    def __init__(self, *flags: str) -> None:
        # Publishers of rows are silent while the row goes on, which takes long on a busy machine.
        self.server = EdgeServer("-max_metadata_per_s=10", "-publish_normal_timeout_ms=60000", *flags)
        self.server.start()
        try:
            self.canary = Canary(self.server)
        except BaseException as error:
            self.server.__exit__(type(error))
            raise
        self._names = 0

    def new_name(self) -> str:
        """A stream name that nobody used before."""
        self._names += 1
        return f"row{self._names}"

    def close(self) -> None:
        """Stop both; the server must leave with 0 and a clean log."""
        try:
            self.canary.close()
        finally:
            self.server.__exit__(None)


class Row:
    """One row's attack. At its end the counters must show exactly what was expected, and the witnesses must hold.

    Attributes:
        expected: what each ``error_<reason>_count`` must have grown by.
        notices: the same for other counters, of which only the named ones are judged.
    """

    def __init__(self, arena: Arena) -> None:
        self.arena, self.server = arena, arena.server
        self.expected: Counter[str] = Counter()
        self.notices: Counter[str] = Counter()
        self._peers: list[RawPeer] = []
        self._before = self.server.counters()
        self._log_at = len(self.server.log)

    # --- peers ---------------------------------------------------------------

    def raw(self, **options: int) -> RawPeer:
        """A TCP connection."""
        peer = RawPeer(self.server.port, **options)
        self._peers.append(peer)
        return peer

    def shaken(self, **options: int) -> RawPeer:
        """A connection after the handshake."""
        peer = self.raw(**options)
        peer.shake()
        return peer

    def connected(self, app: str = "live", *, receive_buffer: int = 0, **properties: Any) -> RawPeer:
        """A connection after ``connect``."""
        peer = self.shaken(receive_buffer=receive_buffer)
        peer.connect(app, **properties)
        return peer

    def publisher(self, name: str = "") -> RawPeer:
        """A connection that publishes; its stream's name is in ``key``."""
        peer = self.connected()
        peer.open_stream()
        peer.publish(name or self.arena.new_name())
        return peer

    def player(self, name: str, *, receive_buffer: int = 0) -> RawPeer:
        """A connection that plays."""
        peer = self.connected(receive_buffer=receive_buffer)
        peer.open_stream()
        peer.play(name)
        return peer

    def pair(self, *, is_started: bool = True) -> tuple[RawPeer, RawPeer]:
        """A publisher of a new stream and a player of it, which has got a first keyframe (and forgotten it)."""
        name = self.arena.new_name()
        publisher, player = self.publisher(name), self.player(name)
        if is_started:
            publisher.media(VIDEO, video(0))
            player.wait(lambda: player.received(VIDEO), "the first keyframe")
            player.forget_media()
        return publisher, player

    # --- outcomes ------------------------------------------------------------

    def closes(
        self, peer: RawPeer, reason: str, *, within_s: float = 0.2, is_quiet: bool = False, is_logged: bool = True
    ) -> float:
        """CLOSE(reason), or QUIET(reason): the end in time, its line in the log, its counter (judged at the end)."""
        took_s = peer.wait_closed(within_s)
        self.expected[f"error_{reason}_count"] += 1
        if is_logged:
            self.logs(reason, peer, "I" if is_quiet else "W")
        return took_s

    def refuses(self, peer: RawPeer, code: str, reason: str, *, is_closed: bool = True, within_s: float = 0.3) -> None:
        """STATUS(code, reason): an onStatus of level error that names the cause, then the end of the connection."""
        peer.wait(lambda: code in peer.statuses, code, within_s)
        info = [each for each in peer.infos if each["code"] == code][-1]
        shown = str(info["description"]).lower().replace("_", "")
        assert info["level"] == "error" and reason.replace("_", "") in shown, f"{info} names no {reason}"
        if is_closed:
            peer.wait_closed(within_s)

    def logs(self, reason: str, peer: RawPeer, level: str) -> None:
        """One line names the reason and the peer, unless there were too many of that reason."""
        self.logs_within(1.0, reason, peer, level)

    def logs_within(self, within_s: float, reason: str, peer: RawPeer, level: str) -> None:
        """As ``logs``, for what takes longer to come."""

        def is_there() -> bool:
            lines = [line for line in self.server.log.splitlines() if f"reason={reason} " in f"{line} "]
            mine = [line for line in lines if peer.name in line and " ignored reason=" not in line]
            if mine:
                assert len(mine) == 1, f"more than one line: {mine}"
                # Of warnings of a kind one a minute stays one.
                is_again = level == "W" and mine[0].startswith("I") and any(line.startswith("W") for line in lines)
                assert is_again or mine[0].startswith(level), f"not {_LEVELS[level]}: {mine[0]}"
            return bool(mine) or len(lines) >= _LINES_PER_S

        wait_until_sync(
            is_there, deadline(within_s), f"a line with reason={reason} and {peer.name}\n{self.new_log[-2000:]}"
        )

    @property
    def new_log(self) -> str:
        """What the server wrote since the row began."""
        return self.server.log[self._log_at :]

    def notes(self, reason: str, count: int = 1) -> None:
        """IGNORE(reason): its counter must have grown by ``count`` when the row ends."""
        self.notices[f"{reason}_count"] += count

    def fails(self, reason: str, count: int = 1) -> None:
        """``error_<reason>_count`` must have grown by ``count`` when the row ends."""
        self.expected[f"error_{reason}_count"] += count

    def stays_open(self, peer: RawPeer) -> None:
        """The connection still answers."""
        before = len(peer.commands)
        peer.command(0, "createStream", 77, None)
        peer.wait(lambda: any(each[1] == 77 for each in peer.commands[before:]), "an answer on the living connection")

    def wait_gone(self) -> None:
        """Close all peers and wait until the server has let go of them."""
        for peer in self._peers:
            peer.close()
        # What remains are the canary's two and the one that asks.
        wait_until_sync(lambda: self.server.counters()["connection_count"] <= 3, deadline(2), "connections to go")
        time.sleep(_LINGER_S)

    def assert_loop_was_free(self) -> None:
        """W2: no turn of the loop kept the others waiting."""
        turn_ms = self.server.counters()[LONGEST_TURN]
        assert turn_ms <= deadline(100), f"W2: a turn of the loop took {turn_ms} ms of CPU"

    # --- judgement -----------------------------------------------------------

    def deltas(self) -> Counter[str]:
        """Growth of the counters that this row is judged by."""
        now = self.server.counters()
        grown = {name: int(value - self._before.get(name, 0)) for name, value in now.items() if name.endswith("_count")}
        return Counter(
            {name: n for name, n in grown.items() if n and (name.startswith("error_") or name in self.notices)}
        )

    def judge(self) -> None:
        """The counters, then the witnesses."""
        for peer in self._peers:
            peer.close()
        server = self.server
        assert server.is_running, f"W8: the process ended\n{server.log[-3000:]}"
        wanted = Counter({name: n for name, n in (self.expected + self.notices).items() if n})
        limit = time.monotonic() + deadline(1)
        while (found := self.deltas()) != wanted and time.monotonic() < limit:
            time.sleep(0.02)
        assert found == wanted, f"counters grew by {dict(found)}, not by {dict(wanted)}\n{self.new_log[-3000:]}"
        new_log = self.new_log
        for sign in ("Traceback", "never retrieved", "never awaited", "internal error"):
            assert sign not in new_log, f"W5: {new_log[-4000:]}"
        control_byte = re.search(r"[\x00-\x08\x0b-\x1f\x7f]", new_log)
        assert control_byte is None, f"W5: control byte in the log: {new_log[control_byte.start() - 200 :][:400]!r}"
        assert max(map(len, new_log.splitlines()), default=0) <= 8192, "W5: a line of more than 8 KiB"
        self.arena.canary.judge()
