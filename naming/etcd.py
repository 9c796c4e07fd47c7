"""``etcd://prefix``: one server per key below a prefix, through the JSON gateway of etcd's API version 3.

A value is ``address tag`` as in lists, or the JSON object that etcd's own
naming library writes, with ``Addr`` and perhaps ``Metadata``, whose ``weight``
or text becomes the tag. Keys that a lease takes away take their server away.
A watch serves as a bell only: whatever it says, the whole prefix is read again.
With ``-etcd_user`` it logs in first.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from naming.base import NamingContext, NamingError
from naming.etcd_gateway import Gateway
from naming.fetch import Fetcher
from naming.lines import Item
from naming.node import ServerNode
from naming.origins import parse_origins
from naming.polling import ItemResolver, read_items
from naming.registry import register

# Readings are this far apart, however often the bell rings.
_PAUSE_S = 0.5


@register("etcd")
class EtcdService:
    """Reads the prefix, then waits for a change or ``ns_access_interval``, whichever comes first."""

    __slots__ = ("_context",)

    def __init__(self, context: NamingContext) -> None:
        self._context = context

    def check_name(self, name: str) -> None:
        """Raise NamingError for an empty prefix, which would mean every key there is."""
        if not name:
            raise NamingError("the prefix of keys is missing, expected etcd://prefix")

    async def watch(self, name: str) -> AsyncIterator[Sequence[ServerNode]]:
        """Follow the keys that begin with ``name``, verbatim."""
        self.check_name(name)
        options = self._context.options
        origins = parse_origins(options.etcd_address, "etcd_address")
        resolver = ItemResolver(self._context)
        async with Fetcher(self._context, connect_timeout_ms=options.etcd_connect_timeout_ms) as fetcher:
            gateway = Gateway(fetcher, origins, options)
            while True:
                try:
                    items, revision = await self._read(gateway, name)
                    servers = await resolver.resolve(items)
                except NamingError as error:
                    self._context.on_failure(str(error))
                    await self._context.sleep(options.ns_access_interval)
                    continue
                yield servers
                await self._context.sleep(_PAUSE_S)
                await self._wait(gateway, name, revision)

    async def _read(self, gateway: Gateway, prefix: str) -> tuple[list[Item], int]:
        """The servers below the prefix and the revision at which they were read."""
        # One more than is used, so that the cut is noticed and told.
        body = {**_range(prefix), "limit": str(self._context.options.ns_max_servers + 1)}
        found = await gateway.ask("/v3/kv/range", body)
        try:
            revision = int(found["header"]["revision"])
            values = [base64.b64decode(entry["value"], validate=True) for entry in found.get("kvs", ())]
        except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
            raise NamingError("the answer of etcd has not the form of a range") from error
        lines = [_line(value.decode("utf-8", errors="replace")) for value in values]
        return read_items("\n".join(lines), self._context), revision

    async def _wait(self, gateway: Gateway, prefix: str, revision: int) -> None:
        """Return when a key has changed since ``revision``, at the latest after ``ns_access_interval``.

        A watch that fails is no outage: the next reading tells whether there is one.
        """
        body = {"create_request": {**_range(prefix), "start_revision": str(revision + 1)}}
        bell = asyncio.Event()

        async def listen() -> None:
            try:
                await gateway.listen("/v3/watch", body, _is_change)
                bell.set()
            except NamingError:
                return

        async with asyncio.TaskGroup() as tasks:
            listener = tasks.create_task(listen())
            ringing = tasks.create_task(bell.wait())
            resting = tasks.create_task(self._rest())
            await asyncio.wait({ringing, resting}, return_when=asyncio.FIRST_COMPLETED)
            for task in (listener, ringing, resting):
                task.cancel()

    async def _rest(self) -> None:
        await self._context.sleep(self._context.options.ns_access_interval)


def _range(prefix: str) -> dict[str, str]:
    """The keys that begin with ``prefix``: up to the next string of its length (etcd API, "Key ranges")."""
    key = prefix.encode("utf-8", errors="surrogateescape")
    end = key.rstrip(b"\xff")
    end = end[:-1] + bytes([end[-1] + 1]) if end else b"\0"
    return {"key": base64.b64encode(key).decode(), "range_end": base64.b64encode(end).decode()}


def _line(value: str) -> str:
    """A value as a line of a list."""
    if not value.lstrip().startswith("{"):
        return value.replace("\n", " ")
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return "{"  # no address: counts as a bad line
    address, metadata = found.get("Addr"), found.get("Metadata")
    weight = metadata.get("weight") if isinstance(metadata, dict) else metadata
    tag = str(weight) if isinstance(weight, str | int | float) and not isinstance(weight, bool) else ""
    return f"{address} {tag}".replace("\n", " ")


def _is_change(message: Any) -> bool:
    """Whether a message of a watch tells of events, or of a revision that is no longer kept.

    Raises NamingError when it tells of the end of the watch for another reason,
    such as no permission: to read at once would be to read for ever.
    """
    result = message.get("result") if isinstance(message, dict) else None
    if not isinstance(result, dict):
        raise NamingError("the watch of etcd has failed")
    if result.get("canceled") and not result.get("compact_revision"):
        raise NamingError(f"etcd has ended the watch: {str(result.get('cancel_reason'))[:200]}")
    return bool(result.get("events") or result.get("canceled"))
