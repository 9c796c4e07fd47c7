"""A tree of directives as settings: values of flags for the process, and for each vhost and match those that differ.

Settings say what a file says and no more: what a vhost leaves open is the root's, whose values are those of the flags.
There is no inheritance between vhosts, as in SRS. Settings that say the same are one object.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from edge.conf.block import Block, Given, Kind
from edge.conf.findings import Finding, Findings, Level
from edge.conf.grammar import Directive, GrammarError
from edge.conf.values import words_of
from edge.flags.problem import cut
from edge.flags.registry import DEFINITIONS
from edge.flags.vhost_file import VhostFile

#: The vhost of all names that no other bears; ``_`` is the same.
DEFAULT_VHOST = "__defaultVhost__"
_DEFAULT_NAMES = frozenset({DEFAULT_VHOST, "_"})
#: Vhosts from one pause for others to the next.
SLICE = 100
_MAX_NAME = 255
_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*+\.?", re.ASCII)
_ADDRESS = re.compile(r"[0-9.]+", re.ASCII)
_STRUCTURE = ("alias", "match")
_MASK = "***"
_MAX_TOLD = 8
# At the front of a line, at the root: no directives of SRS.
_FOREIGN = re.compile(r"^(?:worker_processes[ \t]|events[ \t]*\{|http[ \t]*\{)", re.MULTILINE)
_SAYS_FOREIGN = "this is an nginx configuration; conf/hls.edge.conf of SRS is one too"


class Settings:
    """Values of flags; hashable, and equal by what they say."""

    __slots__ = ("_hash", "items")

    def __init__(self, values: Mapping[str, Hashable]) -> None:
        self.items: tuple[tuple[str, Any], ...] = tuple(sorted(values.items()))
        # True is 1, and is not: the types of flags tell them apart, and a flag has one type.
        self._hash = hash(self.items)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Settings):
            return NotImplemented
        return self is other or (self._hash == other._hash and self.items == other.items)

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Settings({dict(self.items)})"

    def __bool__(self) -> bool:
        return bool(self.items)


@dataclass(frozen=True, slots=True)
class Match:
    """Streams of a vhost with settings of their own.

    Attributes:
        given: the same values with their places.
    """

    pattern: str
    settings: Settings
    given: Mapping[str, Given]
    where: str


@dataclass(frozen=True, slots=True)
class Vhost:
    """One vhost.

    Attributes:
        name: lower-case; the default one has that of ``DEFAULT_VHOST``.
        aliases: ``name`` or ``*.name``.
        given: the values of ``settings`` with their places.
    """

    name: str
    where: str
    settings: Settings
    given: Mapping[str, Given]
    aliases: tuple[str, ...] = ()
    matches: tuple[Match, ...] = ()
    is_enabled: bool = True


@dataclass(frozen=True, slots=True)
class Configuration:
    """What files and environment say.

    Attributes:
        root: values of flags by the root of the files, ``environment`` those by ``SRS_*`` variables.
        findings: in the order found.
        files: all that were read, the first ones as they were named.
    """

    root: Mapping[str, Given] = field(default_factory=dict)
    environment: Mapping[str, Given] = field(default_factory=dict)
    vhosts: tuple[Vhost, ...] = ()
    findings: tuple[Finding, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def has_errors(self) -> bool:
        """Whether a server must not start with it."""
        return any(each.level is Level.ERROR for each in self.findings)

    @property
    def summary(self) -> str:
        """How much there is of it, in one line."""
        count = sum(each.level is Level.WARNING for each in self.findings)
        return f"loaded {len(self.vhosts)} vhosts; {count} warnings"

    def told(self, before: VhostFile | None) -> tuple[str, ...]:
        """What is another for vhosts since ``before``: a line for each setting with old and new value."""
        return told(before.vhosts if isinstance(before, Configuration) else (), self.vhosts)


class Builder:
    """Makes a configuration of directives.

    Attributes:
        findings: what is said meanwhile; whoever reads the files says here what is wrong with them.
    """

    def __init__(self, findings: Findings | None = None) -> None:
        self.findings = findings if findings is not None else Findings()
        self.result = Configuration()
        self._one: dict[Settings, Settings] = {}

    def slices(self, directives: list[Directive], environment: Mapping[str, Given] | None = None) -> Iterator[None]:
        """Make it, with a pause for the caller after some vhosts; ``result`` has it at the end."""
        vhosts: dict[str, Vhost] = {}
        block = Block(Kind.ROOT, self.findings)
        block.read([each for each in directives if each.name != "vhost"])
        yield
        named = [each for each in directives if each.name == "vhost"]
        for number, each in enumerate(named, 1):
            self._vhost(each, vhosts)
            if number % SLICE == 0:
                yield
        self._check_aliases(vhosts)
        if any(vhost.given.get("hls") and vhost.given["hls"].value for vhost in vhosts.values()):
            self._note_sessions(vhosts)
        self.result = Configuration(block.given, environment or {}, tuple(vhosts.values()), self.findings.finish())

    def _note_sessions(self, vhosts: Mapping[str, Vhost]) -> None:
        silent = [vhost for vhost in vhosts.values() if "hls" in vhost.given and "hls_user_session" not in vhost.given]
        if silent:
            message = "hls_ctx is off where it is not said (SRS: on): all viewers share playlists, which can be cached"
            self.findings.note(silent[0].given["hls"].where, message)

    # --- vhosts --------------------------------------------------------------

    def _vhost(self, directive: Directive, vhosts: dict[str, Vhost]) -> None:
        name = self._name_of(directive)
        if name is None:
            return
        if name in vhosts:
            message = f"vhost {name} is there twice; the one of {vhosts[name].where} counts"
            self.findings.warning(directive.where, message)
            return
        inside = directive.block or ()
        block = Block(Kind.VHOST, self.findings)
        block.read([each for each in inside if each.name not in _STRUCTURE])
        matches = [match for each in inside if each.name == "match" and (match := self._match(each)) is not None]
        self._note_shadows(matches)
        vhosts[name] = Vhost(
            name,
            directive.where,
            self._settings(block.given),
            block.given,
            tuple(alias for each in inside if each.name == "alias" for alias in self._aliases(each)),
            tuple(matches),
            block.is_enabled,
        )

    def _settings(self, given: Mapping[str, Given]) -> Settings:
        made = Settings({name: each.value for name, each in given.items()})
        return self._one.setdefault(made, made)

    def _name_of(self, directive: Directive) -> str | None:
        if directive.block is None:
            self.findings.error(directive.where, "vhost takes a block, in braces")
            return None
        if len(directive.args) != 1:
            self.findings.error(directive.where, "vhost takes one name; further ones are given by alias")
            return None
        (said,) = directive.args
        name = said.lower() if said not in _DEFAULT_NAMES else DEFAULT_VHOST
        fault = _fault_of_name(name) if name != DEFAULT_VHOST else ""
        if fault:
            self.findings.error(directive.where, f"vhost {cut(said)}: {fault}")
            return None
        if name != said and name != DEFAULT_VHOST:
            self.findings.note(directive.where, f"vhost {said} is {name}: names of hosts have no capitals")
        if name == "localhost" or _ADDRESS.fullmatch(name):
            message = f"vhost {name}: who asks for an address gets the default vhost, so that nobody gets this one"
            self.findings.warning(directive.where, message)
        return name

    def _aliases(self, directive: Directive) -> Iterator[str]:
        if directive.block is not None or not directive.args:
            self.findings.error(directive.where, "alias takes names")
            return
        for said in directive.args:
            name = said.lower()
            fault = _fault_of_name(name.removeprefix("*."))
            if fault:
                self.findings.error(directive.where, f"alias {cut(said)}: {fault}")
            else:
                yield name

    def _match(self, directive: Directive) -> Match | None:
        if directive.block is None or len(directive.args) != 1:
            self.findings.error(directive.where, "match takes a pattern, app/stream, and a block in braces")
            return None
        (pattern,) = directive.args
        if "/" not in pattern and "**" not in pattern:
            self.findings.error(directive.where, f"match {cut(pattern)}: a pattern is app/stream; * is any name there")
            return None
        if any(not part for part in pattern.split("/")):
            self.findings.error(directive.where, f"match {cut(pattern)}: a part is empty, which no name matches")
            return None
        for each in directive.block:
            if each.name in (*_STRUCTURE, "enabled"):
                self.findings.error(each.where, f"{each.name} belongs in a vhost, not in a match")
        block = Block(Kind.MATCH, self.findings)
        block.read([each for each in directive.block if each.name not in (*_STRUCTURE, "enabled")])
        return Match(pattern, self._settings(block.given), block.given, directive.where)

    def _note_shadows(self, matches: list[Match]) -> None:
        """Of two with one pattern, the earlier one's settings that the later one has as well never act."""
        last: dict[str, Match] = {}
        for match in matches:
            earlier = last.get(match.pattern)
            last[match.pattern] = match
            shared = sorted(earlier.given.keys() & match.given.keys()) if earlier is not None else ()
            if earlier is not None and shared:
                message = f"match {match.pattern} is there again, in {match.where}, whose {', '.join(shared)} wins"
                self.findings.note(earlier.where, message)

    def _check_aliases(self, vhosts: Mapping[str, Vhost]) -> None:
        owners: dict[str, Vhost] = {}
        for vhost in vhosts.values():
            for alias in vhost.aliases:
                owner = vhosts.get(alias) or owners.setdefault(alias, vhost)
                if owner is not vhost:
                    message = f"alias {alias} of vhost {vhost.name} is vhost {owner.name} ({owner.where})"
                    self.findings.error(vhost.where, message)
        for alias, vhost in owners.items():
            wider = next((each for each in _wider(alias) if each in owners and owners[each] is not vhost), None)
            if wider is not None:
                message = f"alias {alias} lies in {wider} of vhost {owners[wider].name}: the longer one wins"
                self.findings.note(vhost.where, message)


def _wider(alias: str) -> Iterator[str]:
    """The ``*.name`` that an alias lies in, the longest first."""
    parts = alias.removeprefix("*.").split(".")
    start = 1
    for number in range(start, len(parts)):
        yield f"*.{'.'.join(parts[number:])}"


def _fault_of_name(name: str) -> str:
    """Why a name cannot be one of a host."""
    if len(name) > _MAX_NAME:
        return f"longer than {_MAX_NAME} characters"
    if ":" in name and not name.startswith("["):
        return "a port is no part of a name"
    if "*" in name:
        return "* stands in an alias only, as *.name"
    if not _NAME.fullmatch(name):
        return "not a name of a host"
    return ""


def foreign_fault(text: str, file: str) -> GrammarError | None:
    """Says so of a file of nginx, most of whose lines would be faults."""
    found = _FOREIGN.search(text)
    return GrammarError(f"{file}:{text.count(chr(10), 0, found.start()) + 1}", _SAYS_FOREIGN) if found else None


def build(directives: list[Directive], environment: Mapping[str, Given] | None = None) -> Configuration:
    """The configuration that directives make, at once."""
    builder = Builder()
    for _ in builder.slices(directives, environment):
        pass
    return builder.result


def told(before: tuple[Vhost, ...], after: tuple[Vhost, ...]) -> tuple[str, ...]:
    """What is another for vhosts, for people: values that are secret are masked."""
    old, new = ({vhost.name: vhost for vhost in vhosts} for vhosts in (before, after))
    lines = {"added": [*new.keys() - old.keys()], "removed": [*old.keys() - new.keys()]}
    changes: dict[str, list[str]] = {f"vhost {what}": sorted(names) for what, names in lines.items() if names}
    for name in old.keys() & new.keys():
        for change in _changes(old[name], new[name]):
            changes.setdefault(change, []).append(name)
    return tuple(f"{change} ({_some(sorted(names))})" for change, names in sorted(changes.items()))


def _changes(old: Vhost, new: Vhost) -> Iterator[str]:
    if old.is_enabled is not new.is_enabled:
        yield f"enabled {words_of(old.is_enabled)} -> {words_of(new.is_enabled)}"
    if old.aliases != new.aliases:
        yield f"alias {words_of(old.aliases)} -> {words_of(new.aliases)}"
    if old.settings != new.settings:
        yield from _differences(old.settings, new.settings)
    if old.matches or new.matches:
        before, after = ({match.pattern: match.settings for match in each.matches} for each in (old, new))
        if list(before) != list(after):
            yield f"match {words_of(tuple(before))} -> {words_of(tuple(after))}"
        for pattern in before.keys() & after.keys():
            yield from (f"match {pattern}: {change}" for change in _differences(before[pattern], after[pattern]))


def _differences(old: Settings, new: Settings) -> Iterator[str]:
    before, after = dict(old.items), dict(new.items)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            shown = [_shown(name, values[name]) if name in values else "unset" for values in (before, after)]
            yield f"{name} {shown[0]} -> {shown[1]}"


def _shown(name: str, value: Any) -> str:
    return _MASK if DEFINITIONS[name].is_secret else cut(words_of(value))


def _some(names: list[str]) -> str:
    """Names for people, not too many."""
    return ", ".join(names[:_MAX_TOLD]) + (f" and {len(names) - _MAX_TOLD} more" if len(names) > _MAX_TOLD else "")
