"""Whether a publisher that sends no media is still there.

A slide show is silent for a minute, and so is one whose network has died. So
it is asked, by a ping: it lives when bytes of any kind come, or when its
kernel acknowledges the ping, since some clients (ffmpeg) read only while they
write and answer nothing in between.
"""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """What to do about a silent publisher now."""

    WAIT = "wait"
    ASK = "ask"  # send a ping
    GONE = "gone"


class Liveness:
    """The questions put to one silent publisher; all times in ms of one monotonic clock.

    Attributes:
        asked_ms: when the question that is open was put, 0 for none.
        alive_ms: when it last turned out to be alive.
    """

    __slots__ = ("alive_ms", "asked_ms")

    def __init__(self) -> None:
        self.asked_ms = 0
        self.alive_ms = 0

    def judge(
        self, now_ms: int, *, last_read_ms: int, has_acknowledged: bool, quiet_ms: int, answer_ms: int
    ) -> Verdict:
        """Look again.

        Args:
            now_ms: the present.
            last_read_ms: when bytes last came.
            has_acknowledged: nothing that was sent is unacknowledged.
            quiet_ms: without a sign of life for so long it is asked.
            answer_ms: so long it has for an answer.
        """
        if self.asked_ms:
            if has_acknowledged or last_read_ms >= self.asked_ms:
                self.alive_ms = now_ms if has_acknowledged else last_read_ms
                self.asked_ms = 0
            elif now_ms - self.asked_ms >= answer_ms:
                return Verdict.GONE
            return Verdict.WAIT
        if now_ms - max(last_read_ms, self.alive_ms) <= quiet_ms:
            return Verdict.WAIT
        self.asked_ms = now_ms
        return Verdict.ASK
