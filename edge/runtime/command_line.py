"""The command line with all files that it names."""

from __future__ import annotations

import os
from collections.abc import Sequence

from edge.flags.gflags import Parsed, may_have_vhosts, parse


def read_command_line(arguments: Sequence[str]) -> Parsed:
    """Flags, flagfiles and, where there are some, files by vhost; never raises for what they say."""
    parsed = parse(arguments)
    if may_have_vhosts(parsed, os.environ):
        from edge.runtime.vhost_files import with_vhosts  # most do without

        with_vhosts(parsed, os.environ)
    return parsed
