"""Bodies of the frames of a hand-over, in MessagePack; documents of streams and connections are made elsewhere."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from edge.errors import HandoverError
from edge.handover.keys import SocketKey

Document = TypeVar("Document")


class _Versioned(msgspec.Struct):
    version: int


class Hello(msgspec.Struct, forbid_unknown_fields=False):
    """The newcomer says what it is; ``version`` is that of the hand-over.

    Attributes:
        hls_version: of the documents of HLS that it takes, 0 for none; it is told of no other.
        takes_permits: it goes on with the permits of the process before it.
        takes_token_keys: and with the keys of tokens that this one has got.
    """

    version: int
    program: str
    pid: int
    hls_version: int = 0
    takes_permits: bool = False
    takes_token_keys: bool = False


class Listeners(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The listening sockets whose descriptors come along, in their order.

    Attributes:
        permit_secret: that of this process for the permits of viewers of HLS, told to who takes it.
        token_keys: answers with the keys of tokens, by the URLs that gave them, told to who takes them.
    """

    program: str
    keys: list[SocketKey]
    permit_secret: bytes = b""
    token_keys: dict[str, bytes] = {}


class StreamBody(msgspec.Struct, forbid_unknown_fields=True):
    """A stream of a service; its frames follow, in ``FRAMES``."""

    service: str
    document: bytes


class Parcel(msgspec.Struct, forbid_unknown_fields=True):
    """A connection whose descriptor comes along.

    Attributes:
        kind: ``rtmp``, ``flv``, or ``undecided`` of one that has said nothing yet, or nothing that was read.
        document: the state that the kind has; of one that is undecided, its peer.
        listener: where it was accepted, of one that is undecided.
        is_proxied: a load balancer has said who the peer of one that is undecided is.
    """

    kind: str
    document: bytes
    listener: SocketKey | None = None
    is_proxied: bool = False


class Totals(msgspec.Struct, forbid_unknown_fields=True):
    """How much has been handed over, or is in place."""

    stream_count: int
    connection_count: int


def encode(document: Any) -> bytes:
    """The body of a frame."""
    return msgspec.msgpack.encode(document)


def decode(body: bytes, kind: type[Document]) -> Document:
    """What ``encode`` was given; raises HandoverError (``handover_malformed``) for anything else."""
    try:
        return msgspec.msgpack.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise HandoverError(str(error), reason="handover_malformed") from error


def decode_versioned(body: bytes, kind: type[Document], version: int, what: str) -> Document:
    """The same of a document with a ``version``; one of another version raises HandoverError (``handover_version``)."""
    found = decode(body, _Versioned).version
    if found != version:
        raise HandoverError(f"{what} of version {found}, not {version}", reason="handover_version")
    return decode(body, kind)
