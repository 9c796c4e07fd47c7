"""One block of a configuration, the root, a vhost or a ``match``, as values of flags."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import Enum
from typing import Any

from edge.conf.findings import Findings
from edge.conf.grammar import Directive
from edge.conf.special import FINISHERS, OFF_FLAGS, SIMPLE, Rank, Special
from edge.conf.srs_names import ROOT_TABLE, SRS_MEANING, VHOST_TABLE, Effect, Name, Takes
from edge.conf.values import for_flag, is_offered, own_value, srs_value
from edge.flags.classes import Scope
from edge.flags.problem import cut
from edge.flags.registry import DEFINITIONS

# These say how a command line is read, so they stand there.
_OF_READING = "cli"


class Kind(Enum):
    """Which block; the values are words for people."""

    ROOT = "at the root"
    VHOST = "in a vhost"
    MATCH = "in a match"


@dataclass(frozen=True, slots=True)
class Given:
    """A value with the place that gives it, and the one that a dump says it came from."""

    value: Any
    where: str
    origin: str
    rank: Rank = Rank.GIVEN


class Block:
    """Reads one block.

    Attributes:
        given: values by flag.
        is_enabled: of a vhost.
        special: what the handlers of ``edge.conf.special`` have been left, by their names.
    """

    def __init__(self, kind: Kind, findings: Findings) -> None:
        self.kind, self.findings = kind, findings
        self.given: dict[str, Given] = {}
        self.is_enabled = True
        self.special: dict[str, list[Special]] = {}
        self._table = ROOT_TABLE if kind is Kind.ROOT else VHOST_TABLE
        self._seen: dict[str, str] = {}

    def read(self, directives: list[Directive]) -> None:
        """Take all of them."""
        for each in directives:
            self._take(each, each.name)
        for finish in FINISHERS:
            finish(self)

    # --- directives ----------------------------------------------------------

    def _take(self, directive: Directive, path: str, *, is_off: bool = False, is_absent: bool = False) -> None:
        """``is_off``: it stands in a section that is switched off; ``is_absent``: in one that is not offered."""
        row = self._table.get((path, directive.block is not None))
        if row is None:
            self._without_row(directive, path)
            return
        if not row.is_list and not is_off:
            first = self._seen.get(path)
            if first is not None:
                self.findings.warning(directive.where, f"{path} is given again; the one of {first} counts")
                return
            self._seen[path] = directive.where
        if row.takes is Takes.BLOCK:
            self._section(row, directive, is_off=is_off, is_absent=is_absent)
        else:
            self._value(row, directive, is_off=is_off, is_absent=is_absent)

    def _section(self, row: Name, directive: Directive, *, is_off: bool, is_absent: bool) -> None:
        is_enabled = self._is_enabled(row, directive)
        if not is_enabled and not is_off:
            self.findings.off_count += 1
            for flag in OFF_FLAGS.get(row.how, ()):
                self.give(flag or row.flag, False, directive)
        is_off = is_off or not is_enabled
        is_told = is_absent and row.effect is not Effect.MORE
        if not is_off and not is_told and (row.is_opaque or self.lacks(row)):
            self.effect(row, directive)
        if row.is_opaque:
            return
        if not is_off and row.how and not self.lacks(row):
            self.special.setdefault(row.how, []).append(Special(row, directive, True))
        is_absent = is_absent or self.lacks(row)
        for each in directive.block or ():
            if each.name != "enabled" or each.block is not None or not row.default:
                self._take(each, f"{row.path}/{each.name}", is_off=is_off, is_absent=is_absent)

    def _is_enabled(self, row: Name, directive: Directive) -> bool:
        """Whether a section is on; one that says it badly is taken for off, and told."""
        if not row.default:
            return True
        said = directive.find("enabled")
        if said is None:
            return row.default == "on"
        try:
            return bool(srs_value(Name("enabled", Takes.SWITCH, default=row.default), said.args))
        except ValueError as error:
            self.findings.error(said.where, f"{row.path}: {cut(said.text)}: {error}")
            return False

    def _value(self, row: Name, directive: Directive, *, is_off: bool, is_absent: bool) -> None:
        try:
            value = srs_value(row, directive.args)
        except ValueError as error:
            if row.effect not in (Effect.NOTED, Effect.HOST) or row.flag or row.how:
                self.findings.error(directive.where, f"{self._shown(row, directive)}: {error}")
                return
            value = directive.args
        if is_off:
            return
        if (row.flag and not is_offered(row)) or not (row.flag or row.how):
            is_told = is_absent or " ".join(directive.args) in row.harmless
            if not is_told:
                self.effect(row, directive)
        elif row.how in SIMPLE:
            for flag, simple, rank in SIMPLE[row.how](value):
                self.give(flag or row.flag, simple, directive, rank)
        elif row.how:
            self.special.setdefault(row.how, []).append(Special(row, directive, value))
        else:
            self.give(row.flag, value, directive, is_list=row.is_list)

    # --- what comes of them ---------------------------------------------------

    def lacks(self, row: Name) -> bool:
        """Whether what a section is about is not offered."""
        if row.flag:
            return not is_offered(row)
        return row.effect in (Effect.LESS, Effect.MORE)

    def effect(self, row: Name, directive: Directive) -> None:
        """Say what it means that a directive does nothing."""
        said = f"{row.path} is not offered: {row.says}" if row.says else f"{row.path} is not offered"
        if row.harmless and row.takes is not Takes.SWITCH:
            said = f"{self._shown(row, directive)} is not offered: {row.says}"
        match row.effect:
            case Effect.LESS:
                self.findings.warning(directive.where, said)
            case Effect.MORE:
                self.findings.error(directive.where, said)
            case Effect.HOST:
                self.findings.count(self.findings.host, row.path, directive.where)
            case Effect.NOTED:
                self.findings.count(self.findings.noted, row.path, directive.where)

    def give(
        self, flag: str, value: Any, directive: Directive, rank: Rank = Rank.GIVEN, *, is_list: bool = False
    ) -> None:
        """Have a flag get a value, unless it has one that counts more."""
        definition = DEFINITIONS[flag]
        if self.kind is not Kind.ROOT and definition.scope is not Scope.VHOST:
            self.findings.error(directive.where, f"{cut(directive.text)}: -{flag} is one for all vhosts")
            return
        known = self.given.get(flag)
        if is_list and known is not None and known.rank == rank:
            value = (*known.value, *value)
        elif known is not None and known.rank <= rank:
            if known.rank == rank and rank is Rank.GIVEN:
                message = f"{cut(directive.text)}: -{flag} is given again; the one of {known.where} counts"
                self.findings.warning(directive.where, message)
            return
        try:
            value = for_flag(definition, value)
        except ValueError as error:
            self.findings.error(directive.where, f"{cut(directive.text)}: {error}")
            return
        where = known.where if is_list and known is not None else directive.where
        self.given[flag] = Given(value, where, directive.origin or where, rank)

    def _without_row(self, directive: Directive, path: str) -> None:
        """A plain name of a flag, or one that nobody knows."""
        definition = DEFINITIONS.get(path)
        is_block = directive.block is not None
        if definition is None or is_block or path in SRS_MEANING:
            self._unknown(directive, path)
            return
        if definition.topic == _OF_READING:
            self.findings.error(directive.where, f"-{path} stands on the command line only")
            return
        first = self._seen.get(f"-{path}")
        if first is not None:
            self.findings.warning(directive.where, f"{path} is given again; the one of {first} counts")
            return
        self._seen[f"-{path}"] = directive.where
        try:
            value = own_value(definition, directive)
        except ValueError as error:
            shown = path if definition.is_secret else cut(directive.text)
            self.findings.error(directive.where, f"{shown}: {error}")
            return
        self.give(path, value, directive)

    def _unknown(self, directive: Directive, path: str) -> None:
        section, _, name = path.rpartition("/")
        place = f"in {section}" if section else self.kind.value
        if (path, directive.block is None) in self._table:
            what = "takes no block" if directive.block is not None else "takes a block, in braces"
            self.findings.error(directive.where, f"{path} {what}")
            return
        if self.kind is Kind.ROOT and any((path, is_block) in VHOST_TABLE for is_block in (True, False)):
            self.findings.error(directive.where, f"{cut(name)} belongs in a vhost")
            return
        hint = ""
        if self.findings.may_look_for_names:
            known = {row.name for row in self._table.values() if row.path.rpartition("/")[0] == section}
            if not section:
                known |= set(DEFINITIONS)
            found = difflib.get_close_matches(name, known, n=1)
            hint = f": did you mean {found[0]}?" if found else ""
        self.findings.error(directive.where, f'unknown directive "{cut(name)}" {place}{hint}')

    @staticmethod
    def _shown(row: Name, directive: Directive) -> str:
        """The directive for people."""
        if row.is_secret:
            return row.path
        section = row.path.rpartition("/")[0]
        return f"{section}: {cut(directive.text)}" if section else cut(directive.text)
