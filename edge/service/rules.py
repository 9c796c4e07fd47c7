"""Settings of streams by their vhost: which vhost a name means, and what holds for each of its streams.

The settings are the frozen configurations of the rooms that read them, and are known here by their types only.
A stream looks its rules up once and holds them. A reload makes a new book beside the old one and swaps one
reference; rules that say the same are one object, so who holds the one that it would get has nothing to change.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from edge.errors import ConfigError
from edge.hub.key import StreamKey
from edge.service.pattern import StreamPattern

Section = TypeVar("Section")

#: Streams whose patterns have been gone through lately.
_CACHED_STREAMS = 4096


class Rules:
    """What holds for some streams: one frozen value of each configuration; equal if all of these are."""

    __slots__ = ("_hash", "_sections")

    def __init__(self, sections: Iterable[object] = ()) -> None:
        """``sections``: hashable values, each of a type of its own; the last of a type counts."""
        self._sections: dict[type, Any] = {type(section): section for section in sections}
        self._hash = hash(frozenset(self._sections.values()))

    def of(self, section: type[Section]) -> Section:
        """The settings of a room, by the type of its configuration; of one that is not told of its defaults."""
        found: Section | None = self._sections.get(section)
        return found if found is not None else section()

    def items(self) -> list[tuple[type, object]]:
        """All settings with their types."""
        return list(self._sections.items())

    def put(self, kind: type, section: object) -> None:
        """Have another object that says the same."""
        self._sections[kind] = section

    def with_(self, *sections: object) -> Rules:
        """The same with other values of these."""
        return Rules((*self._sections.values(), *sections))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rules):
            return NotImplemented
        return self is other or (self._hash == other._hash and self._sections == other._sections)

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Rules({', '.join(map(repr, self._sections.values()))})"


class Match(NamedTuple):
    """Streams of a vhost that have settings of their own.

    Attributes:
        pattern: of the streams, see ``StreamPattern``.
        settings: what it says, as whoever makes rules of it knows it.
    """

    pattern: str
    settings: Hashable


class Vhost(NamedTuple):
    """One vhost.

    Attributes:
        name: as streams bear it; the one of all other names bears that of ``-default_vhost``.
        rules: of its streams that no pattern takes.
        aliases: names that mean it: ``name`` or ``*.name``, which stands for all below it.
        matches: in their order; a later one wins.
        rules_of_matches: makes the rules of streams of the settings of all matches that take them; called once for
            each match by itself, and for each combination that comes up. It raises nothing.
        is_enabled: False refuses everybody.
    """

    name: str
    rules: Rules
    aliases: tuple[str, ...] = ()
    matches: tuple[Match, ...] = ()
    rules_of_matches: Callable[[tuple[Hashable, ...]], Rules] | None = None
    is_enabled: bool = True


class Replaced(NamedTuple):
    """What another book has brought, by names of vhosts.

    Attributes:
        changed: other rules for some of its streams, or other aliases.
        removed: not there any more, or not enabled.
    """

    added: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()


class _Interned:
    """Equal rules are one object, and so are equal sections."""

    def __init__(self) -> None:
        self._rules: dict[Rules, Rules] = {}
        self._sections: dict[tuple[type, object], object] = {}
        self._known: dict[int, object] = {}  # by identity, which is quicker to find

    def one(self, rules: Rules) -> Rules:
        """The one that says the same."""
        known = self._rules.get(rules)
        if known is None:
            known = self._rules[rules] = rules
            for kind, section in rules.items():
                if id(section) not in self._known:
                    same = self._sections.setdefault((kind, section), section)
                    self._known[id(same)] = same
                    rules.put(kind, same)
        return known


class _Entry:
    """A vhost as it is looked up."""

    __slots__ = ("_interned", "_made", "_of_matches", "patterns", "rules", "vhost")

    def __init__(self, vhost: Vhost, interned: _Interned) -> None:
        self.vhost = vhost
        self.patterns = tuple(StreamPattern(match.pattern) for match in vhost.matches)
        make = vhost.rules_of_matches
        singly = [(match.settings,) for match in vhost.matches]
        self._of_matches = [(settings, make(settings)) for settings in singly] if make is not None else []
        self.adopt(interned)

    def adopt(self, interned: _Interned) -> None:
        """Have rules that are one with all of these."""
        self._interned = interned
        self.rules = interned.one(self.vhost.rules)
        # Of vhosts without patterns it stays empty: they may be many.
        self._made: dict[tuple[Hashable, ...], Rules] = {
            settings: interned.one(rules) for settings, rules in self._of_matches
        }

    def made(self) -> Iterator[Rules]:
        """Those that some stream has got or, by one match, may get."""
        yield self.rules
        yield from list(self._made.values())  # while others may come

    def rules_of(self, text: str) -> Rules:
        """The rules of an ``app/stream``."""
        pairs = zip(self.patterns, self.vhost.matches, strict=True)
        settings = tuple(match.settings for pattern, match in pairs if pattern.matches(text))
        if not settings:
            return self.rules
        rules = self._made.get(settings)
        if rules is None:
            make = self.vhost.rules_of_matches
            rules = self._made[settings] = self._interned.one(make(settings)) if make is not None else self.rules
        return rules


class _Tables:
    """What a book has for lookups, swapped as one.

    Attributes:
        vhosts: by name; empty where names mean nothing and all streams have the rules of the root.
        names: of vhosts by every name that means them, and ``below`` by what stands behind a ``*``.
    """

    def __init__(self, root: Rules, vhosts: Iterable[Vhost], default_vhost: str) -> None:
        interned = _Interned()
        self.root = interned.one(root)
        self.default_vhost = default_vhost
        self.vhosts: dict[str, _Entry] = {}
        self.names: dict[str, str] = {}
        self.below: dict[str, str] = {}
        for vhost in vhosts:
            if vhost.name in self.vhosts:
                raise ConfigError(f"there are two vhosts {vhost.name}")
            try:
                self.vhosts[vhost.name] = _Entry(vhost, interned)
            except ValueError as error:
                raise ConfigError(f"vhost {vhost.name}: {error}") from error
            self.names[vhost.name] = vhost.name
        for entry in self.vhosts.values():
            for alias in entry.vhost.aliases:
                names, name = (self.below, alias[1:]) if alias.startswith("*.") else (self.names, alias)
                owner = names.setdefault(name, entry.vhost.name)
                if owner != entry.vhost.name:
                    raise ConfigError(f"alias {alias} of vhost {entry.vhost.name} means vhost {owner}")
        self.different = self._different()
        self.adopted: _Tables | None = None
        self.matched = lru_cache(_CACHED_STREAMS)(self._match)

    def _match(self, name: str, app: str, stream_name: str) -> Rules:
        return self.vhosts[name].rules_of(f"{app}/{stream_name}")

    def entry_of(self, name: str) -> _Entry | None:
        """The vhost that a name means, None if it is refused."""
        known = self.names.get(name)
        if known is None:
            known = self._above(name) or self.default_vhost
        entry = self.vhosts.get(known)
        return entry if entry is not None and entry.vhost.is_enabled else None

    def _above(self, name: str) -> str | None:
        """By the longest ``*.name`` above it."""
        if not self.below:
            return None
        dot = name.find(".")
        while dot >= 0:
            found = self.below.get(name[dot:])
            if found is not None:
                return found
            dot = name.find(".", dot + 1)
        return None

    def adopt(self, old: _Tables) -> None:
        """Take the objects of the book before for what is equal; what nobody has any more is let go with it."""
        if self.adopted is old:
            return
        interned = _Interned()
        before = (old.root, *(rules for entry in old.vhosts.values() for rules in entry.made()))
        for rules in before:
            interned.one(rules)
        self.root = interned.one(self.root)
        for entry in self.vhosts.values():
            entry.adopt(interned)
        self.matched.cache_clear()
        self.different = self._different()
        self.adopted = old

    def _different(self) -> tuple[Rules, ...]:
        """All rules, those that are one object once: of thousands of vhosts there may be few."""
        every = (self.root, *(rules for entry in self.vhosts.values() for rules in entry.made()))
        return tuple({id(rules): rules for rules in every}.values())


class Rulebook:
    """The rules of all streams of a node; without vhosts one for all of them."""

    def __init__(self, root: Rules, vhosts: Iterable[Vhost] = (), *, default_vhost: str = "_") -> None:
        """``root``: of all streams where there is no vhost, else of what is of none.

        Raises:
            ConfigError: two vhosts have a name in common, or a pattern is none.
        """
        self._tables = _Tables(root, vhosts, default_vhost)

    @property
    def root(self) -> Rules:
        """What holds where no vhost is known."""
        return self._tables.root

    @property
    def has_vhosts(self) -> bool:
        """Names mean vhosts, and those that mean none are refused."""
        return bool(self._tables.vhosts)

    @property
    def vhosts(self) -> list[Vhost]:
        """Those that there are, in their order."""
        return [entry.vhost for entry in self._tables.vhosts.values()]

    def named_rules(self) -> Iterator[tuple[str, Rules]]:
        """Those of each vhost with its name, and of each of its matches by itself; of what is of none, with ""."""
        yield "", self.root
        for entry in list(self._tables.vhosts.values()):
            for rules in entry.made():
                yield entry.vhost.name, rules

    def all_rules(self) -> list[Rules]:
        """The same without names, each once; made when the book is, so that it takes no time for many vhosts."""
        return list(self._tables.different)

    def vhost_of(self, name: str) -> str | None:
        """The vhost that a name means: it itself, by an alias, the longest ``*.name``, or the default one.

        None: nobody is served there. Where there is no vhost every name is one.
        """
        tables = self._tables
        if not tables.vhosts:
            return name
        entry = tables.entry_of(name)
        return entry.vhost.name if entry is not None else None

    def rules_at(self, name: str) -> Rules | None:
        """What holds for connections to a vhost, of which it is not known yet what they are for; None: refused."""
        tables = self._tables
        if not tables.vhosts:
            return tables.root
        entry = tables.entry_of(name)
        return entry.rules if entry is not None else None

    def rules_of(self, key: StreamKey) -> Rules | None:
        """The rules of a stream; None if nobody is served at its vhost."""
        tables = self._tables
        if not tables.vhosts:
            return tables.root
        entry = tables.entry_of(key.vhost)
        if entry is None or not entry.patterns:
            return entry.rules if entry is not None else None
        return tables.matched(entry.vhost.name, key.app, key.stream_name)

    def prepare(self, new: Rulebook) -> None:
        """Have the longer part of ``replace`` done, which changes nothing and may be done in a thread."""
        new._tables.adopt(self._tables)

    def replace(self, new: Rulebook) -> Replaced:
        """Have what ``new`` has, which is not to be used itself from then on.

        Rules that say what those before said are the objects that there were.
        """
        old, tables = self._tables, new._tables
        tables.adopt(old)
        tables.adopted = None
        self._tables = tables
        before = {name: entry for name, entry in old.vhosts.items() if entry.vhost.is_enabled}
        after = {name: entry for name, entry in tables.vhosts.items() if entry.vhost.is_enabled}
        changed = {name for name in before.keys() & after.keys() if _differ(before[name], after[name])}
        return Replaced(
            frozenset(after.keys() - before.keys()), frozenset(changed), frozenset(before.keys() - after.keys())
        )


def _differ(old: _Entry, new: _Entry) -> bool:
    """Whether some stream or some name may have got others."""
    before, after = old.vhost, new.vhost
    return old.rules is not new.rules or before.aliases != after.aliases or before.matches != after.matches


def one_for_all(*sections: object) -> Rulebook:
    """A book without vhosts."""
    return Rulebook(Rules(sections))
