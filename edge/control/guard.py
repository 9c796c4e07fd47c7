"""Stands before every method: who may call it, how long it may take, and what comes of what goes wrong in it.

What changes the state of the server is for the internal port, or for this machine where none is set, as with pages
(``edge/httpd/changes.py``). A method changes something unless its definition says that it has no side effects.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc

from edge.control.context import CALLER, ControlError
from edge.net.address import is_loopback
from edge.net.splice import Peer
from edge.net.trust import is_handed_on

logger = logging.getLogger(__name__)

#: A stream of answers ends after so long, and its client calls again.
MAX_STREAM_S = 3600.0

# What only browsers send by themselves.
_BROWSER_NAMES = ("origin", "cookie")
_BROWSER_PREFIX = "sec-fetch-"
# Methods of health: asked by anybody's load balancer, on any port, through any proxy.
_OPEN_PREFIX = "/grpc.health.v1.Health/"
_HERE_ONLY = "without -internal_port only this machine itself may do this"

Answer = TypeVar("Answer")
Metadata = Iterable[tuple[str, str | bytes]]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long calls may take, and how many there may be.

    Attributes:
        call_s: seconds of one answer; None for as long as it takes.
        stream_s: seconds of a stream of them.
        calls_per_host: in progress of one address that comes by no internal port; 0 for no limit.
    """

    call_s: float | None = None
    stream_s: float = MAX_STREAM_S
    calls_per_host: int = 0


def why_refused(method: str, changes: Collection[str], peer: Peer | None, metadata: Metadata) -> str | None:
    """Say why ``peer`` may not call ``method``, or None where it may; ``changes``: methods that change something."""
    if method.startswith(_OPEN_PREFIX):
        return None
    if peer is None:
        return "nobody knows where this call comes from"
    names = [name.lower() for name, _ in metadata]
    if not peer.is_internal and (is_handed_on(names) or not is_loopback(peer.address.host)):
        return _HERE_ONLY
    if method in changes and any(name in _BROWSER_NAMES or name.startswith(_BROWSER_PREFIX) for name in names):
        return "a page in a browser asked for this"
    return None


class Guard(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """The interceptor of a server.

    Attributes:
        limits: may be replaced while the server runs.
        failed_count: calls that ended with an exception of ours.
    """

    def __init__(self, peer_of: Callable[[str], Peer | None], changes: Collection[str], limits: Limits) -> None:
        """``peer_of`` takes what ``context.peer()`` says."""
        self._peer_of = peer_of
        self._changes = changes
        self.limits = limits
        self.failed_count = 0
        self._calls: Counter[str] = Counter()

    @property
    def call_count(self) -> int:
        """Calls in progress."""
        return self._calls.total()

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], details: Any) -> Any:
        """Wrap the handler of a call; None, of a method that nobody has, stays None."""
        handler = await continuation(details)
        if handler is None:
            return None
        guarded = _Guarded(self, details.method, handler)
        call: Callable[[Any, Any], Awaitable[Any]]
        if handler.request_streaming:
            make, call = grpc.stream_stream_rpc_method_handler, guarded.stream_stream
        elif handler.response_streaming:
            make, call = grpc.stream_stream_rpc_method_handler, guarded.unary_stream
        else:
            make, call = grpc.stream_unary_rpc_method_handler, guarded.unary_unary
        # Messages are waited for and decoded inside: for one that does not come the library would wait for ever, and
        # one that cannot be decoded would be our fault.
        return make(call, request_deserializer=None, response_serializer=handler.response_serializer)

    def admit(self, method: str, context: Any) -> None:
        """Raise ControlError for who may not call; else say whose call it is."""
        peer = self._peer_of(context.peer())
        refusal = why_refused(method, self._changes, peer, context.invocation_metadata() or ())
        if refusal is not None:
            raise ControlError(grpc.StatusCode.PERMISSION_DENIED, refusal)
        if peer is not None:
            CALLER.set(peer)

    @contextlib.contextmanager
    def place(self, context: Any) -> Iterator[None]:
        """Hold one of the places of the caller's address; raises ControlError where it has none left."""
        peer = self._peer_of(context.peer())
        host = "" if peer is None or peer.is_internal else peer.address.host
        if self._calls[host] >= self.limits.calls_per_host > 0 and host:
            text = f"{self._calls[host]} calls from your address are in progress"
            raise ControlError(grpc.StatusCode.RESOURCE_EXHAUSTED, text)
        self._calls[host] += 1
        try:
            yield
        finally:
            self._calls[host] -= 1
            if not self._calls[host]:
                del self._calls[host]


class _Guarded:
    """One method behind the guard."""

    def __init__(self, guard: Guard, method: str, handler: Any) -> None:
        self._guard = guard
        self._method = method
        self._handler = handler

    async def unary_unary(self, requests: AsyncIterable[bytes], context: Any) -> Any:
        """One message, one answer."""

        async def answer() -> Any:
            return await self._handler.unary_unary(await self._only(requests), context)

        return await self._answer(answer, context, self._guard.limits.call_s)

    async def unary_stream(self, requests: AsyncIterable[bytes], context: Any) -> None:
        """One message, many answers; the server ends them in good order when they have taken long enough."""

        async def answer() -> None:
            async with asyncio.timeout(self._guard.limits.call_s):
                request = await self._only(requests)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._guard.limits.stream_s):
                    async for each in self._handler.unary_stream(request, context):
                        await context.write(each)

        await self._answer(answer, context, None)

    async def stream_stream(self, requests: AsyncIterable[bytes], context: Any) -> None:
        """Many messages, many answers."""

        async def answer() -> None:
            async for each in self._handler.stream_stream(self._decoded(requests), context):
                await context.write(each)

        await self._answer(answer, context, self._guard.limits.call_s)

    async def _answer(self, answer: Callable[[], Awaitable[Answer]], context: Any, limit_s: float | None) -> Answer:
        try:
            self._guard.admit(self._method, context)
            with self._guard.place(context):
                async with asyncio.timeout(limit_s):
                    return await answer()
        except ControlError as error:
            code, text = error.code, error.text
        except TimeoutError:
            code, text = grpc.StatusCode.DEADLINE_EXCEEDED, f"no answer within {limit_s or self._guard.limits.call_s} s"
        except (grpc.aio.AbortError, grpc.aio.BaseError):
            raise  # the call is over: nobody hears what we say
        except Exception:
            self._guard.failed_count += 1
            logger.exception("control call %s failed", self._method)
            code, text = grpc.StatusCode.INTERNAL, "internal error"
        await context.abort(code, text)
        raise AssertionError("abort raises")

    def _decode(self, data: bytes) -> Any:
        decode = self._handler.request_deserializer
        try:
            return data if decode is None else decode(data)
        except Exception as error:
            raise ControlError(grpc.StatusCode.INVALID_ARGUMENT, "the message cannot be decoded") from error

    async def _only(self, requests: AsyncIterable[bytes]) -> Any:
        """The one message of a call; raises ControlError for none, and for more."""
        found = None
        async for data in requests:
            if found is not None:
                raise ControlError(grpc.StatusCode.INVALID_ARGUMENT, "more than one message")
            found = data
        if found is None:
            # Of one that was cut off the library says no more than that none came.
            raise ControlError(grpc.StatusCode.INTERNAL, "no message, or none that is whole")
        return self._decode(found)

    async def _decoded(self, requests: AsyncIterable[bytes]) -> AsyncIterator[Any]:
        async for data in requests:
            yield self._decode(data)
