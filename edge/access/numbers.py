"""Times in URLs, read strictly: digits of ASCII, no sign, no space, no more than could mean anything."""

from __future__ import annotations

import re

MAX_DIGITS = 20
_DECIMAL = re.compile(r"[0-9]{1,20}", re.ASCII)
_HEX = re.compile(r"[0-9A-Fa-f]{1,16}", re.ASCII)
_SECONDS = re.compile(r"[0-9]{9,11}", re.ASCII)


def decimal_seconds(text: str) -> float | None:
    """Seconds since 1970 in decimal; None for what is no time, 0 included."""
    return float(int(text)) or None if _DECIMAL.fullmatch(text) else None


def hex_seconds(text: str) -> float | None:
    """The same in hexadecimal."""
    return float(int(text, 16)) or None if _HEX.fullmatch(text) else None


def decimal_millis(text: str) -> float | None:
    """Milliseconds since 1970."""
    seconds = decimal_seconds(text)
    return seconds / 1000 if seconds is not None else None


def any_seconds(text: str) -> float | None:
    """Decimal where it has as many digits as times of our day have, else hexadecimal."""
    return decimal_seconds(text) if _SECONDS.fullmatch(text) else hex_seconds(text)
