from __future__ import annotations

import os

from edge.flags.gflags import may_have_vhosts, parse
from edge.flags.registry import value_of


def test_names_of_srs_command_line_are_known() -> None:
    parsed = parse(["-c", "a.conf,b.conf", "-t", "-e"], environ={})
    assert parsed.problems == []
    assert value_of(parsed.flags, "vhost_config") == ("a.conf", "b.conf")
    assert value_of(parsed.flags, "check")
    assert value_of(parsed.flags, "vhost_environment")


def test_files_are_looked_at_only_where_something_asks_for_them() -> None:
    assert not may_have_vhosts(parse([]), {"HOME": "x"})
    assert may_have_vhosts(parse(["-c=a"]), {})
    assert may_have_vhosts(parse(["-e"]), {})
    assert may_have_vhosts(parse([]), {"SRS_LISTEN": "1"})
    assert "SRS_LISTEN" not in os.environ
