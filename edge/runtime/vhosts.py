"""Vhosts of files as the rulebook knows them, and what is wrong with what they say together."""

from __future__ import annotations

import socket
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, cast

from edge.conf.block import Given
from edge.conf.settings import DEFAULT_VHOST, Configuration, Settings
from edge.conf.settings import Vhost as Said
from edge.flags.gflags import Parsed
from edge.flags.not_acted_on import NOT_ACTED_ON
from edge.flags.problem import Problem
from edge.flags.registry import value_of
from edge.hls_disk.template import TEMPLATE_FLAGS, template_fault
from edge.service.rules import Match, Rules, Vhost
from lb import registry as balancers
from lb.base import BalancerError
from naming.base import NamingError
from naming.url import parse_address

#: Makes of rules those with other values of flags.
WithValues = Callable[[Rules, Mapping[str, Any]], Rules]


def vhosts_of(said: Configuration, root: Rules, default_vhost: str, with_values: WithValues) -> list[Vhost]:
    """The vhosts for a rulebook: what they leave open is the root's. Settings that say the same become one object."""
    made: dict[Settings, Rules] = {}

    def rules_of(settings: Settings) -> Rules:
        rules = made.get(settings)
        if rules is None:
            rules = made[settings] = with_values(root, dict(settings.items)) if settings else root
        return rules

    return [_vhost(each, rules_of(each.settings), default_vhost, with_values) for each in said.vhosts]


def _vhost(said: Said, rules: Rules, default_vhost: str, with_values: WithValues) -> Vhost:
    def rules_of_matches(matches: tuple[Hashable, ...]) -> Rules:
        """Later ones win."""
        values: dict[str, Any] = {}
        for settings in cast("tuple[Settings, ...]", matches):
            values |= dict(settings.items)
        return with_values(rules, values)

    return Vhost(
        default_vhost if said.name == DEFAULT_VHOST else said.name,
        rules,
        said.aliases,
        tuple(Match(each.pattern, each.settings) for each in said.matches),
        rules_of_matches if said.matches else None,
        said.is_enabled,
    )


def check_vhosts(parsed: Parsed) -> list[Problem]:
    """What is wrong with values of vhosts and matches that are each well-formed."""
    said = parsed.vhosts
    if not isinstance(said, Configuration):
        return []
    problems: list[Problem] = []
    checked: set[Settings] = set()
    for vhost in said.vhosts:
        blocks = [(vhost.settings, vhost.given), *((each.settings, each.given) for each in vhost.matches)]
        for settings, given in blocks:
            if settings not in checked:
                checked.add(settings)
                problems += _check(parsed, given)
    return [*problems, *_check_names(parsed, said)]


def _check(parsed: Parsed, given: Mapping[str, Given]) -> Iterator[Problem]:
    for name, each in given.items():
        fault = _fault(name, each.value)
        if fault:
            yield Problem(each.where, f"{name}: {fault}")
        elif name in NOT_ACTED_ON:
            yield Problem(each.where, f"{name} is accepted, and does nothing yet", is_warning=True)


def _fault(name: str, value: Any) -> str:
    """What a flag's own parser cannot know."""
    if name in TEMPLATE_FLAGS:
        return template_fault(name, value)
    try:
        if name == "proxy_to" and value:
            parse_address(value)
        elif name == "proxy_lb" and value:
            if not balancers.is_known(value):
                return f'unknown load balancer "{value}" (valid: {", ".join(balancers.known())})'
            balancers.create(value)
    except (NamingError, BalancerError) as error:
        return str(error)
    return ""


def _check_names(parsed: Parsed, said: Configuration) -> Iterator[Problem]:
    hostname = socket.gethostname().lower()
    for each in said.vhosts:
        if hostname in (each.name, *each.aliases) and each.name != DEFAULT_VHOST:
            message = f"vhost {each.name}: {hostname} is this machine, and who asks for it gets the default vhost"
            yield Problem(each.where, message, is_warning=True)
    default = value_of(parsed.flags, "default_vhost")
    same = next((each for each in said.vhosts if each.name == default and default != DEFAULT_VHOST), None)
    if same is not None and any(each.name == DEFAULT_VHOST for each in said.vhosts):
        yield Problem(same.where, f"vhost {default} is the default one by -default_vhost, and there is {DEFAULT_VHOST}")
