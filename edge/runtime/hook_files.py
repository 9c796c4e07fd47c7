"""Reads the secrets that calls are signed with."""

from __future__ import annotations

from collections.abc import Iterable

from edge.errors import ConfigError
from edge.hooks.config import HookConfig
from edge.net.plain_file import UnreadableError, read_plain

_MAX_BYTES = 65536


def read_secret(path: str) -> bytes:
    """The secret in a file; raises ConfigError for one that cannot be used."""
    # Who calls nobody needs none of what signs.
    from edge.hooks.signature import parse_secret

    try:
        return parse_secret(read_plain(path, _MAX_BYTES, is_guarded=True)[0])
    except (UnreadableError, ValueError) as error:
        raise ConfigError(f"-hook_secret_file={path}: {error}") from error


def read_secrets(configs: Iterable[HookConfig]) -> dict[str, bytes]:
    """All of them, by path; raises ConfigError for the first that cannot be used."""
    paths = {config.hook_secret_file for config in configs if config.hook_secret_file}
    return {path: read_secret(path) for path in sorted(paths)}
