from __future__ import annotations

from edge.flags.classes import Reload, Scope
from edge.flags.gflags import parse
from edge.flags.hooks import hook_config, hook_limits
from edge.flags.registry import DEFINITIONS, new_flags
from edge.hooks.config import HookConfig, HookLimits
from edge.hooks.event import Action
from edge.hooks.forms import FORMS


def test_defaults_and_values() -> None:
    assert hook_config(new_flags()) == HookConfig()
    assert hook_limits(new_flags()) == HookLimits()
    parsed = parse(["-hooks_on_play=http://a/, http://b/", "-hook_grace_s=5", "-hook_max_calls=9"])
    assert hook_config(parsed.flags) == HookConfig(hooks_on_play=("http://a/", "http://b/"), hook_grace_s=5)
    assert hook_limits(parsed.flags).hook_max_calls == 9


def test_there_is_a_flag_for_each_event_and_a_word_for_each_form() -> None:
    assert all(f"hooks_{action.value}" in DEFINITIONS for action in Action)
    assert DEFINITIONS["hook_form"].range_text.split("|") == list(FORMS)


def test_they_may_differ_by_vhost_and_act_on_who_comes() -> None:
    of_the_process = {"hook_max_calls", "hook_drain_ms"}
    hooks = {name: definition for name, definition in DEFINITIONS.items() if definition.topic == "hooks"}
    assert {name for name, each in hooks.items() if each.scope is not Scope.VHOST} == of_the_process
    assert {each.reload for each in hooks.values()} == {Reload.NEW}
