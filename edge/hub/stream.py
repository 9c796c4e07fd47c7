"""One live stream: its publisher, its frames, and the logs that players read.

The stream decides nothing about connections. It tells its readers that frames
have come, that old ones are about to go, and that it has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from edge.errors import AmfError
from edge.hub.config import HubConfig
from edge.hub.cuts import CutCounter, rule_of
from edge.hub.delay import StreamDelay
from edge.hub.feed import Feed, is_younger
from edge.hub.frame_queue import FrameQueue
from edge.hub.headers import MAX_HEADERS
from edge.hub.intake import push_all
from edge.hub.key import StreamKey
from edge.hub.log import StreamLog
from edge.hub.publisher import Publisher, Received
from edge.hub.reader import Reader
from edge.hub.retention import Retention
from edge.hub.roster import Roster
from edge.hub.rules import HubAlone, StreamRules
from edge.hub.stats import StreamStats
from edge.hub.wire_form import WireForm
from edge.media.cut_rule import CutState
from edge.media.frame import (
    AUDIO,
    AUDIO_HEADER,
    DATA,
    MEDIA,
    METADATA,
    VIDEO,
    VIDEO_HEADER,
    Epoch,
    Frame,
    classify_audio,
    classify_video,
    codec_name,
    header_slot,
    tracks_of,
)
from edge.media.mark import is_mark
from edge.media.metadata import decode_metadata, encode_metadata, relayed_metadata
from edge.media.timeline import Timeline

#: Frames between two looks at what may go, and while there are as many as may be held.
_EVICT_EVERY = 64
_EVICT_EVERY_WHEN_FULL = 16

#: What a stream is to keep where memory is short: what somebody who comes now needs to begin.
_TIGHT: Final[dict[str, Any]] = {"log_retain_ms": 0, "min_buffering_ms": 0, "max_cached_keyframes": 1}

#: No step of a 32-bit timestamp is larger.
_ANY_STEP_MS = 1 << 32

#: Headers are kept as long as the publish lasts: huge ones must not fill the memory.
MAX_HEADER_BYTES = 1048576


class Stream:
    """A key's frames and who feeds them.

    Attributes:
        feed: who feeds it.
        on_seen: called with the stream, a publisher that is muted from now on or None, and the one that is seen.
        on_jumped: called with the stream when a player was too far behind, and how many frames it left out.
        has_begun: sound or picture of the present publish has come.
        is_ended: players have been told that the broadcast is over; a new
            publisher of the key gets a new stream.
        is_tight: no more than the newest group of pictures is kept, whoever stands on more.
        end_reason: what they were told, None before that.
        pull: the owner's handle of an upstream pull (opaque here).
        roster: the plays that were admitted, by what their players said (what else they are is not known here).
        player_count: players; ``viewer_count`` leaves out other nodes' hops.
        place_count: those of them who take a place, where these are limited.
        retention: who may come back for what has been sent.
        cuts: where HLS segments begin; None where there has been no HLS, and the node that feeds it says nothing of it.
        delay: how long its frames take, from the first node to the players here.
        rules: what holds for it in all rooms; ``config`` is the hub's part of that.
    """

    __slots__ = (
        "_awaited_tracks",
        "_begun_tracks",
        "_evict_at",
        "_keyframe_wanted_since",
        "_max_bytes",
        "_metadata_name",
        "_metadata_sent_ms",
        "_pending",
        "config",
        "created_ms",
        "cuts",
        "delay",
        "end_reason",
        "feed",
        "has_begun",
        "idle_since_ms",
        "is_ended",
        "is_tight",
        "key",
        "logs",
        "metadata",
        "on_jumped",
        "on_seen",
        "place_count",
        "player_count",
        "pull",
        "queue",
        "readers",
        "retention",
        "roster",
        "rules",
        "stats",
        "timeline",
        "viewer_count",
    )

    def __init__(
        self,
        key: StreamKey,
        rules: StreamRules | HubConfig,
        now_ms: int,
        *,
        metadata_name: str = "",
        delay: StreamDelay | None = None,
    ) -> None:
        """``delay``: by whose clock delays are measured; without it none are."""
        rules = HubAlone(rules) if isinstance(rules, HubConfig) else rules
        self.key = key
        self.created_ms = now_ms
        self.queue = FrameQueue()
        self.timeline = Timeline()
        self.feed = Feed()
        self.cuts: CutCounter | None = None
        self._apply(rules)
        self.on_seen: Callable[[Stream, Publisher[Stream] | None, Publisher[Stream]], None] | None = None
        self.on_jumped: Callable[[Stream, int], None] | None = None
        self.logs: dict[WireForm, StreamLog] = {}
        self.readers: list[Reader] = []
        self.retention = Retention()
        self.roster: Roster[Any] = Roster()
        self.stats = StreamStats()
        self.delay = delay or StreamDelay()
        self.metadata: dict[str, object] = {}
        self.has_begun = False
        self.is_ended = self.is_tight = False
        self.end_reason: str | None = None
        self.pull: object | None = None
        self.player_count = 0
        self.viewer_count = self.place_count = 0
        self.idle_since_ms = now_ms
        self._metadata_name = metadata_name
        self._metadata_sent_ms = -(10**9)
        self._pending: dict[bytes, Frame] = {}
        self._keyframe_wanted_since: int | None = None
        # Video tracks there were when keyframes were asked for, and those that have begun anew since.
        self._awaited_tracks: set[int] = set()
        self._begun_tracks: set[int] = set()

    def _apply(self, rules: StreamRules) -> None:
        self.rules = rules
        self.config = config = rules.of(HubConfig)
        max_jitter_ms = config.max_jitter_ms if config.time_jitter == "full" else _ANY_STEP_MS
        self.timeline.set_limits(max_jitter_ms, config.frame_interval_ms)
        self.feed.min_interval_ms = config.republish_min_interval_ms
        if config.hls and self.cuts is None:
            self.cuts = CutCounter(rule_of(config))
        self._max_bytes = min(config.gop_cache_max_bytes, config.log_max_bytes)
        self._evict_at = 0  # look at once whether frames are too many

    def reconfigure(self, rules: StreamRules) -> None:
        """Take other settings, for what comes and for what is held; players go on."""
        self._apply(rules)

    # --- who feeds it --------------------------------------------------------

    @property
    def publisher(self) -> Publisher[Stream] | None:
        """Who is seen now, or None."""
        return self.feed.current

    @property
    def epoch(self) -> Epoch | None:
        """The publish in progress or the last one, None before the first."""
        return self.feed.epoch

    @property
    def has_lost_publisher(self) -> bool:
        """The connection of its publisher broke, here or at the node that feeds it, and it is waited for."""
        publisher = self.feed.current
        return publisher.is_lost if publisher is not None else self.feed.grace_until_ms > 0

    def begin_publish(
        self, publisher: Publisher[Stream], epoch: Epoch, now_ms: int, *, are_headers_there: bool = False
    ) -> None:
        """``publisher`` takes over; players stay and the clock goes on.

        ``are_headers_there``: its headers have been pushed already, and wait for its first frame.
        """
        is_restart = self.feed.epoch is not None
        self.see(publisher, now_ms)
        self.feed.begin(epoch)
        publisher.epoch_id = epoch.id
        self.has_begun = False
        if not are_headers_there:
            self._pending.clear()
        self.timeline.restart()
        if is_restart:
            self.queue.headers.begin_publish()
            self._metadata_sent_ms = -(10**9)
            self.want_keyframe(now_ms)

    def see(self, publisher: Publisher[Stream], now_ms: int) -> None:
        """Let ``publisher`` feed the stream; what the one before shows and is decoded with is kept for its return."""
        old = self.feed.current
        if old is not None and old is not publisher:
            old.headers = {**self.queue.headers.of_publish(), **self._pending}
            old.shown.begin(self.queue.pictures_of(self.feed.epoch))
            if self.has_begun:
                old.last_frame_ms = old.last_media_ms
        self.feed.see(publisher, now_ms)

    def offer(self, publisher: Publisher[Stream], now_ms: int) -> bool:
        """A muted publisher has a message: whether it is seen from now on (see ``feed.py``).

        One of this node goes on with its own publish, whose headers are in force again;
        what a hop brings begins with what its mark says (``hop.py``).
        """
        old = self.feed.current
        if not self.feed.yields_to(publisher, now_ms):
            return False
        if old is not None and is_younger(publisher, old):
            self.feed.replaced_ms = now_ms
        if publisher.epoch is not None:
            self.begin_publish(publisher, publisher.epoch, now_ms)
            self._pending = take_headers(publisher)
            for header in self._pending.values():
                if header.kind == METADATA:
                    self.metadata = decode_metadata(header.payload) or {}
        else:
            self.see(publisher, now_ms)
        if self.on_seen is not None and (old is None or old.epoch_id != publisher.epoch_id):
            self.on_seen(self, old, publisher)
        return True

    def tell_settled(self, publisher: Publisher[Stream], now_ms: int) -> None:
        """What a node begins to push has been replaced already."""
        current = self.feed.current
        if self.on_seen is not None and current is not None and self.feed.is_settled_against(publisher, now_ms):
            self.on_seen(self, publisher, current)

    def hold_muted(self, publisher: Publisher[Stream], type_id: int, payload: bytes) -> bool:
        """Keep a header of a muted publisher for the frames with which it may be seen again; False for a frame."""
        if type_id == VIDEO:
            kind = classify_video(payload)[0]
        elif type_id == AUDIO:
            kind = classify_audio(payload)
        else:
            try:
                kept = self._relayed_metadata(payload)
            except AmfError:
                return True
            if kept is None:
                return is_mark(payload)
            kind, payload = METADATA, encode_metadata(kept)
        if kind == MEDIA:
            return False
        self.hold_header(publisher.headers, Frame(type_id, 0, payload, kind))
        return True

    def drop_pending_headers(self) -> None:
        """Forget headers that still wait for a frame: whoever sent them is not heard any more."""
        self._pending.clear()

    def want_keyframe(self, now_ms: int) -> None:
        """Hold each video track back until its keyframe, at most ``keyframe_wait_ms``: what came before is lost."""
        if self.queue.has_video:
            self._keyframe_wanted_since = now_ms
            self._awaited_tracks = self.queue.video_tracks()
            self._begun_tracks.clear()

    def end(self, reason: str) -> None:
        """The broadcast is over: readers flush what they have and leave."""
        if self.is_ended:
            return
        self.is_ended = True
        self.end_reason = reason
        self.feed.end()
        for reader in list(self.readers):
            reader.on_end(reason)

    def announce_unpublished(self, reason: str) -> None:
        """Pass a publisher's end on to other nodes at once; our own players are kept for now."""
        for reader in list(self.readers):
            reader.on_unpublished(reason)

    def announce_missing(self, reason: str) -> None:
        """The origin knows of no publisher; nodes that have played the stream take it for its end."""
        for reader in list(self.readers):
            reader.on_missing(reason)

    def announce_lost(self) -> None:
        """Nodes that play it from here may find its publisher elsewhere; the one it is pushed to tells its own."""
        for reader in list(self.readers):
            reader.on_lost()

    def announce_via(self, via: tuple[str, ...]) -> None:
        """Nodes that play it from here learn which way it comes, and pass it on."""
        for reader in list(self.readers):
            reader.on_via(via)

    # --- frames --------------------------------------------------------------

    def push(self, type_id: int, wire_timestamp: int, payload: bytes, now_ms: int) -> None:
        """One message of the local publisher. Call ``commit`` after the last one at hand."""
        if type_id == VIDEO:
            kind, is_keyframe = classify_video(payload)
        elif type_id == AUDIO:
            kind, is_keyframe = classify_audio(payload), False
        else:
            self._push_data(wire_timestamp, payload, now_ms)
            return
        if kind != MEDIA:
            self.stats.count_header(type_id, len(payload))
            self.hold_header(self._pending, Frame(type_id, 0, payload, kind))
            return
        if (
            self._keyframe_wanted_since is not None
            and type_id == VIDEO
            and not self._may_pass(payload, is_keyframe, now_ms)
        ):
            return
        dts_ms = self.timeline.map(type_id, wire_timestamp, now_ms)
        if self._pending:
            self._push_headers(dts_ms, now_ms)
        if not self.has_begun:
            self._begin_media()
            self._note_sending(now_ms)
        epoch = self.feed.epoch
        index = epoch.next_index if epoch is not None else 0
        frame = Frame(type_id, dts_ms, payload, MEDIA, is_keyframe, epoch, index)
        if epoch is not None:
            epoch.next_index = index + 1
        self.queue.push(frame)
        self.stats.count(frame)

    @property
    def takes_usual(self) -> bool:
        """Nothing waits for the next frame, so that one which changes nothing is taken as it is (``intake.py``)."""
        return self.has_begun and not self._pending and self._keyframe_wanted_since is None

    def push_all(self, run: Iterable[Received], now_ms: int) -> None:
        """Audio and video messages of the local publisher that came together; their bodies are not empty."""
        push_all(self, run, now_ms)

    def push_hop(self, frame: Frame, now_ms: int) -> None:
        """One frame of an upstream of ours: it bears its epoch, its index and its place on our clock."""
        if frame.kind != MEDIA:
            self.stats.count_header(frame.type_id, len(frame.payload))
            if self.queue.headers.confirm(frame):
                return
            if frame.kind == METADATA:
                self.metadata = decode_metadata(frame.payload, self._metadata_name) or {}
        elif (
            self._keyframe_wanted_since is not None
            and frame.type_id == VIDEO
            and not self._may_pass(frame.payload, frame.is_keyframe, now_ms)
        ):
            return
        if frame.dts_ms > self.timeline.last_dts_ms and (frame.type_id != DATA or not self.queue.has_media):
            self.timeline.last_dts_ms = frame.dts_ms
        if not self.has_begun and frame.kind == MEDIA and frame.type_id != DATA:
            self._begin_media()
        self.queue.push(frame)
        if frame.kind == MEDIA:
            self.stats.count(frame)

    def commit(self) -> None:
        """Encode what was pushed, let go of what is old, and tell the readers."""
        if self.delay.is_due:
            self._time_newest()
        for log in self.logs.values():
            log.sync()
        for reader in tuple(self.readers):
            reader.on_frames()
        if self.queue.end >= self._evict_at or self.queue.size_bytes > self._max_bytes:
            self.evict()

    def evict(self) -> None:
        """Let go of what is old; meant for a moment when all frames that were pushed are encoded."""
        queue = self.queue
        if self.is_tight:
            count = queue.evictable(replace(self.config, **_TIGHT))
        else:
            count = queue.evictable(self.config, None if self.retention.is_full else self._oldest_read)
        if count:
            for reader in tuple(self.readers):
                reader.on_evict(queue.base + count)
            if self.cuts is not None:
                self.cuts.catch_up(queue)
            queue.evict(count)
            if self.cuts is not None:
                self.cuts.evict(queue.base)
            for log in self.logs.values():
                log.trim()
        full_at = max(queue.base + self.config.max_cached_frames, queue.end)
        self._evict_at = min(queue.end + _EVICT_EVERY, full_at + _EVICT_EVERY_WHEN_FULL)

    def place_of_newcomer(self, waited_ms: int = 0) -> int | None:
        """Where a player begins that has come ``waited_ms`` ago, or None while it should wait."""
        if self.config.gop_cache:
            return self.queue.start_seq(self.config, waited_ms=waited_ms)
        return self.queue.newest_seq()

    def note_stuck(self, peer: str, message_stream_id: int, first_seq: int, end_seq: int) -> None:
        """A player that was behind leaves out these frames of the queue; kept where somebody wants to know."""
        queue = self.queue
        held = (queue[seq] for seq in range(max(first_seq, queue.base), min(end_seq, queue.end)))
        self.stats.note_stuck(peer, message_stream_id, held)

    def adopt_cut(self, epoch_id: str, index: int, state: CutState) -> None:
        """The node that feeds it says how far the HLS segment in progress is before frame ``index`` of a publish."""
        if self.cuts is None:  # HLS may be wanted later, and is to be cut then as at all other nodes
            self.cuts = CutCounter(rule_of(self.config))
        self.cuts.adopt(epoch_id, index, state)

    def cut_at(self, seq: int) -> CutState | None:
        """How far that is before frame ``seq`` of the queue, for the next node."""
        return self.cuts.state_at(self.queue, seq) if self.cuts is not None else None

    def _oldest_read(self) -> int | None:
        """The oldest frame that some reader needs, None where nobody needs any."""
        return min((seq for reader in self.readers if (seq := reader.oldest_seq()) is not None), default=None)

    def tick(self, now_ms: int) -> None:
        """Once a second: statistics, and who is not expected to come back any more."""
        self.stats.sample()
        self.retention.tick(now_ms, self.config.log_retain_ms)
        self.delay.expect(self.queue.end)

    def _time_newest(self) -> None:
        """The newest sound or picture of those that have just come is the one of this second whose way is timed."""
        queue, delay, publisher = self.queue, self.delay, self.feed.current
        if publisher is None or publisher.tells_delay:
            return
        for seq in range(queue.end - 1, max(delay.due_seq, queue.base) - 1, -1):
            frame = queue[seq]
            if frame.kind == MEDIA and frame.type_id != DATA and frame.epoch is not None:
                stamp_ms = max(queue.last_dts.get(AUDIO, 0), queue.last_dts.get(VIDEO, 0))
                delay.begin(seq, frame.epoch.id, stamp_ms, is_whole=publisher.epoch is not None)
                return

    def open_log(self, form: WireForm) -> StreamLog:
        """The log of a wire form, made on first use from the frames held."""
        log = self.logs.get(form)
        if log is None:
            log = self.logs[form] = StreamLog(self.queue, form, self.queue.start_seq(self.config))
        return log

    def open_whole_log(self, form: WireForm) -> StreamLog:
        """The same from the oldest frame held, for players of another process who may stand on any."""
        log = self.logs.get(form)
        if log is None:
            log = self.logs[form] = StreamLog(self.queue, form)
        return log

    def close_log(self, form: WireForm) -> None:
        """Nobody reads this form any more."""
        self.logs.pop(form, None)

    def _append(self, frame: Frame) -> None:
        epoch = self.feed.epoch
        frame.epoch = epoch
        if frame.kind == MEDIA and epoch is not None:
            frame.index = epoch.next_index
            epoch.next_index += 1
        self.queue.push(frame)
        if frame.kind == MEDIA:
            self.stats.count(frame)

    def _may_pass(self, payload: bytes, is_keyframe: bool, now_ms: int) -> bool:
        since = self._keyframe_wanted_since
        if since is None or now_ms - since >= self.config.keyframe_wait_ms:
            self._keyframe_wanted_since = None
            return True
        tracks = tracks_of(VIDEO, payload)
        if is_keyframe:
            self._begun_tracks.update(tracks)
            if self._awaited_tracks <= self._begun_tracks:
                self._keyframe_wanted_since = None
            return True
        if self._begun_tracks.intersection(tracks):
            return True
        self.stats.dropped_count += 1
        return False

    def _push_data(self, wire_timestamp: int, payload: bytes, now_ms: int) -> None:
        if is_mark(payload):
            return  # between nodes of ours only; from a publisher it would misname the frames behind it
        try:
            kept = self._relayed_metadata(payload)
        except AmfError:
            return
        if kept is None:
            self._note_sending(now_ms)
            self._append(Frame(DATA, self.timeline.map_data(wire_timestamp, now_ms), payload))
            return
        self.metadata = kept
        self.hold_header(self._pending, Frame(DATA, 0, encode_metadata(kept), METADATA))

    def _relayed_metadata(self, payload: bytes) -> dict[str, object] | None:
        """What of metadata goes on, None for any other data; raises AmfError."""
        fields = decode_metadata(payload, self._metadata_name)
        if fields is None:
            return None
        return relayed_metadata(fields, is_duration_kept=self.key.vhost in self.config.keep_duration_domains)

    def hold_header(self, pending: dict[bytes, Frame], frame: Frame) -> None:
        """Put a header into ``pending``, to travel with the next media frame; too many or too big ones are dropped."""
        slot = header_slot(frame)
        if slot not in pending:
            known = self.queue.headers.slots()
            if slot not in known and len(known | pending.keys()) >= MAX_HEADERS:
                self.stats.dropped_count += 1
                return
        if len(frame.payload) > MAX_HEADER_BYTES:
            self.stats.dropped_count += 1
            return
        pending.pop(slot, None)  # to the end: a later one may be for some tracks of an earlier one
        pending[slot] = frame

    def _push_headers(self, dts_ms: int, now_ms: int) -> None:
        """Headers travel with the next media frame, in the order metadata, video, audio."""
        for slot, frame in sorted(self._pending.items(), key=lambda item: item[1].kind):
            if self.queue.headers.confirm(frame):
                del self._pending[slot]
                continue
            if frame.kind == METADATA:
                interval_ms = 1000 // max(self.config.max_metadata_per_s, 1)
                if now_ms - self._metadata_sent_ms < interval_ms:
                    continue
                self._metadata_sent_ms = now_ms
            frame.dts_ms = dts_ms
            del self._pending[slot]
            self._append(frame)

    def _note_sending(self, now_ms: int) -> None:
        """The publisher of this node that is seen sends frames: no older one is seen in its place (``feed.py``)."""
        if self.feed.current is not None:
            self.feed.current.last_frame_ms = now_ms

    def _begin_media(self) -> None:
        """The publish begins to send: what only the one before has sent is none of its."""
        self.has_begun = True
        self.queue.begin_publish()
        is_metadata_due = any(frame.kind == METADATA for frame in self._pending.values())
        if not is_metadata_due and self.queue.headers.current(METADATA) is None:
            self.metadata = {}

    # --- for the pages -------------------------------------------------------

    def codec_of(self, type_id: int) -> str:
        """Codec of the picture or the sound that the present publish sends; of several tracks the lowest; or ``""``."""
        header = self.queue.headers.current(VIDEO_HEADER if type_id == VIDEO else AUDIO_HEADER)
        if header is not None:
            return codec_name(type_id, header.payload)
        queue = self.queue
        newest = queue.last_seq.get(type_id, -1)
        return codec_name(type_id, queue[newest].payload) if newest >= max(queue.base, queue.publish_seq) else ""


def take_headers(publisher: Publisher[Stream]) -> dict[bytes, Frame]:
    """Headers kept for a publisher that is seen again, as frames of their own: those in the queue have their place."""
    kept, publisher.headers = publisher.headers, {}
    return {slot: Frame(frame.type_id, 0, frame.payload, frame.kind) for slot, frame in kept.items()}
