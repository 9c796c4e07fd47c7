"""Checks of the flags that name other servers: ``-proxy_to`` and ``-cdn_merge_to`` with their balancers."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Collection, Iterator, Sequence

from edge.flags.check import merge_port
from edge.flags.gflags import Parsed
from edge.flags.not_acted_on import NOT_ACTED_ON
from edge.flags.problem import Problem
from edge.flags.registry import value_of
from edge.runtime.bounded import found_within
from edge.runtime.registry_tls import check_tls
from edge.runtime.upstream_tls import check_upstream_tls
from lb import registry as balancers
from lb.base import BalancerError
from lb.weights import why_nobody
from naming import registry as schemes
from naming.base import NamingError
from naming.base_urls import RTMP, check_base_urls
from naming.endpoint import is_ip, parse_endpoint
from naming.file import read_list
from naming.lines import parse_items
from naming.origins import parse_origins
from naming.resolver import system_lookup
from naming.secret_file import read_secret
from naming.url import Address, parse_address

Lookup = Callable[[str], Sequence[str]]
Endpoint = tuple[str, int]
_TARGETS = (("proxy_to", "proxy_lb"), ("cdn_merge_to", "cdn_merge_lb"))
_REGISTRIES = {
    "consul": "consul_agent_addr",
    "nacos": "nacos_address",
    "etcd": "etcd_address",
    "discovery": "discovery_api_addr",
}
_SECRET_FILES = {"consul": "consul_token_file", "etcd": "etcd_password_file", "nacos": "nacos_password_file"}
# Schemes whose names go to the source as they stand.
_VERBATIM = frozenset(("file", "remotefile", "srv", "consul", "nacos", "etcd", "discovery"))
_ASKED_OF_DNS = frozenset(("dns", "srv"))
_DNS_PORTS = {"http": 80, "https": 443, "redis": 80, "dns": 80}
# A start that cannot succeed is told within two seconds, look-ups included.
LOOKUP_BUDGET_S = 1.5


def check_targets(
    parsed: Parsed,
    *,
    lookup: Lookup = system_lookup,
    is_own_address: Callable[[str], bool] | None = None,
    budget_s: float = LOOKUP_BUDGET_S,
) -> list[Problem]:
    """What is wrong with the targets, in the order of the flags.

    Bad syntax and unknown words are errors; a name that cannot be resolved now
    is a warning; ``-proxy_to`` that leads only to this server is an error.
    """
    problems: list[Problem] = []
    addresses: list[Address] = []
    for target, balancer in _TARGETS:
        problems.extend(_check_balancer(parsed, target, balancer))
        address = _read_address(parsed, target, problems)
        if address is not None:
            addresses.append(address)
            problems.extend(_check_registry(parsed, address))
            if target == "cdn_merge_to":
                problems.extend(_check_merge_name(parsed, address))
            problems.extend(_check_servers(parsed, target, address, lookup, is_own_address or is_local, budget_s))
    problems.extend(_check_siblings(parsed))
    problems.extend(check_tls(parsed, addresses, budget_s))
    problems.extend(check_upstream_tls(parsed, addresses, budget_s))
    return problems


def _check_siblings(parsed: Parsed) -> Iterator[Problem]:
    """The nodes that clients may be sent to; nobody is asked for them yet."""
    try:
        if value_of(parsed.flags, "rtmp_siblings"):
            check_base_urls(value_of(parsed.flags, "rtmp_siblings"), RTMP)
    except NamingError as error:
        yield Problem(parsed.where("rtmp_siblings"), f"-rtmp_siblings: {error}")
    text, where = value_of(parsed.flags, "hls_siblings"), parsed.where("hls_siblings")
    if not text:
        return
    try:
        check_base_urls(text)
    except NamingError as error:
        yield Problem(where, f"-hls_siblings: {error}")
    if value_of(parsed.flags, "hls_entry_prefix"):
        message = "-hls_siblings has no effect beside -hls_entry_prefix: playlists lead elsewhere"
        yield Problem(where, message, is_warning=True)
    elif not value_of(parsed.flags, "hls"):
        yield Problem(where, "-hls_siblings has no effect without -hls", is_warning=True)


def values_in_vain(parsed: Parsed) -> tuple[str, ...]:
    """``name=value`` of targets with a scheme that is known and not built, of flags that are acted on."""
    found = []
    for target, _ in _TARGETS:
        if target in NOT_ACTED_ON:
            continue
        scheme, separator, _ = value_of(parsed.flags, target).partition("://")
        if separator and schemes.is_known(scheme) and not schemes.is_built(scheme):
            found.append(f"{target}={scheme.lower()}://...")
    return tuple(found)


def _check_balancer(parsed: Parsed, target: str, balancer: str) -> Iterator[Problem]:
    words = value_of(parsed.flags, balancer)
    if not words:
        return
    where = parsed.where(balancer)
    if not balancers.is_known(words):
        valid = ", ".join(balancers.known())
        yield Problem(where, f'-{balancer}: unknown load balancer "{words}" (valid: {valid})')
        return
    try:
        balancers.create(_with_replicas(parsed, words))
    except BalancerError as error:
        yield Problem(where, f"-{balancer}: {error}")
    else:
        why = why_nobody(words, _written_tags(value_of(parsed.flags, target)))
        if why:
            yield Problem(where, f"-{balancer}: {why}", is_warning=True)
    if not value_of(parsed.flags, target):
        yield Problem(where, f"-{balancer} has no effect without -{target}", is_warning=True)


def _written_tags(target: str) -> list[str]:
    """The tags of a target that lists its servers itself; none of another one, or one that cannot be read."""
    try:
        address = parse_address(target)
    except NamingError:
        return []
    if address.is_plain or address.scheme not in ("list", "dlist"):
        return []
    items, _ = parse_items(address.name.split(","))
    return [item.tag for item in items]


def _with_replicas(parsed: Parsed, words: str) -> str:
    """The balancer as it will be made: the points per server of those with a ring have a flag."""
    name, _, params = words.partition(":")
    if not balancers.is_known(name) or not balancers.traits_of(name).has_owners or "replicas=" in params:
        return words
    return f"{name}:{params} replicas={value_of(parsed.flags, 'chash_num_replicas')}"


def _check_registry(parsed: Parsed, address: Address) -> Iterator[Problem]:
    """The address of the registry that the scheme asks, which has a flag of its own."""
    flag = _REGISTRIES.get(address.scheme)
    if flag is None:
        return
    text = value_of(parsed.flags, flag)
    if flag == "discovery_api_addr":  # a whole URL
        scheme, separator, rest = text.partition("://")
        text = f"{scheme}{separator}{rest.partition('/')[0]}" if separator else text.partition("/")[0]
    try:
        parse_origins(text, flag)
    except NamingError as error:
        yield Problem(parsed.where(flag), f"{error}, and {address.scheme}:// asks there")
    yield from _check_login(parsed, address.scheme)


def _check_login(parsed: Parsed, scheme: str) -> Iterator[Problem]:
    """The files with what a registry is to be told: they must be there, and a user needs one."""
    flag = _SECRET_FILES.get(scheme)
    if flag is None:
        return
    path = value_of(parsed.flags, flag)
    if scheme == "etcd" and bool(path) != bool(value_of(parsed.flags, "etcd_user")):
        yield Problem(parsed.where(flag), "-etcd_user and -etcd_password_file need each other")
    elif scheme == "nacos" and path and not value_of(parsed.flags, "nacos_username"):
        yield Problem(parsed.where(flag), "-nacos_password_file needs -nacos_username")
    elif path:
        try:
            read_secret(path)
        except NamingError as error:
            yield Problem(parsed.where(flag), f"-{flag}: {error}")


def _check_merge_name(parsed: Parsed, address: Address) -> Iterator[Problem]:
    """A port of the merge service that was taken from a text in which it is a part of a name."""
    own_port = value_of(parsed.flags, "cdn_merge_port")
    port = merge_port(address.text, own_port)
    if address.scheme == "dns":  # the port of the DNS server is not that of the servers
        is_part_of_name = merge_port(address.text.partition("?")[0], own_port) != port
    else:
        is_part_of_name = address.scheme in _VERBATIM
    if own_port < 0 and port is not None and is_part_of_name:
        name = address.shown.partition("://")[2]
        yield Problem(
            parsed.where("cdn_merge_to"),
            f"-cdn_merge_to: the merge service will listen on port {port} of this server, and {address.scheme}:// will "
            f'ask for "{name}", that number included; set -cdn_merge_port',
            is_warning=True,
        )


def _read_address(parsed: Parsed, target: str, problems: list[Problem]) -> Address | None:
    text = value_of(parsed.flags, target)
    if not text:
        return None
    try:
        address = parse_address(text)
    except NamingError as error:
        problems.append(Problem(parsed.where(target), f"-{target}: {error}"))
        return None
    return address


def _check_servers(
    parsed: Parsed,
    target: str,
    address: Address,
    lookup: Lookup,
    is_own_address: Callable[[str], bool],
    budget_s: float,
) -> Iterator[Problem]:
    where = parsed.where(target)
    balancer = target.replace("_to", "_lb")
    if not address.is_plain and not value_of(parsed.flags, balancer):
        yield Problem(where, f"-{target} is a naming URL and -{balancer} is empty: rr is used", is_warning=True)
    elif address.is_plain and value_of(parsed.flags, balancer):
        yield Problem(where, f"-{target} is one server: -{balancer} is not used", is_warning=True)
    endpoints = written_endpoints(address)
    answers = _resolve_all({host for host, _ in endpoints}, lookup, budget_s)
    for host in sorted(host for host, addresses in answers.items() if not addresses):
        yield Problem(where, f'-{target}: "{host}" cannot be resolved now', is_warning=True)
    if address.scheme == "file":
        fault = _why_no_list(address.name, value_of(parsed.flags, "ns_max_body_bytes"), budget_s)
        if fault:
            yield Problem(where, f"-{target}: {fault}", is_warning=True)
    fault = _why_no_answer(address, budget_s)
    if fault:
        yield Problem(where, f"-{target}: {fault}", is_warning=True)
    servers = [(numeric, port) for host, port in endpoints for numeric in answers[host]]
    # A front is normally a member of its own merge tier, so only proxy_to is judged.
    if target == "proxy_to" and servers and all(answers.values()):
        own = [server for server in servers if _is_own(parsed, server, is_own_address)]
        if len(own) == len(servers):
            yield Problem(where, f"-{target}={address.text}: proxies to itself")
        elif own:
            yield Problem(where, f"-{target}={address.text}: one of the servers is this one", is_warning=True)


def _why_no_list(path: str, max_bytes: int, budget_s: float) -> str:
    """What keeps a file from being a list of servers now, "" if nothing does or it is not known in time."""

    def faults() -> Iterator[str]:
        try:
            items, wrong = parse_items(read_list(path, max_bytes).removeprefix("\ufeff").split("\n"))
        except OSError as error:
            yield f'cannot read "{path}" now: {error.strerror}'
        except NamingError as error:
            yield str(error)
        else:
            if not items:
                yield f'"{path}" names no server now' + (f": {wrong[0]}" if wrong else "")

    return next(iter(found_within(budget_s, faults, name="check-file")), "")


def _why_no_answer(address: Address, budget_s: float) -> str:
    """As ``dns_probe.why_no_answer``, whose DNS library is loaded where a target needs it."""
    if address.scheme not in _ASKED_OF_DNS:
        return ""
    from edge.runtime.dns_probe import why_no_answer

    return why_no_answer(address, budget_s)


def written_endpoints(address: Address) -> list[Endpoint]:
    """The ``(host, port)`` pairs that the text itself names; none for registries and files."""
    if address.is_plain:
        return [(address.host, address.port)]
    if address.scheme in ("list", "dlist"):
        items, _ = parse_items(address.name.split(","))
        return [(item.host, item.port) for item in items]
    if address.scheme in _DNS_PORTS:
        try:
            return [parse_endpoint(address.name.partition("/")[0], default_port=_DNS_PORTS[address.scheme])]
        except NamingError:
            return []
    return []


def _is_own(parsed: Parsed, server: Endpoint, is_own_address: Callable[[str], bool]) -> bool:
    flags = parsed.flags
    ports = (value_of(flags, "port"), value_of(flags, "internal_port"), *value_of(flags, "listen"))
    merged = merge_port(value_of(flags, "cdn_merge_to"), value_of(flags, "cdn_merge_port")) or 0
    return is_own_server(server, (*ports, merged), value_of(flags, "bind"), is_own_address)


def is_own_server(
    server: Endpoint, ports: Collection[int], bind: Sequence[str], is_own_address: Callable[[str], bool]
) -> bool:
    """Whether this process listens there, with these ports (0 and -1: none that is known) at these addresses."""
    host, port = server
    if port <= 0 or port not in ports:
        return False
    bound = {ipaddress.ip_address(each.strip("[]")) for each in bind if is_ip(each.strip("[]"))}
    is_everywhere = not bound or any(each.is_unspecified for each in bound)
    if not is_everywhere:
        return ipaddress.ip_address(host) in bound
    return is_own_address(host)


def is_local(address: str) -> bool:
    """Whether a numeric address is one of this machine's.

    The kernel sends to an address of its own from that same address; connecting
    a datagram socket asks for that choice and sends nothing.
    """
    numeric = ipaddress.ip_address(address)
    if numeric.is_loopback or numeric.is_unspecified:
        return True
    family = socket.AF_INET6 if numeric.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
            return ipaddress.ip_address(probe.getsockname()[0]) == numeric
    except OSError:
        return False


def _resolve_all(hosts: set[str], lookup: Lookup, budget_s: float) -> dict[str, Sequence[str]]:
    """Numeric addresses of each host, () for those without an answer in time."""
    answers: dict[str, Sequence[str]] = {host: [host] if is_ip(host) else () for host in hosts}
    names = [host for host in sorted(hosts) if not is_ip(host)]

    def look_up() -> Iterator[tuple[str, Sequence[str]]]:
        for name in names:
            try:
                yield name, lookup(name)
            except (OSError, UnicodeError):
                yield name, ()

    if names:
        answers.update(found_within(budget_s, look_up, name="check-names"))
    return answers
