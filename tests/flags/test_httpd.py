"""The flags of this area become the frozen settings."""

from __future__ import annotations

import pytest

from edge.flags.gflags import parse
from edge.flags.httpd import http_config
from edge.flags.registry import new_flags
from edge.httpd.config import HttpConfig


def test_the_defaults_of_the_flags_are_those_of_the_settings() -> None:
    assert http_config(new_flags()) == HttpConfig()
    assert http_config(new_flags(), "1.2").version == "1.2"


@pytest.mark.parametrize(("port", "is_set"), [("-1", False), ("8081", True)])
def test_pages_are_told_whether_an_internal_port_is_set(port: str, is_set: bool) -> None:
    assert http_config(parse(["-internal_port", port]).flags).is_internal_port_set is is_set
