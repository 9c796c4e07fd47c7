"""Reads the files of the gates: keys, users, secrets; all of them or none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from edge.access.config import AccessConfig, GuardConfig
from edge.access.files import PARSERS, Files, is_url, named_files
from edge.errors import ConfigError
from edge.net.plain_file import UnreadableError, read_plain

if TYPE_CHECKING:
    from edge.access.jwt_keys import Keyring

MAX_BYTES = 1 << 20


class FileFault(NamedTuple):
    """Why a file cannot be used; ``line`` is 0 where it is about all of it."""

    flag: str
    path: str
    line: int
    text: str

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else self.path
        return f"{where}: {self.text} (-{self.flag})"


class FileError(ConfigError):
    """A file cannot be used.

    Attributes:
        fault: where and why.
    """

    def __init__(self, fault: FileFault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def read_file(flag: str, path: str) -> Any:
    """What the file of a flag holds, parsed; raises FileError, whose text holds no secret."""

    def fault(text: str, line: int = 0) -> FileError:
        return FileError(FileFault(flag, path, line, text))

    try:
        data, _ = read_plain(path, MAX_BYTES, is_guarded=True)
    except UnreadableError as error:
        raise fault(str(error)) from error
    try:
        return PARSERS[flag](data.decode())
    except UnicodeDecodeError as error:
        raise fault("it is no text in UTF-8") from error
    except ValueError as error:
        line, _, text = str(error).partition(":")
        raise fault(text.strip(), int(line)) from error


def key_urls(configs: Iterable[AccessConfig]) -> set[str]:
    """Who is asked for keys of tokens."""
    return {config.jwt_keys for config in configs if is_url(config.jwt_keys)}


def read_files(
    configs: Iterable[AccessConfig], guard: GuardConfig, rings: Mapping[str, Keyring] | None = None
) -> Files:
    """All files that the settings name; raises FileError for the first that cannot be used.

    ``rings``: the keys of those of ``key_urls``.
    """
    found: dict[str, dict[str, Any]] = {flag: {} for flag in PARSERS}
    every: list[AccessConfig | GuardConfig] = [*configs, guard]
    for config in every:
        for flag, path in named_files(config):
            if path not in found[flag]:
                found[flag][path] = read_file(flag, path)
    secret = found["node_secret_file"].get(guard.node_secret_file, b"")
    cdn_secrets = found["hls_cdn_secret_file"]
    tokens = dict(rings or {})
    if found["jwt_keys"]:
        from edge.access.jwt_keys import Keyring  # most do without

        tokens |= {path: Keyring(keys) for path, keys in found["jwt_keys"].items()}
    return Files(found["stream_keys_file"], found["users_file"], found["sign_keys_file"], secret, cdn_secrets, tokens)


def faults_of_files(config: AccessConfig | GuardConfig) -> Iterator[FileFault]:
    """All files of ``config`` that cannot be used."""
    for flag, path in named_files(config):
        try:
            read_file(flag, path)
        except FileError as error:
            yield error.fault
