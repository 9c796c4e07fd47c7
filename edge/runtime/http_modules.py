"""What HTTP and the pages consist of, and whether it is there before it is loaded."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator

from edge.flags.gflags import Parsed
from edge.flags.problem import Problem
from edge.flags.registry import value_of

MODULES = ("edge.httpd.app", "edge.httpd.fixed", "edge.httpd.live", "edge.httpd.hls", "edge.builtin.site")
#: Of others; what they bring themselves comes with them.
LIBRARIES = ("aiohttp", "jinja2", "prometheus_client")


def check_http(parsed: Parsed) -> Iterator[Problem]:
    """Libraries that are not there: found by a start and by ``--check``, though nothing is loaded yet.

    What a start would load at once (``-http_preload``), ``--check`` loads too.
    """
    missing = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        yield Problem("installation", f"HTTP and its pages need {' and '.join(missing)}: not installed")
    elif value_of(parsed.flags, "check") and value_of(parsed.flags, "http_preload"):
        try:
            for name in MODULES:
                importlib.import_module(name)
        except Exception as error:
            yield Problem("installation", f"HTTP and its pages cannot be loaded: {error!r}")
