"""Definition of flags, and what is known about each beyond its value.

The flags are absl flags in value sets of our own (``new_flags``), never in
absl's global one: that one brings debugger and profiler switches that a daemon
must not have, and a reload needs a second set beside the one in force.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Required, TypedDict, TypeVar, Unpack

from absl import flags as absl_flags

from edge.flags import parsers
from edge.flags.classes import Reload, Scope

FlagValues = absl_flags.FlagValues
ConfigType = TypeVar("ConfigType")

TOPICS: dict[str, str] = {
    "server": "Listening, connections and process",
    "rtmp": "RTMP sessions",
    "hub": "Live streams: identity, publishers, players, frame queue",
    "access": "Who may publish and play",
    "upstream": "Upstream: pull, push, merge and naming",
    "httpd": "HTTP",
    "hls": "HLS",
    "hooks": "HTTP callbacks",
    "quality": "Quality of experience",
    "tls": "TLS",
    "grpc": "HTTP/2 and gRPC",
    "builtin": "Builtin pages and statistics",
    "tracing": "Traces",
    "logging": "Logging",
    "cli": "Command line",
}
_MODULE_PREFIX = "edge.flags."


@dataclasses.dataclass(frozen=True, slots=True)
class Definition:
    """One flag.

    Attributes:
        name: with underscores, without dashes.
        default: already a value.
        help: what it does, without unit and class.
        parser: text to value; raises ``ValueError``.
        topic: key of ``TOPICS``.
        unit: ``ms``, ``bytes`` ...; "" for numbers without one and for text.
        reload: when a new value acts on the running program.
        scope: for whom it may differ.
        is_zero_off: 0 switches this limit off, of which the start-up warns.
        is_secret: its value is shown nowhere.
    """

    name: str
    default: Any
    help: str
    parser: absl_flags.ArgumentParser[Any]
    topic: str
    unit: str = ""
    reload: Reload = Reload.RESTART
    scope: Scope = Scope.PROCESS
    is_zero_off: bool = False
    is_secret: bool = False

    @property
    def is_reloadable(self) -> bool:
        """Whether a new value may be given to the running program."""
        return self.reload is not Reload.RESTART

    @property
    def kind(self) -> str:
        """``int32``, ``int64``, ``uint64``, ``string``, ``bool``, ``double``, ``list`` or ``port list``."""
        return self.parser.flag_type()

    @property
    def default_text(self) -> str:
        """The default as it would be typed."""
        return format_value(self.default)

    @property
    def range_text(self) -> str:
        """Accepted range or choices, "" when only the type bounds it."""
        match self.parser:
            case parsers.StringParser(choices=choices) if choices:
                return "|".join(choices)
            case parsers.IntegerParser(kind=kind, lower=lower, upper=upper):
                smallest, largest = parsers.INTEGER_RANGES[kind]
                if lower > smallest and upper < largest:
                    return f"{lower} to {upper}"
                return f"{lower} or more" if lower > smallest else f"{upper} or less" if upper < largest else ""
        return ""

    @property
    def full_help(self) -> str:
        """Help with unit, range and class."""
        notes = [f"unit: {self.unit}"] if self.unit else []
        notes += [f"accepts {self.range_text}"] if self.range_text else []
        notes += ["0 switches it off"] if self.is_zero_off else []
        notes.append(self.reload.note)
        notes += ["secret"] if self.is_secret else []
        return f"{self.help} ({'; '.join(notes)})"


class Options(TypedDict, total=False):
    """What may be said of a flag of any kind; see ``Definition``."""

    topic: Required[str]
    unit: str
    reload: Reload
    scope: Scope
    is_zero_off: bool
    is_secret: bool


class IntegerOptions(Options, total=False):
    """The same for integers: the least and the greatest that are accepted; None for what the kind can hold."""

    lower: int | None
    upper: int | None


_definitions: dict[str, Definition] = {}
DEFINITIONS: Mapping[str, Definition] = MappingProxyType(_definitions)


def format_value(value: Any) -> str:
    """A flag value as it would be typed after ``=``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (tuple, list)):
        return ",".join(str(item) for item in value)
    return str(value)


def without_secrets(text: str) -> str:
    """Text of a user with ``***`` for what stands behind the name of a secret flag, to be quoted in messages."""
    names = "|".join(
        definition.name.replace("_", "[-_]") for definition in _definitions.values() if definition.is_secret
    )
    return re.sub(rf"\b({names})(\s*=\s*|\s+).*", r"\1\2***", text, flags=re.DOTALL) if names else text


class _Serializer(absl_flags.ArgumentSerializer[Any]):
    """For ``flags_into_string`` and the dump of a flagfile."""

    def serialize(self, value: Any) -> str:
        return format_value(value)


def _define(
    name: str, default: Any, help: str, parser: absl_flags.ArgumentParser[Any], **options: Unpack[Options]
) -> None:
    if name in _definitions:
        raise ValueError(f"flag {name} is defined twice")
    if options["topic"] not in TOPICS:
        raise ValueError(f"flag {name}: unknown topic {options['topic']}")
    if options.get("is_zero_off") and not default:
        raise ValueError(f"flag {name}: every start would warn that it is off; say in its help what 0 means")
    _definitions[name] = Definition(name, parser.parse(default), help, parser, **options)


def _define_integer(
    kind: str,
    name: str,
    default: int,
    help: str,
    *,
    lower: int | None = None,
    upper: int | None = None,
    **options: Unpack[Options],
) -> None:
    _define(name, default, help, parsers.IntegerParser(kind, lower, upper), **options)


def define_int32(name: str, default: int, help: str, **options: Unpack[IntegerOptions]) -> None:
    """Define a 32-bit signed integer flag."""
    _define_integer("int32", name, default, help, **options)


def define_int64(name: str, default: int, help: str, **options: Unpack[IntegerOptions]) -> None:
    """Define a 64-bit signed integer flag."""
    _define_integer("int64", name, default, help, **options)


def define_uint64(name: str, default: int, help: str, **options: Unpack[IntegerOptions]) -> None:
    """Define a 64-bit unsigned integer flag."""
    _define_integer("uint64", name, default, help, **options)


def define_double(
    name: str,
    default: float,
    help: str,
    *,
    lower: float | None = None,
    upper: float | None = None,
    **options: Unpack[Options],
) -> None:
    """Define a floating-point flag."""
    _define(name, default, help, parsers.DoubleParser(lower, upper), **options)


def define_bool(name: str, default: bool, help: str, **options: Unpack[Options]) -> None:
    """Define a bool flag; ``-noNAME`` clears it."""
    _define(name, default, help, parsers.BoolParser(), **options)


def define_string(
    name: str, default: str, help: str, *, choices: tuple[str, ...] = (), **options: Unpack[Options]
) -> None:
    """Define a text flag."""
    _define(name, default, help, parsers.StringParser(choices), **options)


def define_list(name: str, default: tuple[str, ...], help: str, **options: Unpack[Options]) -> None:
    """Define a flag of comma-separated texts."""
    _define(name, default, help, parsers.ListParser(), **options)


def define_port_list(name: str, default: tuple[int, ...], help: str, **options: Unpack[Options]) -> None:
    """Define a flag of comma-separated TCP ports."""
    _define(name, default, help, parsers.PortListParser(), **options)


def new_flags() -> FlagValues:
    """A set of all flags with their defaults, ready to be read."""
    values = FlagValues()  # type: ignore[no-untyped-call]
    for definition in _definitions.values():
        flag = absl_flags.Flag(
            definition.parser,
            _Serializer(),
            definition.name,
            definition.default,
            definition.full_help,
            boolean=definition.kind == "bool",
        )
        absl_flags.DEFINE_flag(flag, values, module_name=_MODULE_PREFIX + definition.topic)
    values.mark_as_parsed()
    return values


def value_of(flags: FlagValues, name: str) -> Any:
    """The value in force, of the type that the definition names."""
    return flags[name].value


def pick(config_type: type[ConfigType], flags: FlagValues, **overrides: Any) -> ConfigType:
    """Build a config whose fields bear the names of flags; ``overrides`` win."""
    assert dataclasses.is_dataclass(config_type)
    names = [field.name for field in dataclasses.fields(config_type) if field.name not in overrides]
    return config_type(**{name: value_of(flags, name) for name in names}, **overrides)
