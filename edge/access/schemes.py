"""Signed URLs by a template: a hash over a text of key, path and time, as most CDNs have it.

A scheme is one row: hash, encoding, parameters, text, and how the time is written. Of
others there are templates (``-sign_scheme``): ``md5:hex:wsSecret,wsTime:{key}{path}{t}:dec``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from edge.access import digest
from edge.access.numbers import MAX_DIGITS, any_seconds, decimal_millis, decimal_seconds, hex_seconds
from edge.access.token import EXPIRED, INVALID, MISSING, TOO_EARLY, Admitted, Arguments, Asked, MalformedError
from edge.service.refusal import Refusal

TIMES: Mapping[str, Callable[[str], float | None]] = {
    "dec": decimal_seconds,
    "hex": hex_seconds,
    "ms": decimal_millis,
    "any": any_seconds,
}
#: A scheme without a time.
NO_TIME = "none"
#: Of what is asked for; the others are the key, and what was sent.
_ASKED = frozenset({"path", "stream", "app", "ip"})
_FIELDS = _ASKED | {"key", "t", "rand", "uid"}
_PIECE = re.compile(r"[0-9A-Za-z_]{0,64}", re.ASCII)
_FIELD = re.compile(r"\{([a-z]+)\}")
_MAX_SUM = 128


@dataclass(frozen=True, slots=True)
class Terms:
    """What is allowed around the time of a signature, see ``AccessConfig``."""

    ttl_s: int = 0
    skew_s: int = 30


class Scheme(Protocol):
    """One way to sign."""

    @property
    def name(self) -> str:
        """As it is asked for."""
        ...

    @property
    def parameters(self) -> frozenset[str]:
        """Names that belong to it in a query."""
        ...

    def check(self, asked: Asked, arguments: Arguments, keys: Iterable[bytes], terms: Terms) -> Admitted | Refusal:
        """Look at what a request says; raises ``MalformedError``."""
        ...

    def sign(self, asked: Asked, key: bytes, ends_s: int) -> str:
        """The query that lets ``asked`` in until ``ends_s``."""
        ...


@dataclass(frozen=True, slots=True)
class Template:
    """A scheme of one row.

    Attributes:
        hash: key of ``digest.SUMS``.
        encoding: ``hex`` or ``base64url``.
        pieces: the parameters, and the fields of which each consists, with ``-`` between; ``sum`` among them.
        text: what is hashed.
        time: key of ``TIMES``, or ``none``.
        may_be_issue: the time may be that at which it was made, see ``Terms.ttl_s``.
        has_optional_ip: the address may be left out of the text.
    """

    name: str
    hash: str
    encoding: str
    pieces: tuple[tuple[str, tuple[str, ...]], ...]
    text: str
    time: str
    may_be_issue: bool = False
    has_optional_ip: bool = False

    @property
    def parameters(self) -> frozenset[str]:
        """Names that belong to it in a query."""
        return frozenset(name for name, _ in self.pieces)

    def check(self, asked: Asked, arguments: Arguments, keys: Iterable[bytes], terms: Terms) -> Admitted | Refusal:
        """See ``Scheme``."""
        said = self._said(arguments)
        if said is None:
            return MISSING
        time_s = 0.0
        if self.time != NO_TIME:
            read = TIMES[self.time](said["t"]) if len(said["t"]) <= MAX_DIGITS else None
            if read is None:
                raise MalformedError("its time is none")
            time_s = read
        got = digest.read(said["sum"], self.encoding)
        if got is None:
            raise MalformedError("the sum is no digest")
        # One that is wrong is compared with all: how long that takes tells nothing.
        if not any(digest.is_equal(got, each) for key in keys for each in self._sums(asked, key, said)):
            return INVALID
        return _in_time(asked.now_s, time_s, self.may_be_issue, terms) if time_s else Admitted()

    def sign(self, asked: Asked, key: bytes, ends_s: int) -> str:
        """See ``Scheme``; of a time at which it was made, ``ends_s`` is that time."""
        said = {"t": self._write_time(ends_s), "rand": "0", "uid": "0"}
        text = self._text(asked, key, said, asked.address)
        said["sum"] = digest.write(digest.SUMS[self.hash](key, text), self.encoding)
        return "&".join(f"{name}={'-'.join(said[field] for field in fields)}" for name, fields in self.pieces)

    def _write_time(self, at_s: int) -> str:
        return f"{at_s:x}" if self.time in ("hex", "any") else str(at_s * 1000) if self.time == "ms" else str(at_s)

    def _said(self, arguments: Arguments) -> dict[str, str] | None:
        """The fields as they were sent; None without any of the parameters."""
        said: dict[str, str] = {}
        missing = ""
        for name, fields in self.pieces:
            value = arguments.one(name)
            if value is None:
                missing = missing or name
            elif len(fields) == 1:
                said[fields[0]] = value
            else:
                # A sum in base64url may hold the sign that stands between the fields.
                parts = value.split("-", len(fields) - 1)
                if len(parts) != len(fields):
                    raise MalformedError(f"{name} has {len(parts)} parts in place of {len(fields)}")
                said.update(zip(fields, parts, strict=True))
        if not said:
            return None
        if missing:
            raise MalformedError(f"{missing} is missing")
        for field, value in said.items():
            if field == "sum" and not 0 < len(value) <= _MAX_SUM:
                raise MalformedError("the sum is no digest")
            if field in ("rand", "uid", "t") and not _PIECE.fullmatch(value):
                raise MalformedError(f"{field} holds signs that it may not")
        return said

    def _sums(self, asked: Asked, key: bytes, said: Mapping[str, str]) -> list[bytes]:
        addresses = (asked.address, "") if self.has_optional_ip else (asked.address,)
        sums = digest.SUMS[self.hash]
        return [sums(key, self._text(asked, key, said, address)) for address in addresses]

    def _text(self, asked: Asked, key: bytes, said: Mapping[str, str], address: str) -> bytes:
        parts: list[bytes] = []
        for part in _parts_of(self.text):
            if isinstance(part, bytes):
                parts.append(part)
            elif part == "key":
                parts.append(key)
            elif part in _ASKED:
                parts.append((address if part == "ip" else getattr(asked, part)).encode())
            else:
                parts.append(said.get(part, "").encode())
        return b"".join(parts)


@lru_cache(maxsize=256)
def _parts_of(text: str) -> tuple[bytes | str, ...]:
    """A text taken apart: what stands in it as it is, in bytes, and names of fields."""
    parts: list[bytes | str] = []
    at = 0
    for found in _FIELD.finditer(text):
        parts += [text[at : found.start()].encode(), found.group(1)]
        at = found.end()
    parts.append(text[at:].encode())
    return tuple(part for part in parts if part)


def _in_time(now_s: float, time_s: float, is_issue: bool, terms: Terms) -> Admitted | Refusal:
    ends_s = time_s
    if is_issue and terms.ttl_s:
        ends_s += terms.ttl_s
        if now_s < time_s - terms.skew_s:
            return TOO_EARLY
    return Admitted(ends_s) if now_s <= ends_s + terms.skew_s else EXPIRED


def _row(name: str, hash: str, encoding: str, parameters: str, text: str, time: str, **more: bool) -> Template:
    return Template(name, hash, encoding, _pieces_of(parameters), text, time, **more)


def _pieces_of(parameters: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """``sum,time``, or each with the fields that it consists of: ``auth_key={t}-{rand}-{uid}-{sum}``."""
    pieces: list[tuple[str, tuple[str, ...]]] = []
    for place, item in enumerate(parameters.split(",")):
        name, _, fields = item.partition("=")
        if fields:
            pieces.append((name, tuple(part.strip("{}") for part in fields.split("-"))))
        else:
            pieces.append((name, (("sum", "t")[place] if place < 2 else name,)))
    return tuple(pieces)


def parse_template(text: str) -> Template:
    """A template as a flag has it: hash, encoding, parameters, text and time, with colons between.

    Raises:
        ValueError: it is none; the text says why.
    """
    parts = text.split(":")
    if len(parts) != 5:
        raise ValueError(f"scheme {text!r} is neither a preset nor HASH:ENCODING:PARAMETERS:TEXT:TIME")
    hash, encoding, parameters, template, time = parts
    if hash not in digest.SUMS:
        raise ValueError(f"hash {hash!r} is none of {', '.join(digest.SUMS)}")
    if encoding not in (digest.HEX, digest.BASE64URL):
        raise ValueError(f"encoding {encoding!r} is neither {digest.HEX} nor {digest.BASE64URL}")
    if time not in (*TIMES, NO_TIME):
        raise ValueError(f"time {time!r} is none of {', '.join((*TIMES, NO_TIME))}")
    found = _row(text, hash, encoding, parameters, template, time, may_be_issue=True)
    fields = [field for _, each in found.pieces for field in each]
    used = set(_FIELD.findall(template))
    if used - _FIELDS:
        raise ValueError(f"the text has {{{min(used - _FIELDS)}}}, which is none of {', '.join(sorted(_FIELDS))}")
    if "sum" not in fields or (time != NO_TIME and "t" not in fields):
        raise ValueError(f"parameters {parameters!r} lack the sum or the time")
    if "key" not in used and not hash.startswith("hmac-"):
        raise ValueError("a text without {key} needs an HMAC")
    if time != NO_TIME and "t" not in used:
        raise ValueError("the text lacks {t}: anybody could prolong it")
    if not used & {"path", "stream"}:
        raise ValueError("the text names no stream: a URL of one would open all")
    if len(set(fields)) != len(fields) or set(fields) - {"sum", "t", "rand", "uid"}:
        raise ValueError(f"parameters {parameters!r} have a field twice, or one that is none of sum, t, rand, uid")
    return found


PRESETS: Mapping[str, Template] = {
    row.name: row
    for row in (
        _row("tencent", "md5", "hex", "txSecret,txTime", "{key}{stream}{t}", "hex"),
        _row("wangsu", "md5", "hex", "wsSecret,wsTime", "{key}{path}{t}", "any", may_be_issue=True),
        _row(
            "aliyun-a",
            "md5",
            "hex",
            "auth_key={t}-{rand}-{uid}-{sum}",
            "{path}-{t}-{rand}-{uid}-{key}",
            "dec",
            may_be_issue=True,
        ),
        _row("aliyun-c", "md5", "hex", "KEY1,KEY2", "{key}{path}{t}", "hex", may_be_issue=True),
        _row("huawei-d", "hmac-sha256", "hex", "hwSecret,hwTime", "{stream}{t}", "hex"),
        _row("nginx", "md5", "base64url", "md5,expires", "{t}{path}{ip} {key}", "dec", has_optional_ip=True),
        _row("nms", "md5", "hex", "sign={t}-{sum}", "{path}-{t}-{key}", "dec"),
        _row("lal", "md5", "hex", "lal_secret", "{key}{stream}", NO_TIME),
    )
}
