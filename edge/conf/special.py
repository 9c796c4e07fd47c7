"""Directives that are more than a value for a flag: several of them make one, or one makes several.

Each handler is named by rows of ``edge.conf.srs_names``. Simple ones make of a value the flags that it sets; the
others are left all of their directives, and finish when the block has been read.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from enum import IntEnum
from typing import Any, NamedTuple, Protocol

from edge.conf.findings import Findings
from edge.conf.grammar import Directive
from edge.conf.srs_names import Name


class Rank(IntEnum):
    """Of two that give a flag its value the lower one counts."""

    FORCED = 0
    GIVEN = 1
    #: It follows from another directive, and may be said otherwise.
    DERIVED = 2


_RTMP_PORT = 1935
_MR_LATENCY_MS = 350  # SRS's default
_SRS_LOG_FILE = "./objs/srs.log"  # likewise
_NO_LIMIT = 2147483647
_PORT = re.compile(r"(?:(?P<host>\[[0-9a-fA-F:.%]+\]|[^:\[\]]*):)?(?P<port>[0-9]{1,5})", re.ASCII)
_EVERYWHERE = frozenset({"", "0.0.0.0", "::", "*"})
_MOUNT = re.compile(r"(?:\[vhost\])?/\[app\]/\[stream\]\.(?:flv|ts)")
_STAGES = {"forwarder": "push", "edge": "pull"}
_LEVELS = {
    "verbose": ("v", 2),
    "info": ("v", 1),
    "trace": ("v", 0),
    "warn": ("minloglevel", 1),
    "error": ("minloglevel", 2),
}
_LEVELS_V2 = {
    "trace": ("v", 2),
    "debug": ("v", 1),
    "info": ("v", 0),
    "warn": ("minloglevel", 1),
    "error": ("minloglevel", 2),
}
_ACTIONS = ("publish", "play")


class Special(NamedTuple):
    """A directive that is left to a handler; ``value`` is True for a section."""

    row: Name
    directive: Directive
    value: Any


class Taker(Protocol):
    """A block that is read; see ``edge.conf.block.Block``."""

    findings: Findings
    is_enabled: bool
    special: dict[str, list[Special]]

    def give(
        self, flag: str, value: Any, directive: Directive, rank: Rank = Rank.GIVEN, *, is_list: bool = False
    ) -> None:
        """Have a flag get a value, unless it has one that counts more."""
        ...

    def effect(self, row: Name, directive: Directive) -> None:
        """Say what it means that a directive does nothing."""
        ...


Simple = Callable[[Any], list[tuple[str, Any, Rank]]]
#: Of a value: flags ("" for that of the row) with values.
SIMPLE: dict[str, Simple] = {
    # Counts more than the interval that mw_latency says.
    "min_latency": lambda value: [("", 0, Rank.FORCED)] if value else [],
    # 0 of SRS: bytes alone are counted.
    "no_limit": lambda value: [("", value or _NO_LIMIT, Rank.GIVEN)],
    "atc": lambda value: [("", "off", Rank.FORCED)] if value else [],
    "ask": lambda value: [("", "ask", Rank.GIVEN)] if value else [],
}
#: Of a section that is switched off: flags ("" for that of the row) that are off.
OFF_FLAGS: dict[str, tuple[str, ...]] = {"hls": ("hls",), "switch": ("",), "remux": ("http_flv", "http_ts")}


def _finish_vhost(block: Taker) -> None:
    for each in block.special.get("vhost", ()):
        block.is_enabled = each.value


def _finish_ports(block: Taker) -> None:
    """``listen`` of RTMP, the first of which is ``-port``, and of HTTP; addresses become ``-bind`` if all have one."""
    ports: dict[int, Directive] = {}
    hosts: dict[str, Directive] = {}
    uses = [*block.special.get("listen", ()), *block.special.get("port", ())]
    for each in uses:
        for text in each.value:
            found = _PORT.fullmatch(text)
            if found is None or not 1 <= int(found["port"]) <= 65535:
                block.findings.error(each.directive.where, f"{text} is no port, [address:]port is accepted")
                continue
            ports.setdefault(int(found["port"]), each.directive)
            host = (found["host"] or "").strip("[]")
            hosts.setdefault("" if host in _EVERYWHERE else host, each.directive)
    if len(hosts) > 1:
        said = ", ".join(host or "all addresses" for host in hosts)
        where = next(directive.where for host, directive in hosts.items() if host)
        block.findings.error(where, f"ports at different addresses ({said}): here all are at those of -bind")
    elif hosts and "" not in hosts:
        block.give("bind", tuple(hosts), next(iter(hosts.values())))
    first, *rest = ports or (None,)
    if first is not None and block.special.get("listen"):
        block.give("port", first, ports[first])
    elif first is not None:
        rest = [first, *rest]
    if rest:
        block.give("listen", tuple(rest), ports[rest[0]])


def _finish_tls(block: Taker) -> None:
    for each in block.special.get("tls", ()):
        block.give("https", True, each.directive, Rank.DERIVED)


def _finish_log(block: Taker) -> None:
    said = {each.row.name: each for each in block.special.get("log", ())}
    tank, file = said.get("srs_log_tank"), said.get("srs_log_file")
    if tank is not None and tank.value == "console":
        block.give("logtostderr", True, tank.directive)
    elif (named := file or tank) is not None:
        path = file.value if file is not None else _SRS_LOG_FILE
        block.give("log_dir", posixpath.dirname(path) or ".", named.directive)
    level = said.get("srs_log_level_v2") or said.get("srs_log_level")
    if level is not None:
        flag, value = (_LEVELS_V2 if level.row.name.endswith("_v2") else _LEVELS)[level.value]
        block.give(flag, value, level.directive)


def _finish_stages(block: Taker) -> None:
    stages = block.special.get("stage", ())
    for each in stages:
        name = _STAGES.get(each.row.name, each.row.name)
        block.give("pithy_print_stage", (f"{name}:{each.value}",), each.directive, is_list=True)


def _finish_switch(block: Taker) -> None:
    for each in block.special.get("switch", ()):
        block.give(each.row.flag, True, each.directive)


def _finish_mr(block: Taker) -> None:
    """Merged reads, in ``publish`` or, of old, in a section of their own."""
    said = block.special.get("mr", ())
    on = next((each for each in said if each.value is True), None)
    if on is None:
        return
    latency = next((each for each in said if each.row.name in ("mr_latency", "latency")), None)
    value = _MR_LATENCY_MS if latency is None else latency.value
    block.give("ingest_tick_ms", value, (latency or on).directive)


def _finish_hls(block: Taker) -> None:
    for each in block.special.get("hls", ()):
        block.give("hls", each.value, each.directive)
        if each.value:
            block.give("hls_default", "classic", each.directive, Rank.DERIVED)


def _finish_cluster(block: Taker) -> None:
    said = block.special.get("cluster", ())
    mode = next((each for each in said if each.row.name == "mode"), None)
    origins = [each for each in said if each.row.name == "origin"]
    if mode is None:
        block.findings.off_count += bool(origins)
    elif mode.value == "local":
        block.give("proxy_to", "", mode.directive)
    elif not origins:
        block.findings.error(mode.directive.where, "mode remote needs an origin")
    else:
        servers = [_with_port(text) for each in origins for text in each.value]
        block.give("proxy_to", f"list://{','.join(servers)}", origins[0].directive)
        block.give("proxy_lb", "rr", origins[0].directive, Rank.DERIVED)


def _with_port(server: str) -> str:
    has_port = server.rpartition(":")[2].isdigit() and (server.count(":") == 1 or "]:" in server)
    return server if has_port else f"{server}:{_RTMP_PORT}"


def _finish_security(block: Taker) -> None:
    """Lists of addresses; a section that is on and empty refuses everybody, as in SRS."""
    said = block.special.get("security", ())
    sections = [each.directive for each in said if each.value is True]
    for each in (each for each in said if each.value is not True):
        words = each.value
        if len(words) != 2 or words[0] not in _ACTIONS:
            message = (
                f"{each.directive.text}: accepted is: allow or deny, publish or play, all or an address or network"
            )
            block.findings.error(each.directive.where, message)
        else:
            block.give(f"{words[0]}_{each.row.name}", (words[1],), each.directive, is_list=True)
    if sections and not any(each.name in ("allow", "deny") for each in sections[0].block or ()):
        for flag in ("publish_deny", "play_deny"):
            block.give(flag, ("all",), sections[0])


def _finish_mount(block: Taker) -> None:
    for each in block.special.get("mount", ()):
        if not _MOUNT.fullmatch(each.value):
            message = f"http_remux: {each.directive.text}: streams are served at /APP/STREAM.flv and .ts only"
            block.findings.warning(each.directive.where, message)


FINISHERS: tuple[Callable[[Taker], None], ...] = (
    *(_finish_vhost, _finish_ports, _finish_tls, _finish_log, _finish_stages, _finish_switch, _finish_mr),
    *(_finish_hls, _finish_cluster, _finish_security, _finish_mount),
)
