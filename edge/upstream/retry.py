"""When to try again, for one pull or one push.

The owner makes one *link* after another. It tells the policy when a link is
created, when it turns out *useful* (pull: the first message of data; push:
accepted), and when it ends; the policy answers with the moment of the next one,
or that there will be none.

Two clocks end it. ``max_retry_duration_ms`` runs from the end of the last useful
link (or from the beginning). ``publisher_return_ms`` runs for a pull that has had
data, from the moment an upstream in working order says that the stream has ended
or does not exist: its own players are kept that long and no longer.

Before any retry a stream that one server does not have is looked for at the others:
that is no failure, and costs an answer each. The owner may have that done again at a
retry (``search_again``), for a publisher that was lost may be at any of them by then.

A server that has said that it stops (``on_server_leaving``) is most often started again
at once. So for a few seconds after its end retries come every ``restart_retry_ms``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge.upstream.config import UpstreamConfig

# Interval retries come up to this part of the interval later, so that streams lost together spread out.
JITTER = 0.2
# A useful link that ends this many intervals after the clock began brings the fast retries back.
REARM_INTERVALS = 3
# What a server that was stopped in order needs to be back, at most.
RESTART_MS = 5000


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """What to do after the end of a link.

    Attributes:
        give_up: there is no next link; the clients are to be told.
        at_ms: when to create the next link (the moment of the end when giving up).
        why: stable word for logs. Retrying: ``search``, ``fast``, ``restart``, ``interval``, ``back``. Giving up:
            ``retry_disabled``, ``retry_expired``, ``never_useful``, ``publisher_gone``.
    """

    give_up: bool
    at_ms: int
    why: str


class RetryPolicy:
    """The retries of one pull or push; one instance lives as long as its clients wait."""

    __slots__ = (
        "_config",
        "_fast_used",
        "_gone_at_ms",
        "_is_ever_useful",
        "_is_leaving",
        "_jitter",
        "_last_creation_ms",
        "_last_start_ms",
        "_restart_until_ms",
        "_searched",
        "_waits_always",
    )

    def __init__(
        self,
        config: UpstreamConfig,
        *,
        now_ms: int,
        jitter: Callable[[], float],
        waits_for_stream: bool | None = None,
    ) -> None:
        """``now_ms`` is when the first link is created; ``jitter()`` is uniform in [0, 1).

        ``waits_for_stream``: go on although no link was ever useful; None takes
        ``pull_wait_for_stream``. A push passes False: its publisher is told soon.
        """
        self._config = config
        self._jitter = jitter
        self._waits_always = waits_for_stream
        self._last_start_ms = now_ms
        self._last_creation_ms = now_ms
        self._fast_used = 0
        self._searched = 0
        self._is_ever_useful = False
        self._gone_at_ms: int | None = None
        self._is_leaving = False
        self._restart_until_ms = 0

    def reconfigure(self, config: UpstreamConfig) -> None:
        """Take other settings; what has been decided stands."""
        self._config = config

    @property
    def _waits(self) -> bool:
        return self._config.pull_wait_for_stream if self._waits_always is None else self._waits_always

    @property
    def deadline_ms(self) -> int | None:
        """When to give up although a link may be under way, because the publisher has not returned; or None."""
        return None if self._gone_at_ms is None else self._gone_at_ms + self._config.publisher_return_ms

    def on_link_created(self, now_ms: int) -> None:
        """A link is created now; interval retries are spaced from creation to creation."""
        self._last_creation_ms = now_ms

    def on_link_useful(self) -> None:
        """The link is useful now: the publisher is there."""
        self._is_ever_useful = True
        self._gone_at_ms = None
        self._searched = 0
        self._restart_until_ms = 0

    def on_server_leaving(self) -> None:
        """The server of the link that is in use has said that it will stop."""
        self._is_leaving = True

    def on_link_left(self, now_ms: int) -> None:
        """A link that was in order is left for a better one: what follows is judged as after a loss now."""
        self._last_start_ms = now_ms
        self._fast_used = 0
        self._searched = 0

    def on_notice(self, now_ms: int) -> None:
        """The stream has ended, as far as anybody knows: its players are kept ``publisher_return_ms`` from now."""
        if self._is_ever_useful and self._gone_at_ms is None:
            self._gone_at_ms = now_ms

    def search_again(self) -> None:
        """All servers have been asked in vain, and will all be asked once more."""
        self._searched = 0

    def on_link_ended(
        self, now_ms: int, *, was_useful: bool, is_notice: bool = False, is_search: bool = False
    ) -> RetryDecision:
        """Decide what follows a link that ended, by failure, refusal or loss.

        ``is_notice``: it ended because the upstream, in working order, said that
        the stream has ended or does not exist. ``is_search``: there are servers that
        may have what this one, in working order, has not.
        """
        config = self._config
        if was_useful:
            self.on_link_useful()
        if config.max_retry_duration_ms == 0:
            return RetryDecision(True, now_ms, "retry_disabled")
        if was_useful:
            if self._is_leaving:
                self._is_leaving, self._restart_until_ms = False, now_ms + RESTART_MS
            if now_ms >= self._last_start_ms + REARM_INTERVALS * config.retry_interval_ms:
                self._fast_used = 0
            self._last_start_ms = now_ms
        if 0 < config.max_retry_duration_ms < now_ms - self._last_start_ms:
            return RetryDecision(True, now_ms, "retry_expired")
        if is_notice:
            self.on_notice(now_ms)
        if (deadline_ms := self.deadline_ms) is not None and now_ms >= deadline_ms:
            return RetryDecision(True, now_ms, "publisher_gone")
        if is_search and self._searched < config.max_search_servers:
            self._searched += 1
            return self._retry(now_ms, "search")
        if self._fast_used < config.fast_retry_count:
            self._fast_used += 1
            return self._retry(now_ms, "fast")
        if not self._is_ever_useful and not self._waits:
            return RetryDecision(True, now_ms, "never_useful")
        is_restart = config.restart_retry_ms > 0 and now_ms < self._restart_until_ms
        interval_ms = config.retry_interval_ms
        if is_restart:
            interval_ms = min(interval_ms, config.restart_retry_ms)
        spacing_ms = interval_ms + int(JITTER * self._jitter() * interval_ms)
        return self._retry(max(now_ms, self._last_creation_ms + spacing_ms), "restart" if is_restart else "interval")

    def _retry(self, at_ms: int, why: str) -> RetryDecision:
        self._last_creation_ms = at_ms
        return RetryDecision(False, at_ms, why)
