from __future__ import annotations

import asyncio
from pathlib import Path

from edge.hls_disk.config import DiskConfig
from edge.runtime.hls_files import new_disk_hls
from edge.service.rules import Rulebook, Rules, Vhost


async def test_a_node_writes_files_if_one_vhost_wants_that(tmp_path: Path) -> None:
    loop, root = asyncio.get_running_loop(), Rules([DiskConfig()])
    assert new_disk_hls(Rulebook(root, [Vhost("a", root)]), [], loop, print) is None
    config = DiskConfig(hls_path=str(tmp_path))
    disk = new_disk_hls(Rulebook(root, [Vhost("a", root), Vhost("b", Rules([config]))]), [], loop, print)
    assert disk is not None
    assert disk.place_of(config) is not None
    assert disk.place_of(DiskConfig()) is None
