"""How the text of one flag value becomes a value.

absl's parsers take what Python takes (``1_000``, `` 7``, any size); these take
what gflags takes and name the accepted range. All raise ``ValueError``.
"""

from __future__ import annotations

import re
from typing import Any

from absl import flags as absl_flags

_INTEGER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|[0-9]+)", re.ASCII)
_DOUBLE = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_TRUE = frozenset({"1", "t", "true", "y", "yes"})
_FALSE = frozenset({"0", "f", "false", "n", "no"})
_LONGEST_NUMBER = 64
INTEGER_RANGES = {
    "int32": (-(1 << 31), (1 << 31) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
    "uint64": (0, (1 << 64) - 1),
}


def parse_integer(text: str) -> int:
    """Base 10 or ``0x``; ASCII digits only, no blank, no underscore; ``007`` is 7."""
    if len(text) > _LONGEST_NUMBER or not _INTEGER.fullmatch(text):
        raise ValueError("not an integer (digits, or 0x and hexadecimal digits)")
    return int(text, 16) if "x" in text.lower() else int(text, 10)


def check_text(text: str) -> str:
    """Refuse what cannot stand in a name, a path or a log line."""
    if any((ord(char) < 0x20 and char != "\t") or ord(char) == 0x7F for char in text):
        raise ValueError("contains a control character")
    if any(0xD800 <= ord(char) <= 0xDFFF for char in text):
        raise ValueError("is not valid UTF-8")
    return text


class BoolParser(absl_flags.ArgumentParser[bool]):
    """1/t/true/y/yes and 0/f/false/n/no in any case."""

    def parse(self, argument: Any) -> bool:
        """Return the bool, or raise ``ValueError``."""
        if isinstance(argument, bool):
            return argument
        word = str(argument).lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise ValueError("not a bool (true, yes, 1 or false, no, 0)")

    def flag_type(self) -> str:
        """The type name in help texts."""
        return "bool"


class IntegerParser(absl_flags.ArgumentParser[int]):
    """An integer of a gflags type, within ``lower``..``upper`` (both allowed)."""

    def __init__(self, kind: str, lower: int | None, upper: int | None) -> None:
        super().__init__()
        smallest, largest = INTEGER_RANGES[kind]
        self.kind = kind
        self.lower = smallest if lower is None else lower
        self.upper = largest if upper is None else upper

    def parse(self, argument: Any) -> int:
        """Return the integer, or raise ``ValueError``."""
        value = argument if isinstance(argument, int) else parse_integer(str(argument))
        if not self.lower <= value <= self.upper:
            raise ValueError(f"out of range {self.lower}..{self.upper}")
        return value

    def flag_type(self) -> str:
        """The type name in help texts."""
        return self.kind


class DoubleParser(absl_flags.ArgumentParser[float]):
    """A finite decimal number within ``lower``..``upper``."""

    def __init__(self, lower: float | None, upper: float | None) -> None:
        super().__init__()
        self.lower = lower
        self.upper = upper

    def parse(self, argument: Any) -> float:
        """Return the number, or raise ``ValueError``."""
        if isinstance(argument, str) and (len(argument) > _LONGEST_NUMBER or not _DOUBLE.fullmatch(argument)):
            raise ValueError("not a number")
        value = float(argument)
        if value in (float("inf"), float("-inf")):
            raise ValueError("not a finite number")
        if (self.lower is not None and value < self.lower) or (self.upper is not None and value > self.upper):
            raise ValueError(f"out of range {self.lower}..{self.upper}")
        return value

    def flag_type(self) -> str:
        """The type name in help texts."""
        return "double"


class StringParser(absl_flags.ArgumentParser[str]):
    """Text, verbatim; one of ``choices`` when there are any."""

    def __init__(self, choices: tuple[str, ...]) -> None:
        super().__init__()
        self.choices = choices

    def parse(self, argument: Any) -> str:
        """Return the text, or raise ``ValueError``."""
        text = check_text(str(argument))
        if self.choices and text not in self.choices:
            raise ValueError(f"not one of {', '.join(choice or '(empty)' for choice in self.choices)}")
        return text

    def flag_type(self) -> str:
        """The type name in help texts."""
        return "string"


class ListParser(absl_flags.ArgumentParser[tuple[str, ...]]):
    """Comma-separated texts; blanks around an item and empty items are dropped."""

    def parse(self, argument: Any) -> tuple[str, ...]:
        """Return the items, or raise ``ValueError``."""
        if isinstance(argument, (tuple, list)):
            return tuple(argument)
        return tuple(item.strip() for item in check_text(str(argument)).split(",") if item.strip())

    def flag_type(self) -> str:
        """The type name in help texts."""
        return "list"


class PortListParser(absl_flags.ArgumentParser[tuple[int, ...]]):
    """Comma-separated TCP ports, 1..65535."""

    def parse(self, argument: Any) -> tuple[int, ...]:
        """Return the ports, or raise ``ValueError`` that names the bad one."""
        if isinstance(argument, (tuple, list)):
            return tuple(argument)
        return tuple(self._parse_port(item.strip()) for item in str(argument).split(",") if item.strip())

    def _parse_port(self, text: str) -> int:
        try:
            port = parse_integer(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a port") from None
        if not 1 <= port <= 65535:
            raise ValueError(f"port {port} is out of range 1..65535")
        return port

    def flag_type(self) -> str:
        """The type name in help texts."""
        return "port list"
