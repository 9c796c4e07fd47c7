"""Contradictions between flags, and files that cannot be used; nothing is opened for listening.

What the targets (``-proxy_to`` and its kin) say is checked by ``edge.runtime.targets``,
which knows the naming services and balancers.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.flags.gflags import Parsed
from edge.flags.problem import Problem
from edge.flags.registry import DEFINITIONS, value_of
from edge.hls_disk.template import TEMPLATE_FLAGS, template_fault
from edge.logbook.config import parse_stages

# A message length field has 24 bits, so from here on the limit limits nothing.
_ALL_MESSAGE_LENGTHS = 16777215

# (lesser, greater, may be equal): pairs that contradict each other otherwise.
_ORDERED = (("ts_pre_generated", "ts_max_stored", False), ("min_in_chunk_size", "max_in_chunk_size", True))
# (lesser, greater): the greater one decides where it is smaller.
_BOUNDED = (
    ("max_message_bytes", "max_partial_bytes"),
    ("send_timeout_ms", "tcp_user_timeout_ms"),
    ("hls_steer_return_pct", "hls_steer_load_pct"),
)

# Of no use to a server that takes no TLS; who sets them has most likely forgotten to switch it on.
_NEED_HTTPS = ("certificate", "private_key", "strict_sni")

# What a path means as it is written: neither . nor .. alone.
_PATH_SEGMENT = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._~-]+", re.ASCII)

# Of no use where no files of HLS are written.
_NEED_HLS_PATH = (
    *TEMPLATE_FLAGS,
    *("hls_keep_s", "hls_cleanup", "hls_on_error", "hls_end_list_on_unpublish", "hls_disk_queue_bytes"),
)

_MERGE_PORT = re.compile(r":(?P<port>-?[0-9]{1,10})(?:[/ (,;?][^:]*)?\Z", re.ASCII)


def check(parsed: Parsed) -> list[Problem]:
    """Everything wrong or doubtful about values that are each well-formed."""
    checks = (
        _check_ports,
        _check_bind,
        _check_proxies,
        _check_order,
        _check_limits,
        _check_policy,
        _check_files,
        _check_hls_path,
        _check_vmodule,
        _check_stages,
    )
    return [problem for each in checks for problem in each(parsed)]


def _check_ports(parsed: Parsed) -> Iterator[Problem]:
    port, internal_port = _value(parsed, "port"), _value(parsed, "internal_port")
    if internal_port == 0:
        yield _error(parsed, "internal_port", "-internal_port=0: choose a port, or -1 for none")
    if internal_port > 0 and internal_port == port:
        yield _error(
            parsed,
            "internal_port",
            f"ServerOptions.internal_port={internal_port} is same with port={port} to Start()",
        )
    seen: set[int] = set()
    for extra in _value(parsed, "listen"):
        if extra in (port, internal_port):
            yield _error(parsed, "listen", f"-listen={extra} is in conflict with -port or -internal_port")
        elif extra in seen:
            yield _error(parsed, "listen", f"-listen names {extra} twice")
        seen.add(extra)
    yield from _check_merge_port(parsed)


def merge_port(cdn_merge_to: str, cdn_merge_port: int) -> int | None:
    """Where the merge service listens: ``-cdn_merge_port`` if it is set, else the number after the last colon.

    None without a merge tier, and when there is no such number. A path or a server's
    tag may follow it; what else does makes it no number.
    """
    if cdn_merge_port >= 0 and cdn_merge_to:
        return cdn_merge_port
    found = _MERGE_PORT.search(cdn_merge_to)
    return int(found["port"]) if found else None


def _check_merge_port(parsed: Parsed) -> Iterator[Problem]:
    target, own_port = _value(parsed, "cdn_merge_to"), _value(parsed, "cdn_merge_port")
    if not target:
        if own_port >= 0:
            yield _warning(parsed, "cdn_merge_port", f"-cdn_merge_port={own_port} does nothing without -cdn_merge_to")
        return
    others = (_value(parsed, "port"), _value(parsed, "internal_port"), *_value(parsed, "listen"))
    if own_port >= 0:
        if own_port and own_port in others:
            message = f"-cdn_merge_port={own_port} is in conflict with -port, -internal_port or -listen"
            yield _error(parsed, "cdn_merge_port", message)
        return
    port = merge_port(target, own_port)
    tail = target.rpartition(":")[2]
    if port is None and (tail == target or not tail or tail.startswith("/")):
        yield _error(parsed, "cdn_merge_to", f"-cdn_merge_to={target} does not contain a port; set -cdn_merge_port")
    elif port is None or not 1 <= port <= 65535:
        wrong = tail if port is None else port
        yield _error(parsed, "cdn_merge_to", f"Invalid port={wrong} in -cdn_merge_to={target}")
    elif port in others:
        message = f"port={port} in -cdn_merge_to={target} is conflict with -port or -internal_port"
        yield _error(parsed, "cdn_merge_to", message)


def _check_bind(parsed: Parsed) -> Iterator[Problem]:
    for address in _value(parsed, "bind"):
        try:
            ipaddress.ip_address(address.removeprefix("[").removesuffix("]"))
        except ValueError:
            yield _error(parsed, "bind", f"-bind={address}: not a numeric IPv4 or IPv6 address")


def _check_proxies(parsed: Parsed) -> Iterator[Problem]:
    networks = _value(parsed, "trusted_proxies")
    if _value(parsed, "rtmp_proxy_protocol") and not networks:
        message = "-rtmp_proxy_protocol has no effect without -trusted_proxies: nobody may send the header"
        yield _warning(parsed, "rtmp_proxy_protocol", message)
    for text in networks:
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            yield _error(parsed, "trusted_proxies", f"-trusted_proxies={text}: neither an address nor a network")
            continue
        if not network.prefixlen:
            message = f"-trusted_proxies={text}: anybody may say that he is anybody"
            yield _warning(parsed, "trusted_proxies", message)


def _check_order(parsed: Parsed) -> Iterator[Problem]:
    for lesser, greater, may_be_equal in _ORDERED:
        low, high = _value(parsed, lesser), _value(parsed, greater)
        if low > high or (low == high and not may_be_equal):
            relation = "above" if may_be_equal else "not below"
            yield _error(parsed, _later(parsed, lesser, greater), f"-{lesser}={low} is {relation} -{greater}={high}")
    for lesser, greater in _BOUNDED:
        low, high = _value(parsed, lesser), _value(parsed, greater)
        if low > high > 0:
            name = _later(parsed, lesser, greater)
            yield _warning(parsed, name, f"-{lesser}={low} is above -{greater}={high}")


def _check_limits(parsed: Parsed) -> Iterator[Problem]:
    for definition in DEFINITIONS.values():
        if definition.is_zero_off and _value(parsed, definition.name) == 0:
            yield _warning(parsed, definition.name, f"-{definition.name}=0 switches this limit off")
    if _value(parsed, "max_message_bytes") >= _ALL_MESSAGE_LENGTHS:
        yield _warning(
            parsed,
            "max_message_bytes",
            f"-max_message_bytes={_value(parsed, 'max_message_bytes')} switches this limit off: no message is longer",
        )


def _check_policy(parsed: Parsed) -> Iterator[Problem]:
    if _value(parsed, "reject_second_stream_when_republish") and _value(parsed, "stop_kickedoff_publisher"):
        message = "-stop_kickedoff_publisher has no effect beside -reject_second_stream_when_republish"
        yield _warning(parsed, "stop_kickedoff_publisher", message)
    vhost = _value(parsed, "default_vhost")
    if not vhost or any(char in vhost for char in "/\\?& \t"):
        yield _error(parsed, "default_vhost", f'-default_vhost="{vhost}": not a name that can stand in a URL')
    probe_file = _value(parsed, "cdn_probe_file")
    if probe_file and not _PATH_SEGMENT.fullmatch(probe_file):
        message = f"-cdn_probe_file={probe_file}: not one path segment of letters, digits and the signs . _ ~ -"
        yield _error(parsed, "cdn_probe_file", message)


def _check_files(parsed: Parsed) -> Iterator[Problem]:
    log_dir = _value(parsed, "log_dir")
    if log_dir and not (Path(log_dir).is_dir() and os.access(log_dir, os.W_OK | os.X_OK)):
        yield _error(parsed, "log_dir", f"-log_dir={log_dir}: not a directory that can be written to")
    if _value(parsed, "https"):
        return
    if _value(parsed, "force_ssl"):
        yield _error(parsed, "force_ssl", "-force_ssl needs -https: without it nobody could connect")
    for name in _NEED_HTTPS:
        if name in parsed.origins:
            yield _warning(parsed, name, f"-{name} has no effect without -https: nothing is served over TLS")


def _check_hls_path(parsed: Parsed) -> Iterator[Problem]:
    for name in TEMPLATE_FLAGS:
        if fault := template_fault(name, _value(parsed, name)):
            yield _error(parsed, name, f"-{name}={_value(parsed, name)}: {fault}")
    path = _value(parsed, "hls_path")
    if not path:
        for name in _NEED_HLS_PATH:
            if name in parsed.origins:
                yield _warning(parsed, name, f"-{name} has no effect without -hls_path: no files are written")
        return
    try:
        # It is made when it is needed, in the nearest directory that is there.
        existing = next(each for each in (Path(path).absolute(), *Path(path).absolute().parents) if each.exists())
        is_usable = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
    except (OSError, ValueError):
        is_usable = False
    if not is_usable:
        yield _error(parsed, "hls_path", f"-hls_path={path}: not a directory that can be written to, or made")


def _check_vmodule(parsed: Parsed) -> Iterator[Problem]:
    for item in _value(parsed, "vmodule").split(","):
        pattern, equals, level = item.strip().partition("=")
        if item.strip() and not (pattern and equals and level.isascii() and level.isdigit()):
            yield _error(parsed, "vmodule", f'-vmodule: "{item.strip()}" is not of the form name=level')


def _value(parsed: Parsed, name: str) -> Any:
    return value_of(parsed.flags, name)


def _later(parsed: Parsed, *names: str) -> str:
    """Of contradicting flags the one that somebody set, so that the message leads there."""
    return next((name for name in names if name in parsed.origins), names[0])


def _error(parsed: Parsed, name: str, message: str) -> Problem:
    return Problem(parsed.where(name), message)


def _warning(parsed: Parsed, name: str, message: str) -> Problem:
    return Problem(parsed.where(name), message, is_warning=True)


def _check_stages(parsed: Parsed) -> Iterator[Problem]:
    try:
        parse_stages(_value(parsed, "pithy_print_stage"))
    except ValueError as error:
        yield _error(parsed, "pithy_print_stage", f"-pithy_print_stage: {error}")
