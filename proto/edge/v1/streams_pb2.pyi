from proto.edge.v1 import why_pb2 as _why_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListStreamsRequest(_message.Message):
    __slots__ = ("key", "page_size", "page_token")
    KEY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    key: str
    page_size: int
    page_token: str
    def __init__(self, key: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListStreamsResponse(_message.Message):
    __slots__ = ("streams", "next_page_token", "stream_count")
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STREAM_COUNT_FIELD_NUMBER: _ClassVar[int]
    streams: _containers.RepeatedCompositeFieldContainer[Stream]
    next_page_token: str
    stream_count: int
    def __init__(self, streams: _Optional[_Iterable[_Union[Stream, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., stream_count: _Optional[int] = ...) -> None: ...

class WatchStreamsRequest(_message.Message):
    __slots__ = ("key", "interval_ms")
    KEY_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    key: str
    interval_ms: int
    def __init__(self, key: _Optional[str] = ..., interval_ms: _Optional[int] = ...) -> None: ...

class WatchStreamsResponse(_message.Message):
    __slots__ = ("events", "left_out")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[StreamEvent]
    left_out: int
    def __init__(self, events: _Optional[_Iterable[_Union[StreamEvent, _Mapping]]] = ..., left_out: _Optional[int] = ...) -> None: ...

class StreamEvent(_message.Message):
    __slots__ = ("kind", "stream")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[StreamEvent.Kind]
        KIND_PRESENT: _ClassVar[StreamEvent.Kind]
        KIND_BEGUN: _ClassVar[StreamEvent.Kind]
        KIND_CHANGED: _ClassVar[StreamEvent.Kind]
        KIND_ENDED: _ClassVar[StreamEvent.Kind]
    KIND_UNSPECIFIED: StreamEvent.Kind
    KIND_PRESENT: StreamEvent.Kind
    KIND_BEGUN: StreamEvent.Kind
    KIND_CHANGED: StreamEvent.Kind
    KIND_ENDED: StreamEvent.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    kind: StreamEvent.Kind
    stream: Stream
    def __init__(self, kind: _Optional[_Union[StreamEvent.Kind, str]] = ..., stream: _Optional[_Union[Stream, _Mapping]] = ...) -> None: ...

class EndStreamRequest(_message.Message):
    __slots__ = ("key", "service")
    KEY_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    key: str
    service: str
    def __init__(self, key: _Optional[str] = ..., service: _Optional[str] = ...) -> None: ...

class EndStreamResponse(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class WhyStreamRequest(_message.Message):
    __slots__ = ("stream",)
    STREAM_FIELD_NUMBER: _ClassVar[int]
    stream: str
    def __init__(self, stream: _Optional[str] = ...) -> None: ...

class WhyStreamResponse(_message.Message):
    __slots__ = ("diagnosis",)
    DIAGNOSIS_FIELD_NUMBER: _ClassVar[int]
    diagnosis: _why_pb2.Diagnosis
    def __init__(self, diagnosis: _Optional[_Union[_why_pb2.Diagnosis, _Mapping]] = ...) -> None: ...

class Stream(_message.Message):
    __slots__ = ("key", "vhost", "app", "stream", "is_forwarded", "service", "state", "pull_error", "push_state", "push_to", "push_state_s", "push_error", "publisher", "muted_publishers", "players", "viewers", "video_codec", "audio_codec", "video_bps", "audio_bps", "fps", "gop", "fluency_pct", "uptime_s", "created_at_ms", "epoch", "next_index", "frames_held", "bytes_held", "log_bytes", "gap_count", "duplicate_count", "dropped_count", "player_jump_count", "player_dropped_count", "upstream_gap_ms", "timestamp_jump_count", "clock_drift_ms", "ingest_delay_ms", "hop_delays_ms", "delay_ms", "flush_delay_ms", "is_delay_whole", "quality")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VHOST_FIELD_NUMBER: _ClassVar[int]
    APP_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    IS_FORWARDED_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PULL_ERROR_FIELD_NUMBER: _ClassVar[int]
    PUSH_STATE_FIELD_NUMBER: _ClassVar[int]
    PUSH_TO_FIELD_NUMBER: _ClassVar[int]
    PUSH_STATE_S_FIELD_NUMBER: _ClassVar[int]
    PUSH_ERROR_FIELD_NUMBER: _ClassVar[int]
    PUBLISHER_FIELD_NUMBER: _ClassVar[int]
    MUTED_PUBLISHERS_FIELD_NUMBER: _ClassVar[int]
    PLAYERS_FIELD_NUMBER: _ClassVar[int]
    VIEWERS_FIELD_NUMBER: _ClassVar[int]
    VIDEO_CODEC_FIELD_NUMBER: _ClassVar[int]
    AUDIO_CODEC_FIELD_NUMBER: _ClassVar[int]
    VIDEO_BPS_FIELD_NUMBER: _ClassVar[int]
    AUDIO_BPS_FIELD_NUMBER: _ClassVar[int]
    FPS_FIELD_NUMBER: _ClassVar[int]
    GOP_FIELD_NUMBER: _ClassVar[int]
    FLUENCY_PCT_FIELD_NUMBER: _ClassVar[int]
    UPTIME_S_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    NEXT_INDEX_FIELD_NUMBER: _ClassVar[int]
    FRAMES_HELD_FIELD_NUMBER: _ClassVar[int]
    BYTES_HELD_FIELD_NUMBER: _ClassVar[int]
    LOG_BYTES_FIELD_NUMBER: _ClassVar[int]
    GAP_COUNT_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    DROPPED_COUNT_FIELD_NUMBER: _ClassVar[int]
    PLAYER_JUMP_COUNT_FIELD_NUMBER: _ClassVar[int]
    PLAYER_DROPPED_COUNT_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_GAP_MS_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_JUMP_COUNT_FIELD_NUMBER: _ClassVar[int]
    CLOCK_DRIFT_MS_FIELD_NUMBER: _ClassVar[int]
    INGEST_DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    HOP_DELAYS_MS_FIELD_NUMBER: _ClassVar[int]
    DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    FLUSH_DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    IS_DELAY_WHOLE_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    key: str
    vhost: str
    app: str
    stream: str
    is_forwarded: bool
    service: str
    state: str
    pull_error: str
    push_state: str
    push_to: str
    push_state_s: int
    push_error: str
    publisher: str
    muted_publishers: _containers.RepeatedScalarFieldContainer[str]
    players: int
    viewers: int
    video_codec: str
    audio_codec: str
    video_bps: int
    audio_bps: int
    fps: int
    gop: int
    fluency_pct: float
    uptime_s: int
    created_at_ms: int
    epoch: str
    next_index: int
    frames_held: int
    bytes_held: int
    log_bytes: int
    gap_count: int
    duplicate_count: int
    dropped_count: int
    player_jump_count: int
    player_dropped_count: int
    upstream_gap_ms: int
    timestamp_jump_count: int
    clock_drift_ms: int
    ingest_delay_ms: float
    hop_delays_ms: _containers.RepeatedScalarFieldContainer[float]
    delay_ms: float
    flush_delay_ms: float
    is_delay_whole: bool
    quality: Quality
    def __init__(self, key: _Optional[str] = ..., vhost: _Optional[str] = ..., app: _Optional[str] = ..., stream: _Optional[str] = ..., is_forwarded: _Optional[bool] = ..., service: _Optional[str] = ..., state: _Optional[str] = ..., pull_error: _Optional[str] = ..., push_state: _Optional[str] = ..., push_to: _Optional[str] = ..., push_state_s: _Optional[int] = ..., push_error: _Optional[str] = ..., publisher: _Optional[str] = ..., muted_publishers: _Optional[_Iterable[str]] = ..., players: _Optional[int] = ..., viewers: _Optional[int] = ..., video_codec: _Optional[str] = ..., audio_codec: _Optional[str] = ..., video_bps: _Optional[int] = ..., audio_bps: _Optional[int] = ..., fps: _Optional[int] = ..., gop: _Optional[int] = ..., fluency_pct: _Optional[float] = ..., uptime_s: _Optional[int] = ..., created_at_ms: _Optional[int] = ..., epoch: _Optional[str] = ..., next_index: _Optional[int] = ..., frames_held: _Optional[int] = ..., bytes_held: _Optional[int] = ..., log_bytes: _Optional[int] = ..., gap_count: _Optional[int] = ..., duplicate_count: _Optional[int] = ..., dropped_count: _Optional[int] = ..., player_jump_count: _Optional[int] = ..., player_dropped_count: _Optional[int] = ..., upstream_gap_ms: _Optional[int] = ..., timestamp_jump_count: _Optional[int] = ..., clock_drift_ms: _Optional[int] = ..., ingest_delay_ms: _Optional[float] = ..., hop_delays_ms: _Optional[_Iterable[float]] = ..., delay_ms: _Optional[float] = ..., flush_delay_ms: _Optional[float] = ..., is_delay_whole: _Optional[bool] = ..., quality: _Optional[_Union[Quality, _Mapping]] = ...) -> None: ...

class Quality(_message.Message):
    __slots__ = ("reporting", "sessions", "start_ms", "stall_count", "stall_ms", "dropped_frames", "buffer_ms", "bitrate_kbps")
    REPORTING_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    START_MS_FIELD_NUMBER: _ClassVar[int]
    STALL_COUNT_FIELD_NUMBER: _ClassVar[int]
    STALL_MS_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FRAMES_FIELD_NUMBER: _ClassVar[int]
    BUFFER_MS_FIELD_NUMBER: _ClassVar[int]
    BITRATE_KBPS_FIELD_NUMBER: _ClassVar[int]
    reporting: int
    sessions: int
    start_ms: int
    stall_count: int
    stall_ms: int
    dropped_frames: int
    buffer_ms: int
    bitrate_kbps: int
    def __init__(self, reporting: _Optional[int] = ..., sessions: _Optional[int] = ..., start_ms: _Optional[int] = ..., stall_count: _Optional[int] = ..., stall_ms: _Optional[int] = ..., dropped_frames: _Optional[int] = ..., buffer_ms: _Optional[int] = ..., bitrate_kbps: _Optional[int] = ...) -> None: ...
