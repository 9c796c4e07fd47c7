"""Whom to call for what."""

from __future__ import annotations

from edge.hooks.config import NO_HOOKS, HookConfig
from edge.hooks.event import Action


def test_urls_by_event() -> None:
    config = HookConfig(hooks_on_play=("http://a/", "http://b/"), hooks_on_stop=("http://a/",))
    assert config.urls(Action.PLAY) == ("http://a/", "http://b/")
    assert list(config.all_urls()) == ["http://a/", "http://b/", "http://a/"]
    assert config.is_on
    assert not NO_HOOKS.is_on
    assert all(NO_HOOKS.urls(action) == () for action in Action)
