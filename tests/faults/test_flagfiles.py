"""Each sample flagfile starts a server, which leaves when asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.clock import ROOT, deadline
from tests.harness.ports import free_port
from tests.harness.server import EdgeServer

pytestmark = pytest.mark.faults

SAMPLES = sorted((ROOT / "flagfiles").glob("*.[cf]*"))


def start(path: Path) -> EdgeServer:
    """The server of a sample, on ports chosen by the kernel and without those that stand in the file."""
    flags = [f"-flagfile={path}", "-port=0", "-listen=", "-internal_port=-1"]
    if "-cdn_merge_to=" in path.read_text(encoding="utf-8"):
        flags.append(f"-cdn_merge_to=list://127.0.0.1:{free_port()}")
    return EdgeServer(*flags, has_internal_port=False)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_sample_starts_and_leaves(path: Path) -> None:
    server = start(path)
    with server:
        assert server.http("/healthz", on_internal=False)
    assert server.process.wait(deadline(1)) == 0
