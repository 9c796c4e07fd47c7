"""Sound and picture of one publisher in order of time.

Some encoders send a second of pictures and then its sound. Here what comes first waits for the other kind: a frame goes
on when one of the other kind has come that is not older, so that two kinds which are each in order come out in one
order. Of one kind the frames are never put into another order, whatever their stamps say.

What waits is bounded, so that a stream of one kind goes on as well: the oldest goes when ``MAX_COUNT`` wait, when
more than ``MAX_SPAN_MS`` of stamps lie between it and the newest, or when more than ``MAX_BYTES`` wait. A kind whose
stamps step back, as those of an encoder that begins anew, lets go of all that waits. Only one kind ever waits.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from edge.media.timeline import signed_difference

#: Messages of one kind with none of the other: the oldest goes when so many are there.
MAX_COUNT = 10
#: Nor does a frame wait for what is stamped later than this after it: pictures may come once a second, or never again.
MAX_SPAN_MS = 1000
#: Ten huge pictures are no reason to hold the memory for each of many publishers.
MAX_BYTES = 4194304
#: A step back of more is none of a late frame, but of a clock that was set.
_LATE_MS = 250

#: Type id, wire timestamp and body of an audio or video message.
Message = tuple[int, int, bytes]


class _Waiting(NamedTuple):
    time_ms: int
    message: Message


class Interleaver:
    """Takes messages as they come, and gives them in order of time."""

    __slots__ = ("_bytes", "_newest_ms", "_newest_stamp", "_type_id", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._type_id = -1
        self._bytes = 0
        # Stamps wrap (RTMP 1.0 §5.3.1.3): times are counted on from the newest.
        self._newest_ms = self._newest_stamp = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def waiting(self) -> list[Message]:
        """What waits, in order; it goes on waiting."""
        return [each.message for each in self._waiting]

    def add(self, message: Message, *, is_media: bool) -> list[Message]:
        """Take one, and return what goes on, in order.

        Headers of codecs are not media: they go with what is before them, so that they stay before what they describe.
        """
        type_id, stamp, _ = message
        waiting = self._waiting
        if not is_media:
            if not waiting or type_id != self._type_id:
                return [message]
            self._wait(waiting[-1].time_ms, message)
            return self._let_go_of_the_oldest()
        time_ms = self._newest_ms + signed_difference(stamp, self._newest_stamp)
        self._newest_ms, self._newest_stamp = time_ms, stamp
        if waiting and type_id != self._type_id:
            return self._let_go_up_to(time_ms, message)
        released = self.flush() if waiting and time_ms < waiting[-1].time_ms - _LATE_MS else []
        self._type_id = type_id
        self._wait(time_ms, message)
        released.extend(self._let_go_of_the_oldest())
        return released

    def hold(self, message: Message, *, is_media: bool) -> None:
        """Let one wait which has waited before, behind those that do."""
        type_id, stamp, _ = message
        self._type_id = type_id
        if is_media:
            self._newest_ms += signed_difference(stamp, self._newest_stamp)
            self._newest_stamp = stamp
        self._wait(self._newest_ms, message)

    def flush(self) -> list[Message]:
        """All that waits, in order; nothing does any more."""
        released = self.waiting()
        self._waiting.clear()
        self._bytes = 0
        return released

    def _wait(self, time_ms: int, message: Message) -> None:
        self._waiting.append(_Waiting(time_ms, message))
        self._bytes += len(message[2])

    def _pop(self) -> Message:
        message = self._waiting.popleft().message
        self._bytes -= len(message[2])
        return message

    def _let_go_up_to(self, time_ms: int, message: Message) -> list[Message]:
        """A message of the kind that does not wait has come."""
        waiting, released = self._waiting, []
        while waiting and waiting[0].time_ms <= time_ms:
            released.append(self._pop())
        if waiting:
            released.append(message)
        else:
            self._type_id = message[0]
            self._wait(time_ms, message)
        return released

    def _let_go_of_the_oldest(self) -> list[Message]:
        waiting, released = self._waiting, []
        while waiting and (
            len(waiting) >= MAX_COUNT
            or self._bytes > MAX_BYTES
            or waiting[-1].time_ms - waiting[0].time_ms > MAX_SPAN_MS
        ):
            released.append(self._pop())
        return released
