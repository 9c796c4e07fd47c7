"""What everything comes to, as a file for ``-vhost_config``: each value with the place that it came from.

Loaded again it gives the same settings and, dumped, the same text: comments behind directives bear the places over.
Values that nobody set stand there as comments. Secrets are masked.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping

from edge.conf.block import Given
from edge.conf.grammar import DUMP_MARK
from edge.conf.settings import Configuration, Vhost
from edge.conf.values import words_of
from edge.flags.gflags import Parsed
from edge.flags.registry import DEFINITIONS, Definition, value_of

MASK = "***"
_OF_READING = "cli"
#: Said in words of SRS, whose names these are: see ``_special``.
_SAID_OTHERWISE = frozenset({"port", "listen", "log_dir"})
# What follows from another directive is said with it, lest it followed again.
_COMPANIONS = {"hls": "hls_default", "proxy_to": "proxy_lb"}


def dump(parsed: Parsed, mask: Callable[[str], str] = str) -> str:
    """The file, as text; ``mask`` makes of a value one without the secrets that an address may bear."""
    lines = [DUMP_MARK, *_special(parsed)]
    names = [name for name in sorted(DEFINITIONS) if name not in _SAID_OTHERWISE]
    said = {name for name in names if name in parsed.origins}
    said |= {other for name, other in _COMPANIONS.items() if name in said}
    for name in names:
        definition = DEFINITIONS[name]
        if definition.topic == _OF_READING:
            continue
        value = value_of(parsed.flags, name)
        if name in said:
            lines.append(f"{_written(definition, value, mask)} # {parsed.where(name)}")
        else:
            lines.append(f"# {_written(definition, value, mask)} # default")
    if isinstance(parsed.vhosts, Configuration):
        for vhost in parsed.vhosts.vhosts:
            lines += _vhost(vhost, mask)
    return "".join(f"{line}\n" for line in lines)


def _special(parsed: Parsed) -> Iterator[str]:
    port, listen, log_dir = (value_of(parsed.flags, name) for name in ("port", "listen", "log_dir"))
    origins = [parsed.origins[name] for name in ("port", "listen") if name in parsed.origins]
    if origins and port:
        yield f"listen {words_of((port, *listen))}; # {origins[0]}"
    elif origins:
        yield f"port {port}; # {origins[0]}"
        if listen:
            yield f"http_server {{ enabled on; listen {words_of(listen)}; # {origins[-1]}\n}}"
    if log_dir:
        yield f"srs_log_file {words_of(posixpath.join(log_dir, 'edge.log'))}; # {parsed.where('log_dir')}"


def _vhost(vhost: Vhost, mask: Callable[[str], str]) -> Iterator[str]:
    yield f"vhost {vhost.name} {{"
    if not vhost.is_enabled:
        yield "    enabled off;"
    if vhost.aliases:
        yield f"    alias {words_of(vhost.aliases)};"
    yield from _values(vhost.given, "    ", mask)
    for match in vhost.matches:
        yield f"    match {words_of(match.pattern)} {{"
        yield from _values(match.given, "        ", mask)
        yield "    }"
    yield "}"


def _values(given: Mapping[str, Given], indent: str, mask: Callable[[str], str]) -> Iterator[str]:
    for name, each in sorted(given.items()):
        yield f"{indent}{_written(DEFINITIONS[name], each.value, mask)} # {each.origin}"


def _written(definition: Definition, value: object, mask: Callable[[str], str]) -> str:
    if definition.is_secret and value:
        return f"{definition.name} {MASK};"
    if isinstance(value, str):
        value = mask(value)
    elif isinstance(value, tuple):
        value = tuple(mask(item) if isinstance(item, str) else item for item in value)
    return f"{definition.name} {words_of(value)};"
