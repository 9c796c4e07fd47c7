"""Which value of a flag counts: that of a ``match``, a vhost, the command line and its flagfiles, the root of the
files, the environment, the default, in this order.

The first two are kept apart, as ``Configuration.vhosts``; here the others meet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge.conf.block import Given
from edge.conf.findings import Finding, Level
from edge.conf.settings import Configuration
from edge.conf.values import words_of
from edge.flags.gflags import Parsed
from edge.flags.registry import DEFINITIONS, value_of

_MASK = "***"


def apply(configuration: Configuration, parsed: Parsed) -> list[Finding]:
    """Give flags the values of the root of the files and of the environment, unless somebody else gives them.

    Returns notes about what is hidden so.
    """
    notes = [
        *_take(configuration.root, parsed, "of the file"),
        *_take(configuration.environment, parsed, "of the environment"),
    ]
    port, listen = value_of(parsed.flags, "port"), value_of(parsed.flags, "listen")
    if port in listen and "listen" in configuration.root and "port" in configuration.root:
        # The port of the command line is one of the file's: it is opened once.
        parsed.flags["listen"].value = tuple(each for each in listen if each != port)
    parsed.vhosts = configuration
    return notes


def _take(given: Mapping[str, Given], parsed: Parsed, what: str) -> list[Finding]:
    notes = []
    for name, each in given.items():
        flag = parsed.flags[name]
        if name not in parsed.origins:
            flag.value = each.value
            flag.using_default_value = False
            parsed.origins[name] = each.origin
        elif flag.value != each.value:
            here, there = _shown(name, flag.value), _shown(name, each.value)
            message = f"-{name}={here} ({parsed.origins[name]}) hides {there} {what}"
            notes.append(Finding(Level.NOTE, each.where, message))
    return notes


def _shown(name: str, value: Any) -> str:
    return _MASK if DEFINITIONS[name].is_secret else words_of(value)
