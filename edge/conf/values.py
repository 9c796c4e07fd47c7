"""Words of a directive as values: of SRS's kinds, and of our flags. Strict where SRS guesses; all raise ValueError."""

from __future__ import annotations

import posixpath
import re
from typing import Any

from edge.conf.grammar import Directive
from edge.conf.srs_names import CHOICES, Name, Takes
from edge.flags.registry import DEFINITIONS, Definition, format_value

_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,9})?", re.ASCII)
_SWITCH = {"on": True, "off": False}

#: Flags that name files and folders; what one says in a file is relative to that file.
PATHS = frozenset(
    {
        *("certificate", "private_key", "pid_file", "port_file", "log_dir", "hls_path", "upgrade_socket", "takeover"),
        *("ns_ca_file", "ns_cert_file", "ns_key_file", "consul_token_file", "nacos_password_file"),
        *("etcd_password_file", "upstream_ca_file", "upstream_cert_file", "upstream_key_file", "dir_service_root"),
        *("consul_file_naming_service_dir", "stream_keys_file", "users_file", "sign_keys_file", "hook_secret_file"),
        *("node_secret_file", "hls_cdn_secret_file", "jwt_keys"),
    }
)


def is_offered(row: Name) -> bool:
    """Whether there is what a directive asks for: its flag, which knows the value that it needs."""
    definition = DEFINITIONS.get(row.flag)
    if definition is None:
        return False
    try:
        return not row.needs or definition.parser.parse(row.needs) is not None
    except ValueError:
        return False


def switch(text: str, default: str = "off") -> bool:
    """``on`` or ``off``; SRS reads any other word as what it is not by default."""
    if text not in _SWITCH:
        raise ValueError(f"write on or off; SRS reads this as {default}")
    return _SWITCH[text]


def integer(text: str) -> int:
    """Decimal digits, nothing behind them."""
    if not _INTEGER.fullmatch(text):
        raise ValueError("not an integer: write decimal digits only")
    return int(text)


def number(text: str) -> float:
    """Decimal digits, with a point or without."""
    if not _NUMBER.fullmatch(text):
        raise ValueError("not a number: write decimal digits, such as 10 or 2.5")
    return float(text)


def srs_value(row: Name, args: tuple[str, ...]) -> Any:
    """What stands behind a directive of SRS."""
    if row.takes is Takes.WORDS:
        if not args:
            raise ValueError("a value is missing")
        return args
    if len(args) != 1:
        raise ValueError("a value is missing" if not args else f"takes one value, not {len(args)}")
    (text,) = args
    match row.takes:
        case Takes.SWITCH:
            return switch(text, row.default)
        case Takes.INTEGER:
            return integer(text)
        case Takes.NUMBER:
            return number(text)
    choices = CHOICES.get(row.name, ())
    if choices and text not in choices:
        raise ValueError(f"not one of {', '.join(choices)}")
    return text


def for_flag(definition: Definition, value: Any) -> Any:
    """A value as its flag has it, within the flag's range."""
    if isinstance(value, float) and value.is_integer() and "int" in definition.kind:
        value = int(value)
    return definition.parser.parse(value)


def own_value(definition: Definition, directive: Directive) -> Any:
    """What stands behind a directive that is the name of a flag."""
    args, kind = directive.args, definition.kind
    if "list" in kind:
        return definition.parser.parse(",".join(args))
    if kind == "string" and not args:
        return definition.parser.parse("")
    if len(args) != 1:
        raise ValueError("a value is missing" if not args else f"takes one value, not {len(args)}")
    (text,) = args
    if kind == "bool":
        return switch(text, "off" if not definition.default else "on")
    if kind == "double":
        return for_flag(definition, number(text))
    if kind != "string":
        return for_flag(definition, integer(text))
    return definition.parser.parse(_path(text, directive) if definition.name in PATHS else text)


def _path(text: str, directive: Directive) -> str:
    """A path of ours, which is relative to its file; a dump has it as it is used."""
    if not text or directive.origin or posixpath.isabs(text) or text.startswith(("http://", "https://")):
        return text
    return posixpath.normpath(posixpath.join(posixpath.dirname(directive.file), text))


def words_of(value: Any) -> str:
    """A value as it would be written, quoted where that is needed."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (tuple, list)):
        return " ".join(quoted(str(item)) for item in value) or '""'
    if isinstance(value, float):
        return f"{value:.9f}".rstrip("0").rstrip(".")
    return quoted(format_value(value))


def quoted(text: str) -> str:
    """One word of the grammar; text with both kinds of quotes is none."""
    if text and not re.search(r"[\s;{}]", text) and text[0] not in "#\"'":
        return text
    return f"'{text}'" if '"' in text else f'"{text}"'
