"""What one connection has asked its peer about clients of ours, and has not heard yet."""

from __future__ import annotations

from collections.abc import Callable

from edge.rtmp.events import MayAnswered


class MayTalk:
    """What one connection has asked its upstream."""

    __slots__ = ("_last_number", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[int, Callable[[MayAnswered | None], None]] = {}
        self._last_number = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def ask(self, answered: Callable[[MayAnswered | None], None]) -> int:
        """The number of a new question."""
        self._last_number += 1
        self._waiting[self._last_number] = answered
        return self._last_number

    def take_answer(self, answer: MayAnswered) -> None:
        """Hand an answer on; nothing for a question that was never asked, or was given up."""
        answered = self._waiting.pop(answer.number, None)
        if answered is not None:
            answered(answer)

    def give_up(self, number: int) -> None:
        """Nobody waits for the answer any more."""
        self._waiting.pop(number, None)

    def close(self) -> None:
        """The connection is over: nothing will be answered."""
        waiting, self._waiting = self._waiting, {}
        for answered in waiting.values():
            answered(None)
