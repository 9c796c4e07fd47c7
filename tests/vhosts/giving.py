"""Vhosts for a node that runs, given as values: how files say them is another matter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge.runtime.rules import rules_of, take_rules, with_values
from edge.runtime.settings import Settings
from edge.runtime.vhosts_gone import end_gone
from edge.service.rules import Rulebook, Vhost
from tests.runtime.nodes import RunningNode


def book_of(settings: Settings, vhosts: Mapping[str, Mapping[str, Any]], **aliases: str) -> Rulebook:
    """Vhosts by name, each with values of flags; ``aliases``: further names, by the vhost's with ``_`` for dots."""
    root = rules_of(settings)
    made = [
        Vhost(name, with_values(root, values), tuple(aliases.get(name.replace(".", "_"), "").split()))
        for name, values in vhosts.items()
    ]
    return Rulebook(root, made)


def give_vhosts(one: RunningNode, vhosts: Mapping[str, Mapping[str, Any]], **aliases: str) -> None:
    """What a reload does once its files have been read."""
    settings = one.node.settings
    take_rules(one.node, book_of(settings, vhosts, **aliases))
    for unit in one.node.units:
        unit.reconfigure(settings)
    end_gone(one.node.units, settings)
