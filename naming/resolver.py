"""Host names to addresses, through the resolver of the system.

The system's resolver knows ``/etc/hosts`` and ``resolv.conf`` but blocks, for
half a minute if its servers are silent. So each lookup has a thread of its own,
never the event loop's shared pool, and each name has at most one lookup in
flight: whoever asks meanwhile waits for the same answer. Callers give up after
``timeout_ms``; the thread ends when the system gives up. The threads are
daemons, so that none of them delays the end of the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Sequence

from naming.base import NamingError
from naming.endpoint import is_ip

# Lookups in flight, over all names: bounds threads when a long list of names meets a silent resolver.
_MAX_LOOKUPS = 16
# What says that a name has no address of this family, and not that its servers are out of order just now.
_HAS_NONE = frozenset(
    getattr(socket, name, socket.EAI_NONAME) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY")
)


def system_lookup(host: str) -> list[str]:
    """All IPv4 addresses of ``host``, or all IPv6 ones when it has no IPv4; blocks.

    Raises OSError when there are none. An outage is no sign that there is no IPv4:
    it must not turn a list of IPv4 addresses into one of IPv6.
    """
    try:
        return _lookup_family(host, socket.AF_INET)
    except socket.gaierror as error:
        if error.errno not in _HAS_NONE:
            raise
        return _lookup_family(host, socket.AF_INET6)


class Resolver:
    """Looks up names on threads of its own; used from one event loop."""

    __slots__ = ("_in_flight", "_lookup", "_slots", "_timeout_s")

    def __init__(self, *, timeout_ms: int = 5000, lookup: Callable[[str], Sequence[str]] = system_lookup) -> None:
        """``lookup`` is called on a thread; it returns addresses or raises OSError or UnicodeError."""
        self._timeout_s = timeout_ms / 1000
        self._lookup = lookup
        self._in_flight: dict[str, asyncio.Future[Sequence[str]]] = {}
        self._slots = asyncio.Semaphore(_MAX_LOOKUPS)

    async def resolve(self, host: str) -> Sequence[str]:
        """Return at least one numeric address of ``host``; raises NamingError otherwise.

        A numeric address is its own answer and is not looked up.
        """
        if is_ip(host):
            return [host]
        try:
            async with asyncio.timeout(self._timeout_s):
                addresses = await asyncio.shield(await self._start(host))
        except TimeoutError:
            raise NamingError(f'no answer for "{host}" within {self._timeout_s:g} s') from None
        except (OSError, UnicodeError) as error:
            raise NamingError(f'cannot resolve "{host}": {error}') from error
        if not addresses:
            raise NamingError(f'"{host}" has no address')
        return addresses

    async def _start(self, host: str) -> asyncio.Future[Sequence[str]]:
        """Join the lookup of ``host`` that is in flight, or begin one when a slot is free."""
        if host not in self._in_flight:
            await self._slots.acquire()
            if host in self._in_flight:  # somebody began it while we waited for the slot
                self._slots.release()
            else:
                self._begin(host)
        return self._in_flight[host]

    def _begin(self, host: str) -> None:
        """Look ``host`` up on a thread; without one, raises NamingError and gives the slot back."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[str]] = loop.create_future()

        def finish(addresses: Sequence[str], error: OSError | UnicodeError | None) -> None:
            del self._in_flight[host]
            self._slots.release()
            if error is None:
                answer.set_result(addresses)
            else:
                answer.set_exception(error)
                answer.exception()  # marks it as seen: the callers may all have given up

        def run() -> None:
            addresses: Sequence[str] = ()
            failure: OSError | UnicodeError | None = None
            try:
                addresses = self._lookup(host)
            except (OSError, UnicodeError) as error:
                failure = error
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(finish, addresses, failure)

        try:
            threading.Thread(target=run, name=f"resolve-{host}", daemon=True).start()
        except RuntimeError as error:  # a limit of the system
            self._slots.release()
            raise NamingError(f'cannot resolve "{host}": {error}') from error
        self._in_flight[host] = answer


def _lookup_family(host: str, family: socket.AddressFamily) -> list[str]:
    """The distinct addresses of one family, in the order of the answer; raises OSError when there are none."""
    # A str is encoded by a codec that takes half a megabyte, be it ASCII.
    name = host.encode("ascii") if host.isascii() else host
    found = [str(info[4][0]) for info in socket.getaddrinfo(name, None, family, socket.SOCK_STREAM)]
    # An address with a scope (fe80::1%eth0) means something on one link only.
    return [address for address in dict.fromkeys(found) if is_ip(address)]
