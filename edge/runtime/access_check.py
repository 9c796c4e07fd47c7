"""What is wrong or doubtful about the flags of who may publish and play."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from edge.access.addresses import AddressSet
from edge.access.config import AccessConfig
from edge.access.files import is_url
from edge.access.gate import ASK, SIGN, faults_of
from edge.access.schemes import PRESETS
from edge.access.signing import parse_schemes
from edge.flags.access import access_config, guard_config
from edge.flags.gflags import Parsed
from edge.flags.problem import Problem
from edge.flags.registry import value_of
from edge.hooks.config import HookConfig
from edge.net.address import is_loopback
from edge.runtime.access_files import FileFault, faults_of_files
from edge.runtime.called_url import fault_of as fault_of_url
from edge.runtime.jwt_extra import doubt_of_url, missing_extra
from edge.service.rules import Rulebook, Rules
from edge.upstream.config import UpstreamConfig
from naming.url import without_secrets

if TYPE_CHECKING:
    from edge.conf.block import Given
    from edge.conf.settings import Vhost

Where = Callable[[str], str]
_FIELDS = tuple(field.name for field in fields(AccessConfig))
#: What says whether viewers of HLS get permits, and whether other nodes are shown them.
_OF_PERMITS = ("play_auth", "hooks_on_play", "auth_upstream", "hls", "hls_siblings", "hls_entry_prefix", "proxy_to")


def check_access(parsed: Parsed) -> Iterator[Problem]:
    """Lists that are none, methods without their file, files that cannot be used; and what is weak.

    Of the process, and of each vhost and match that says something of it.
    """
    guard = guard_config(parsed.flags)
    try:
        AddressSet(guard.trusted_nodes)
    except ValueError as error:
        yield Problem(parsed.where("trusted_nodes"), f"-trusted_nodes: {error}")
    seen: set[Problem] = set()
    for config, where in _configs(parsed):
        for problem in (*_faults(config, where), *_weak_schemes(config, where)):
            if problem not in seen:
                seen.add(problem)
                yield problem
    yield from _lone_permits(parsed)
    yield from _asking_nobody(parsed)
    for fault in faults_of_files(guard):
        yield _of_file(fault, parsed.where)


def _configs(parsed: Parsed) -> Iterator[tuple[AccessConfig, Where]]:
    """What holds for some streams, and where each flag of it stands."""
    root = access_config(parsed.flags)
    yield root, parsed.where
    for settings, where in settings_of_vhosts(parsed):
        found = {name: settings[name] for name in _FIELDS if name in settings}
        if found:
            yield replace(root, **found), where


def settings_of_vhosts(parsed: Parsed) -> Iterator[tuple[dict[str, Any], Where]]:
    """What each vhost and match says, and where each flag of it stands."""
    said = parsed.vhosts
    if said is None:
        return
    from edge.conf.settings import Configuration  # most do without

    assert isinstance(said, Configuration)
    for vhost in said.vhosts:
        of_vhost = dict(vhost.settings.items)
        given: dict[str, Given] = dict(vhost.given)
        for settings, also in ((of_vhost, given), *_of_matches(vhost, of_vhost, given)):
            yield settings, partial(_where, also, parsed.where)


def _of_matches(
    vhost: Vhost, of_vhost: dict[str, Any], given: dict[str, Given]
) -> Iterator[tuple[dict[str, Any], dict[str, Given]]]:
    for match in vhost.matches:
        yield {**of_vhost, **dict(match.settings.items)}, {**given, **match.given}


def _where(given: Mapping[str, Given], otherwise: Where, flag: str) -> str:
    return given[flag].where if flag in given else otherwise(flag)


def _faults(config: AccessConfig, where: Where) -> Iterator[Problem]:
    for flag, text in faults_of(config):
        yield Problem(where(flag), f"-{flag}: {text}")
    for fault in faults_of_files(config):
        yield _of_file(fault, where)
    url = config.jwt_keys
    if is_url(url):
        if found := fault_of_url(url) or missing_extra():
            yield Problem(where("jwt_keys"), f"-jwt_keys={without_secrets(url)}: {found}")
        elif found := doubt_of_url(url):
            yield Problem(where("jwt_keys"), f"-jwt_keys={without_secrets(url)}: {found}", is_warning=True)


def _of_file(fault: FileFault, where: Where) -> Problem:
    place = f"{fault.path}:{fault.line}" if fault.line else where(fault.flag)
    return Problem(place, f"-{fault.flag}={fault.path}: {fault.text}")


def _weak_schemes(config: AccessConfig, where: Where) -> Iterator[Problem]:
    if SIGN not in (*config.publish_auth, *config.play_auth):
        return
    try:
        schemes = parse_schemes(config.sign_scheme)
    except ValueError:
        return  # told of already
    for scheme in schemes:
        found = PRESETS.get(scheme.name)
        if (found is not None and found.hash == "md5") or scheme.name.startswith("md5:"):
            text = f"-sign_scheme={scheme.name} is MD5, kept for compatibility; use -sign_scheme=edge"
            yield Problem(where("sign_scheme"), text, is_warning=True)


def _lone_permits(parsed: Parsed) -> Iterator[Problem]:
    """Viewers of HLS get permits of one node, and come to others, which know nothing of them."""
    if value_of(parsed.flags, "node_secret_file"):
        return
    root = {flag: value_of(parsed.flags, flag) for flag in _OF_PERMITS}
    for settings, where in (({}, parsed.where), *settings_of_vhosts(parsed)):
        said = {flag: settings.get(flag, root[flag]) for flag in _OF_PERMITS}
        asks = next((flag for flag in ("play_auth", "hooks_on_play") if said[flag]), "")
        if said["auth_upstream"] == ASK and said["proxy_to"]:
            asks = asks or "auth_upstream"
        if not asks or not said["hls"]:
            continue
        if said["hls_siblings"]:
            others = "the nodes of -hls_siblings refuse the permits of each other's viewers of HLS"
        elif said["hls_entry_prefix"] and said["proxy_to"]:
            others = "edges behind one cache refuse the permits of each other's viewers of HLS"
        else:
            continue
        yield Problem(where(asks), f"-{asks} without -node_secret_file: {others}", is_warning=True)
        return


def _asking_nobody(parsed: Parsed) -> Iterator[Problem]:
    """A gate that somebody means to have closed, and that is none."""
    root = {flag: value_of(parsed.flags, flag) for flag in ("auth_upstream", "proxy_to")}
    for settings, where in ((root, parsed.where), *settings_of_vhosts(parsed)):
        said = {flag: settings.get(flag, root[flag]) for flag in root}
        if said["auth_upstream"] == ASK and not said["proxy_to"] and not settings.keys().isdisjoint(root):
            message = "-auth_upstream=ask without -proxy_to: there is no upstream, and nobody is asked about clients"
            yield Problem(where("auth_upstream"), message, is_warning=True)
            return


def open_door(book: Rulebook, bind: Sequence[str], port: int) -> str:
    """What to say where anybody may publish; "" where gates are closed, or only this machine is served."""
    if bind and all(is_loopback(host) for host in bind):
        return ""
    doors = [(vhost.name, vhost.rules) for vhost in book.vhosts if vhost.is_enabled] or [("", book.root)]
    found = [name for name, rules in doors if not _asks_publishers(rules)]
    if not found:
        return ""
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    where = f" at vhost {found[0]}{more}" if found[0] else ""
    return f"anybody who reaches port {port} may publish{where}; -publish_auth=key closes this"


def _asks_publishers(rules: Rules) -> bool:
    access, hooks = rules.of(AccessConfig), rules.of(HookConfig)
    gates = access.publish_auth, access.publish_allow, access.publish_deny, access.refer_publish, access.refer_all
    asks_upstream = access.auth_upstream == ASK and rules.of(UpstreamConfig).proxy_to
    return any(gates) or bool(hooks.hooks_on_connect or hooks.hooks_on_publish or asks_upstream)
