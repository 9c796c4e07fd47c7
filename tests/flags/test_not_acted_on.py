"""The list of flags that are accepted and do nothing yet is held to the flags there are."""

from __future__ import annotations

from dataclasses import fields

from edge.flags import all as all_flags
from edge.flags.logging import LogConfig
from edge.flags.not_acted_on import NOT_ACTED_ON, used_in_vain
from edge.flags.registry import DEFINITIONS
from edge.httpd.config import HttpConfig
from edge.hub.config import HubConfig
from edge.net.config import NetConfig
from edge.rtmp.config import RtmpConfig
from edge.upstream.config import UpstreamConfig
from naming.base import NamingOptions

CONFIGS = (NetConfig, RtmpConfig, HubConfig, UpstreamConfig, HttpConfig, LogConfig, NamingOptions)
# Fields that no flag sets.
BESIDE_FLAGS = {"is_internal_port_set", "version"}


def test_each_flag_is_acted_on_or_in_the_list() -> None:
    assert all_flags.AREAS
    acted_on = {field.name for config in CONFIGS for field in fields(config)} - BESIDE_FLAGS
    acted_on |= {name for name, definition in DEFINITIONS.items() if definition.topic == "cli"}
    assert acted_on & NOT_ACTED_ON == set()
    assert acted_on | NOT_ACTED_ON == set(DEFINITIONS)


def test_only_flags_of_the_list_are_reported() -> None:
    assert used_in_vain(["port", "workers", "https"]) == ("https", "workers")
