"""The flags of this area become the frozen settings."""

from __future__ import annotations

from edge.flags.gflags import parse
from edge.flags.registry import new_flags
from edge.flags.rtmp import rtmp_config
from edge.rtmp.config import RtmpConfig


def test_the_defaults_of_the_flags_are_those_of_the_settings() -> None:
    assert rtmp_config(new_flags()) == RtmpConfig()


def test_set_flags_reach_their_fields() -> None:
    config = rtmp_config(parse(["-max_message_bytes=0x10000", "-nortmp_client_use_simple_handshake"]).flags)
    assert (config.max_message_bytes, config.rtmp_client_use_simple_handshake) == (65536, False)
