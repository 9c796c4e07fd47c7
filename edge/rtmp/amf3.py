"""AMF3 values (AMF3 specification, January 2013), for peers that connect with object encoding 3.

The Python values are those of ``amf0``: numbers of any kind become float, an
array with named members an ``EcmaArray`` (its dense part under "0", "1" ...),
vectors become lists, byte arrays bytes, a dictionary an ``EcmaArray`` whose
keys must be strings, numbers or booleans. Class names are dropped;
externalizable objects have no known body and are malformed.

AMF3 refers back to strings, objects and traits. A reference to an object that
is not finished (a cycle) is malformed, for whoever prints or re-encodes the
value would never end. A reference to a finished one counts as many values as
that object holds, and a string reference as many bytes, so that a few bytes
cannot unfold into gigabytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from edge.errors import AmfError, LocalProtocolError
from edge.rtmp.amf0 import UNDEFINED, Date, EcmaArray, Reader, Undefined, XmlDocument
from edge.rtmp.config import RtmpConfig

UNDEFINED_MARKER, NULL, FALSE, TRUE, INTEGER, DOUBLE, STRING, XML_DOCUMENT, DATE, ARRAY = range(10)
OBJECT, XML, BYTE_ARRAY, VECTOR_INT, VECTOR_UINT, VECTOR_DOUBLE, VECTOR_OBJECT, DICTIONARY = range(10, 18)

MAX_EXPANDED_BYTES = 1 << 20
"""String bytes that references may add to one message: bounds re-encoding it."""

_DOUBLE_FORMAT = struct.Struct(">d")
_DEFAULT_LIMITS = RtmpConfig()
_UNFINISHED: Any = object()


class _Traits:
    """The shape of an object: names of its sealed members, and whether more may follow."""

    __slots__ = ("is_dynamic", "names")

    def __init__(self, names: list[str], is_dynamic: bool) -> None:
        self.names = names
        self.is_dynamic = is_dynamic


class _Decoder(Reader):
    """One decoding: position, limits and the three reference tables of AMF3 §2.2."""

    __slots__ = ("_depth", "_expanded_bytes", "_limits", "_objects", "_strings", "_traits", "_values")

    def __init__(self, data: bytes, pos: int, limits: RtmpConfig) -> None:
        super().__init__(data, pos)
        self._limits = limits
        self._depth = 0
        self._values = 0
        self._expanded_bytes = 0
        self._strings: list[str] = []
        self._objects: list[tuple[Any, int]] = []  # value and how many values it holds
        self._traits: list[_Traits] = []

    def value(self) -> Any:
        self._count(1)
        marker = self.u8()
        if (scalar := _SCALARS.get(marker)) is not None:
            return scalar(self)
        if (body := _OBJECTS.get(marker)) is None:
            raise AmfError(f"AMF3 marker {marker} at {self.pos - 1}")
        head = self.u29()
        if not head & 1:
            return self._referred(head >> 1)
        if self._depth >= self._limits.amf_max_depth:
            raise AmfError(f"nested deeper than {self._limits.amf_max_depth} at {self.pos}")
        self._depth += 1
        index, before = len(self._objects), self._values
        self._objects.append((_UNFINISHED, 0))
        result = body(self, head >> 1)
        self._objects[index] = (result, self._values - before)
        self._depth -= 1
        return result

    def _count(self, values: int) -> None:
        self._values += values
        if self._values > self._limits.amf_max_values:
            raise AmfError(f"more than {self._limits.amf_max_values} values at {self.pos}")

    def _referred(self, index: int) -> Any:
        if index >= len(self._objects):
            raise AmfError(f"reference to object {index} of {len(self._objects)} at {self.pos}")
        result, values = self._objects[index]
        if result is _UNFINISHED:
            raise AmfError(f"object {index} refers to itself at {self.pos}")
        self._count(values)
        return result

    def u29(self) -> int:
        """Read AMF3 §1.3.1: seven bits a byte, eight in the fourth."""
        number = 0
        for _ in range(3):
            byte = self.u8()
            number = number << 7 | byte & 127
            if byte < 128:
                return number
        return number << 8 | self.u8()

    def integer(self) -> float:
        number = self.u29()
        return float(number - (1 << 29) if number >= 1 << 28 else number)

    def string(self) -> str:
        head = self.u29()
        if head & 1:
            text = self.text(head >> 1, self._limits.amf_max_string_size)
            if text:  # the empty string is never referred to
                self._strings.append(text)
            return text
        if head >> 1 >= len(self._strings):
            raise AmfError(f"reference to string {head >> 1} of {len(self._strings)} at {self.pos}")
        text = self._strings[head >> 1]
        self._expanded_bytes += len(text)
        if self._expanded_bytes > MAX_EXPANDED_BYTES:
            raise AmfError(f"string references add more than {MAX_EXPANDED_BYTES} bytes at {self.pos}")
        return text

    def xml(self, length: int) -> XmlDocument:
        return XmlDocument(self.text(length, self._limits.amf_max_string_size))

    def date(self, _: int) -> Date:
        return Date(self.double())

    def byte_array(self, length: int) -> bytes:
        return self.take(length)

    def _check_array(self, count: int, item_bytes: int) -> None:
        """Refuse a count that the limits or the bytes left cannot hold."""
        if count > self._limits.amf_max_array_size or count * item_bytes > len(self.data) - self.pos:
            raise AmfError(f"array of {count} values at {self.pos}")

    def array(self, count: int) -> Any:
        self._check_array(count, 1)
        named = self._members(EcmaArray())
        items = [self.value() for _ in range(count)]
        if not named:
            return items
        named.update((str(index), item) for index, item in enumerate(items))
        return named

    def _members(self, result: dict[str, Any]) -> dict[str, Any]:
        """Read dynamic members up to the empty name."""
        while name := self.string():
            result[name] = self.value()
        return result

    def object(self, head: int) -> dict[str, Any]:
        traits = self._object_traits(head)
        result: dict[str, Any] = {}
        for name in traits.names:
            result[name] = self.value()
        return self._members(result) if traits.is_dynamic else result

    def _object_traits(self, head: int) -> _Traits:
        """Read AMF3 §3.12 (U29O-traits); ``head`` lacks the lowest bit, which said "no reference"."""
        if not head & 1:
            if head >> 1 >= len(self._traits):
                raise AmfError(f"reference to traits {head >> 1} of {len(self._traits)} at {self.pos}")
            return self._traits[head >> 1]
        if head & 2:
            raise AmfError(f"externalizable object at {self.pos}")
        self._check_array(head >> 3, 1)
        self.string()  # the class name
        traits = _Traits([self.string() for _ in range(head >> 3)], bool(head & 4))
        self._traits.append(traits)
        return traits

    def _vector(self, count: int, code: str) -> list[float]:
        item_bytes = struct.calcsize(">" + code)
        self.u8()  # "fixed length": of no use here
        self._check_array(count, item_bytes)
        self._count(count)
        return [float(number) for number in struct.unpack(f">{count}{code}", self.take(count * item_bytes))]

    def vector_int(self, count: int) -> list[float]:
        return self._vector(count, "i")

    def vector_uint(self, count: int) -> list[float]:
        return self._vector(count, "I")

    def vector_double(self, count: int) -> list[float]:
        return self._vector(count, "d")

    def vector_object(self, count: int) -> list[Any]:
        self.u8()
        self.string()  # the class name of all items
        self._check_array(count, 1)
        return [self.value() for _ in range(count)]

    def dictionary(self, count: int) -> EcmaArray:
        self.u8()  # "weak keys"
        self._check_array(count, 2)
        result = EcmaArray()
        for _ in range(count):
            key = self.value()
            if not isinstance(key, str | float | bool) or key == "":
                raise AmfError(f"dictionary key of type {type(key).__name__} at {self.pos}")
            result[key if isinstance(key, str) else repr(key)] = self.value()
        return result


_SCALARS: dict[int, Callable[[_Decoder], Any]] = {
    UNDEFINED_MARKER: lambda decoder: UNDEFINED,
    NULL: lambda decoder: None,
    FALSE: lambda decoder: False,
    TRUE: lambda decoder: True,
    INTEGER: _Decoder.integer,
    DOUBLE: _Decoder.double,
    STRING: _Decoder.string,
}
_OBJECTS: dict[int, Callable[[_Decoder, int], Any]] = {
    XML_DOCUMENT: _Decoder.xml,
    DATE: _Decoder.date,
    ARRAY: _Decoder.array,
    OBJECT: _Decoder.object,
    XML: _Decoder.xml,
    BYTE_ARRAY: _Decoder.byte_array,
    VECTOR_INT: _Decoder.vector_int,
    VECTOR_UINT: _Decoder.vector_uint,
    VECTOR_DOUBLE: _Decoder.vector_double,
    VECTOR_OBJECT: _Decoder.vector_object,
    DICTIONARY: _Decoder.dictionary,
}


def decode_value(data: bytes, offset: int = 0, limits: RtmpConfig = _DEFAULT_LIMITS) -> tuple[Any, int]:
    """Decode the value at ``offset``; returns it and the offset behind it.

    Usable as the ``avmplus`` decoder of ``amf0``: reference tables begin anew
    with each value, as AMF0 §3.1 has it.

    Raises:
        AmfError: truncated, malformed, cyclic or over a limit (``amf_malformed``).
    """
    decoder = _Decoder(data, offset, limits)
    return decoder.value(), decoder.pos


def decode_all(data: bytes, limits: RtmpConfig = _DEFAULT_LIMITS, *, offset: int = 0) -> list[Any]:
    """Decode the values from ``offset`` to the end, with common reference tables. Raises as ``decode_value``."""
    decoder = _Decoder(data, offset, limits)
    values = []
    while decoder.pos < len(data):
        values.append(decoder.value())
    return values


def encode_u29(number: int) -> bytes:
    """Encode AMF3 §1.3.1; LocalProtocolError outside 0 .. 2**29 - 1."""
    if not 0 <= number < 1 << 29:
        raise LocalProtocolError(f"{number} does not fit 29 bits")
    if number < 1 << 7:
        return bytes((number,))
    if number < 1 << 14:
        return bytes((number >> 7 | 128, number & 127))
    if number < 1 << 21:
        return bytes((number >> 14 | 128, number >> 7 & 127 | 128, number & 127))
    return bytes((number >> 22 | 128, number >> 15 & 127 | 128, number >> 8 & 127 | 128, number & 255))


def _encode_text(text: str) -> bytes:
    body = text.encode("utf-8", "surrogateescape")
    return encode_u29(len(body) << 1 | 1) + body


def encode(value: Any) -> bytes:
    """Encode one value without references; an int of 29 bits as an integer, a dict as an anonymous object.

    Raises:
        LocalProtocolError: a type that has no form here.
    """
    match value:
        case None:
            return bytes((NULL,))
        case Undefined():
            return bytes((UNDEFINED_MARKER,))
        case bool():
            return bytes((TRUE if value else FALSE,))
        case int() if -(1 << 28) <= value < 1 << 28:
            return bytes((INTEGER,)) + encode_u29(value & 0x1FFFFFFF)
        case int() | float():
            try:
                return bytes((DOUBLE,)) + _DOUBLE_FORMAT.pack(float(value))
            except OverflowError as error:
                raise LocalProtocolError("an integer too large for a double") from error
        case XmlDocument():
            return bytes((XML,)) + _encode_text(value)
        case str():
            return bytes((STRING,)) + _encode_text(value)
        case bytes():
            return bytes((BYTE_ARRAY,)) + encode_u29(len(value) << 1 | 1) + value
        case Date():
            return bytes((DATE, 1)) + _DOUBLE_FORMAT.pack(value.unix_ms)
        case list() | tuple():
            return bytes((ARRAY,)) + encode_u29(len(value) << 1 | 1) + b"\x01" + b"".join(map(encode, value))
        case dict():
            head = bytes((ARRAY, 1)) if isinstance(value, EcmaArray) else bytes((OBJECT, 0x0B, 0x01))
            pairs = (_encode_text(name) + encode(item) for name, item in value.items())
            return head + b"".join(pairs) + b"\x01"
        case _:
            raise LocalProtocolError(f"AMF3 has no form for {type(value).__name__}")
