"""Questions to DNS servers themselves, for what the system's resolver does not tell: times to live, weights, ports.

``http://`` follows names as the whole system sees them, ``/etc/hosts`` included;
``dns://`` and ``srv://`` ask DNS and wait for the time to live of the answer,
though never less than ``ns_access_interval``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.rdatatype
import dns.resolver

from naming.base import NamingContext, NamingError, NamingOptions
from naming.endpoint import is_ip, parse_endpoint
from naming.node import ServerNode
from naming.polling import poll

# A record that may be kept for weeks would hide a moved server as long.
MAX_TTL_S = 300
# Values with the top bit set mean 0 (RFC 2181 §8).
_TTL_SIGN = 1 << 31
_DNS_PORT = 53


class NoRecordError(NamingError):
    """The servers are in order, and say that there is no such record."""


@dataclass(frozen=True, slots=True)
class Question:
    """``name[:port][?server=address[:port]]`` taken apart.

    Attributes:
        text: ``name[:port]`` as written.
        servers: numeric ``(address, port)`` of the DNS servers to ask; empty: those of ``resolv.conf``.
    """

    text: str
    servers: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """Records of one answer and the seconds for which they hold, 0 to ``MAX_TTL_S``."""

    records: tuple[str, ...]
    ttl_s: int


@dataclass(frozen=True, slots=True)
class Service:
    """One SRV record (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


def parse_question(name: str) -> Question:
    """Split the name of a ``dns`` or ``srv`` URL; raises NamingError for an unknown setting or a bad server."""
    text, _, query = name.partition("?")
    servers = []
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key != "server":
            raise NamingError(f'bad name "{name}": unknown setting "{key}" (valid: server)')
        address, port = parse_endpoint(value, default_port=_DNS_PORT)
        if not is_ip(address) or port == 0:
            raise NamingError(f'bad name "{name}": a DNS server is written address or address:port')
        servers.append((address, port))
    return Question(text, tuple(servers))


class Lookup:
    """Asks for records; each question with all its retries ends within ``dns_timeout_ms``."""

    __slots__ = ("_lifetime_s", "_resolver", "_servers")

    def __init__(self, question: Question, options: NamingOptions) -> None:
        self._servers = question.servers
        self._lifetime_s = options.dns_timeout_ms / 1000
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def addresses(self, host: str) -> Found:
        """The IPv4 addresses of ``host``, or its IPv6 ones when it has no IPv4.

        A numeric address is its own answer. Raises NamingError without any,
        NoRecordError when there is none.
        """
        numeric = host.removesuffix(".")
        if is_ip(numeric):
            return Found((numeric,), MAX_TTL_S)
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            answer = await self._ask(host, kind)
            if answer.rrset:
                return Found(tuple(str(ipaddress.ip_address(each.address)) for each in answer.rrset), _ttl_s(answer))
        raise NoRecordError(f'"{host}" has no address')

    async def services(self, name: str) -> tuple[list[Service], int]:
        """The SRV records of ``name`` and the seconds for which they hold; raises NamingError without any.

        Targets end with a dot: they are whole names (RFC 2782), to which no domain of
        ``resolv.conf`` may be added.
        """
        answer = await self._ask(name, dns.rdatatype.SRV)
        found = [Service(each.priority, each.weight, each.port, each.target.to_text()) for each in answer.rrset or ()]
        if not found:
            raise NamingError(f'"{name}" has no SRV records')
        return found, _ttl_s(answer)

    async def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> dns.resolver.Answer:
        """One question; an answer without records of ``kind`` is returned as such."""
        try:
            return await self._make().resolve(
                name, kind, raise_on_no_answer=False, lifetime=self._lifetime_s, search=not self._servers
            )
        # The wire of a broken server may fail in more ways than the library names.
        except (dns.exception.DNSException, OSError, ValueError, EOFError) as error:
            self._resolver = None
            reason = _describe(error)
            kind_of_error = NoRecordError if isinstance(error, dns.resolver.NXDOMAIN) else NamingError
            raise kind_of_error(f'cannot resolve "{name}": {reason[:200]}') from error

    def _make(self) -> dns.asyncresolver.Resolver:
        """The resolver; after a failure the system's settings are read again, for they may name other servers now."""
        if self._resolver is None:
            resolver = dns.asyncresolver.Resolver(configure=not self._servers)
            if self._servers:
                resolver.nameservers = [dns.nameserver.Do53Nameserver(*server) for server in self._servers]
            self._resolver = resolver
        return self._resolver


def _ttl_s(answer: dns.resolver.Answer) -> int:
    """The shortest time to live on the way to the records, CNAMEs included."""
    ttl = answer.chaining_result.minimum_ttl
    return 0 if ttl >= _TTL_SIGN else min(ttl, MAX_TTL_S)


async def follow(
    context: NamingContext, ask: Callable[[], Awaitable[tuple[Sequence[ServerNode], int]]]
) -> AsyncIterator[Sequence[ServerNode]]:
    """Yield the servers that ``ask`` returns, and ask again when the seconds that it returns beside them are over."""
    ttl_s = 0

    async def fetch() -> Sequence[ServerNode]:
        nonlocal ttl_s
        servers, ttl_s = await ask()
        return servers

    async for servers in poll(context, fetch, lambda: max(ttl_s, context.options.ns_access_interval)):
        yield servers


def _describe(error: Exception) -> str:
    """What went wrong; of a question that was repeated until its time was over what went wrong at each server."""
    if not isinstance(error, dns.resolver.LifetimeTimeout):
        return str(error) or type(error).__name__
    tries = error.kwargs.get("errors") or ()
    told = dict.fromkeys(f"{str(each[0]).removeprefix('Do53:')} {_fault(each[3])}" for each in tries)
    return f"no answer in {error.kwargs['timeout']:.1f} s: {', '.join(told)}"


def _fault(fault: object) -> str:
    return "is silent" if isinstance(fault, dns.exception.Timeout) else str(fault)
