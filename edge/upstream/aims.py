"""Where the streams of each vhost come from and go to: ``-proxy_to`` and ``-proxy_lb`` may differ by vhost.

Vhosts that name the same upstream in the same words share one target, and so its list, its health and its balancer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from edge.upstream.config import UpstreamConfig
from edge.upstream.target import Target

#: ``proxy_to`` and ``proxy_lb``.
Words = tuple[str, str]


class Aims:
    """The targets of one service.

    Attributes:
        pull, push: of streams of no vhost, or of one that says nothing else; the same but for the front of a merge
            tier. None of an origin.
    """

    def __init__(
        self,
        config: UpstreamConfig,
        pull: Target | None,
        push: Target | None,
        *,
        new_target: Callable[[UpstreamConfig], Target | None],
        on_new: Callable[[Target], object],
        is_front: bool = False,
    ) -> None:
        """Aim as the flags of the process say.

        Args:
            config: what these are.
            new_target: makes the target of other words; None for such as cannot be used, which is an origin then.
            on_new: is given each target that was made.
            is_front: all pulls go to the merge tier, and what has no target of its own is pushed there.
        """
        self.pull, self.push = pull, push
        self._root = _words(config)
        self._new_target, self._on_new = new_target, on_new
        self._is_front = is_front
        self._others: dict[Words, Target] = {}
        self._unnamed: set[Words] = set()

    def reconfigure(self, config: UpstreamConfig) -> None:
        """The flags of the process are these now; where they name another upstream the targets know already."""
        self._root = _words(config)

    def pull_of(self, config: UpstreamConfig) -> Target | None:
        """Where a stream of these settings comes from, None for nowhere."""
        words = _words(config)
        return self.pull if self._is_front or words == self._root else self._of(words, config)

    def push_of(self, config: UpstreamConfig) -> Target | None:
        """Where it goes to, None for nowhere."""
        words = _words(config)
        if words == self._root:
            return self.push
        return self._of(words, config) or (self.pull if self._is_front else None)

    def _of(self, words: Words, config: UpstreamConfig) -> Target | None:
        if not words[0]:
            return None
        target = self._others.get(words)
        if target is None:
            target = self._new_target(config)
            if target is not None:
                self._others[words] = target
                self._on_new(target)
        return target

    @property
    def of_process(self) -> list[Target]:
        """Those that the flags of the process name, each once."""
        return list(dict.fromkeys(target for target in (self.pull, self.push) if target is not None))

    def __iter__(self) -> Iterator[Target]:
        """All targets, each once."""
        yield from (*self.of_process, *self._others.values())

    def keep(self, configs: Iterable[UpstreamConfig]) -> None:
        """Targets that none of these settings names are of use only to what runs by them."""
        if self._others:
            self._unnamed = self._others.keys() - ({_words(config) for config in configs} - {self._root})

    def take_unused(self, used: Iterable[Target]) -> list[Target]:
        """Let go of targets that are neither named nor used; returns them, to be closed."""
        if not self._unnamed:
            return []
        kept = {id(target) for target in used}
        left = [words for words in self._unnamed if id(self._others[words]) not in kept]
        self._unnamed.difference_update(left)
        return [self._others.pop(words) for words in left]


def _words(config: UpstreamConfig) -> Words:
    return config.proxy_to, config.proxy_lb
