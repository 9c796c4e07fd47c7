from __future__ import annotations

import json
from pathlib import Path

from edge.runtime.command_line import read_command_line
from edge.runtime.vhost_facts import finding_facts, vhost_facts
from tests.runtime.nodes import running


def test_what_a_vhost_says_stands_beside_what_the_root_says(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_text(
        "queue_length_s 9;\nvhost _ { queue_length 5; max_cached_frames 32768; }\n"
        "vhost a.com { enabled off; alias b.com; match live/* { queue_length 3; } }\nrtc_server { enabled on; }"
    )
    parsed = read_command_line([f"-c={path}"])
    default, other = vhost_facts(parsed, ["_", "_", "a.com"])
    assert (default.name, default.stream_count, other.stream_count) == ("__defaultVhost__", 2, 1)
    assert default.settings == (
        f"max_cached_frames 32768 ({path}:2; as the root)",
        f"queue_length_s 5 ({path}:2; root: 9)",
    )
    assert (other.is_enabled, other.aliases) == (False, ("b.com",))
    assert other.matches == (f"match live/* queue_length_s 3 ({path}:3; root: 9)",)
    (finding,) = finding_facts(parsed)
    assert (finding.level, finding.where) == ("warning", f"{path}:4")


def test_without_files_there_is_nothing() -> None:
    parsed = read_command_line([])
    assert (vhost_facts(parsed, ["_"]), finding_facts(parsed)) == ([], [])


async def test_a_node_shows_the_vhosts_of_now(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    write(path, "vhost _ { queue_length 5; }")
    async with running(f"-c={path}") as one:
        await one.publisher()
        status, body = await one.get("/vhosts?format=json")
        (vhost,) = json.loads(body)["vhosts"]
        assert (status, vhost["stream_count"]) == (200, 1)
        write(path, "vhost _ { queue_length 6; } vhost a { }")
        await one.reloader.reload("test")
        status, body = await one.get("/vhosts/__defaultVhost__")
        assert (status, f"queue_length_s 6 ({path}:1; root: 30)" in body) == (200, True)


def write(path: Path, text: str) -> None:
    path.write_text(text)
