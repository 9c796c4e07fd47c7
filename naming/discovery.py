"""``discovery://appid``: the instances of an application in a bilibili discovery cluster."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import quote

from naming.base import NamingContext, NamingError
from naming.endpoint import is_ip, parse_endpoint
from naming.fetch import Answer, Fetcher
from naming.node import ServerNode
from naming.origins import Origins, check_query, parse_origins
from naming.polling import poll
from naming.registry import register


@register("discovery")
class DiscoveryService:
    """Asks ``-discovery_api_addr`` for the nodes of the cluster, and these for the instances.

    brpc asks for the nodes once per process and never again, even when that
    failed; here they are asked for until there are any, and anew when none of
    them answers. While nobody names new ones the old ones are asked again.
    """

    __slots__ = ("_context",)

    def __init__(self, context: NamingContext) -> None:
        self._context = context

    def check_name(self, name: str) -> None:
        """Raise NamingError unless ``name`` can stand in a URL; it is sent as it is."""
        check_query(name, "appid")

    async def watch(self, name: str) -> AsyncIterator[Sequence[ServerNode]]:
        """Follow the application ``name``."""
        self.check_name(name)
        options = self._context.options
        api, path = _split(options.discovery_api_addr)
        timeout_ms = options.discovery_timeout_ms
        query = f"appid={name}&env={quote(options.discovery_env)}&status={quote(options.discovery_status)}"
        if options.discovery_zone:
            query += f"&zone={quote(options.discovery_zone)}"
        nodes: Origins | None = None
        are_silent = False
        async with Fetcher(self._context, connect_timeout_ms=max(1, timeout_ms // 3)) as fetcher:

            async def fetch() -> Sequence[ServerNode]:
                nonlocal nodes, are_silent
                if nodes is None or are_silent:
                    try:
                        nodes = read_nodes(await fetcher.get(api, path, timeout_ms=timeout_ms))
                    except NamingError:
                        if nodes is None:
                            raise
                are_silent = True
                answer = await fetcher.get(nodes, f"/discovery/fetchs?{query}", timeout_ms=timeout_ms)
                are_silent = False
                return read_instances(answer.json(), name)

            async for servers in poll(self._context, fetch):
                yield servers


def read_nodes(answer: Answer) -> Origins:
    """The nodes of the cluster that are up (``status`` 0); raises NamingError when there are none."""
    found = answer.json()
    data = found.get("data") if isinstance(found, dict) else None
    urls: list[str] = []
    for node in data if isinstance(data, list) else ():
        if isinstance(node, dict) and type(node.get("status")) is int and node["status"] == 0:
            try:
                urls.extend(parse_origins(str(node.get("addr")), "discovery_api_addr").urls)
            except NamingError:
                continue
    if not urls:
        raise NamingError("the discovery cluster names no node that is up")
    return Origins(urls)


def read_instances(found: Any, appid: str) -> list[ServerNode]:
    """Servers of an answer of ``/discovery/fetchs``: addresses without a scheme or with ``grpc://``.

    The metadata becomes the tag, as compact JSON. Raises NamingError when the
    answer has another form, and when none of several addresses can be used.
    """
    try:
        instances = found["data"][appid]["instances"]
        listed = [(address, instance.get("metadata")) for instance in instances for address in instance["addrs"]]
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise NamingError(f'the answer of discovery has no instances of "{appid}" with addrs') from error
    if not isinstance(instances, list):
        raise NamingError(f'the instances of "{appid}" are no array')
    servers = []
    for address, metadata in listed:
        scheme, separator, rest = str(address).partition("://")
        if separator and scheme != "grpc":
            continue
        try:
            host, port = parse_endpoint(rest if separator else scheme)
        except NamingError:
            continue
        if is_ip(host):
            tag = "" if metadata is None else json.dumps(metadata, separators=(",", ":"), ensure_ascii=False)
            servers.append(ServerNode(host, port, tag))
    if listed and not servers:
        raise NamingError(f'none of {len(listed)} addresses of "{appid}" is numeric and without a foreign scheme')
    return servers


def _split(url: str) -> tuple[Origins, str]:
    """The server and the path of ``-discovery_api_addr``, a whole URL."""
    scheme, separator, rest = url.partition("://")
    server, slash, path = (rest if separator else scheme).partition("/")
    origins = parse_origins(f"{scheme}://{server}" if separator else server, "discovery_api_addr")
    check_query(slash + path or "/", "path of -discovery_api_addr")
    return origins, slash + path or "/"
