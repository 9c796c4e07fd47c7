"""Consistent hashing, point for point as brpc does it, so that a mixed fleet agrees on the owner of a key.

Every server has points on a ring of 32-bit numbers, the hashes of
``ENDPOINT-0``, ``ENDPOINT-1`` and so on. A key belongs to the server of the
first point at or after its own hash. A server that comes or goes moves only
the keys of its own points. Servers that are down keep their points: their keys
go to the next server of the ring and come back with them.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import struct
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain

import mmh3

from lb.base import BalancerError, SelectRequest
from lb.registry import Entropy, refuse_unknown, register
from naming.node import ServerNode

DEFAULT_REPLICAS = 100
# Points per server: bounds what a slip of the finger in a flag costs at each change of the list.
MAX_REPLICAS = 10000
# brpc writes the text of a point into a buffer of this size.
_MAX_TEXT_BYTES = 255

# Bits that number the servers of a ring; lists are shorter by far.
_RANK_BITS = 24
_RANK_MASK = (1 << _RANK_BITS) - 1

Points = Callable[[str, int], Iterable[int]]
"""``points(endpoint, replicas)``: the points of one server."""


def murmur_points(endpoint: str, replicas: int) -> Iterator[int]:
    """MurmurHash3 x86-32, seed 0, of each replica's text."""
    return (mmh3.hash(_text(endpoint, index), 0, signed=False) for index in range(replicas))


def md5_points(endpoint: str, replicas: int) -> Iterator[int]:
    """The first four bytes of each replica's MD5, little-endian."""
    return (_md5_words(endpoint, index)[0] for index in range(replicas))


def ketama_points(endpoint: str, replicas: int) -> Iterator[int]:
    """All four little-endian words of an MD5 per four replicas."""
    return (word for index in range(replicas // 4) for word in _md5_words(endpoint, index))


def _text(endpoint: str, index: int) -> bytes:
    return f"{endpoint}-{index}".encode()[:_MAX_TEXT_BYTES]


def _md5_words(endpoint: str, index: int) -> tuple[int, ...]:
    return struct.unpack("<4I", hashlib.md5(_text(endpoint, index), usedforsecurity=False).digest())


def _order(server: ServerNode) -> tuple[int, int, int, str]:
    """brpc's order of servers, which decides who owns a point that two of them have."""
    address = ipaddress.ip_address(server.host)
    number = int.from_bytes(address.packed, "little" if address.version == 4 else "big")
    return address.version, number, server.port, server.tag


class Ring:
    """The points of a list of servers, in rising order.

    Attributes:
        hashes: the points.
        owners: the server of each point.
    """

    __slots__ = ("hashes", "owners")

    def __init__(self, servers: Sequence[ServerNode], points: Points, replicas: int) -> None:
        ordered = sorted(set(servers), key=_order)
        # Point and rank in one number: a ring of 100,000 is sorted on the event loop.
        ring: list[int] = []
        for rank, server in enumerate(ordered):
            ring.extend([point << _RANK_BITS | rank for point in points(server.endpoint, replicas)])
        ring.sort()
        self.hashes = [node >> _RANK_BITS for node in ring]
        self.owners = [ordered[node & _RANK_MASK] for node in ring]

    def walk(self, code: int) -> Iterator[ServerNode]:
        """The owner of ``code``, then each other server in the order in which the ring comes to it."""
        start = bisect_left(self.hashes, code)
        seen: set[ServerNode] = set()
        for index in chain(range(start, len(self.owners)), range(start)):
            server = self.owners[index]
            if server not in seen:
                seen.add(server)
                yield server


class ConsistentHash:
    """Choose the owner of the request's code, or who follows it on the ring.

    Parameters:
        replicas: points per server (100).
        load_factor: above or equal to 1; without it a key stays with its owner
            however many ask for it. With it no server is given a stream while it
            carries ``load_factor`` times the mean of those that are up, as long
            as another carries less; the overflow of an owner goes to those that
            follow it. This is ours, not brpc's: all of a fleet must have it.

    Raises BalancerError for another parameter, which brpc logs and ignores.
    """

    __slots__ = ("_known", "_load_factor", "_points", "_replicas", "_ring", "_seen")

    def __init__(self, name: str, params: Mapping[str, str], points: Points) -> None:
        refuse_unknown(name, params, ("replicas", "load_factor"))
        self._points = points
        self._known: dict[str, Sequence[int]] = {}  # the points of the servers of the list, in rising order
        self._replicas = _read_replicas(name, params.get("replicas", str(DEFAULT_REPLICAS)))
        self._load_factor = _read_load_factor(name, params.get("load_factor"))
        self._seen: tuple[ServerNode, ...] = ()
        self._ring = Ring((), points, self._replicas)

    def select(self, servers: Sequence[ServerNode], request: SelectRequest) -> ServerNode | None:
        """Return the first server from the code on that is up and was not tried; None when none is up.

        When all that are up were tried it is the last of them, as in brpc.
        """
        if servers is not self._seen and tuple(servers) != self._seen:
            self._seen = tuple(servers)
            self._ring = Ring(self._seen, self._points_of, self._replicas)
            self._known = {server.endpoint: self._known[server.endpoint] for server in self._seen}
        may_take = self._limit(request)
        full: ServerNode | None = None
        tried: ServerNode | None = None
        for server in self._ring.walk(request.code):
            if server in request.unavailable:
                continue
            if server in request.excluded:
                tried = server
            elif may_take is None or _load(request, server) < may_take:
                return server
            elif full is None:
                full = server
        return full or tried

    def feedback(self, server: ServerNode, latency_ms: float, is_ok: bool, now_ms: int = 0) -> None:
        """Learn nothing: owners do not depend on results."""

    def _points_of(self, endpoint: str, replicas: int) -> Sequence[int]:
        """The points of a server, hashed once for as long as it is in the list; two that are equal count as one."""
        if endpoint not in self._known:
            self._known[endpoint] = array("I", sorted(set(self._points(endpoint, replicas))))
        return self._known[endpoint]

    def _limit(self, request: SelectRequest) -> int | None:
        """The number of streams at which a server is full, this one counted in the mean; None without a limit."""
        if self._load_factor is None or request.loads is None:
            return None
        up = [server for server in self._seen if server not in request.unavailable]
        total = sum(_load(request, server) for server in up) + 1
        return math.ceil(self._load_factor * total / len(up)) if up else None


def _load(request: SelectRequest, server: ServerNode) -> int:
    return request.loads.get(server, 0) if request.loads is not None else 0


def _read_replicas(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 0 < int(text) <= MAX_REPLICAS):
        raise BalancerError(f'load balancer "{name}": replicas="{text}" is not in 1-{MAX_REPLICAS}')
    return int(text)


def _read_load_factor(name: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 1 <= factor < math.inf:
        raise BalancerError(f'load balancer "{name}": load_factor="{text}" is not a number from 1 up')
    return factor


@register("c_murmurhash", has_owners=True)
class MurmurHash(ConsistentHash):
    """The ring of MurmurHash3."""

    __slots__ = ()

    def __init__(self, params: Mapping[str, str], entropy: Entropy) -> None:
        super().__init__("c_murmurhash", params, murmur_points)


@register("c_md5", has_owners=True)
class Md5(ConsistentHash):
    """The ring of MD5's first words."""

    __slots__ = ()

    def __init__(self, params: Mapping[str, str], entropy: Entropy) -> None:
        super().__init__("c_md5", params, md5_points)


@register("c_ketama", has_owners=True)
class Ketama(ConsistentHash):
    """The ring of all of MD5; ``replicas`` is a multiple of 4."""

    __slots__ = ()

    def __init__(self, params: Mapping[str, str], entropy: Entropy) -> None:
        super().__init__("c_ketama", params, ketama_points)
        if self._replicas % 4:
            raise BalancerError(f'load balancer "c_ketama": replicas="{self._replicas}" is not a multiple of 4')
