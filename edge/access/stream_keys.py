"""Secret stream keys that stand for public names: what a publisher's URL ends in is no name that anybody may know.

A file has a line for each key: ``[vhost/]app/stream  KEY-OR-HASH  [comment]``, the key plain or as
``sha256:`` and the hash of it in hexadecimal. A name may have several keys. A name without a vhost holds
for every vhost that has the file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from edge.hub.key import StreamKey
from edge.service.names import BadNameError, check_key

LEAST_KEY = 16
HASH_PREFIX = "sha256:"
_HASH = re.compile(r"[0-9A-Fa-f]{64}")
_MAX_NAME = 512
#: Of a name without a vhost.
_ANY = ""


class Line(NamedTuple):
    """A line of the file; ``digest`` is that of the key."""

    number: int
    vhost: str
    app: str
    stream: str
    digest: bytes


def digest_of(key: str) -> bytes:
    """By which keys are known and compared: nothing is learnt of a key from how long that takes."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def lines_of(text: str) -> Iterator[Line]:
    """The lines of a file, without those that are empty or begin with ``#``; a BOM and CRLF are taken.

    Raises:
        ValueError: with the number of the line and a colon before the reason, which holds no key.
    """
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        words = line.split(maxsplit=2)
        if not words or words[0].startswith("#"):
            continue
        if len(words) < 2:
            raise ValueError(f"{number}: a line is NAME KEY [comment]")
        yield Line(number, *_name_of(number, words[0]), _digest(number, words[1]))


def _name_of(number: int, name: str) -> tuple[str, str, str]:
    parts = name.split("/", 2)
    if len(parts) < 2:
        raise ValueError(f"{number}: a name is [vhost/]app/stream")
    vhost, app, stream = (_ANY, *parts) if len(parts) == 2 else parts
    try:
        check_key(StreamKey(vhost or "_", app, stream), _MAX_NAME)
    except BadNameError as error:
        raise ValueError(f"{number}: {error}") from error
    return vhost.lower(), app, stream


def _digest(number: int, key: str) -> bytes:
    if key.startswith(HASH_PREFIX):
        found = key.removeprefix(HASH_PREFIX)
        if not _HASH.fullmatch(found):
            raise ValueError(f"{number}: {HASH_PREFIX} is followed by 64 hexadecimal digits")
        return bytes.fromhex(found)
    if len(key) < LEAST_KEY:
        raise ValueError(f"{number}: a key has {LEAST_KEY} characters or more")
    return digest_of(key)


class StreamKeys:
    """The keys of a file."""

    def __init__(self, text: str) -> None:
        """Raises ValueError as ``lines_of`` does, for a key that stands twice too, and for a file without keys."""
        self._names: dict[tuple[str, str, bytes], tuple[int, str]] = {}
        self._digests: dict[bytes, int] = {}
        for line in lines_of(text):
            before = self._digests.setdefault(line.digest, line.number)
            if before != line.number:
                raise ValueError(f"{line.number}: the key of line {before} once more")
            self._names[line.vhost, line.app, line.digest] = line.number, line.stream
        if not self._names:
            raise ValueError("0: there is no key in it")

    def __len__(self) -> int:
        return len(self._names)

    @property
    def digests(self) -> Collection[bytes]:
        """Of all keys, by ``digest_of``."""
        return self._digests.keys()

    def stream_of(self, vhost: str, app: str, key: str) -> str | None:
        """The public name of the stream that ``key`` stands for in an app; None for no key of it."""
        digest = digest_of(key)
        found = self._names.get((vhost, app, digest)) or self._names.get((_ANY, app, digest))
        return found[1] if found is not None else None

    def has(self, key: str) -> bool:
        """Whether it is a key of any stream."""
        return digest_of(key) in self._digests


def new_line(name: str, key: str) -> str:
    """The line of a new key, whose hash alone it holds."""
    _name_of(0, name)
    return f"{name} {HASH_PREFIX}{digest_of(key).hex()}"
