"""Rules of streams, made of flags: those of the process, and what a vhost says otherwise."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edge.hls.config import HlsConfig
from edge.hls_disk.config import DiskConfig
from edge.hub.config import HubConfig
from edge.runtime.reload import Prepared
from edge.service.rules import Rulebook, Rules

if TYPE_CHECKING:
    from edge.flags.vhost_file import VhostFile
    from edge.runtime.settings import Settings


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


class RuleChange:
    """The part of a node that has the rulebook, which is changed as one before its streams are told.

    Attributes:
        prepared: the book that was made ready last, or is in force.
    """

    def __init__(self, rulebook: Rulebook, said: VhostFile | None = None) -> None:
        """``said``: the files that the book was made of."""
        self._rulebook, self._said = rulebook, said
        self.prepared = rulebook
        self._made: tuple[Settings, Rulebook] | None = None

    def ahead(self, new: Settings) -> None:
        """Make the new book, which takes long for many vhosts; in a thread. Raises ConfigError as ``prepare`` does."""
        book = new_rulebook(new)
        self._rulebook.prepare(book)
        self._made = new, book

    def prepare(self, new: Settings) -> Prepared:
        """Make the new book, unless it has been; raises ConfigError where names in it mean two things."""
        made, self._made = self._made, None
        if made is not None and made[0] is new:
            book = made[1]
        elif new.parsed.vhosts is self._said and rules_of(new) == self._rulebook.root:
            self.prepared = self._rulebook  # a flag of other things: vhosts may be thousands
            return Prepared(lambda: None)
        else:
            book = new_rulebook(new)
            self._rulebook.prepare(book)
        self.prepared = book
        return Prepared(lambda: self._take(book, new.parsed.vhosts))

    def _take(self, book: Rulebook, said: VhostFile | None) -> None:
        self._rulebook.replace(book)
        self._said = said


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
