"""RTMP commands (RTMP 1.0 §7.2): their AMF bodies, and the rules for what they name.

A command is a name, a transaction number, a command object (or null) and
arguments. Names and URLs are judged here because they become paths, keys and
log lines further on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from edge.errors import AmfError
from edge.rtmp import amf0, amf3
from edge.rtmp.amf0 import UNDEFINED
from edge.rtmp.config import RtmpConfig
from edge.rtmp.events import AmfObject, ResumePoint
from edge.rtmp.messages import MessageType

RTMP_SCHEMES = frozenset(("rtmp", "rtmps", "rtmpt", "rtmpe", "rtmpte"))
MAX_EDGE_ID_BYTES = 128
"""Longest service id of a peer of ours, and longest epoch; they are copied into logs and further hops."""

MAX_TRACE_CHARS = 512
"""Longest text of either header of W3C Trace Context that a peer of ours sends; they are copied into further hops."""

Hops = tuple[str, ...]
"""Service ids that a request has passed, the farthest first."""

Trace = tuple[str, str]
"""``traceparent`` and ``tracestate`` of W3C Trace Context as sent; "" for none."""

NO_TRACE: Trace = ("", "")
PROXY_LOOP = "proxy_loop"
"""With it begins the description of a refusal because of a loop; the nodes on the way back know it by that."""
KICKED = "Kicked"
"""The same of a publish that was ended because another one has taken its place."""
VIA_CODE = "NetStream.Play.Via"
LOST_CODE = "NetStream.Play.PublisherLost"
NOTHING_YET_CODE = "NetStream.Play.NothingYet"
"""Status codes by which peers of ours tell each other that a stream comes another way now, that its publisher's
connection broke, and that a foreign upstream has nothing for what the player said so far."""
RECONNECT_CODE = "NetConnection.Connect.ReconnectRequest"
"""E-RTMP v2: the server will leave, and asks the client to connect anew; ``tcUrl`` may say where."""
CAN_RECONNECT = 1
"""E-RTMP v2, ``capsEx``: whoever says so does that."""
MAX_VIA = 32
"""Services that the way of a stream may name; what is beyond them is left out."""

AMF3_TYPES = (MessageType.AMF3_COMMAND, MessageType.AMF3_DATA)
_MAX_INDEX = 2**53  # from there on a double skips integers

# Values of a client's command that must be readable, the name included; what lies behind them is not needed.
_LEAST_VALUES = {
    "connect": 3,
    "createStream": 3,
    "play": 4,
    "publish": 4,
    "deleteStream": 4,
}
_FEWEST_VALUES = 2

#: Commands that are remembered, and the longest of them: decoded they take some kilobytes each.
_REMEMBERED = 128
_MAX_REMEMBERED_BYTES = 1024
#: A longer scheme is none that anybody means: it may be anything that a client has put there by mistake.
_MAX_SHOWN_SCHEME = 6
_ANSWERED_BY_NUMBER = frozenset(("connect", "createStream"))
"""Commands whose answer the client finds by its number, and cannot do without."""
_ACTED_ON = frozenset((*_LEAST_VALUES, "pause", "seek"))
"""Commands whose values are taken by their place: without a number it would be open what they are."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command as received.

    Attributes:
        transaction_id: the number as sent, possibly NaN; echoed, never used as a key.
        object: the command object, None when null, undefined or absent.
        arguments: what follows it.
        message_stream_id: 0 for the connection.
        has_number: the peer sent a transaction number; else ``transaction_id`` is 0.
    """

    name: str
    transaction_id: float
    object: AmfObject | None
    arguments: list[Any]
    message_stream_id: int = 0
    has_number: bool = True

    def argument(self, index: int) -> Any:
        """Return an argument; None when it is absent, null or undefined."""
        value = self.arguments[index] if index < len(self.arguments) else None
        return None if value is UNDEFINED else value

    def text(self, index: int) -> str | None:
        """Return an argument when it is a string."""
        value = self.argument(index)
        return value if isinstance(value, str) else None

    def number(self, index: int, default: float) -> float:
        """Return an argument when it is a number that is not NaN, else ``default``."""
        value = self.argument(index)
        return float(value) if is_number(value) and not math.isnan(value) else default

    def flag(self, index: int, *, default: bool) -> bool:
        """Return an argument when it is a boolean, or a number as librtmp sends."""
        value = self.argument(index)
        return bool(value) if isinstance(value, bool | int | float) else default


def is_number(value: object) -> bool:
    """True for an AMF number; a boolean is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def amf0_start(type_id: int, payload: bytes) -> int:
    """Return where the AMF0 values of a command or data message begin.

    The AMF3 types carry AMF0 values behind one zero byte.

    Raises:
        AmfError: that byte is missing or not zero.
    """
    if type_id not in AMF3_TYPES:
        return 0
    if not payload or payload[0]:
        raise AmfError(f"type {type_id} message begins with {payload[:1].hex() or 'nothing'}, not 00")
    return 1


def decode_command(type_id: int, payload: bytes, message_stream_id: int, limits: RtmpConfig) -> Command:
    """Decode a client's command, type 20 or 17; nobody changes what its values hold.

    Thousands of players say the same in the same bytes: what they say is decoded once.

    Raises:
        AmfError: no name, an unreadable value among those that the command
            needs, or no transaction number where one is needed.
    """
    if len(payload) <= _MAX_REMEMBERED_BYTES:
        return _remembered(type_id, payload, message_stream_id, limits)
    return _decode_command(type_id, payload, message_stream_id, limits)


def _decode_command(type_id: int, payload: bytes, message_stream_id: int, limits: RtmpConfig) -> Command:
    begin = amf0_start(type_id, payload)
    name, _ = amf0.decode_value(payload, begin, limits)
    if not isinstance(name, str):
        raise AmfError(f"command name is a {type(name).__name__}")
    least = _LEAST_VALUES.get(name, _FEWEST_VALUES)
    values = amf0.decode_all(payload, limits, amf3.decode_value if begin else None, offset=begin, least=least)
    command = _command_of(name, values, message_stream_id)
    if command.has_number:
        return command
    is_in_place = len(values) > 1 and _may_be_object(values[1])
    if name in _ANSWERED_BY_NUMBER or (name in _ACTED_ON and not is_in_place):
        raise AmfError(f"command {name[:64]!r} has no transaction number")
    return command


_remembered = lru_cache(_REMEMBERED)(_decode_command)


def decode_reply(type_id: int, payload: bytes, message_stream_id: int, limits: RtmpConfig) -> Command | None:
    """Decode what a server says, as far as it can be read; None when that is not even a name.

    Servers are of many makes, and what they say beside the media is seldom
    needed: ffmpeg's ``onFCPublish`` is a name and nothing more.
    """
    begin = int(type_id in AMF3_TYPES and payload[:1] == b"\0")
    values = amf0.decode_readable(payload, limits, amf3.decode_value, offset=begin).values
    if not values or not isinstance(values[0], str):
        return None
    return _command_of(values[0], values, message_stream_id)


def _command_of(name: str, values: list[Any], message_stream_id: int) -> Command:
    """Tell number, object and arguments by their place; what is no object counts as the first argument."""
    has_number = len(values) > 1 and is_number(values[1])
    rest = values[2:] if has_number or (len(values) > 1 and not _may_be_object(values[1])) else values[1:]
    properties = rest[0] if rest else None
    arguments = rest[1:] if _may_be_object(properties) else rest
    return Command(
        name,
        float(values[1]) if has_number else 0.0,
        properties if isinstance(properties, dict) else None,
        arguments,
        message_stream_id,
        has_number,
    )


def _may_be_object(value: object) -> bool:
    return value is None or value is UNDEFINED or isinstance(value, dict)


def encode_command(name: str, transaction_id: float, *values: Any) -> bytes:
    """Encode a command body; ``values`` begin with the command object."""
    return amf0.encode_all(name, transaction_id, *values)


def status_info(level: str, code: str, description: str, more: AmfObject | None = None) -> AmfObject:
    """Return the information object of RTMP 1.0 §7.2.2; ``more`` is merged in."""
    return {"level": level, "code": code, "description": description, **(more or {})}


def _has_control(text: str) -> bool:
    return not text.isprintable() and any(character < " " or character == "\x7f" for character in text)


def _raw_size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _is_utf8(text: str) -> bool:
    return text.isprintable() or not any("\ud800" <= character <= "\udfff" for character in text)


def check_name(text: str, max_bytes: int) -> str | None:
    """Return why ``text`` may not be a stream name, app or vhost; None when it may.

    Percent sequences stay text: RTMP decodes nothing.
    """
    if not text:
        return "the name is empty"
    size = _raw_size(text)
    if size > max_bytes:
        return f"a name of {size} bytes exceeds {max_bytes}"
    if not _is_utf8(text):
        return "the name is not UTF-8"
    if _has_control(text):
        return "control character in the name"
    if "\\" in text:
        return "backslash in the name"
    if text[0] == "/" or text[-1] == "/":
        return "the name begins or ends with a slash"
    if any(component in (".", "..") for component in text.split("/")):
        return "a part of the name is . or .."
    return None


def check_stream_name(text: str, config: RtmpConfig) -> str | None:
    """As ``check_name`` for a name with a query, which must only be clean text of bounded size."""
    limits = config.max_name_bytes, config.max_url_bytes
    is_remembered = len(text) <= _MAX_REMEMBERED_BYTES
    return _remembered_name(text, *limits) if is_remembered else _check_with_query(text, *limits)


def _check_with_query(text: str, max_name_bytes: int, max_query_bytes: int) -> str | None:
    name, _, query = text.partition("?")
    if _raw_size(query) > max_query_bytes:
        return f"query longer than {max_query_bytes} bytes"
    if not _is_utf8(query) or _has_control(query):
        return "control character or bad UTF-8 in the query"
    return check_name(name, max_name_bytes)


_remembered_name = lru_cache(_REMEMBERED)(_check_with_query)


def check_app(text: str, config: RtmpConfig) -> str | None:
    """As ``check_stream_name`` for the ``app`` field, which may be empty or begin or end with a slash."""
    app, mark, query = text.partition("?")
    return check_stream_name(f"{app.strip('/') or 'app'}{mark}{query}", config)


def check_tc_url(text: str, max_bytes: int) -> str | None:
    """Return why ``text`` may not be a tcUrl; None when it may.

    ``[scheme://][user@]host[:port]/...``; the host may be an IPv6 address in brackets.
    """
    is_remembered = len(text) <= _MAX_REMEMBERED_BYTES
    return _remembered_tc_url(text, max_bytes) if is_remembered else _check_tc_url(text, max_bytes)


def _check_tc_url(text: str, max_bytes: int) -> str | None:
    size = _raw_size(text)
    if size > max_bytes:
        return f"{size} bytes exceed {max_bytes}"
    if not _is_utf8(text) or _has_control(text) or " " in text:
        return "space, control character or bad UTF-8"
    scheme, mark, rest = text.partition("://")
    if mark and scheme.lower() not in RTMP_SCHEMES:
        is_word = scheme.isalpha() and len(scheme) <= _MAX_SHOWN_SCHEME
        return f"scheme {scheme if is_word else f'of {len(scheme)} characters'}"
    authority = (rest if mark else text).split("?", 1)[0].split("/", 1)[0].rpartition("@")[2]
    if authority.startswith("["):
        _, mark, tail = authority.partition("]")
        if not mark or (tail and not tail.startswith(":")):
            return "unfinished IPv6 address"
        port = tail[1:] if tail else None
    else:
        port = authority.partition(":")[2] if ":" in authority else None
    if port is None:
        return None
    is_good = port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536
    # What is no number may be the rest of a login, whose beginning had an @ as well.
    shown = port[:16] if port.isascii() and port.isdigit() else f"of {len(port)} characters"
    return None if is_good else f"port {shown}"


_remembered_tc_url = lru_cache(_REMEMBERED)(_check_tc_url)


def is_edge_id(value: object) -> bool:
    """True for what may be a service id or an epoch: short printable ASCII without a comma."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_EDGE_ID_BYTES
        and value.isascii()
        and value.isprintable()
        and "," not in value
    )


def parse_hops(properties: AmfObject | None) -> tuple[str, ...]:
    """Return the service ids of ``edgeHops``, a comma-separated list; () when there is none."""
    text = (properties or {}).get("edgeHops")
    return tuple(hop for hop in text.split(",") if hop) if isinstance(text, str) else ()


def parse_resume(properties: AmfObject | None) -> ResumePoint | None:
    """Return ``edgeResume``; None when it is absent or makes no sense."""
    value = (properties or {}).get("edgeResume")
    if not isinstance(value, dict):
        return None
    epoch, index = value.get("epoch"), value.get("nextIndex")
    if not is_edge_id(epoch) or not is_number(index):
        return None
    # NaN fails the comparison, so int() never sees it.
    if not 0 <= index < _MAX_INDEX:  # type: ignore[operator]
        return None
    return ResumePoint(str(epoch), int(index), value.get("isFresh") is True)  # type: ignore[arg-type]


def parse_via(info: AmfObject) -> tuple[str, ...]:
    """Return the service ids of ``via``, through which a peer of ours gets a stream; () when there are none."""
    text = info.get("via")
    ids = text.split(",", MAX_VIA)[:MAX_VIA] if isinstance(text, str) else ()
    return tuple(service_id for service_id in ids if is_edge_id(service_id))


def parse_lost(properties: AmfObject | None) -> bool:
    """Return whether a peer of ours that publishes has lost its own publisher."""
    return (properties or {}).get("edgeLost") is True


def parse_trace(properties: AmfObject | None) -> Trace:
    """Return ``edgeTrace`` of a peer of ours, both texts of which are copied into further hops; not checked."""
    value = (properties or {}).get("edgeTrace")
    if not isinstance(value, dict):
        return NO_TRACE
    parent, state = value.get("parent"), value.get("state")
    if not isinstance(parent, str) or len(parent) > MAX_TRACE_CHARS:
        return NO_TRACE
    return parent, state if isinstance(state, str) and len(state) <= MAX_TRACE_CHARS else ""


def hop_properties(
    hops: tuple[str, ...], resume: ResumePoint | None, *, is_lost: bool = False, trace: Trace = NO_TRACE
) -> AmfObject:
    """Return the command object fields that ``parse_hops`` and the other three parsers read."""
    properties: AmfObject = {}
    if hops:
        properties["edgeHops"] = ",".join(hops)
    if resume is not None:
        point: AmfObject = {"epoch": resume.epoch, "nextIndex": resume.next_index}
        properties["edgeResume"] = {**point, "isFresh": True} if resume.is_fresh else point
    if is_lost:
        properties["edgeLost"] = True
    parent, state = trace
    if parent:
        properties["edgeTrace"] = {"parent": parent, "state": state} if state else {"parent": parent}
    return properties
