from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListUpstreamsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListUpstreamsResponse(_message.Message):
    __slots__ = ("sources", "servers")
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    SERVERS_FIELD_NUMBER: _ClassVar[int]
    sources: _containers.RepeatedCompositeFieldContainer[UpstreamSource]
    servers: _containers.RepeatedCompositeFieldContainer[UpstreamServer]
    def __init__(self, sources: _Optional[_Iterable[_Union[UpstreamSource, _Mapping]]] = ..., servers: _Optional[_Iterable[_Union[UpstreamServer, _Mapping]]] = ...) -> None: ...

class UpstreamSource(_message.Message):
    __slots__ = ("service", "use", "target", "state", "servers_count", "failed_count", "empty_count", "skipped_count", "answer_age_s", "error_age_s", "last_error")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    USE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SERVERS_COUNT_FIELD_NUMBER: _ClassVar[int]
    FAILED_COUNT_FIELD_NUMBER: _ClassVar[int]
    EMPTY_COUNT_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_COUNT_FIELD_NUMBER: _ClassVar[int]
    ANSWER_AGE_S_FIELD_NUMBER: _ClassVar[int]
    ERROR_AGE_S_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    service: str
    use: str
    target: str
    state: str
    servers_count: int
    failed_count: int
    empty_count: int
    skipped_count: int
    answer_age_s: int
    error_age_s: int
    last_error: str
    def __init__(self, service: _Optional[str] = ..., use: _Optional[str] = ..., target: _Optional[str] = ..., state: _Optional[str] = ..., servers_count: _Optional[int] = ..., failed_count: _Optional[int] = ..., empty_count: _Optional[int] = ..., skipped_count: _Optional[int] = ..., answer_age_s: _Optional[int] = ..., error_age_s: _Optional[int] = ..., last_error: _Optional[str] = ...) -> None: ...

class UpstreamServer(_message.Message):
    __slots__ = ("service", "use", "target", "endpoint", "state", "last_error", "last_error_age_s", "tag", "priority", "streams_count", "streams", "disabled_keys_count", "isolated_for_ms", "check_in_ms", "check_count", "share_pct", "ok_count", "failure_count")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    USE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_AGE_S_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    STREAMS_COUNT_FIELD_NUMBER: _ClassVar[int]
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    DISABLED_KEYS_COUNT_FIELD_NUMBER: _ClassVar[int]
    ISOLATED_FOR_MS_FIELD_NUMBER: _ClassVar[int]
    CHECK_IN_MS_FIELD_NUMBER: _ClassVar[int]
    CHECK_COUNT_FIELD_NUMBER: _ClassVar[int]
    SHARE_PCT_FIELD_NUMBER: _ClassVar[int]
    OK_COUNT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    service: str
    use: str
    target: str
    endpoint: str
    state: str
    last_error: str
    last_error_age_s: int
    tag: str
    priority: int
    streams_count: int
    streams: _containers.RepeatedScalarFieldContainer[str]
    disabled_keys_count: int
    isolated_for_ms: int
    check_in_ms: int
    check_count: int
    share_pct: int
    ok_count: int
    failure_count: int
    def __init__(self, service: _Optional[str] = ..., use: _Optional[str] = ..., target: _Optional[str] = ..., endpoint: _Optional[str] = ..., state: _Optional[str] = ..., last_error: _Optional[str] = ..., last_error_age_s: _Optional[int] = ..., tag: _Optional[str] = ..., priority: _Optional[int] = ..., streams_count: _Optional[int] = ..., streams: _Optional[_Iterable[str]] = ..., disabled_keys_count: _Optional[int] = ..., isolated_for_ms: _Optional[int] = ..., check_in_ms: _Optional[int] = ..., check_count: _Optional[int] = ..., share_pct: _Optional[int] = ..., ok_count: _Optional[int] = ..., failure_count: _Optional[int] = ...) -> None: ...
