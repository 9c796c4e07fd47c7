"""The message streams of one client connection, and what each is used for."""

from __future__ import annotations

import enum

from edge.rtmp.session import MessageStream


class Use(enum.Enum):
    """What a message stream is used for; the ASKED states wait for our answer."""

    IDLE = "idle"
    PLAY_ASKED = "play_asked"
    PLAYING = "playing"
    PUBLISH_ASKED = "publish_asked"
    PUBLISHING = "publishing"

    # By identity, without a call of Python's: it is asked for with each command.
    __hash__ = object.__hash__


PLAYER_USES = frozenset((Use.PLAY_ASKED, Use.PLAYING))
PUBLISHER_USES = frozenset((Use.PUBLISH_ASKED, Use.PUBLISHING))


class ServerStream(MessageStream):
    """A message stream that a client created.

    Media are received while a publish is still asked for: clients send on
    without waiting for the answer.

    Attributes:
        use: change it with ``ServerStreams.set_use`` only.
        is_paused: the player paused it.
        has_reset: the play that is asked for wants ``NetStream.Play.Reset``.
        request_id: the question that waits for an answer, 0 for none.
        stream_name: as the last play or publish named it.
        wants_audio, wants_video: a player's choice, which holds for all plays on this stream.
    """

    __slots__ = ("has_reset", "is_paused", "request_id", "stream_name", "use", "wants_audio", "wants_video")

    def __init__(self, message_stream_id: int) -> None:
        super().__init__(message_stream_id)
        self.use = Use.IDLE
        self.is_paused = False
        self.has_reset = True
        self.request_id = 0
        self.stream_name = ""
        self.wants_audio = True
        self.wants_video = True


class ServerStreams(dict[int, ServerStream]):
    """Message streams by id. Ids count up and are never used again.

    Attributes:
        active_count: streams that are not idle.
        alias_id: the message stream id 0 or 1 by which an encoder addressed its
            only stream, wrongly; -1 when none did.
        is_media_misplaced: media of the only publish have come on another id.
    """

    __slots__ = ("active_count", "alias_id", "is_media_misplaced", "last_id")

    def __init__(self) -> None:
        super().__init__()
        self.active_count = 0
        self.alias_id = -1
        self.is_media_misplaced = False
        self.last_id = 0

    @property
    def idle_count(self) -> int:
        return len(self) - self.active_count

    def create(self) -> ServerStream:
        """Make an idle message stream with the next id."""
        self.last_id += 1
        stream = self[self.last_id] = ServerStream(self.last_id)
        return stream

    def delete(self, message_stream_id: int) -> None:
        """Forget a message stream."""
        self.set_use(self[message_stream_id], Use.IDLE)
        del self[message_stream_id]

    def set_use(self, stream: ServerStream, use: Use) -> None:
        """Change what ``stream`` is used for. A publisher that ends is muted until the next publish."""
        self.active_count += (use is not Use.IDLE) - (stream.use is not Use.IDLE)
        stream.is_muted = use is Use.IDLE and (stream.is_muted or stream.is_receiving)
        stream.is_receiving = use in PUBLISHER_USES
        stream.use = use
        if use is Use.IDLE:
            stream.request_id = 0
            stream.is_paused = False

    def find(self, message_stream_id: int) -> ServerStream | None:
        """Return the stream with this id; an established alias counts."""
        stream = self.get(message_stream_id)
        if stream is None and message_stream_id == self.alias_id and len(self) == 1:
            return next(iter(self.values()))
        return stream

    def find_for_request(self, message_stream_id: int) -> ServerStream | None:
        """As ``find`` for play and publish: some encoders send them on 0 whatever id they were given."""
        stream = self.find(message_stream_id)
        if stream is None and message_stream_id in (0, 1) and len(self) == 1:
            self.alias_id = message_stream_id
            return next(iter(self.values()))
        return stream

    def only_publish_for(self, message_stream_id: int) -> ServerStream | None:
        """Return the only publish, for media on an id that never was one's own; None when it is not the only one.

        Clients of some libraries send all media on 0. What comes on the id of a
        publish that has ended was under way for that one.
        """
        named = self.get(message_stream_id)
        if named is None:
            is_over = 0 < message_stream_id <= self.last_id
        else:
            is_over = named.use is Use.IDLE and bool(named.stream_name)
        if is_over:
            return None
        publishes = [stream for stream in self.values() if stream.is_receiving]
        return publishes[0] if len(publishes) == 1 else None
