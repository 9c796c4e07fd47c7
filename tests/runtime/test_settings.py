"""All that the daemon is told at its start."""

from __future__ import annotations

import socket

from edge.flags.gflags import parse
from edge.runtime import settings
from edge.runtime.version import installed_version


def test_flags_reach_the_settings_of_each_layer() -> None:
    arguments = ["-port=1", "-max_chunk_streams=99", "-default_vhost=x", "-timeout_ms=7", "-http_max_requests=3"]
    built = settings.build_settings(parse([*arguments, "-log_pid", "-ns_access_interval=9", "-internal_port=2"]))
    assert built.net.port == 1
    assert built.rtmp.max_chunk_streams == 99
    assert built.hub.default_vhost == "x"
    assert built.upstream.timeout_ms == 7
    assert built.http.http_max_requests == 3
    assert built.http.is_internal_port_set
    assert built.log.log_pid
    assert built.naming.ns_access_interval == 9
    assert built.hostname == socket.gethostname()
    assert built.version == built.http.version == installed_version()


def test_flags_and_values_in_vain_are_listed_together() -> None:
    built = settings.build_settings(parse(["-workers=2"]), ("proxy_lb=la",))
    assert built.not_acted_on == ("workers", "proxy_lb=la")
