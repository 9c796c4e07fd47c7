"""Files below one directory, whole or not there at all.

A file is written under a temporary name beside its own and renamed. Directories
are opened one below the other and no symbolic link among them is followed, so
that nothing is written or removed outside, whatever stands in the directory or
in a name. Everything here blocks: it is for a thread of its own.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

_TEMPORARY = ".edge-tmp"
_PROBE = ".edge-Probe"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


class Folder:
    """The directory, which may be a symbolic link itself; it is made when it is needed."""

    def __init__(self, root: str) -> None:
        self.root = root

    def write(self, path: str, data: bytes) -> None:
        """Let a file appear, or change, in one step.

        Raises:
            OSError: nothing has changed.
        """
        with self._parent_of(path, makes=True) as (folder, name):
            temporary = f".{name}{_TEMPORARY}"
            try:
                file = os.open(temporary, _NEW_FILE, 0o644, dir_fd=folder)
                try:
                    view = memoryview(data)
                    while view:
                        view = view[os.write(file, view) :]
                finally:
                    os.close(file)
                os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
                raise

    def remove(self, path: str) -> None:
        """Let a file go, if it is there.

        Raises:
            OSError: it cannot be removed.
        """
        with contextlib.suppress(FileNotFoundError), self._parent_of(path) as (folder, name):
            os.unlink(name, dir_fd=folder)

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        try:
            with self._parent_of(path) as (folder, name):
                os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            return False
        return True

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """A file; None where there is none that can be read, or it is larger."""
        try:
            with self._parent_of(path) as (folder, name):
                file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
            with open(file, "rb") as opened:
                data = opened.read(max_bytes + 1)
        except OSError:
            return None
        return data if len(data) <= max_bytes else None

    def hidden(self, suffix: str) -> Iterator[str]:
        """Paths of hidden files whose names end so; what a process left half written goes on the way."""
        for parent, _, names in os.walk(self.root):
            for name in names:
                path = os.path.relpath(os.path.join(parent, name), self.root)
                if name.startswith(".") and name.endswith(_TEMPORARY):
                    with contextlib.suppress(OSError):
                        self.remove(path)
                elif name.startswith(".") and name.endswith(suffix):
                    yield path

    def folds_case(self) -> bool:
        """Whether names that differ in case are one; False where that cannot be tried."""
        try:
            self.write(_PROBE, b"")
            try:
                return self.exists(_PROBE.lower())
            finally:
                self.remove(_PROBE)
        except OSError:
            return False

    @contextmanager
    def _parent_of(self, path: str, *, makes: bool = False) -> Iterator[tuple[int, str]]:
        *folders, name = path.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in (*folders, name)):
            raise PermissionError(f"{path!r} leads out of the directory")
        if makes:
            os.makedirs(self.root, exist_ok=True)
        at = os.open(self.root, _FOLDER)
        try:
            for part in folders:
                if makes:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, dir_fd=at)
                below = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
                os.close(at)
                at = below
            yield at, name
        finally:
            os.close(at)
