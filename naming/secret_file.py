"""Passwords and tokens in files, so that they stand neither in the list of processes nor on a page."""

from __future__ import annotations

import os

from naming.base import NamingError
from naming.file import read_list

# Tokens of Vault and JWTs have hundreds of characters.
_MAX_BYTES = 65536


def read_secret(path: str) -> str:
    """The text of the file without the line end at its end; blocks.

    Raises NamingError, without the text, when it cannot be read, is empty, or is
    not one line of printable ASCII, as headers ask for.
    """
    try:
        text = read_list(path, _MAX_BYTES).rstrip("\r\n")
    except OSError as error:
        raise NamingError(f'cannot read "{path}": {os.strerror(error.errno or 0)}') from error
    if not text:
        raise NamingError(f'"{path}" is empty')
    if not text.isascii() or not text.isprintable():
        raise NamingError(f'"{path}" is not one line of printable ASCII')
    return text
