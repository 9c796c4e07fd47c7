"""Makes the Python of ``proto/**/*.proto`` anew, by grpcio-tools: ``python -m edge.tools.protos``."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def definitions() -> list[str]:
    """The files that it is made of, relative to the root."""
    return sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "proto").rglob("*.proto"))


def generate(into: Path) -> int:
    """Write messages, their types and the stubs below ``into``; returns the exit code of the compiler."""
    from grpc_tools import protoc

    outputs = [f"--{kind}_out={into}" for kind in ("python", "pyi", "grpc_python")]
    return int(protoc.main(["protoc", f"-I{ROOT}", *outputs, *definitions()]))


if __name__ == "__main__":
    sys.exit(generate(ROOT))
