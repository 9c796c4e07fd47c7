"""A stream as documents, for the process that goes on with it: the same publish, the same indices, the same clock.

What the frames alone tell is not written down: headers in force, tracks and
places to start come about again as the frames are pushed once more. Nor are
readers and logs: who plays is told by whose place it is, as the number of a frame.

A publisher that does not move along, a pull among them, is left out. Nodes that
have played the stream here resume by its epoch and index, as after any loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from edge.errors import AmfError, HandoverError
from edge.hub.frame_queue import FrameQueue
from edge.hub.ordered_publisher import OrderedPublisher
from edge.hub.publisher import Publisher, Received
from edge.hub.stream import Stream
from edge.media.cut_rule import state_of_fields
from edge.media.frame import MEDIA, METADATA, Epoch, Frame, header_slot
from edge.media.metadata import decode_metadata
from edge.media.timeline import TimelineState

VERSION = 1
MAX_DOCUMENT_BYTES = 67108864

_COUNTERS = (
    "video_bytes",
    "audio_bytes",
    "video_frames",
    "audio_frames",
    "video_header_bytes",
    "audio_header_bytes",
    "gop",
    "gap_count",
    "dropped_count",
    "duplicate_count",
    "player_jump_count",
    "player_dropped_count",
    "video_bps",
    "audio_bps",
)
_EPOCH_FIELDS = ("id", "shift_ms", "next_index", "started_wall_ms", "began_ms", "moved", "moved_index")
_PUBLISHER_FIELDS = (
    "peer",
    "query",
    "hops",
    "is_active",
    "is_lost",
    "lost_ms",
    "since_ms",
    "began_ms",
    "last_media_ms",
    "last_frame_ms",
    "seen_since_ms",
    "arrival",
    "epoch_id",
    "refused_count",
)


class _Versioned(msgspec.Struct):
    version: int


class FrameState(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """A frame; ``epoch`` is its number in ``StreamState.epochs``, -1 for none."""

    type_id: int
    dts_ms: int
    payload: bytes
    kind: int
    is_keyframe: bool
    epoch: int
    index: int


class EpochState(msgspec.Struct, forbid_unknown_fields=True):
    """A publish; the fields of ``Epoch``."""

    id: str
    shift_ms: int
    next_index: int
    started_wall_ms: int
    began_ms: int
    moved: dict[int, int]
    moved_index: int


class PublisherState(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A publisher that moves along; ``epoch`` as that of a frame, headers and pictures without a place.

    ``waiting``: messages that are held back until others have come, to be in order with them.
    """

    peer: str
    query: str
    hops: tuple[str, ...]
    is_active: bool
    is_lost: bool
    lost_ms: int
    since_ms: int
    began_ms: int
    last_media_ms: int
    last_frame_ms: int
    seen_since_ms: int
    arrival: int
    epoch_id: str
    refused_count: int
    epoch: int
    headers: list[FrameState]
    shown: list[FrameState]
    waiting: list[Received] = []


class StreamState(msgspec.Struct, forbid_unknown_fields=True):
    """A stream without the frames that it holds.

    Attributes:
        key: vhost, app, stream name, realm.
        epochs: the present publish first, if there has been one.
        has_epoch: the first of them is the present one.
        headers: in force before the first frame held.
        in_force: those behind the last one.
        pictures: to be seen of tracks whose frames are gone.
        pending: headers that wait for the next frame.
        base: seq of the first frame held.
        publish_seq: seq of the first frame of the present publish.
        cut: how far the HLS segment in progress is before the first frame held, as a mark says it; None without.
        frame_count: of the frames that follow.
    """

    version: int
    key: tuple[str, str, str, str]
    created_ms: int
    epochs: list[EpochState]
    has_epoch: bool
    past_epochs: dict[str, int]
    arrivals: int
    replaced_ms: int
    grace_until_ms: int
    publishers: list[PublisherState]
    timeline: TimelineState
    has_begun: bool
    metadata_sent_ms: int
    keyframe_wanted_since: int | None
    awaited_tracks: list[int]
    begun_tracks: list[int]
    counters: dict[str, int]
    is_retained: bool
    last_dts: dict[int, int]
    headers: list[FrameState]
    in_force: list[FrameState]
    pictures: list[FrameState]
    pending: list[FrameState]
    base: int
    publish_seq: int
    cut: dict[str, Any] | None
    frame_count: int


class _Epochs:
    """The publishes that frames are of, numbered as they are met."""

    def __init__(self, present: Epoch | None) -> None:
        self.all: list[Epoch] = [] if present is None else [present]
        self._numbers = {id(epoch): number for number, epoch in enumerate(self.all)}

    def number(self, epoch: Epoch | None) -> int:
        if epoch is None:
            return -1
        number = self._numbers.get(id(epoch))
        if number is None:
            number = self._numbers[id(epoch)] = len(self.all)
            self.all.append(epoch)
        return number

    def frame(self, frame: Frame) -> FrameState:
        return FrameState(
            frame.type_id,
            frame.dts_ms,
            bytes(frame.payload),
            frame.kind,
            frame.is_keyframe,
            self.number(frame.epoch),
            frame.index,
        )

    def frames(self, frames: list[Frame]) -> list[FrameState]:
        return [self.frame(frame) for frame in frames]


class StreamExport:
    """The documents of one stream, which stays as it is.

    Attributes:
        moving: its publishers that move along, by which their connections name them: places in this list.
    """

    def __init__(self, stream: Stream, moving: list[Publisher[Stream]], *, grace_until_ms: int = 0) -> None:
        """``grace_until_ms``: so long a publisher is waited for that does not move; 0 for none."""
        self.stream = stream
        self.moving = moving
        self._grace_until_ms = grace_until_ms
        self._epochs = _Epochs(stream.feed.epoch)
        self._frames = self._epochs.frames(stream.queue.frames)

    def document(self) -> bytes:
        """All but the frames."""
        stream, epochs = self.stream, self._epochs
        feed, queue, stats = stream.feed, stream.queue, stream.stats
        kept = [frame for track in queue.tracks.values() for frame in track.kept]
        publishers = [self._publisher(publisher) for publisher in self.moving]
        lists = [queue.headers_at(queue.base), queue.headers_at(queue.end), kept, list(stream._pending.values())]
        headers, in_force, pictures, pending = [epochs.frames(frames) for frames in lists]
        cut = stream.cut_at(queue.base)
        state = StreamState(
            version=VERSION,
            key=stream.key,
            created_ms=stream.created_ms,
            epochs=[EpochState(**_named(epoch, _EPOCH_FIELDS)) for epoch in epochs.all],
            has_epoch=feed.epoch is not None,
            past_epochs=feed.past_epochs,
            arrivals=feed._arrivals,
            replaced_ms=feed.replaced_ms,
            grace_until_ms=max(feed.grace_until_ms, self._grace_until_ms),
            publishers=publishers,
            timeline=stream.timeline.state(),
            has_begun=stream.has_begun,
            metadata_sent_ms=stream._metadata_sent_ms,
            keyframe_wanted_since=stream._keyframe_wanted_since,
            awaited_tracks=sorted(stream._awaited_tracks),
            begun_tracks=sorted(stream._begun_tracks),
            counters={name: getattr(stats, name) for name in _COUNTERS},
            is_retained=stream.retention.is_full,
            last_dts=queue.last_dts,
            headers=headers,
            in_force=in_force,
            pictures=pictures,
            pending=pending,
            base=queue.base,
            publish_seq=queue.publish_seq,
            cut=cut.fields() if cut is not None else None,
            frame_count=len(self._frames),
        )
        return msgspec.msgpack.encode(state)

    def frame_documents(self, about_bytes: int = 1048576) -> Iterator[bytes]:
        """The frames, oldest first, in documents of about that size or one frame."""
        part: list[FrameState] = []
        size = 0
        for frame in self._frames:
            part.append(frame)
            size += len(frame.payload)
            if size >= about_bytes:
                yield msgspec.msgpack.encode(part)
                part, size = [], 0
        if part:
            yield msgspec.msgpack.encode(part)

    def _publisher(self, publisher: Publisher[Stream]) -> PublisherState:
        epochs = self._epochs
        return PublisherState(
            epoch=epochs.number(publisher.epoch),
            headers=epochs.frames(list(publisher.headers.values())),
            shown=epochs.frames(publisher.shown.frames),
            waiting=publisher.waiting(),
            **_named(publisher, _PUBLISHER_FIELDS),
        )


class StreamImport:
    """A stream on its way in.

    Attributes:
        state: what its first document says.
        publishers: those that have moved along; made by ``resume``.
    """

    def __init__(self, document: bytes) -> None:
        """Raises HandoverError as ``edge.rtmp.handover.resume_session`` does."""
        self.state = _decode(document)
        self.publishers: list[Publisher[Stream]] = []
        self._frames: list[FrameState] = []
        self._places: list[int] = []
        self._end = 0
        self._epochs: list[Epoch] = []

    def add_frames(self, document: bytes) -> None:
        """The next of its frames; raises HandoverError."""
        self._frames.extend(_decode_as(document, list[FrameState]))

    def resume(self, stream: Stream) -> None:
        """Make ``stream``, which is new, what it was in the other process.

        Raises:
            HandoverError: frames are missing, or the document contradicts itself (``handover_malformed``).
        """
        state = self.state
        if len(self._frames) != state.frame_count:
            raise HandoverError(f"{len(self._frames)} of {state.frame_count} frames", reason="handover_malformed")
        try:
            self._epochs = [_epoch(each) for each in state.epochs]
            self._resume_feed(stream)
            self._resume_queue(stream.queue)
            self._resume_rest(stream)
        except (IndexError, KeyError, ValueError, AmfError) as error:
            raise HandoverError(f"stream {stream.key}: {error}", reason="handover_malformed") from error

    def place_of(self, seq: int) -> int:
        """Where the frame stands here that was ``seq`` there; of what is held, at least and at most the end."""
        position = max(seq - self.state.base, 0)
        return self._places[position] if position < len(self._places) else self._end

    def _frame(self, state: FrameState) -> Frame:
        epoch = self._epochs[state.epoch] if state.epoch >= 0 else None
        return Frame(
            state.type_id, state.dts_ms, state.payload, state.kind, state.is_keyframe, epoch=epoch, index=state.index
        )

    def _resume_feed(self, stream: Stream) -> None:
        state, feed = self.state, stream.feed
        feed.epoch = self._epochs[0] if state.has_epoch else None
        feed.past_epochs = dict(state.past_epochs)
        feed._arrivals, feed.replaced_ms, feed.grace_until_ms = state.arrivals, state.replaced_ms, state.grace_until_ms
        for each in state.publishers:
            publisher = self._publisher(stream, each)
            for name in _PUBLISHER_FIELDS:
                setattr(publisher, name, getattr(each, name))
            publisher.epoch = self._epochs[each.epoch] if each.epoch >= 0 else None
            publisher.headers = {header_slot(frame): frame for frame in map(self._frame, each.headers)}
            publisher.shown.begin(map(self._frame, each.shown))
            self.publishers.append(publisher)
            if not publisher.is_active:
                feed.muted.append(publisher)
            elif feed.current is None:
                feed.current = publisher
                feed.grace_until_ms = 0
            else:
                raise ValueError("two publishers are seen")

    @staticmethod
    def _publisher(stream: Stream, state: PublisherState) -> Publisher[Stream]:
        """What was held back is so again, whatever new publishers get here."""
        if not state.waiting and not stream.config.mix_correct:
            return Publisher(stream, state.peer, state.since_ms, query=state.query, hops=state.hops)
        ordered = OrderedPublisher(stream, state.peer, state.since_ms, query=state.query, hops=state.hops)
        ordered.hold(state.waiting)
        return ordered

    def _resume_queue(self, queue: FrameQueue) -> None:
        """Push all frames again, each in its publish."""
        state, frames = self.state, [self._frame(each) for each in self._frames]
        queue.hold_pictures([self._frame(each) for each in state.pictures])
        for each in state.headers:
            queue.push(self._frame(each))
        epoch = frames[0].epoch if frames else None
        for seq, frame in enumerate(frames, state.base):
            if frame.epoch is not epoch:
                epoch = frame.epoch
                queue.headers.begin_publish()
            if seq == state.publish_seq:
                queue.begin_publish()
            self._places.append(queue.push(frame))
        self._end = queue.end
        for type_id, dts_ms in state.last_dts.items():
            queue.last_dts[type_id] = max(dts_ms, queue.last_dts.get(type_id, dts_ms))

    def _resume_rest(self, stream: Stream) -> None:
        state, queue = self.state, stream.queue
        stream.created_ms, stream.has_begun = state.created_ms, state.has_begun
        stream.timeline.go_on(state.timeline)
        stream._metadata_sent_ms, stream._keyframe_wanted_since = state.metadata_sent_ms, state.keyframe_wanted_since
        stream._awaited_tracks, stream._begun_tracks = set(state.awaited_tracks), set(state.begun_tracks)
        for name in _COUNTERS:
            setattr(stream.stats, name, state.counters.get(name, 0))
        stream.stats.go_on()
        # One that the present publish has confirmed stands before the frames, and ended with the publish before.
        there = [frame.payload for frame in queue.headers_at(queue.end)]
        again = [self._frame(each) for each in state.in_force if each.payload not in there]
        for frame in (*again, *map(self._frame, state.pending)):
            stream.hold_header(stream._pending, frame)
        waiting = (frame for frame in stream._pending.values() if frame.kind == METADATA)
        metadata = next(waiting, None) or queue.headers.current(METADATA)
        if metadata is not None:
            stream.metadata = decode_metadata(metadata.payload, stream._metadata_name) or {}
        if state.is_retained:
            stream.retention.claim()
            stream.retention.release()
        cut = state_of_fields(state.cut)
        first = next((frame for frame in queue.frames if frame.kind == MEDIA and frame.epoch is not None), None)
        if cut is not None and first is not None and first.epoch is not None:
            stream.adopt_cut(first.epoch.id, first.index, cut)


def _epoch(state: EpochState) -> Epoch:
    epoch = Epoch(state.id, state.shift_ms, state.next_index, state.started_wall_ms, state.began_ms)
    epoch.moved, epoch.moved_index = dict(state.moved), state.moved_index
    return epoch


def _named(owner: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(owner, name) for name in names}


def _decode(document: bytes) -> StreamState:
    version = _decode_as(document, _Versioned).version
    if version != VERSION:
        raise HandoverError(f"stream of version {version}, not {VERSION}", reason="handover_version")
    state: StreamState = _decode_as(document, StreamState)
    return state


def _decode_as(document: bytes, kind: Any) -> Any:
    if len(document) > MAX_DOCUMENT_BYTES:
        raise HandoverError(f"stream of {len(document)} bytes", reason="handover_malformed")
    try:
        return msgspec.msgpack.decode(document, type=kind)
    except msgspec.MsgspecError as error:
        raise HandoverError(f"stream: {error}", reason="handover_malformed") from error
