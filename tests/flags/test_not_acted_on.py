"""The list of flags that are accepted and do nothing yet is held to the flags there are."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from edge.access.config import AccessConfig, GuardConfig
from edge.builtin.config import DebugConfig
from edge.control.config import GrpcConfig
from edge.flags import all as all_flags
from edge.flags.builtin import PagesConfig
from edge.flags.logging import LogConfig
from edge.flags.not_acted_on import NOT_ACTED_ON, used_in_vain
from edge.flags.process import ProcessConfig
from edge.flags.registry import DEFINITIONS
from edge.flags.tracing import OtlpConfig
from edge.hls.config import HlsConfig
from edge.hls_disk.config import DiskConfig
from edge.hooks.config import HookConfig, HookLimits
from edge.httpd.config import HttpConfig
from edge.hub.config import HubConfig
from edge.logbook.config import LogbookConfig
from edge.net.config import Http2Config, NetConfig, TlsConfig
from edge.quality.config import QualityConfig
from edge.rtmp.config import RtmpConfig
from edge.service.config import LimitConfig, OverloadConfig
from edge.upstream.config import UpstreamConfig
from naming.base import NamingOptions

CONFIGS = (
    *(NetConfig, TlsConfig, RtmpConfig, HubConfig, UpstreamConfig, HttpConfig, HlsConfig, DiskConfig, LogConfig),
    *(LogbookConfig, NamingOptions, DebugConfig, PagesConfig, OtlpConfig, QualityConfig, OverloadConfig),
    *(Http2Config, GrpcConfig, ProcessConfig, AccessConfig, GuardConfig, HookConfig, HookLimits, LimitConfig),
)
# Fields that no flag sets.
BESIDE_FLAGS = {"is_internal_port_set", "version", "hostname"}


ROOT = Path(__file__).resolve().parents[2]


def test_each_flag_is_acted_on_or_in_the_list() -> None:
    assert all_flags.AREAS
    known = {field.name for config in CONFIGS for field in fields(config)} - BESIDE_FLAGS
    known |= {name for name, definition in DEFINITIONS.items() if definition.topic == "cli"}
    known.add("save_flagfile")  # acts where the command line is read, and where it is written
    assert set(DEFINITIONS) >= NOT_ACTED_ON
    assert known | NOT_ACTED_ON == set(DEFINITIONS)


def test_a_setting_is_in_the_list_exactly_when_nobody_reads_it() -> None:
    sources = [path for folder in ("edge", "naming", "lb") for path in (ROOT / folder).rglob("*.py")]
    texts = [path.read_text(encoding="utf-8") for path in sources if "flags" not in path.parts]
    read = {name for text in texts for name in re.findall(r"\.([a-z_0-9]+)\b", text)}
    settings = {field.name for config in CONFIGS for field in fields(config)} - BESIDE_FLAGS
    assert settings - read - NOT_ACTED_ON == set(), "nothing reads these: add them to edge/flags/not_acted_on.py"
    assert settings & read & NOT_ACTED_ON == set(), "these are read: take them out of edge/flags/not_acted_on.py"


def test_only_flags_of_the_list_are_reported() -> None:
    assert used_in_vain(["port", "workers"]) == ("workers",)


def test_the_guide_names_each_of_them() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    said = guide.partition("\n## What is not acted on yet\n")[2]
    assert said and [name for name in sorted(NOT_ACTED_ON) if f"`-{name}`" not in said] == []
