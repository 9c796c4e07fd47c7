from __future__ import annotations

import dataclasses

from edge.access.config import AccessConfig, GuardConfig
from edge.flags.access import access_config, guard_config
from edge.flags.classes import NEW, VHOST
from edge.flags.gflags import parse
from edge.flags.registry import DEFINITIONS, new_flags


def test_defaults_and_values() -> None:
    assert access_config(new_flags()) == AccessConfig() and guard_config(new_flags()) == GuardConfig()
    parsed = parse(["-publish_auth=key,sign", "-refer_play=a.example,none", "-trusted_nodes=10.0.0.0/8"])
    config = access_config(parsed.flags)
    assert (config.publish_auth, config.refer_play) == (("key", "sign"), ("a.example", "none"))
    assert guard_config(parsed.flags).trusted_nodes == ("10.0.0.0/8",)


def test_what_concerns_streams_may_differ_by_vhost_and_acts_on_who_comes() -> None:
    for field in dataclasses.fields(AccessConfig):
        definition = DEFINITIONS[field.name]
        assert (definition.scope, definition.reload) == (VHOST, NEW), field.name
