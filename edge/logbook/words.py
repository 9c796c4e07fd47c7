"""Names of streams and peers as they stand in lines that programs read: nothing in them ends a line or a column."""

from __future__ import annotations

#: Of a longer name a line has the beginning.
MAX_NAME_CHARS = 256


def word(text: str, signs: str = "") -> str:
    """``text`` with what is not printable, and each of ``signs``, as ``\\xNN`` or ``\\uNNNN``; cut at 256 characters.

    An escape is not cut in its middle.
    """
    if len(text) <= MAX_NAME_CHARS and text.isprintable() and not any(sign in text for sign in signs):
        return text
    parts: list[str] = []
    size = 0
    for char in text:
        part = char if char.isprintable() and char not in signs else _escape(char)
        size += len(part)
        if size > MAX_NAME_CHARS:
            break
        parts.append(part)
    return "".join(parts)


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
