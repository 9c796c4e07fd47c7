from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Diagnosis(_message.Message):
    __slots__ = ("stream", "plays", "verdict", "causes", "nodes", "near", "state")
    STREAM_FIELD_NUMBER: _ClassVar[int]
    PLAYS_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    CAUSES_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    NEAR_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    stream: str
    plays: bool
    verdict: str
    causes: _containers.RepeatedCompositeFieldContainer[Cause]
    nodes: _containers.RepeatedCompositeFieldContainer[NodeReport]
    near: _containers.RepeatedScalarFieldContainer[str]
    state: str
    def __init__(self, stream: _Optional[str] = ..., plays: _Optional[bool] = ..., verdict: _Optional[str] = ..., causes: _Optional[_Iterable[_Union[Cause, _Mapping]]] = ..., nodes: _Optional[_Iterable[_Union[NodeReport, _Mapping]]] = ..., near: _Optional[_Iterable[str]] = ..., state: _Optional[str] = ...) -> None: ...

class Cause(_message.Message):
    __slots__ = ("node", "node_name", "kind", "text", "advice", "age_s", "count", "amount", "server", "client", "is_now", "is_in_force")
    NODE_FIELD_NUMBER: _ClassVar[int]
    NODE_NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ADVICE_FIELD_NUMBER: _ClassVar[int]
    AGE_S_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    IS_NOW_FIELD_NUMBER: _ClassVar[int]
    IS_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    node: int
    node_name: str
    kind: str
    text: str
    advice: str
    age_s: int
    count: int
    amount: int
    server: str
    client: str
    is_now: bool
    is_in_force: bool
    def __init__(self, node: _Optional[int] = ..., node_name: _Optional[str] = ..., kind: _Optional[str] = ..., text: _Optional[str] = ..., advice: _Optional[str] = ..., age_s: _Optional[int] = ..., count: _Optional[int] = ..., amount: _Optional[int] = ..., server: _Optional[str] = ..., client: _Optional[str] = ..., is_now: _Optional[bool] = ..., is_in_force: _Optional[bool] = ...) -> None: ...

class NodeReport(_message.Message):
    __slots__ = ("id", "name", "role", "state", "publisher", "players", "video", "audio", "ways", "conditions", "story")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PUBLISHER_FIELD_NUMBER: _ClassVar[int]
    PLAYERS_FIELD_NUMBER: _ClassVar[int]
    VIDEO_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    WAYS_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    STORY_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    role: str
    state: str
    publisher: str
    players: int
    video: str
    audio: str
    ways: _containers.RepeatedCompositeFieldContainer[Way]
    conditions: _containers.RepeatedCompositeFieldContainer[Trouble]
    story: _containers.RepeatedCompositeFieldContainer[Happened]
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., role: _Optional[str] = ..., state: _Optional[str] = ..., publisher: _Optional[str] = ..., players: _Optional[int] = ..., video: _Optional[str] = ..., audio: _Optional[str] = ..., ways: _Optional[_Iterable[_Union[Way, _Mapping]]] = ..., conditions: _Optional[_Iterable[_Union[Trouble, _Mapping]]] = ..., story: _Optional[_Iterable[_Union[Happened, _Mapping]]] = ...) -> None: ...

class Way(_message.Message):
    __slots__ = ("use", "state", "server", "error", "attempt_count")
    USE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_COUNT_FIELD_NUMBER: _ClassVar[int]
    use: str
    state: str
    server: str
    error: str
    attempt_count: int
    def __init__(self, use: _Optional[str] = ..., state: _Optional[str] = ..., server: _Optional[str] = ..., error: _Optional[str] = ..., attempt_count: _Optional[int] = ...) -> None: ...

class Trouble(_message.Message):
    __slots__ = ("kind", "text")
    KIND_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    kind: str
    text: str
    def __init__(self, kind: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class Happened(_message.Message):
    __slots__ = ("kind", "text", "age_s", "first_age_s", "count", "amount", "server", "client")
    KIND_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    AGE_S_FIELD_NUMBER: _ClassVar[int]
    FIRST_AGE_S_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    kind: str
    text: str
    age_s: int
    first_age_s: int
    count: int
    amount: int
    server: str
    client: str
    def __init__(self, kind: _Optional[str] = ..., text: _Optional[str] = ..., age_s: _Optional[int] = ..., first_age_s: _Optional[int] = ..., count: _Optional[int] = ..., amount: _Optional[int] = ..., server: _Optional[str] = ..., client: _Optional[str] = ...) -> None: ...

class AddressAnswer(_message.Message):
    __slots__ = ("address", "verdict", "causes", "story", "connections")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    CAUSES_FIELD_NUMBER: _ClassVar[int]
    STORY_FIELD_NUMBER: _ClassVar[int]
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    address: str
    verdict: str
    causes: _containers.RepeatedCompositeFieldContainer[Cause]
    story: _containers.RepeatedCompositeFieldContainer[Happened]
    connections: _containers.RepeatedCompositeFieldContainer[OpenConnection]
    def __init__(self, address: _Optional[str] = ..., verdict: _Optional[str] = ..., causes: _Optional[_Iterable[_Union[Cause, _Mapping]]] = ..., story: _Optional[_Iterable[_Union[Happened, _Mapping]]] = ..., connections: _Optional[_Iterable[_Union[OpenConnection, _Mapping]]] = ...) -> None: ...

class OpenConnection(_message.Message):
    __slots__ = ("id", "protocol", "role", "keys", "uptime_s")
    ID_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    UPTIME_S_FIELD_NUMBER: _ClassVar[int]
    id: int
    protocol: str
    role: str
    keys: str
    uptime_s: int
    def __init__(self, id: _Optional[int] = ..., protocol: _Optional[str] = ..., role: _Optional[str] = ..., keys: _Optional[str] = ..., uptime_s: _Optional[int] = ...) -> None: ...
