"""AMF0, the values of RTMP commands and data messages (AMF0 specification, December 2007).

==============  =================================================
AMF0            Python
==============  =================================================
number          float (an int is encoded as a number)
boolean         bool
string          str; invalid UTF-8 is kept by ``surrogateescape``
null            None
undefined       ``UNDEFINED``
object          dict; a typed object loses its class name
ECMA array      ``EcmaArray``
strict array    list
date            ``Date``
XML document    ``XmlDocument``, never parsed
==============  =================================================

References, movie clips, record sets, "unsupported" and, unless a decoder for
it is given, the switch to AMF3 are malformed. So is whatever exceeds the
``amf_`` limits of the configuration: nesting, string and array size, and the
number of values in one message (a small message can hold thousands).

``decode_all`` is strict, for commands: what they say is acted on.
``decode_readable`` never fails, for data and for what servers of other makes
say: it takes what comes before the first fault, the fields of an object that
is cut off included.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, final

from edge.errors import AmfError, LocalProtocolError
from edge.rtmp.config import RtmpConfig

NUMBER, BOOLEAN, STRING, OBJECT, MOVIECLIP, NULL, UNDEFINED_MARKER, REFERENCE = range(8)
ECMA_ARRAY, OBJECT_END, STRICT_ARRAY, DATE, LONG_STRING, UNSUPPORTED, RECORDSET = range(8, 15)
XML_DOCUMENT, TYPED_OBJECT, AVMPLUS = range(15, 18)

_DOUBLE = struct.Struct(">d")
_DATE = struct.Struct(">dh")
_MAX_SHORT_STRING = 0xFFFF
_END = b"\x00\x00\x09"
_DEFAULT_LIMITS = RtmpConfig()


@final
class Undefined:
    """The type of ``UNDEFINED``; false, and equal only to itself."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED: Final = Undefined()


class EcmaArray(dict[str, Any]):
    """An ECMA array (AMF0 §2.10): a dict that is encoded as an array again."""

    __slots__ = ()


class XmlDocument(str):
    """An XML document (AMF0 §2.17), an opaque string."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Date:
    """A date (AMF0 §2.13): ms since 1970 UTC, and minutes of a time zone, which should be 0."""

    unix_ms: float
    time_zone: int = 0


class _LimitError(AmfError):
    """Over a limit, wherever that is; ``least`` of ``decode_all`` does not excuse it."""


AvmplusDecoder = Callable[[bytes, int, RtmpConfig], tuple[Any, int]]
"""Decodes the AMF3 value at an offset: ``(data, offset, limits) -> (value, end)``."""


class Reader:
    """Reads fixed and counted pieces of ``data``, each checked against its end."""

    __slots__ = ("data", "pos")

    def __init__(self, data: bytes, pos: int = 0) -> None:
        self.data = data
        self.pos = pos

    def take(self, count: int) -> bytes:
        """Return the next ``count`` bytes; AmfError when there are fewer."""
        end = self.pos + count
        if end > len(self.data):
            raise AmfError(f"{count} bytes wanted at {self.pos}, {len(self.data) - self.pos} left")
        piece = self.data[self.pos : end]
        self.pos = end
        return piece

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def double(self) -> float:
        number: float = _DOUBLE.unpack(self.take(8))[0]
        return number

    def text(self, count: int, limit: int) -> str:
        """Return a string of ``count`` UTF-8 bytes, at most ``limit``."""
        if count > limit:
            raise _LimitError(f"string of {count} bytes at {self.pos} exceeds {limit}")
        return self.take(count).decode("utf-8", "surrogateescape")


class _Decoder(Reader):
    """One decoding: the position, the limits and the values still allowed."""

    __slots__ = ("_avmplus", "_depth", "_limits", "_values_left")

    def __init__(self, data: bytes, pos: int, limits: RtmpConfig, avmplus: AvmplusDecoder | None) -> None:
        super().__init__(data, pos)
        self._limits = limits
        self._avmplus = avmplus
        self._depth = 0
        self._values_left = limits.amf_max_values

    def value(self) -> Any:
        if self._values_left <= 0:
            raise _LimitError(f"more than {self._limits.amf_max_values} values at {self.pos}")
        self._values_left -= 1
        marker = self.u8()
        if (scalar := _SCALARS.get(marker)) is not None:
            return scalar(self)
        if (container := _CONTAINERS.get(marker)) is None:
            raise AmfError(f"marker {marker} at {self.pos - 1}")
        if self._depth >= self._limits.amf_max_depth:
            raise _LimitError(f"nested deeper than {self._limits.amf_max_depth} at {self.pos - 1}")
        self._depth += 1
        result = container(self)
        self._depth -= 1
        return result

    def short_string(self) -> str:
        return self.text(self.u16(), self._limits.amf_max_string_size)

    def long_string(self) -> str:
        return self.text(self.u32(), self._limits.amf_max_string_size)

    def date(self) -> Date:
        return Date(*_DATE.unpack(self.take(_DATE.size)))

    def object(self) -> dict[str, Any]:
        return self._pairs({})

    def typed_object(self) -> dict[str, Any]:
        self.short_string()
        return self._pairs({})

    def ecma_array(self) -> dict[str, Any]:
        self.u32()  # a hint that senders get wrong (0, or one too few): the end marker decides
        return self._pairs(EcmaArray())

    def _pairs(self, result: dict[str, Any]) -> dict[str, Any]:
        limit = self._limits.amf_max_array_size
        while key := self.short_string():
            result[key] = self.value()
            if len(result) > limit:
                raise _LimitError(f"more than {limit} properties at {self.pos}")
        if self.u8() != OBJECT_END:
            raise AmfError(f"empty property name at {self.pos - 3}")
        return result

    def strict_array(self) -> list[Any]:
        count = self.u32()
        if count > self._limits.amf_max_array_size or count > len(self.data) - self.pos:
            raise AmfError(f"array of {count} values at {self.pos - 5}")
        return [self.value() for _ in range(count)]

    def avmplus(self) -> Any:
        if self._avmplus is None:
            raise AmfError(f"switch to AMF3 at {self.pos - 1}")
        result, self.pos = self._avmplus(self.data, self.pos, self._limits)
        return result


_SCALARS: dict[int, Callable[[_Decoder], Any]] = {
    NUMBER: _Decoder.double,
    BOOLEAN: lambda decoder: decoder.u8() != 0,
    STRING: _Decoder.short_string,
    NULL: lambda decoder: None,
    UNDEFINED_MARKER: lambda decoder: UNDEFINED,
    DATE: _Decoder.date,
    LONG_STRING: _Decoder.long_string,
    XML_DOCUMENT: lambda decoder: XmlDocument(decoder.long_string()),
    AVMPLUS: _Decoder.avmplus,
}
_CONTAINERS: dict[int, Callable[[_Decoder], Any]] = {
    OBJECT: _Decoder.object,
    TYPED_OBJECT: _Decoder.typed_object,
    ECMA_ARRAY: _Decoder.ecma_array,
    STRICT_ARRAY: _Decoder.strict_array,
}


def decode_value(
    data: bytes, offset: int = 0, limits: RtmpConfig = _DEFAULT_LIMITS, avmplus: AvmplusDecoder | None = None
) -> tuple[Any, int]:
    """Decode the value at ``offset``; returns it and the offset behind it.

    Raises:
        AmfError: truncated, malformed or over a limit (``amf_malformed``).
    """
    decoder = _Decoder(data, offset, limits, avmplus)
    return decoder.value(), decoder.pos


def decode_all(
    data: bytes,
    limits: RtmpConfig = _DEFAULT_LIMITS,
    avmplus: AvmplusDecoder | None = None,
    *,
    offset: int = 0,
    least: int | None = None,
) -> list[Any]:
    """Decode the values from ``offset`` to the end of ``data``.

    ``amf_max_values`` holds for all of them together. With ``least``, bytes
    that are no value are ignored once that many values were read: senders
    append filler to valid commands.

    Raises:
        AmfError: as ``decode_value``.
    """
    decoder = _Decoder(data, offset, limits, avmplus)
    values: list[Any] = []
    while decoder.pos < len(data):
        try:
            values.append(decoder.value())
        except AmfError as error:
            if least is None or len(values) < least or isinstance(error, _LimitError):
                raise
            break
    return values


_LEFT_OUT: Any = object()
_NUMBER_BYTES = 1 + _DOUBLE.size


class _Salvager(_Decoder):
    """Reads up to the first fault, and keeps the whole fields of the outermost object that is broken off there.

    Values that nothing can stand for (unsupported, references) and lists of
    more numbers than a message may have are stepped over. Of a nested object
    with one of them nothing is kept, since half an index misleads.

    Attributes:
        fault: why it stopped, None at the end of the bytes.
        is_whole: all that was read is in the result.
    """

    __slots__ = ("fault", "is_whole")

    def __init__(self, data: bytes, pos: int, limits: RtmpConfig, avmplus: AvmplusDecoder | None) -> None:
        super().__init__(data, pos, limits, avmplus)
        self.fault: AmfError | None = None
        self.is_whole = True

    def read_all(self) -> list[Any]:
        values: list[Any] = []
        while self.fault is None and self.pos < len(self.data):
            try:
                value = self.value()
            except AmfError as error:
                self.fault = error
                break
            if value is _LEFT_OUT:
                self.is_whole = False
            elif value or self.fault is None:
                values.append(value)
        return values

    def value(self) -> Any:
        marker = self.data[self.pos] if self.pos < len(self.data) else -1
        if marker in (UNSUPPORTED, REFERENCE):
            self.take(1 if marker == UNSUPPORTED else 3)
            return _LEFT_OUT
        if marker == STRICT_ARRAY and self._step_over_numbers():
            return _LEFT_OUT
        value = super().value()
        if type(value) is list and any(item is _LEFT_OUT for item in value):
            return _LEFT_OUT
        return value

    def _step_over_numbers(self) -> bool:
        """Pass a list of numbers that is longer than the values still allowed: the index of a film."""
        begin = self.pos + 5
        count = int.from_bytes(self.data[self.pos + 1 : begin], "big")
        end = begin + count * _NUMBER_BYTES
        if count < self._values_left or end > len(self.data) or any(self.data[begin:end:_NUMBER_BYTES]):
            return False
        self.pos = end
        return True

    def _pairs(self, result: dict[str, Any]) -> dict[str, Any]:
        is_outermost = self._depth == 1
        try:
            super()._pairs(result)
        except AmfError as error:
            if not is_outermost:
                raise
            self.fault = error
            self._depth = 1
        left_out = [name for name, value in result.items() if value is _LEFT_OUT]
        if left_out and not is_outermost:
            return _LEFT_OUT  # type: ignore[no-any-return]
        for name in left_out:
            self.is_whole = False
            del result[name]
        return result


@dataclass(frozen=True, slots=True)
class Readable:
    """What ``decode_readable`` found.

    Attributes:
        values: those that could be read; the last one may be an object that lacks fields.
        fault: why reading stopped before the end of the bytes, or None.
        is_whole: nothing is missing, so the bytes themselves may be passed on.
    """

    values: list[Any]
    fault: AmfError | None
    is_whole: bool


def decode_readable(
    data: bytes, limits: RtmpConfig = _DEFAULT_LIMITS, avmplus: AvmplusDecoder | None = None, *, offset: int = 0
) -> Readable:
    """Decode the values from ``offset`` on as far as they can be read; the limits stop it as any fault does."""
    salvager = _Salvager(data, offset, limits, avmplus)
    values = salvager.read_all()
    return Readable(values, salvager.fault, salvager.is_whole and salvager.fault is None)


def _text_bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate that no decoding of ours made
        return text.encode("utf-8", "replace")


def _encode_string(value: str) -> bytes:
    body = _text_bytes(value)
    if len(body) > _MAX_SHORT_STRING:
        return bytes((LONG_STRING,)) + len(body).to_bytes(4, "big") + body
    return bytes((STRING,)) + len(body).to_bytes(2, "big") + body


def _append_pairs(value: dict[str, Any], out: list[bytes], depth: int) -> None:
    for key, item in value.items():
        body = _text_bytes(key)
        if not 0 < len(body) <= _MAX_SHORT_STRING:
            raise LocalProtocolError(f"property name of {len(body)} bytes")
        out.append(len(body).to_bytes(2, "big") + body)
        _append(item, out, depth)
    out.append(_END)


def _append(value: Any, out: list[bytes], depth: int) -> None:
    if depth < 0:
        raise LocalProtocolError(f"AMF value nested deeper than {_DEFAULT_LIMITS.amf_max_depth}")
    match value:
        case None:
            out.append(bytes((NULL,)))
        case bool():
            out.append(bytes((BOOLEAN, value)))
        case int() | float():
            try:
                out.append(bytes((NUMBER,)) + _DOUBLE.pack(float(value)))
            except OverflowError as error:
                raise LocalProtocolError("an integer too large for a number") from error
        case XmlDocument():
            body = _text_bytes(value)
            out.append(bytes((XML_DOCUMENT,)) + len(body).to_bytes(4, "big") + body)
        case str():
            out.append(_encode_string(value))
        case EcmaArray():
            out.append(bytes((ECMA_ARRAY,)) + len(value).to_bytes(4, "big"))
            _append_pairs(value, out, depth - 1)
        case dict():
            out.append(bytes((OBJECT,)))
            _append_pairs(value, out, depth - 1)
        case list() | tuple():
            out.append(bytes((STRICT_ARRAY,)) + len(value).to_bytes(4, "big"))
            for item in value:
                _append(item, out, depth - 1)
        case Undefined():
            out.append(bytes((UNDEFINED_MARKER,)))
        case Date():
            out.append(bytes((DATE,)) + _DATE.pack(value.unix_ms, value.time_zone))
        case _:
            raise LocalProtocolError(f"AMF0 has no form for {type(value).__name__}")


def encode(value: Any) -> bytes:
    """Encode one value; properties keep their order.

    Raises:
        LocalProtocolError: a type or size that AMF0 cannot express.
    """
    return encode_all(value)


def encode_all(*values: Any) -> bytes:
    """Encode values one after the other, as in a command. Raises as ``encode``."""
    out: list[bytes] = []
    for value in values:
        _append(value, out, _DEFAULT_LIMITS.amf_max_depth)
    return b"".join(out)
