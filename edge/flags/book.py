"""The flags of a process that runs: their values, who gave them, and what another reading of them would change.

Nothing here puts a value into force: a ``Change`` says how all flags would be, and whoever has put them into force
tells the book (``edge.runtime.reload``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import Enum

from edge.flags.classes import Reload
from edge.flags.gflags import Parsed
from edge.flags.not_acted_on import NOT_ACTED_ON
from edge.flags.problem import cut
from edge.flags.registry import DEFINITIONS, Definition, format_value, new_flags, value_of

MASK = "***"
#: Characters of a value that an answer or the log repeats.
_SHOWN_CHARS = 256
# These say how a command line is read, and once it has been read mean nothing.
_OF_READING = "cli"


@dataclass(frozen=True, slots=True)
class FlagFacts:
    """A flag as pages show it.

    Attributes:
        value: as it would be typed; masked where it is a secret, or bears one.
        is_reloadable: a page may change it.
        reload: its class, a word of ``edge.flags.classes.Reload``.
        is_acted_on: it does something.
        origin: ``default``, ``command line``, ``FILE:LINE``, ``environment FLAGS_x`` or ``page PEER``.
        after_restart: another value that the files have for it by now, of one that is read at the start; else None.
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
    reload: str
    is_acted_on: bool
    origin: str
    after_restart: str | None = None


class Why(Enum):
    """Why a flag cannot be set to a value."""

    UNKNOWN = "unknown"
    #: Not while the program runs, or not by those who ask.
    NOT_NOW = "not_now"
    BAD_VALUE = "bad_value"


@dataclass(frozen=True, slots=True)
class Refused:
    """A value that a flag is not given; the text is brpc's where brpc has one."""

    why: Why
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """All flags as they would be.

    Attributes:
        changed: those whose value in force becomes another.
        kept: those that were set while the program ran, and for which the files say something else than they did.
        waiting: those that are read at the start, and for which the files say something else than what is in force;
            with the value that the files have.
        vhosts: what is another for vhosts, for people.
    """

    parsed: Parsed
    changed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    waiting: dict[str, object] = field(default_factory=dict)
    files: Parsed | None = None
    by_hand: frozenset[str] = frozenset()
    vhosts: tuple[str, ...] = ()

    @property
    def is_any(self) -> bool:
        """Somebody has to be told."""
        return bool(self.changed or self.vhosts)


class FlagBook:
    """Flags with their values and origins."""

    def __init__(self, parsed: Parsed, *, is_immutable: bool = False, mask: Callable[[str], str] = str) -> None:
        """Take the flags that a process has started with.

        Args:
            is_immutable: no page changes any.
            mask: makes of a value one without the secrets that an address may bear.
        """
        self._mask = mask
        self._parsed = self._files = parsed
        self._by_hand: frozenset[str] = frozenset()
        self._waiting: dict[str, object] = {}
        self.is_immutable = is_immutable

    @property
    def in_force(self) -> Parsed:
        """The flags as the program runs with them."""
        return self._parsed

    @property
    def set_by_hand(self) -> frozenset[str]:
        """Those that were set while the program ran, and not saved since."""
        return self._by_hand

    def facts(self) -> list[FlagFacts]:
        """All flags, by name."""
        return [self._facts(definition) for _, definition in sorted(DEFINITIONS.items())]

    def _facts(self, definition: Definition) -> FlagFacts:
        name = definition.name
        value = value_of(self._parsed.flags, name)
        return FlagFacts(
            name=name,
            value=self._shown(definition, value),
            default=self._shown(definition, definition.default),
            kind=definition.kind,
            unit=definition.unit,
            help=definition.help,
            topic=definition.topic,
            is_default=value == definition.default,
            is_reloadable=is_settable(definition),
            reload=definition.reload.value,
            is_acted_on=name not in NOT_ACTED_ON,
            origin=self._parsed.where(name),
            after_restart=self._shown(definition, self._waiting[name]) if name in self._waiting else None,
        )

    def _shown(self, definition: Definition, value: object) -> str:
        text = format_value(value)
        return MASK if definition.is_secret and text else self._mask(text)

    def with_value(self, name: str, text: str, origin: str) -> Change | Refused:
        """How the flags would be with the value that ``text`` is; ``origin`` says who gives it."""
        refused = self._refusal(name)
        if refused is not None:
            return refused
        definition = DEFINITIONS[name]
        parsed = _copy(self._parsed)
        try:
            value = definition.parser.parse(text)
        except ValueError as error:
            return Refused(Why.BAD_VALUE, failure_text(name, text, str(error)))
        parsed.flags[name].value = value
        parsed.origins[name] = origin
        changed = (name,) if value != value_of(self._parsed.flags, name) else ()
        return Change(parsed, changed, (), self._waiting, self._files, self._by_hand | {name})

    def _refusal(self, name: str) -> Refused | None:
        if not name:
            return Refused(Why.UNKNOWN, "Require gflag name")
        if name not in DEFINITIONS:
            return Refused(Why.UNKNOWN, "No such gflag")
        if self.is_immutable:
            return Refused(Why.NOT_NOW, f"Cannot modify `{name}' because -immutable_flags is on")
        if not is_settable(DEFINITIONS[name]):
            return Refused(Why.NOT_NOW, "A reloadable gflag must have validator")
        return None

    def with_files(self, read: Parsed) -> Change:
        """How the flags would be after the command line and its files have been ``read`` again.

        What has been set by hand stays, and so does what is read at the start.
        """
        parsed = Parsed(new_flags(), {}, flagfiles=read.flagfiles, arguments=read.arguments, vhosts=read.vhosts)
        changed: list[str] = []
        kept: list[str] = []
        waiting: dict[str, object] = {}
        for name, definition in DEFINITIONS.items():
            now, then = value_of(self._parsed.flags, name), value_of(read.flags, name)
            is_new, source = then != now, read
            if name in self._by_hand:
                source = self._parsed
                if is_new and then != value_of(self._files.flags, name):
                    kept.append(name)
            elif is_new and definition.reload is Reload.RESTART and definition.topic != _OF_READING:
                source = self._parsed
                waiting[name] = then
            elif is_new:
                changed.append(name)
            parsed.flags[name].value = value_of(source.flags, name)
            if name in source.origins:
                parsed.origins[name] = source.origins[name]
        before = self._parsed.vhosts
        told = read.vhosts.told(before) if read.vhosts is not None else ()
        vhosts = tuple(self._mask(line) for line in told)
        if read.vhosts is None and before is not None:
            vhosts = ("no vhosts any more",)
        return Change(parsed, tuple(sorted(changed)), tuple(sorted(kept)), waiting, read, self._by_hand, vhosts)

    def take(self, change: Change) -> None:
        """The flags of ``change`` are in force."""
        self._parsed, self._waiting, self._by_hand = change.parsed, change.waiting, change.by_hand
        if change.files is not None:
            self._files = change.files

    def saved(self, names: Collection[str], read: Parsed) -> None:
        """What ``names`` have now stands in the files, as ``read`` has them."""
        self._by_hand -= frozenset(names)
        for name in names:
            self._parsed.origins[name] = read.where(name)
        self._files = read

    def told(self, change: Change) -> list[tuple[str, str, str]]:
        """Name, old and new value of what ``change`` changes, for people; secrets are masked."""
        found = []
        for name in change.changed:
            definition = DEFINITIONS[name]
            values = (value_of(parsed.flags, name) for parsed in (self._parsed, change.parsed))
            before, after = (visible(self._shown(definition, value)) for value in values)
            found.append((name, before, after))
        return found


def is_settable(definition: Definition) -> bool:
    """Whether a new value acts while the program runs."""
    return definition.is_reloadable and definition.name not in NOT_ACTED_ON


def named_value(name: str, text: str) -> str:
    """What somebody gives a flag, to be repeated to people."""
    return MASK if name in DEFINITIONS and DEFINITIONS[name].is_secret else visible(text)


def failure_text(name: str, text: str, why: str) -> str:
    """That a value was refused, in brpc's words with ours behind them."""
    return f"Fail to set `{name}' to {named_value(name, text)}: {visible(why)}"


def _copy(parsed: Parsed) -> Parsed:
    copy = Parsed(
        new_flags(),
        dict(parsed.origins),
        flagfiles=parsed.flagfiles,
        arguments=parsed.arguments,
        vhosts=parsed.vhosts,
    )
    for name in DEFINITIONS:
        copy.flags[name].value = value_of(parsed.flags, name)
    return copy


def visible(text: str) -> str:
    """Text of a user on one line, not too long."""
    line = "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text[: _SHOWN_CHARS + 1])
    return cut(line)
