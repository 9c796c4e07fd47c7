"""The flags of a process that runs: which value each has and who gave it, and the changing of those that may change."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from edge.flags.gflags import Parsed
from edge.flags.not_acted_on import NOT_ACTED_ON
from edge.flags.problem import Problem, cut
from edge.flags.registry import DEFINITIONS, Definition, format_value, new_flags, value_of

logger = logging.getLogger(__name__)

MASK = "***"
#: Characters of a value that an answer or the log repeats.
_SHOWN_CHARS = 256


@dataclass(frozen=True, slots=True)
class FlagFacts:
    """A flag as pages show it.

    Attributes:
        value: as it would be typed; masked where the flag is a secret.
        is_reloadable: a page may change it, and the change acts at once.
        is_acted_on: it does something.
        origin: ``default``, ``command line``, ``FILE:LINE``, ``environment FLAGS_x`` or ``page PEER``.
    """

    name: str
    value: str
    default: str
    kind: str
    unit: str
    help: str
    topic: str
    is_default: bool
    is_reloadable: bool
    is_acted_on: bool
    origin: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a change: the status of HTTP and the text that brpc gives."""

    status: int
    text: str


class FlagBook:
    """Flags with their values and origins."""

    def __init__(
        self,
        parsed: Parsed,
        *,
        live: Collection[str],
        check: Callable[[Parsed], Iterable[Problem]],
        apply: Callable[[Parsed], None],
        is_immutable: bool = False,
    ) -> None:
        """Take the flags that a process has started with.

        Args:
            live: flags whose change acts at once.
            check: what speaks against all flags together; warnings do not.
            apply: puts flags into force.
            is_immutable: nothing may be changed (``-immutable_flags``).
        """
        self._parsed = parsed
        self._live = frozenset(live)
        self._check = check
        self._apply = apply
        self._is_immutable = is_immutable

    def facts(self) -> list[FlagFacts]:
        """All flags, by name."""
        return [self._facts(definition) for _, definition in sorted(DEFINITIONS.items())]

    def _facts(self, definition: Definition) -> FlagFacts:
        name = definition.name
        value = value_of(self._parsed.flags, name)
        return FlagFacts(
            name=name,
            value=_shown(definition, value),
            default=_shown(definition, definition.default),
            kind=definition.kind,
            unit=definition.unit,
            help=definition.help,
            topic=definition.topic,
            is_default=value == definition.default,
            is_reloadable=name in self._live,
            is_acted_on=name not in NOT_ACTED_ON,
            origin=self._parsed.where(name),
        )

    def set(self, name: str, text: str, peer: str) -> Outcome:
        """Give a flag the value that ``text`` is, for who asks from ``peer``; nothing changes unless all is well."""
        refusal = self._refusal(name)
        if refusal is not None:
            return refusal
        definition = DEFINITIONS[name]
        named = MASK if definition.is_secret else _visible(text)
        origins = {**self._parsed.origins, name: f"page {peer}"}
        candidate = Parsed(new_flags(), origins, flagfiles=self._parsed.flagfiles)
        for other in DEFINITIONS:
            candidate.flags[other].value = value_of(self._parsed.flags, other)
        try:
            candidate.flags[name].value = definition.parser.parse(text)
        except ValueError as error:
            return Outcome(403, f"Fail to set `{name}' to {named}: {_visible(str(error))}")
        faults = [problem.message for problem in self._check(candidate) if not problem.is_warning]
        if faults:
            return Outcome(403, f"Fail to set `{name}' to {named}: {_visible(faults[0])}")
        before = _shown(definition, value_of(self._parsed.flags, name))
        self._apply(candidate)
        self._parsed = candidate
        now = _visible(_shown(definition, value_of(candidate.flags, name)))
        text = "flag changed name=%s peer=%s old=%s new=%s"
        logger.warning(text, name, peer, _visible(before), now, extra={"cause": f"{name}={now}"})
        return Outcome(200, f"Set `{name}' to {named}")

    def _refusal(self, name: str) -> Outcome | None:
        if not name:
            return Outcome(404, "Require gflag name")
        if name not in DEFINITIONS:
            return Outcome(404, "No such gflag")
        if self._is_immutable:
            return Outcome(403, f"Cannot modify `{name}' because -immutable_flags is on")
        if name not in self._live:
            return Outcome(403, "A reloadable gflag must have validator")
        return None


def _shown(definition: Definition, value: object) -> str:
    text = format_value(value)
    return MASK if definition.is_secret and text else text


def _visible(text: str) -> str:
    """Text of a user on one line, not too long."""
    line = "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text[: _SHOWN_CHARS + 1])
    return cut(line)
