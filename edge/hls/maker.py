"""What all that make segments of a stream have in common."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable

from edge.hub.reader import QuietReader
from edge.hub.stream import Stream

logger = logging.getLogger(__name__)


class Maker(QuietReader, ABC):
    """A reader that takes each frame as it comes, and stands on none.

    Attributes:
        stream: whose frames it reads.
    """

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def attach(self) -> None:
        """Take what the stream holds, and then what comes."""
        self.stream.readers.append(self)
        self.on_frames()
        if self.stream.is_ended:
            self.on_end("")

    def close(self) -> None:
        """Nobody asks any more."""
        if self in self.stream.readers:
            self.stream.readers.remove(self)

    def on_frames(self) -> None:
        """Take them."""
        self._guarded(self._take_new)

    def _guarded(self, act: Callable[[], bool | None]) -> bool:
        """What ``act`` says; a fault of ours in it must not reach whoever publishes the stream, or plays it."""
        try:
            return bool(act())
        except Exception:
            logger.critical("internal error: HLS of key=%s ends", self.stream.key, exc_info=True)
            self.close()
            self._give_up()
            return False

    def on_evict(self, base: int) -> None:
        """All of them have been taken."""

    @abstractmethod
    def on_end(self, reason: str) -> None:
        """The last segment ends with the last frame."""

    @abstractmethod
    def _take_new(self) -> None:
        """Take the frames that have come since the last call."""

    @abstractmethod
    def _give_up(self) -> None:
        """It takes no more."""
