"""What one RTMP player of a shared log is sent alone: headers, and of each track the first message.

These set its message stream and its clock, which the shared messages go on
from. Its clock reads 0 at its first frame, or is the publisher's own for the
vhosts that want that (``time_jitter``, ``original_timestamp_domains``).
"""

from __future__ import annotations

from collections.abc import Callable

from edge.hub.stream import Stream
from edge.hub.wire_form import Place
from edge.media.frame import TRACK_BIT, Frame
from edge.media.timeline import Timeline
from edge.net.fan.player import Player, PlayerOwner
from edge.net.rtmp.form import RtmpForm

#: A track this far behind the one that a player begins with has a clock of its own.
FAR_BEHIND_MS = 5000


class RtmpOpening:
    """The clock and the message stream of one player.

    Attributes:
        missing: bits of the tracks whose first message it has not got.
        base_ms: stream clock at the player's 0; None before its first frame.
        low_bases: the same of media whose clock is far behind that, by type id; else None.
    """

    __slots__ = ("_form", "_offset_ms", "_original", "base_ms", "low_bases", "message_stream_id", "missing")

    def __init__(
        self, form: RtmpForm, message_stream_id: int, *, offset_ms: int = 0, original: Timeline | None = None
    ) -> None:
        """``offset_ms`` is added to all stamps; ``original``: of the stream whose publisher's clock it gets."""
        self.message_stream_id = message_stream_id
        self.missing = form.tracks
        self.base_ms: int | None = None
        self.low_bases: dict[int, int] | None = None
        self._form = form
        self._offset_ms = offset_ms
        self._original = original

    @classmethod
    def of(cls, stream: Stream, form: RtmpForm, message_stream_id: int) -> RtmpOpening:
        """For a player of ``stream``, as its configuration asks."""
        config = stream.config
        is_original = config.time_jitter == "off" or stream.key.vhost in config.original_timestamp_domains
        original = stream.timeline if is_original else None
        return cls(form, message_stream_id, offset_ms=stream.config.timestamp_offset, original=original)

    def go_on(self, base_ms: int | None, low_bases: dict[int, int] | None) -> None:
        """Another process has begun for it; with its next message of each track the player is told the clock again."""
        self.base_ms, self.low_bases = base_ms, low_bases

    @property
    def likeness(self) -> tuple[int, int, bool]:
        """Message stream and clock: what the messages with headers of their own depend on."""
        return self.message_stream_id, self._offset_ms, self._original is not None

    def go_on_like(self, begun: RtmpOpening) -> None:
        """The first messages have been sent."""
        self.base_ms, self.low_bases, self.missing = begun.base_ms, begun.low_bases, begun.missing

    def start(self, place: Place) -> bytes:
        """Headers, and pictures of silent tracks, with the stamp of the frame they are for."""
        dts_ms, low_bases = place.frame.dts_ms, self.low_bases
        if self.base_ms is None:
            self.base_ms = self._original.original_shift_ms if self._original is not None else dts_ms
        self.missing = self._form.tracks
        parts = []
        for frame in (*place.headers, *place.pictures):
            is_low = low_bases is not None and frame.type_id in low_bases
            parts.append(self._encode(frame, place.clock_of(frame.type_id) if is_low else dts_ms))
        return b"".join(parts)

    def first(self, frame: Frame) -> bytes:
        """The message with a header that sets message stream and clock.

        A track goes on from it unless its stamp is before the player's 0.
        """
        base_ms, type_id = self.base_ms or 0, frame.type_id
        if frame.dts_ms < base_ms - FAR_BEHIND_MS:
            # Its clock runs slow or stands still, and may never come so far: what comes together is together.
            self.low_bases = {type_id: frame.dts_ms, **(self.low_bases or {})}
        if frame.dts_ms >= base_ms or (self.low_bases and type_id in self.low_bases):
            self.missing &= ~TRACK_BIT[type_id]
        return self._encode(frame, frame.dts_ms)

    def _encode(self, frame: Frame, dts_ms: int) -> bytes:
        base_ms = self.base_ms or 0
        if self.low_bases is not None:
            base_ms = self.low_bases.get(frame.type_id, base_ms)
        return self._form.encode_private(frame, max(dts_ms - base_ms, 0) + self._offset_ms, self.message_stream_id)


class RtmpPlayer(Player):
    """A shared-log player of RTMP.

    Attributes:
        head_bytes: of answers that it is sent before the stream.
    """

    __slots__ = ("head_bytes",)

    opening: RtmpOpening

    def __init__(
        self, owner: PlayerOwner, send: Callable[[bytes | memoryview], int], opening: RtmpOpening, *, head: bytes = b""
    ) -> None:
        super().__init__(owner, send, opening)
        self.head_bytes = len(head)
        self.tail = head or None

    @property
    def stream_bytes(self) -> int:
        """What it has got of the stream; 0 before it has begun."""
        return max(self.sent_bytes - self.head_bytes, 0) if self.has_begun else 0
