"""Templates of file names, with SRS's variables: ``[app]/[stream]-[seq].ts``.

What a client says, its app and stream's name, becomes a name that is safe
anywhere below a directory: it stays as it is where it is plain, with ``/`` for a
directory; what is not plain, a hidden name, ``..``, control signs or one that is
too long, is made so and bears a digest of what it was, by which no two names
become one.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

_VARIABLE = re.compile(r"\[([^\[\]]*)\]")
_TIMES = {"2006": "%Y", "01": "%m", "02": "%d", "15": "%H", "04": "%M", "05": "%S"}
_OF_STREAM = frozenset({"vhost", "app", "stream"})
_OF_SEGMENT = _OF_STREAM | _TIMES.keys() | {"seq", "duration", "epoch", "999", "timestamp"}

#: Longest piece of a client's in a name, and longest name: file systems take 255, temporary names need some of them.
_MAX_PIECE_BYTES = 120
_MAX_NAME_BYTES = 230
_HASHED = re.compile(r"~[0-9a-f]{16}")
#: A directory of such a name would be where a file of another stream is to be.
_LIKE_FILE = re.compile(r"\.(?:m3u8|ts|m4s|mp4)", re.IGNORECASE)


class _Use(NamedTuple):
    variables: frozenset[str]
    needed: tuple[str, ...]
    suffix: str


_USES = {
    "hls_m3u8_file": _Use(_OF_STREAM, ("stream",), ".m3u8"),
    "hls_ts_file": _Use(frozenset(_OF_SEGMENT), ("stream", "seq"), ".ts"),
    "hls_fmp4_file": _Use(frozenset(_OF_SEGMENT), ("stream", "seq"), ".m4s"),
    "hls_init_file": _Use(_OF_STREAM | {"digest"}, ("stream", "digest"), ".mp4"),
}
#: Flags that hold a template.
TEMPLATE_FLAGS = tuple(_USES)


def template_fault(flag: str, template: str) -> str:
    """What is wrong with the template of a flag, "" for nothing."""
    use = _USES[flag]
    named = _VARIABLE.findall(template)
    literal = _VARIABLE.sub("x", template)
    if unknown := [name for name in named if name not in use.variables]:
        return f"[{unknown[0]}] is no variable here; there are [{']['.join(sorted(use.variables))}]"
    if missing := [name for name in use.needed if name not in named]:
        return f"[{missing[0]}] is missing: files would take each other's place"
    if "[" in literal or "]" in literal:
        return "a bracket without its other"
    if not template.endswith(use.suffix):
        return f"does not end in {use.suffix}"
    if not literal.isprintable() or "\\" in literal:
        return "a sign that is not for file names"
    if any(not piece or piece.startswith(".") for piece in literal.split("/")):
        return "must be relative, without empty, hidden or .. parts"
    if any(len(piece.encode()) > _MAX_PIECE_BYTES for piece in literal.split("/")):
        return f"a part of more than {_MAX_PIECE_BYTES} bytes"
    return ""


def fill(template: str, values: Mapping[str, str], *, folds_case: bool = False) -> str:
    """The relative path for ``values``, whose ``vhost``, ``app`` and ``stream`` may be anything.

    ``folds_case``: the file system takes names that differ in case, or in how
    letters are composed, for one.
    """

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name not in _OF_STREAM:
            return values[name]
        return "/".join(_safe(piece, folds_case=folds_case) for piece in values[name].split("/"))

    path = _VARIABLE.sub(value, template)
    return "/".join(_fitting(name) for name in path.split("/"))


def time_values(wall_ms: int) -> dict[str, str]:
    """Variables of a moment, in local time as SRS has them."""
    moment = datetime.fromtimestamp(wall_ms // 1000)
    found = {name: moment.strftime(form) for name, form in _TIMES.items()}
    return {**found, "999": f"{wall_ms % 1000:03d}", "timestamp": str(wall_ms)}


def _safe(piece: str, *, folds_case: bool) -> str:
    """A client's word as a part of a name that is nobody else's."""
    is_plain = (
        bool(piece)
        and piece.isprintable()
        and not piece.startswith(".")
        and "\\" not in piece
        and len(piece.encode()) <= _MAX_PIECE_BYTES
        and not _HASHED.search(piece)
        and not _LIKE_FILE.search(piece)
    )
    if is_plain and folds_case:
        is_plain = piece == unicodedata.normalize("NFC", piece).casefold()
    if is_plain:
        return piece
    kept = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "-_") else "_" for sign in piece.casefold())
    return f"{kept[:60]}~{_digest(piece)}"


def _fitting(name: str) -> str:
    """A name that is too long keeps its end, which says what kind of file it is."""
    data = name.encode()
    if len(data) <= _MAX_NAME_BYTES:
        return name
    tail = data[-60:].decode(errors="ignore")
    return f"{data[:100].decode(errors='ignore')}~{_digest(name)}{tail}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
