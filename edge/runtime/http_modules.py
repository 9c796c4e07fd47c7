"""What HTTP, the pages and control consist of, and whether it is there before it is loaded."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
from collections.abc import Iterator

from edge.flags.gflags import Parsed
from edge.flags.problem import Problem
from edge.flags.registry import value_of

MODULES = ("edge.httpd.app", "edge.httpd.fixed", "edge.httpd.live", "edge.httpd.hls", "edge.builtin.site")
#: Of others; what they bring themselves comes with them.
LIBRARIES = ("aiohttp", "jinja2", "prometheus_client")
#: Those of ``late_grpc.py``.
GRPC_LIBRARIES = ("grpc", "google.protobuf", "grpc_health", "grpc_reflection")


def check_http(parsed: Parsed) -> Iterator[Problem]:
    """Libraries that are not there: found by a start and by ``--check``, though nothing is loaded yet.

    What a start would load at once (``-http_preload``), ``--check`` loads too.
    """
    for who, names in (("HTTP and its pages need", LIBRARIES), ("control by gRPC needs", GRPC_LIBRARIES)):
        missing = [name for name in names if not _is_installed(name)]
        if missing:
            yield Problem("installation", f"{who} {' and '.join(missing)}: not installed")
            return
    if value_of(parsed.flags, "check") and value_of(parsed.flags, "http_preload"):
        try:
            for name in MODULES:
                importlib.import_module(name)
        except Exception as error:
            yield Problem("installation", f"HTTP and its pages cannot be loaded: {error!r}")


def _is_installed(name: str) -> bool:
    """Whether it is there; nothing is loaded for that, of ``google.protobuf`` the package around it neither."""
    top, _, rest = name.partition(".")
    spec = importlib.util.find_spec(top)
    if spec is None or not rest:
        return spec is not None
    return importlib.machinery.PathFinder.find_spec(name, spec.submodule_search_locations) is not None
