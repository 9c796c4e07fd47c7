"""A profile in the format of pprof: a ``Profile`` message of profile.proto, compressed by gzip.

``go tool pprof`` and speedscope read it. Names stand in the profile itself, so no symbols are asked for.
Of the message these fields are written: sample_type 1, sample 2, location 4, function 5, string_table 6,
time_nanos 9, duration_nanos 10, period_type 11, period 12, default_sample_type 14.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable

from edge.profiling.stacks import Frame, Profile

_VARINT, _LENGTH = 0, 2


def varint(value: int) -> bytes:
    """Protocol Buffers encoding, "Base 128 Varints"; a negative value takes ten bytes, as int64 does."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    """A field of an integer; nothing for 0, which is what a reader takes for an absent one."""
    return varint(field << 3 | _VARINT) + varint(value) if value else b""


def message(field: int, *parts: bytes) -> bytes:
    """A field that holds a message, a text or packed integers."""
    body = b"".join(parts)
    return varint(field << 3 | _LENGTH) + varint(len(body)) + body


def packed(field: int, values: Iterable[int]) -> bytes:
    """A field of many integers."""
    return message(field, *map(varint, values))


class _Strings:
    """The table of texts, whose first is empty."""

    def __init__(self) -> None:
        self.found: dict[str, int] = {"": 0}

    def index(self, text: str) -> int:
        return self.found.setdefault(text, len(self.found))


def encode(profile: Profile) -> bytes:
    """The message, uncompressed."""
    kind, strings = profile.kind, _Strings()
    ids: dict[Frame, int] = {}

    def value_type(field: int, name: str, unit: str) -> bytes:
        return message(field, number(1, strings.index(name)), number(2, strings.index(unit)))

    parts = [value_type(1, kind.count_name, "count"), value_type(1, kind.value_name, kind.unit)]
    for row in profile.rows:
        places = [ids.setdefault(frame, len(ids) + 1) for frame in reversed(row.stack)]  # the innermost comes first
        parts.append(message(2, packed(1, places), packed(2, (row.times, row.value))))
    for frame, number_of in ids.items():  # each function is one place
        parts.append(message(4, number(1, number_of), message(4, number(1, number_of), number(2, frame.line))))
        name, file = strings.index(frame.function), strings.index(frame.file)
        parts.append(
            message(5, number(1, number_of), number(2, name), number(3, name), number(4, file), number(5, frame.line))
        )
    parts += [number(9, profile.started_ms * 1_000_000), number(10, profile.duration_ms * 1_000_000)]
    if profile.period:
        parts += [value_type(11, kind.value_name, kind.unit), number(12, profile.period)]
    parts.append(number(14, strings.index(kind.value_name)))
    parts += [message(6, text.encode("utf-8", "replace")) for text in strings.found]
    return b"".join(parts)


def compressed(profile: Profile) -> bytes:
    """The message as files and HTTP bear it."""
    return gzip.compress(encode(profile), compresslevel=6, mtime=0)
