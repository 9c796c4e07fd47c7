"""``http://host[:port]``, ``https://`` and ``redis://``: all addresses of one name, as the system resolves it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from naming.base import NamingContext, NamingError
from naming.endpoint import name_of, parse_endpoint
from naming.node import ServerNode
from naming.registry import register


class DomainService:
    """Ask for one name each interval; each address of the answer is a server.

    The IPv4 addresses are taken, the IPv6 ones only when there are none. What
    stands behind the first ``/`` of the name is ignored. The time to live of the
    records is not looked at: a source is asked once per interval, no more.
    """

    __slots__ = ("_context",)

    default_port = 80

    def __init__(self, context: NamingContext) -> None:
        self._context = context

    def check_name(self, name: str) -> None:
        """Raise NamingError unless ``name`` is ``host[:port][/...]``."""
        self._parse(name)

    async def watch(self, name: str) -> AsyncIterator[Sequence[ServerNode]]:
        """Follow ``name``: ``host[:port][/...]``."""
        host, port = self._parse(name)
        while True:
            try:
                addresses = await self._context.resolver.resolve(host)
            except NamingError as error:
                self._context.on_failure(str(error))
            else:
                yield [ServerNode(address, port, name=name_of(host)) for address in addresses]
            await self._context.sleep(self._context.options.ns_access_interval)

    def _parse(self, name: str) -> tuple[str, int]:
        host, port = parse_endpoint(name.partition("/")[0], default_port=self.default_port)
        if port == 0:
            raise NamingError(f'bad address "{name}": port 0 cannot be connected to')
        return host, port


@register("http")
class HttpService(DomainService):
    """Port 80 unless the name says otherwise."""

    __slots__ = ()


@register("https")
class HttpsService(DomainService):
    """Port 443 unless the name says otherwise."""

    __slots__ = ()

    default_port = 443


@register("redis")
class RedisService(DomainService):
    """As ``http``, port 80 included (brpc serves both with one class): write the port."""

    __slots__ = ()
