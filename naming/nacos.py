"""``nacos://serviceName=a&groupName=b``: the instances of a service of Nacos, by its open API version 1."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import quote

from naming.base import NamingContext, NamingError
from naming.endpoint import is_ip
from naming.fetch import Fetcher
from naming.node import ServerNode
from naming.origins import Origins, check_query, parse_origins
from naming.polling import poll
from naming.registry import register
from naming.secret_file import read_secret
from naming.threads import PatientCalls

# A token is renewed this long before it ends.
_RENEW_EARLY_S = 10
# Bounds of the interval that an answer may ask for.
_MIN_INTERVAL_MS = 1000
_MAX_INTERVAL_MS = 300_000


@register("nacos")
class NacosService:
    """Polls the list of instances, at the pace that its ``cacheMillis`` asks for.

    The name is the query of the API, encoded as in a URL. With a user and a
    password it logs in first, and again when the token ends or is refused. The
    password of a file is read at each login; unlike that of the flag it stands there as it is.
    """

    __slots__ = ("_calls", "_context", "_interval_s", "_token", "_token_ends_at")

    def __init__(self, context: NamingContext) -> None:
        self._context = context
        self._calls = PatientCalls(name="naming-file", timeout_ms=context.options.ns_fetch_timeout_ms)
        self._interval_s: float = context.options.ns_access_interval
        self._token = ""
        self._token_ends_at = math.inf

    def check_name(self, name: str) -> None:
        """Raise NamingError unless ``name`` can stand in a URL; it is sent as it is."""
        check_query(name, "query of Nacos")

    async def watch(self, name: str) -> AsyncIterator[Sequence[ServerNode]]:
        """Follow the service that the query ``name`` means."""
        self.check_name(name)
        options = self._context.options
        origins = parse_origins(options.nacos_address, "nacos_address")
        async with Fetcher(self._context, connect_timeout_ms=options.nacos_connect_timeout_ms) as fetcher:
            async for servers in poll(
                self._context, lambda: self._fetch(fetcher, origins, name), lambda: self._interval_s
            ):
                yield servers

    async def _fetch(self, fetcher: Fetcher, origins: Origins, name: str) -> list[ServerNode]:
        options = self._context.options
        if options.nacos_username and (options.nacos_password or options.nacos_password_file):
            await self._log_in(fetcher, origins)
        token = f"accessToken={self._token}&" if self._token else ""
        try:
            answer = await fetcher.get(origins, f"{options.nacos_service_discovery_path}?{token}{name}")
        except NamingError:
            self._token = ""  # it may have been refused; asking for a new one is cheap
            raise
        return self._take(answer.json())

    async def _log_in(self, fetcher: Fetcher, origins: Origins) -> None:
        """Get a token unless there is one that still holds."""
        options, now = self._context.options, asyncio.get_running_loop().time()
        if self._token and now < self._token_ends_at:
            return
        password, path = options.nacos_password, options.nacos_password_file
        if path:
            password = quote(await self._calls.call(lambda: read_secret(path)), safe="")
        answer = await fetcher.request(
            "POST",
            origins,
            options.nacos_service_auth_path,
            body=f"username={options.nacos_username}&password={password}".encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        found = answer.json()
        token = found.get("accessToken") if isinstance(found, dict) else None
        if not isinstance(token, str) or not token:
            raise NamingError("the login at Nacos gave no accessToken")
        check_query(token, "accessToken")
        ttl_s = found.get("tokenTtl")
        has_end = type(ttl_s) is int and ttl_s > 0
        self._token, self._token_ends_at = token, now + ttl_s - _RENEW_EARLY_S if has_end else math.inf

    def _take(self, found: Any) -> list[ServerNode]:
        """The servers of an answer; raises NamingError for one without a list or without a usable entry."""
        hosts = found.get("hosts") if isinstance(found, dict) else None
        if not isinstance(hosts, list):
            raise NamingError('the answer of Nacos has no array "hosts"')
        wanted_ms = found.get("cacheMillis")
        if type(wanted_ms) is int and wanted_ms > 0:
            self._interval_s = min(max(wanted_ms, _MIN_INTERVAL_MS), _MAX_INTERVAL_MS) / 1000
        servers = [server for server in map(_read_host, hosts) if server is not None]
        if hosts and not servers:
            raise NamingError(f"none of {len(hosts)} instances is enabled, healthy and has a numeric address")
        return servers


def _read_host(host: Any) -> ServerNode | None:
    """One instance; None when it is switched off, ill or malformed. The weight becomes the tag, cut to an integer."""
    if not isinstance(host, dict) or host.get("enabled") is not True or host.get("healthy") is not True:
        return None
    address, port, weight = host.get("ip"), host.get("port"), host.get("weight")
    if not isinstance(address, str) or not is_ip(address) or type(port) is not int or not 0 < port < 65536:
        return None
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        return ServerNode(address, port)
    is_weight = isinstance(weight, int) or math.isfinite(weight)
    return ServerNode(address, port, str(int(weight)) if is_weight else "")
