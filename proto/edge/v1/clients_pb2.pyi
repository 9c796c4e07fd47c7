from proto.edge.v1 import why_pb2 as _why_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListConnectionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListConnectionsResponse(_message.Message):
    __slots__ = ("connections", "next_page_token", "connection_count")
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_COUNT_FIELD_NUMBER: _ClassVar[int]
    connections: _containers.RepeatedCompositeFieldContainer[Connection]
    next_page_token: str
    connection_count: int
    def __init__(self, connections: _Optional[_Iterable[_Union[Connection, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., connection_count: _Optional[int] = ...) -> None: ...

class ListPlayersRequest(_message.Message):
    __slots__ = ("key", "limit")
    KEY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    key: str
    limit: int
    def __init__(self, key: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class ListPlayersResponse(_message.Message):
    __slots__ = ("players", "has_more")
    PLAYERS_FIELD_NUMBER: _ClassVar[int]
    HAS_MORE_FIELD_NUMBER: _ClassVar[int]
    players: _containers.RepeatedCompositeFieldContainer[Player]
    has_more: bool
    def __init__(self, players: _Optional[_Iterable[_Union[Player, _Mapping]]] = ..., has_more: _Optional[bool] = ...) -> None: ...

class KickRequest(_message.Message):
    __slots__ = ("connection",)
    CONNECTION_FIELD_NUMBER: _ClassVar[int]
    connection: int
    def __init__(self, connection: _Optional[int] = ...) -> None: ...

class KickResponse(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class WhyClientRequest(_message.Message):
    __slots__ = ("address",)
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    address: str
    def __init__(self, address: _Optional[str] = ...) -> None: ...

class WhyClientResponse(_message.Message):
    __slots__ = ("answer",)
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    answer: _why_pb2.AddressAnswer
    def __init__(self, answer: _Optional[_Union[_why_pb2.AddressAnswer, _Mapping]] = ...) -> None: ...

class Connection(_message.Message):
    __slots__ = ("id", "service", "peer", "protocol", "role", "key", "stream_count", "uptime_s", "received_bytes", "sent_bytes")
    ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    STREAM_COUNT_FIELD_NUMBER: _ClassVar[int]
    UPTIME_S_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_BYTES_FIELD_NUMBER: _ClassVar[int]
    SENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    id: int
    service: str
    peer: str
    protocol: str
    role: str
    key: str
    stream_count: int
    uptime_s: int
    received_bytes: int
    sent_bytes: int
    def __init__(self, id: _Optional[int] = ..., service: _Optional[str] = ..., peer: _Optional[str] = ..., protocol: _Optional[str] = ..., role: _Optional[str] = ..., key: _Optional[str] = ..., stream_count: _Optional[int] = ..., uptime_s: _Optional[int] = ..., received_bytes: _Optional[int] = ..., sent_bytes: _Optional[int] = ...) -> None: ...

class Player(_message.Message):
    __slots__ = ("key", "service", "connection", "peer", "protocol", "kind", "is_node", "age_ms", "play_delay_ms", "sent_bytes", "behind_ms", "jump_count")
    KEY_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    IS_NODE_FIELD_NUMBER: _ClassVar[int]
    AGE_MS_FIELD_NUMBER: _ClassVar[int]
    PLAY_DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    SENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    BEHIND_MS_FIELD_NUMBER: _ClassVar[int]
    JUMP_COUNT_FIELD_NUMBER: _ClassVar[int]
    key: str
    service: str
    connection: int
    peer: str
    protocol: str
    kind: str
    is_node: bool
    age_ms: int
    play_delay_ms: int
    sent_bytes: int
    behind_ms: int
    jump_count: int
    def __init__(self, key: _Optional[str] = ..., service: _Optional[str] = ..., connection: _Optional[int] = ..., peer: _Optional[str] = ..., protocol: _Optional[str] = ..., kind: _Optional[str] = ..., is_node: _Optional[bool] = ..., age_ms: _Optional[int] = ..., play_delay_ms: _Optional[int] = ..., sent_bytes: _Optional[int] = ..., behind_ms: _Optional[int] = ..., jump_count: _Optional[int] = ...) -> None: ...
