"""Files below one folder, and nothing else: no link is followed, nothing but folders and plain files is opened."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

#: Of a file this much is shown, of a folder so many names.
MAX_BYTES = 1 << 20
MAX_NAMES = 10_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in a folder; ``kind`` is ``folder``, ``file``, ``link`` or ``other``."""

    name: str
    kind: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Found:
    """What is at a path.

    Attributes:
        entries: of a folder, by name; None of a file. ``more_count`` are not in it.
        data: the beginning of a file, ``more_bytes`` follow.
    """

    entries: tuple[Entry, ...] | None = None
    more_count: int = 0
    data: bytes = b""
    more_bytes: int = 0


class NotShownError(Exception):
    """It is there, but is no folder or plain file, or a link leads to it; answer 403."""


def look(root: str, path: str) -> Found:
    """Read the folder or file at ``path``, relative to ``root``.

    Each step is opened from the folder before it, without following links, so that nobody who can write below
    ``root`` can lead out of it, in the meantime neither. Raises ``NotShownError``, ``FileNotFoundError`` and
    other kinds of ``OSError``.
    """
    names = [name for name in path.split("/") if name]
    if any(name in (".", "..") or "\0" in name for name in names):
        raise NotShownError("a path that climbs")
    folder = os.open(root or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for number, name in enumerate(names):
            mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
            is_last = number == len(names) - 1
            if stat.S_ISREG(mode) and is_last:
                return _file(name, folder)
            if not stat.S_ISDIR(mode):
                raise FileNotFoundError(name) if stat.S_ISREG(mode) else NotShownError("neither folder nor file")
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            os.close(folder)
            folder = inner
        return _folder(folder)
    finally:
        os.close(folder)


def _file(name: str, folder: int) -> Found:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    with open(os.open(name, flags, dir_fd=folder), "rb", buffering=0) as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):  # it was another when it was looked at
            raise NotShownError("no plain file")
        data = file.read(MAX_BYTES) or b""
    return Found(data=data, more_bytes=max(facts.st_size - len(data), 0))


def _folder(folder: int) -> Found:
    names = sorted(os.listdir(folder))
    entries = []
    for name in names[:MAX_NAMES]:
        try:
            facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            continue  # it has been removed
        entries.append(Entry(name, _kind(facts.st_mode), facts.st_size))
    return Found(tuple(entries), more_count=max(len(names) - MAX_NAMES, 0))


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "folder"
    if stat.S_ISREG(mode):
        return "file"
    return "link" if stat.S_ISLNK(mode) else "other"
