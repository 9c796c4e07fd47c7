from __future__ import annotations

import asyncio
from pathlib import Path

from edge.hls_disk.config import DiskConfig
from edge.runtime.hls_files import new_disk_hls
from edge.service.rules import Rulebook, Rules, Vhost
from tests.httpd.feeding import Source
from tests.httpd.hls_watching import pushed
from tests.net.live import eventually
from tests.runtime.nodes import running


async def test_a_node_writes_files_if_one_vhost_wants_that(tmp_path: Path) -> None:
    loop, root = asyncio.get_running_loop(), Rules([DiskConfig()])
    assert new_disk_hls(Rulebook(root, [Vhost("a", root)]), [], loop, print) is None
    config = DiskConfig(hls_path=str(tmp_path))
    disk = new_disk_hls(Rulebook(root, [Vhost("a", root), Vhost("b", Rules([config]))]), [], loop, print)
    assert disk is not None
    assert disk.place_of(config) is not None
    assert disk.place_of(DiskConfig()) is None


async def test_files_that_a_vhost_wants_since_a_reload_are_written_of_what_runs_too(tmp_path: Path) -> None:
    conf, files = tmp_path / "edge.conf", tmp_path / "files"
    conf.write_text("vhost a.example { hls { enabled off; } } vhost b.example { }")
    async with running(f"-c={conf}") as one:
        sources = [await Source.at(one, f"s?vhost={name}.example") for name in "ab"]
        sources[0].push(55)
        await pushed(one, sources[1], 55)
        for path in (files, tmp_path / "others"):
            conf.write_text(f"vhost a.example {{ hls {{ enabled on; hls_path {files}; }} }} vhost b.example {{ }}")
            if path != files:
                conf.write_text(f"{conf.read_text()[:-2]}hls {{ enabled on; hls_path {path}; }} }}")
            assert (await one.reloader.reload("test")).state == "done"
        for source in sources:
            source.push(400)
        await eventually(lambda: all(list(path.rglob("*.ts")) for path in (files, tmp_path / "others")), "segments")
