"""Two test processes at once never get the same port."""

from __future__ import annotations

import subprocess
import sys

from tests.harness.clock import ROOT
from tests.harness.ports import free_port


def test_ports_of_another_process_are_others() -> None:
    ours = {free_port() for _ in range(50)}
    program = "from tests.harness.ports import free_port; print([free_port() for _ in range(50)])"
    shown = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    theirs = set(map(int, shown.strip(" []\n").split(", ")))
    assert len(ours) == len(theirs) == 50
    assert not ours & theirs
