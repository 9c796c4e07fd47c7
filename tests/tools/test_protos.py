"""The Python of the definitions is that of the definitions as they stand."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from edge.tools.protos import ROOT, definitions, generate

# A compiler of another version writes others of these.
_VERSIONS = re.compile(r"# Protobuf Python Version: .*|GRPC_GENERATED_VERSION = .*|    \d+,$", re.MULTILINE)


def texts(folder: Path) -> dict[str, str]:
    found = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for pattern in ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py")
        for path in (folder / "proto").rglob(pattern)
    }
    return {name: _VERSIONS.sub("", text) for name, text in found.items()}


def test_what_is_generated_is_what_is_kept(tmp_path: Path) -> None:
    """Else: python -m edge.tools.protos."""
    assert generate(tmp_path) == 0
    made, kept = texts(tmp_path), texts(ROOT)
    assert sorted(made) == sorted(kept) and len(made) == 3 * len(definitions())
    assert [name for name in made if made[name] != kept[name]] == []


def test_no_older_library_is_asked_for_than_the_generated_code_needs() -> None:
    text = (ROOT / "proto/edge/v1/node_pb2.py").read_text(encoding="utf-8")
    stub = (ROOT / "proto/edge/v1/node_pb2_grpc.py").read_text(encoding="utf-8")
    needed = {
        "protobuf": re.search(r"# Protobuf Python Version: (.+)", text)[1],  # type: ignore[index]
        "grpcio": re.search(r"GRPC_GENERATED_VERSION = '(.+)'", stub)[1],  # type: ignore[index]
    }
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    assert {name: f"{name}>={version}" in asked for name, version in needed.items()} == dict.fromkeys(needed, True)
