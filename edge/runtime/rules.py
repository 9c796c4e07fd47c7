"""Rules of streams, made of flags: those of the process, and what a vhost says otherwise."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from edge.errors import ConfigError
from edge.hls.config import HlsConfig
from edge.hls_disk.config import DiskConfig
from edge.hub.config import HubConfig
from edge.runtime.reload import Prepared
from edge.service.rules import Rulebook, Rules
from edge.upstream.config import UpstreamConfig

if TYPE_CHECKING:
    from edge.flags.vhost_file import VhostFile
    from edge.runtime.settings import Settings
    from edge.runtime.unit import ServiceUnit

logger = logging.getLogger(__name__)

# In one line of the log.
_MAX_NAMED = 10


def rules_of(settings: Settings) -> Rules:
    """What the flags of the process say, for the streams of no vhost."""
    return Rules(
        (
            settings.net,
            settings.rtmp,
            settings.hub,
            settings.access,
            settings.upstream,
            settings.http,
            settings.hls,
            settings.hls_disk,
            settings.hooks,
            settings.limits,
        )
    )


_names: dict[type, frozenset[str]] = {}


def _names_of(kind: type) -> frozenset[str]:
    """The flags that a section has, found once: vhosts may be thousands."""
    names = _names.get(kind)
    if names is None:
        names = _names[kind] = frozenset(field.name for field in dataclasses.fields(kind))
    return names


def with_values(rules: Rules, values: Mapping[str, Any]) -> Rules:
    """``rules`` with other values of flags, by their names, in all settings that have them."""
    sections: list[Any] = []
    section: Any
    for _, section in rules.items():
        names = _names_of(type(section))
        others = {name: value for name, value in values.items() if name in names}
        sections.append(dataclasses.replace(section, **others) if others else section)
    changed = Rules(sections)
    if "hls" in values or "hls_path" in values:
        is_cut = changed.of(HlsConfig).hls or bool(changed.of(DiskConfig).hls_path)  # files are cut as well
        changed = changed.with_(dataclasses.replace(changed.of(HubConfig), hls=is_cut))
    return changed


class Ruled(Protocol):
    """A node, as far as its rules are concerned."""

    rulebook: Rulebook
    units: list[ServiceUnit]


class RuleChange:
    """The part of a node that has the rulebook, which is changed as one before its streams are told.

    Attributes:
        prepared: the book that was made ready last, or is in force.
    """

    def __init__(
        self,
        node: Ruled,
        check: Callable[[Settings, UpstreamConfig], object],
        said: VhostFile | None = None,
    ) -> None:
        """Change the rules of ``node``.

        Args:
            check: raises ConfigError for an upstream of a vhost that cannot be used.
            said: the files that the book was made of.
        """
        self._node = node
        self._check = check
        self._said = said
        self.prepared = node.rulebook
        self._made: tuple[Settings, Rulebook] | None = None

    def ahead(self, new: Settings) -> None:
        """Make the new book, which takes long for many vhosts; in a thread. Raises ConfigError as ``prepare`` does."""
        book = new_rulebook(new)
        self._node.rulebook.prepare(book)
        self._made = new, book

    def prepare(self, new: Settings) -> Prepared:
        """Make the new book, unless it has been.

        Raises ConfigError where names in it mean two things, or an upstream is none.
        """
        made, self._made = self._made, None
        if made is not None and made[0] is new:
            book = made[1]
        elif new.parsed.vhosts is self._said and rules_of(new) == self._node.rulebook.root:
            self.prepared = self._node.rulebook  # a flag of other things: vhosts may be thousands
            return Prepared(lambda: None)
        else:
            book = new_rulebook(new)
            self._node.rulebook.prepare(book)
        check_upstreams(book, new, self._check)
        self.prepared = book
        return Prepared(lambda: self._take(book, new.parsed.vhosts))

    def _take(self, book: Rulebook, said: VhostFile | None) -> None:
        take_rules(self._node, book)
        self._said = said


def take_rules(node: Ruled, book: Rulebook) -> None:
    """Have other vhosts, or other settings of theirs; the streams that there are hear of these from their units."""
    replaced = node.rulebook.replace(book)
    for what, names in zip(("added", "changed", "removed"), replaced, strict=True):
        if names:
            shown = ",".join(sorted(names)[:_MAX_NAMED])
            logger.info("vhosts %s count=%d names=%s", what, len(names), shown, extra={"cause": f"{what} {shown}"})


def check_upstreams(book: Rulebook, settings: Settings, check: Callable[[Settings, UpstreamConfig], object]) -> None:
    """Have the upstreams looked at that vhosts name otherwise than the process; raises ConfigError with the vhost."""
    known = {_words(settings.upstream)}
    if all(_words(rules.of(UpstreamConfig)) in known for rules in book.all_rules()):
        return
    for vhost, rules in book.named_rules():
        config = rules.of(UpstreamConfig)
        if _words(config) in known:
            continue
        known.add(_words(config))
        try:
            check(settings, config)
        except ConfigError as error:
            raise ConfigError(f"vhost {vhost}: {error.detail}") from error


def _words(config: UpstreamConfig) -> tuple[str, str]:
    return config.proxy_to, config.proxy_lb


def new_rulebook(settings: Settings) -> Rulebook:
    """The book of a process: its vhosts are those of ``-vhost_config``. Raises ConfigError where two have a name."""
    root, said = rules_of(settings), settings.parsed.vhosts
    if said is None:
        return Rulebook(root)
    from edge.conf.settings import Configuration  # most do without
    from edge.runtime.vhosts import vhosts_of

    assert isinstance(said, Configuration)
    default_vhost = settings.hub.default_vhost
    return Rulebook(root, vhosts_of(said, root, default_vhost, with_values), default_vhost=default_vhost)
