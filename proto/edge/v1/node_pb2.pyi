from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StatusResponse(_message.Message):
    __slots__ = ("process", "services")
    PROCESS_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    process: Process
    services: _containers.RepeatedCompositeFieldContainer[ServiceInfo]
    def __init__(self, process: _Optional[_Union[Process, _Mapping]] = ..., services: _Optional[_Iterable[_Union[ServiceInfo, _Mapping]]] = ...) -> None: ...

class ReloadRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReloadResponse(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class DrainRequest(_message.Message):
    __slots__ = ("within_s",)
    WITHIN_S_FIELD_NUMBER: _ClassVar[int]
    within_s: int
    def __init__(self, within_s: _Optional[int] = ...) -> None: ...

class DrainResponse(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class UpgradeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class UpgradeResponse(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class Process(_message.Message):
    __slots__ = ("version", "addresses", "health", "readiness")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    READINESS_FIELD_NUMBER: _ClassVar[int]
    version: str
    addresses: Address
    health: Health
    readiness: Readiness
    def __init__(self, version: _Optional[str] = ..., addresses: _Optional[_Union[Address, _Mapping]] = ..., health: _Optional[_Union[Health, _Mapping]] = ..., readiness: _Optional[_Union[Readiness, _Mapping]] = ...) -> None: ...

class Address(_message.Message):
    __slots__ = ("host", "rtmp_port", "http_port", "has_flv", "has_ts", "has_hls", "has_low_latency", "has_tls", "is_tls_forced", "internal_port", "role", "proxy_to", "siblings")
    HOST_FIELD_NUMBER: _ClassVar[int]
    RTMP_PORT_FIELD_NUMBER: _ClassVar[int]
    HTTP_PORT_FIELD_NUMBER: _ClassVar[int]
    HAS_FLV_FIELD_NUMBER: _ClassVar[int]
    HAS_TS_FIELD_NUMBER: _ClassVar[int]
    HAS_HLS_FIELD_NUMBER: _ClassVar[int]
    HAS_LOW_LATENCY_FIELD_NUMBER: _ClassVar[int]
    HAS_TLS_FIELD_NUMBER: _ClassVar[int]
    IS_TLS_FORCED_FIELD_NUMBER: _ClassVar[int]
    INTERNAL_PORT_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    PROXY_TO_FIELD_NUMBER: _ClassVar[int]
    SIBLINGS_FIELD_NUMBER: _ClassVar[int]
    host: str
    rtmp_port: int
    http_port: int
    has_flv: bool
    has_ts: bool
    has_hls: bool
    has_low_latency: bool
    has_tls: bool
    is_tls_forced: bool
    internal_port: int
    role: str
    proxy_to: str
    siblings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, host: _Optional[str] = ..., rtmp_port: _Optional[int] = ..., http_port: _Optional[int] = ..., has_flv: _Optional[bool] = ..., has_ts: _Optional[bool] = ..., has_hls: _Optional[bool] = ..., has_low_latency: _Optional[bool] = ..., has_tls: _Optional[bool] = ..., is_tls_forced: _Optional[bool] = ..., internal_port: _Optional[int] = ..., role: _Optional[str] = ..., proxy_to: _Optional[str] = ..., siblings: _Optional[_Iterable[str]] = ...) -> None: ...

class Health(_message.Message):
    __slots__ = ("is_ok", "is_draining", "loop_lag_ms", "uptime_s", "python", "overload")
    IS_OK_FIELD_NUMBER: _ClassVar[int]
    IS_DRAINING_FIELD_NUMBER: _ClassVar[int]
    LOOP_LAG_MS_FIELD_NUMBER: _ClassVar[int]
    UPTIME_S_FIELD_NUMBER: _ClassVar[int]
    PYTHON_FIELD_NUMBER: _ClassVar[int]
    OVERLOAD_FIELD_NUMBER: _ClassVar[int]
    is_ok: bool
    is_draining: bool
    loop_lag_ms: float
    uptime_s: int
    python: str
    overload: str
    def __init__(self, is_ok: _Optional[bool] = ..., is_draining: _Optional[bool] = ..., loop_lag_ms: _Optional[float] = ..., uptime_s: _Optional[int] = ..., python: _Optional[str] = ..., overload: _Optional[str] = ...) -> None: ...

class Readiness(_message.Message):
    __slots__ = ("is_ready", "reasons")
    IS_READY_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    is_ready: bool
    reasons: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, is_ready: _Optional[bool] = ..., reasons: _Optional[_Iterable[str]] = ...) -> None: ...

class ServiceInfo(_message.Message):
    __slots__ = ("service", "role", "id", "pulls_from", "pushes_to", "stream_count", "player_count")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    PULLS_FROM_FIELD_NUMBER: _ClassVar[int]
    PUSHES_TO_FIELD_NUMBER: _ClassVar[int]
    STREAM_COUNT_FIELD_NUMBER: _ClassVar[int]
    PLAYER_COUNT_FIELD_NUMBER: _ClassVar[int]
    service: str
    role: str
    id: str
    pulls_from: str
    pushes_to: str
    stream_count: int
    player_count: int
    def __init__(self, service: _Optional[str] = ..., role: _Optional[str] = ..., id: _Optional[str] = ..., pulls_from: _Optional[str] = ..., pushes_to: _Optional[str] = ..., stream_count: _Optional[int] = ..., player_count: _Optional[int] = ...) -> None: ...
