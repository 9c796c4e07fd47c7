"""``remotefile://[http://|https://]server[:port][/path]``: a list in a file behind HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from naming.base import NamingContext, NamingError
from naming.fetch import Fetcher
from naming.node import ServerNode
from naming.origins import Origins, check_query, parse_origins
from naming.polling import ItemResolver, poll, read_items
from naming.registry import register


@register("remotefile")
class RemoteFileService:
    """Fetch the list each interval; one server per line as ``address tag``.

    brpc also takes ``bns://`` for the inner scheme and not ``https://``.
    """

    __slots__ = ("_context",)

    def __init__(self, context: NamingContext) -> None:
        self._context = context

    def check_name(self, name: str) -> None:
        """Raise NamingError unless ``name`` is a URL that can be fetched; the scheme may be missing."""
        self._parse(name)

    async def watch(self, name: str) -> AsyncIterator[Sequence[ServerNode]]:
        """Follow the file at ``name``."""
        origins, path = self._parse(name)
        resolver = ItemResolver(self._context)
        options = self._context.options
        limits_ms = [each for each in (options.remote_file_timeout_ms, options.ns_fetch_timeout_ms) if each > 0]
        connect_ms = options.remote_file_connect_timeout_ms
        if connect_ms < 0:
            connect_ms = options.remote_file_timeout_ms // 3
        async with Fetcher(self._context, connect_timeout_ms=connect_ms) as fetcher:

            async def fetch() -> Sequence[ServerNode]:
                answer = await fetcher.get(origins, path, timeout_ms=min(limits_ms, default=0))
                return await resolver.resolve(read_items(answer.text(), self._context))

            async for servers in poll(self._context, fetch):
                yield servers

    def _parse(self, name: str) -> tuple[Origins, str]:
        """Split ``name`` into the server and the path with its query; slashes before the server are skipped."""
        scheme, separator, rest = name.partition("://")
        if not separator:
            scheme, rest = "http", name
        if scheme.lower() not in ("http", "https"):
            raise NamingError(f'remotefile: unknown inner scheme "{scheme}" (valid: http, https)')
        server, slash, path = rest.lstrip("/").partition("/")
        check_query(server + slash + path, "remotefile URL")
        return parse_origins(f"{scheme}://{server}", "remotefile"), f"/{path}"
