"""``consul://service``: the healthy instances of a service, by blocking queries to the agent.

A question that names the index of the last answer is held back by the agent
until something changes. The rules for the index are those of Consul's
documentation of blocking queries: it must be a number above 0, and when it goes
down the next question starts anew. So it does after a question without an answer:
who answers then may have been set up anew, and would hold back a question with a
higher index than its own for the whole wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from naming.base import NamingContext, NamingError
from naming.endpoint import is_ip
from naming.fetch import Answer, Fetcher
from naming.file import read_list
from naming.node import ServerNode
from naming.origins import Origins, check_query, parse_origins
from naming.polling import ItemResolver, read_items
from naming.registry import register
from naming.secret_file import read_secret
from naming.threads import PatientCalls

# The agent answers up to a sixteenth of the wait late, and the answer takes its time; beyond this it is taken for
# dead. brpc's bound, which is enough up to a wait of 80 s, is the least.
_GRACE_S = 10
_LATE_PARTS = 16
_ANSWER_S = 5


@register("consul")
class ConsulService:
    """Long polls; questions are at least ``consul_retry_interval_ms`` apart, whatever the agent does.

    Attributes of an instance that count: ``Service.Address`` (numeric),
    ``Service.Port`` and the first of ``Service.Tags``, which becomes the tag. The
    token is read before each question, for tools renew it by writing the file.
    """

    __slots__ = ("_calls", "_context", "_index")

    def __init__(self, context: NamingContext) -> None:
        self._context = context
        self._calls = PatientCalls(name="naming-file", timeout_ms=context.options.ns_fetch_timeout_ms)
        self._index = 0

    def check_name(self, name: str) -> None:
        """Raise NamingError unless ``name`` can stand in a URL; it is sent as it is."""
        check_query(name, "service name")

    async def watch(self, name: str) -> AsyncIterator[Sequence[ServerNode]]:
        """Follow the service ``name``."""
        self.check_name(name)
        options, loop = self._context.options, asyncio.get_running_loop()
        origins = parse_origins(options.consul_agent_addr, "consul_agent_addr")
        pause_s = options.consul_retry_interval_ms / 1000
        is_degraded = not options.consul_enable_degrade_to_file_naming_service
        current: Sequence[ServerNode] = ()
        async with Fetcher(self._context, connect_timeout_ms=options.consul_connect_timeout_ms) as fetcher:
            while True:
                began, failure = loop.time(), ""
                try:
                    servers = self._take(await self._ask(fetcher, origins, name))
                    current = current if servers is None else servers
                    yield current
                    is_degraded = True
                except NamingError as error:
                    failure = str(error)
                if failure and not is_degraded:
                    spare = await self._read_spare(options.consul_file_naming_service_dir + name)
                    if spare is not None:
                        is_degraded = True
                        yield spare
                if failure:  # told behind the list that stands in, which is no answer of Consul's
                    self._context.on_failure(failure)
                await self._context.sleep(pause_s if failure else max(0.0, began + pause_s - loop.time()))

    async def _ask(self, fetcher: Fetcher, origins: Origins, name: str) -> Answer:
        """Put the next question; raises NamingError without an answer."""
        try:
            headers = await self._headers()
            return await fetcher.get(origins, self._path(name), headers=headers, timeout_ms=self._timeout_ms())
        except NamingError:
            self._index = 0
            raise

    async def _headers(self) -> dict[str, str]:
        """The token, when there is one; raises NamingError when its file is of no use."""
        path = self._context.options.consul_token_file
        return {"X-Consul-Token": await self._calls.call(lambda: read_secret(path))} if path else {}

    def _path(self, name: str) -> str:
        options = self._context.options
        path = f"{options.consul_service_discovery_url}{name}{options.consul_url_parameter}"
        if not self._index:
            return path
        sign = "&" if "?" in path else "?"
        return f"{path}{sign}index={self._index}&wait={options.consul_blocking_query_wait_secs}s"

    def _timeout_ms(self) -> int:
        """The bound of one question: a first one is answered at once, a blocking one after the wait."""
        if not self._index:
            return self._context.options.ns_fetch_timeout_ms
        wait_s = self._context.options.consul_blocking_query_wait_secs
        return (wait_s + max(_GRACE_S, wait_s // _LATE_PARTS + _ANSWER_S)) * 1000

    def _take(self, answer: Answer) -> list[ServerNode] | None:
        """The servers of an answer; None when it brings nothing new. Raises NamingError for a bad one."""
        text = answer.headers.get("X-Consul-Index", "")
        # Longer numbers than 64 bits hold are not Consul's.
        if not (text.isascii() and text.isdigit() and len(text) <= 20) or int(text) == 0:
            raise NamingError(f'X-Consul-Index is "{text[:40]}", expected a number above 0')
        index = int(text)
        if index == self._index:  # the wait is over and nothing has changed
            return None
        servers = read_instances(answer.json(), self._context)
        # brpc goes on with a lower index; Consul asks to start anew, for its state was replaced.
        self._index = index if index > self._index else 0
        return servers

    async def _read_spare(self, path: str) -> list[ServerNode] | None:
        """The list in the file that stands in while no agent has ever answered."""
        try:
            text = await self._calls.call(lambda: read_list(path, self._context.options.ns_max_body_bytes))
            return await ItemResolver(self._context).resolve(read_items(text, self._context))
        except (OSError, NamingError) as error:
            self._context.on_failure(f"the file instead of Consul: {error}")
            return None


def read_instances(entries: Any, context: NamingContext) -> list[ServerNode]:
    """Servers of an answer of ``/v1/health/service``; entries that cannot be used are told and left out.

    Raises NamingError when it is no array, or one in which nothing can be used.
    """
    if not isinstance(entries, list):
        raise NamingError("the answer of Consul is not an array")
    servers = [server for server in map(_read_instance, entries) if server is not None]
    if entries and not servers:
        raise NamingError(f"none of {len(entries)} instances has a numeric Service.Address, a port and readable tags")
    if len(servers) < len(entries):
        context.skip(f"{len(entries) - len(servers)} of {len(entries)} instances cannot be used")
    return servers


def _read_instance(entry: Any) -> ServerNode | None:
    service = entry.get("Service") if isinstance(entry, dict) else None
    if not isinstance(service, dict):
        return None
    host, port, tags = service.get("Address"), service.get("Port"), service.get("Tags")
    if not isinstance(host, str) or not is_ip(host) or type(port) is not int or not 0 < port < 65536:
        return None
    if tags is None or tags == []:
        return ServerNode(host, port)
    if not isinstance(tags, list) or not isinstance(tags[0], str):
        return None
    return ServerNode(host, port, tags[0])
