"""What is wrong or doubtful about the flags of hooks, before anybody is called."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from edge.errors import ConfigError
from edge.flags.check import merge_port
from edge.flags.gflags import Parsed
from edge.flags.problem import Problem
from edge.flags.registry import value_of
from edge.hooks.config import HookConfig
from edge.hooks.event import Action
from edge.runtime.access_check import settings_of_vhosts
from edge.runtime.called_url import PORTS, fault_of
from edge.runtime.hook_files import read_secret
from edge.runtime.targets import is_local, is_own_server
from naming.url import without_secrets

#: Hooks that may refuse somebody who comes.
_JUDGES = ("hooks_on_connect", "hooks_on_publish", "hooks_on_play")


def check_hooks(parsed: Parsed, is_own_address: Callable[[str], bool] = is_local) -> Iterator[Problem]:
    """URLs that are none, or lead to this server itself, and a secret that cannot be used."""
    flags = parsed.flags
    has_any = False
    for action in Action:
        name = f"hooks_{action.value}"
        for url in value_of(flags, name):
            has_any = True
            fault = fault_of(url)
            if fault:
                yield Problem(parsed.where(name), f"-{name}={without_secrets(url)}: {fault}")
            elif _is_own(url, parsed, is_own_address):
                message = f"-{name}={without_secrets(url)} is a port of this server, which would ask itself"
                yield Problem(parsed.where(name), message, is_warning=True)
    yield from _open_doors(parsed)
    path = value_of(flags, "hook_secret_file")
    if path:
        try:
            read_secret(path)
        except ConfigError as error:
            yield Problem(parsed.where("hook_secret_file"), error.detail)
    for name in ("hooks_on_hls", "hooks_on_hls_notify"):
        if value_of(flags, name) and not value_of(flags, "hls_path"):
            message = f"-{name} has no effect without -hls_path: no segments are written"
            yield Problem(parsed.where(name), message, is_warning=True)
    defaults = HookConfig()
    for name in ("hook_form", "hook_failure", "hook_secret_file"):
        if not has_any and name in parsed.origins and value_of(flags, name) != getattr(defaults, name):
            message = f"-{name} has no effect without hooks: no -hooks_on_... names any"
            yield Problem(parsed.where(name), message, is_warning=True)


def _open_doors(parsed: Parsed) -> Iterator[Problem]:
    """A gate that whoever silences its server opens."""
    root = {name: value_of(parsed.flags, name) for name in ("hook_failure", *_JUDGES)}
    told: set[Problem] = set()
    for said, where in ((root, parsed.where), *settings_of_vhosts(parsed)):
        settings = {**root, **said}
        judges = [name for name in _JUDGES if settings[name]]
        if settings["hook_failure"] != "allow" or not judges or said.keys().isdisjoint(root):
            continue
        message = (
            f"-hook_failure=allow opens what {', '.join(f'-{name}' for name in judges)} guards to anybody while its "
            "server cannot be reached, is slow or crashes, be it by a request that somebody has made for that"
        )
        problem = Problem(where("hook_failure" if "hook_failure" in said else judges[0]), message, is_warning=True)
        if problem not in told:
            told.add(problem)
            yield problem


def _is_own(url: str, parsed: Parsed, is_own_address: Callable[[str], bool]) -> bool:
    """Whether it leads to a port of ours; names are not looked up but that of this machine."""
    parts = urlsplit(url)
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    flags = parsed.flags
    merged = merge_port(value_of(flags, "cdn_merge_to"), value_of(flags, "cdn_merge_port")) or 0
    ports = (value_of(flags, "port"), value_of(flags, "internal_port"), *value_of(flags, "listen"), merged)
    port = parts.port or PORTS[parts.scheme]
    return is_own_server((host, port), ports, value_of(flags, "bind"), is_own_address)
