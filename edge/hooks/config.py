"""Settings of callbacks; frozen, given by the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from edge.hooks.event import Action


@dataclass(frozen=True, slots=True)
class HookConfig:
    """Whom to call for the streams of one vhost; the fields bear the names of the flags.

    Attributes:
        hooks_on_connect, hooks_on_publish and so on: URLs, called in this order.
        hook_form: ``srs``, ``srs1``, ``nginx`` or ``mediamtx``.
        hook_timeout_ms: of a whole question; connecting may take a third of it.
        hook_failure: ``deny`` or ``allow`` when there is no usable answer.
        hook_grace_s: how long a yes stands while there is none.
        hook_cache_s: how long a yes is taken for the same question; 0: each is asked.
        hook_update_s: from one on_update of a session to the next.
        hook_secret_file: signs calls; "" for none.
    """

    hooks_on_connect: tuple[str, ...] = ()
    hooks_on_close: tuple[str, ...] = ()
    hooks_on_publish: tuple[str, ...] = ()
    hooks_on_unpublish: tuple[str, ...] = ()
    hooks_on_play: tuple[str, ...] = ()
    hooks_on_stop: tuple[str, ...] = ()
    hooks_on_update: tuple[str, ...] = ()
    hooks_on_hls: tuple[str, ...] = ()
    hooks_on_hls_notify: tuple[str, ...] = ()
    hooks_on_dvr: tuple[str, ...] = ()
    hook_form: str = "srs"
    hook_timeout_ms: int = 3000
    hook_failure: str = "deny"
    hook_grace_s: int = 60
    hook_cache_s: int = 0
    hook_update_s: int = 30
    hook_secret_file: str = ""

    def urls(self, action: Action) -> tuple[str, ...]:
        """Who is called for it; of recordings there are none yet."""
        return _URLS_OF[action](self) if action in _URLS_OF else ()

    def all_urls(self) -> Iterator[str]:
        """Of all events, those that stand twice twice."""
        for action in Action:
            yield from self.urls(action)

    @property
    def is_on(self) -> bool:
        """Anybody is called for anything."""
        return any(self.urls(action) for action in Action)


_URLS_OF: Mapping[Action, Callable[[HookConfig], tuple[str, ...]]] = {
    Action.CONNECT: lambda config: config.hooks_on_connect,
    Action.CLOSE: lambda config: config.hooks_on_close,
    Action.PUBLISH: lambda config: config.hooks_on_publish,
    Action.UNPUBLISH: lambda config: config.hooks_on_unpublish,
    Action.PLAY: lambda config: config.hooks_on_play,
    Action.STOP: lambda config: config.hooks_on_stop,
    Action.UPDATE: lambda config: config.hooks_on_update,
    Action.HLS: lambda config: config.hooks_on_hls,
    Action.HLS_NOTIFY: lambda config: config.hooks_on_hls_notify,
}
#: Nobody is called.
NO_HOOKS = HookConfig()


@dataclass(frozen=True, slots=True)
class HookLimits:
    """Limits of the process; the fields bear the names of the flags.

    Attributes:
        hook_max_calls: questions in progress, and as many events.
        hook_drain_ms: at the end, how long to go on telling what has happened.
    """

    hook_max_calls: int = 256
    hook_drain_ms: int = 2000
