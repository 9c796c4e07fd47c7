"""The secrets that calls are signed with; what files are refused, ``tests/net/test_plain_file.py`` asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.hooks.config import HookConfig
from edge.runtime.hook_files import read_secrets

_KEY = b"0123456789abcdef0123456789abcdef"


def test_each_is_read_by_its_path(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in ("a", "b")]
    for number, path in enumerate(paths):
        Path(path).write_bytes(_KEY + b"%d" % number)
    configs = [HookConfig(), *(HookConfig(hook_secret_file=path) for path in (*paths, paths[0]))]
    assert read_secrets(configs) == {path: _KEY + b"%d" % number for number, path in enumerate(paths)}


def test_one_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"short")
    with pytest.raises(ConfigError, match=f"-hook_secret_file={path}: no secret of 16 bytes"):
        read_secrets([HookConfig(hook_secret_file=str(path))])
