from __future__ import annotations

from pathlib import Path

from edge.flags.registry import value_of
from edge.runtime.command_line import read_command_line


def test_files_by_vhost_give_flags_values_behind_those_of_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_text("max_pulls 5; queue_length_s 6; vhost v { }")
    parsed = read_command_line([f"-c={path}", "-max_pulls=7"])
    assert [value_of(parsed.flags, name) for name in ("max_pulls", "queue_length_s")] == [7, 6]
    assert parsed.vhosts is not None
    assert parsed.arguments == (f"-c={path}", "-max_pulls=7")
    assert read_command_line([]).vhosts is None
