"""Reads a file that the operator names: a regular one, of moderate size, which strangers may not write.

Blocks as files do, and never longer: a pipe or a device is not waited for.
"""

from __future__ import annotations

import errno
import os
import stat


class UnreadableError(Exception):
    """A file cannot be used; the text says why, without the path."""


def read_plain(path: str, max_bytes: int, *, is_guarded: bool = False) -> tuple[bytes, os.stat_result]:
    """All of a file, and what it was when it was opened.

    ``is_guarded`` refuses one that everybody may write. Raises UnreadableError, also for more than ``max_bytes``.
    """
    try:
        # Opening a pipe would wait for a writer.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_ISDIR(status.st_mode):
                raise UnreadableError(os.strerror(errno.EISDIR))
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableError("not a regular file")
            if is_guarded and status.st_mode & stat.S_IWOTH:
                raise UnreadableError("others may write it: chmod o-w")
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error
    except ValueError as error:  # a path with a zero in it
        raise UnreadableError(str(error)) from error
    if len(data) > max_bytes:
        raise UnreadableError(f"more than {max_bytes} bytes")
    return data, status
