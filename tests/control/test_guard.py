"""Who may call what, how long it may take, and what comes of messages and methods that go wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from edge.control.guard import Guard, Limits, why_refused
from edge.control.server import changing_methods
from edge.net.address import Address
from edge.net.splice import Peer
from tests.control.calling import calling, refusal, within
from tests.harness.clock import wait_until

HERE = Peer(Address("127.0.0.1", 5), is_internal=False, is_encrypted=False)
AWAY = Peer(Address("192.0.2.7", 5), is_internal=False, is_encrypted=False)
INTERNAL = Peer(Address("192.0.2.7", 5), is_internal=True, is_encrypted=False)
KICK, LIST = "/edge.v1.Clients/Kick", "/edge.v1.Streams/List"
CHANGES = {KICK}


@pytest.mark.parametrize(
    ("method", "peer", "metadata", "is_let_in"),
    [
        (LIST, HERE, (), True),
        (KICK, HERE, (("user-agent", "grpc"),), True),
        (KICK, INTERNAL, (), True),
        (KICK, Peer(Address("::1", 5), False, False), (), True),
        (KICK, AWAY, (), False),
        (LIST, AWAY, (), False),
        (LIST, None, (), False),
        (LIST, HERE, (("x-forwarded-for", "192.0.2.7"),), False),
        (KICK, HERE, (("Forwarded", "for=192.0.2.7"),), False),
        (KICK, HERE, (("via", "1.1 proxy"),), False),
        (KICK, HERE, (("x-real-ip", "192.0.2.7"),), False),
        (KICK, INTERNAL, (("x-forwarded-for", "192.0.2.7"),), True),
        (KICK, INTERNAL, (("origin", "http://evil"),), False),
        (KICK, HERE, (("sec-fetch-site", "cross-site"),), False),
        (KICK, HERE, (("cookie", "a=b"),), False),
        ("/grpc.health.v1.Health/Check", None, (("x-forwarded-for", "192.0.2.7"),), True),
        ("/grpc.health.v1.Healthy/Check", AWAY, (), False),
    ],
)
def test_who_may_call(method: str, peer: Peer | None, metadata: tuple[tuple[str, str], ...], is_let_in: bool) -> None:
    assert (why_refused(method, CHANGES, peer, metadata) is None) is is_let_in


def test_all_methods_change_something_but_those_that_are_said_not_to() -> None:
    assert changing_methods() == {
        "/edge.v1.Clients/Kick",
        "/edge.v1.Flags/Save",
        "/edge.v1.Flags/Set",
        "/edge.v1.Node/Drain",
        "/edge.v1.Node/Reload",
        "/edge.v1.Node/Upgrade",
        "/edge.v1.Streams/End",
    }


# --- calls ----------------------------------------------------------------------------------------


async def echo(request: bytes, context: Any) -> bytes:
    if request == b"wait":
        await asyncio.sleep(60)
    if request == b"fail":
        raise ZeroDivisionError
    return request


async def count(request: bytes, context: Any) -> AsyncIterator[bytes]:
    number = 0
    while True:
        yield b"%d" % number
        number += 1
        await asyncio.sleep(0.01)


def decode(data: bytes) -> bytes:
    if data == b"bad":
        raise ValueError("not a message")
    return data


class Stubs:
    """Methods of a server with nothing but the guard."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.echo = channel.unary_unary("/test.T/Echo")
        self.count = channel.unary_stream("/test.T/Count")
        self.unknown = channel.unary_unary("/test.T/Unknown")


@asynccontextmanager
async def guarded(limits: Limits | None = None, *, peer: Peer = HERE) -> AsyncIterator[tuple[Guard, Stubs]]:
    guard = Guard(lambda name: peer, (), limits or Limits())
    server = grpc.aio.server(interceptors=(guard,))
    handlers = {
        "Echo": grpc.unary_unary_rpc_method_handler(echo, request_deserializer=decode),
        "Count": grpc.unary_stream_rpc_method_handler(count, request_deserializer=decode),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.T", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield guard, Stubs(channel)
    finally:
        await server.stop(None)


async def test_calls_are_answered() -> None:
    async with guarded() as (guard, stubs):
        assert await stubs.echo(b"hello", timeout=within()) == b"hello"
        assert (await refusal(stubs.unknown(b"", timeout=within())))[0] is grpc.StatusCode.UNIMPLEMENTED
        assert guard.failed_count == 0


async def test_an_address_has_so_many_calls_in_progress_and_the_internal_port_as_many_as_come() -> None:
    limits = Limits(calls_per_host=2)
    async with guarded(limits) as (guard, stubs):
        waiting = [stubs.echo(b"wait", timeout=within()) for _ in range(2)]
        await wait_until(lambda: guard.call_count == 2, within(), "both calls")
        code, text = await refusal(stubs.echo(b"hello", timeout=within()))
        assert (code, text) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "2 calls from your address are in progress",
        )
        for call in waiting:
            call.cancel()
        await wait_until(lambda: guard.call_count == 0, within(), "their end")
        assert await stubs.echo(b"hello", timeout=within()) == b"hello"
    async with guarded(limits, peer=INTERNAL) as (guard, stubs):
        waiting = [stubs.echo(b"wait", timeout=within()) for _ in range(3)]
        await wait_until(lambda: guard.call_count == 3, within(), "all calls")
        assert await stubs.echo(b"hello", timeout=within()) == b"hello"
        for call in waiting:
            call.cancel()


async def test_G12_a_message_that_cannot_be_decoded_is_the_clients_fault(caplog: pytest.LogCaptureFixture) -> None:
    async with guarded() as (guard, stubs):
        assert (await refusal(stubs.echo(b"bad", timeout=within())))[0] is grpc.StatusCode.INVALID_ARGUMENT
        assert (await refusal(stubs.count(b"bad", timeout=within()).read()))[0] is grpc.StatusCode.INVALID_ARGUMENT
        # The library's thread is that of all loops of the process, and tells asyncio of those that are over.
        assert guard.failed_count == 0 and not [record for record in caplog.records if record.name != "asyncio"]


async def test_a_method_that_fails_is_told_in_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    async with guarded() as (guard, stubs):
        with caplog.at_level(logging.ERROR):
            assert await refusal(stubs.echo(b"fail", timeout=within())) == (grpc.StatusCode.INTERNAL, "internal error")
        assert guard.failed_count == 1 and "control call /test.T/Echo failed" in caplog.text


@pytest.mark.parametrize("timeout_s", [None, 99_999.0])
async def test_G11_no_call_lives_for_ever_whatever_its_client_says(timeout_s: float | None) -> None:
    async with guarded(Limits(call_s=0.05)) as (_, stubs), asyncio.timeout(within()):
        code, text = await refusal(stubs.echo(b"wait", timeout=timeout_s))
        assert (code, text) == (grpc.StatusCode.DEADLINE_EXCEEDED, "no answer within 0.05 s")


async def test_a_stream_of_answers_ends_in_good_order_when_it_has_lasted() -> None:
    async with guarded(Limits(stream_s=0.2)) as (_, stubs):
        found = [answer async for answer in stubs.count(b"", timeout=within())]
        assert found[0] == b"0" and len(found) > 1


async def test_G12_a_call_whose_client_has_gone_is_given_up() -> None:
    gone = asyncio.Event()
    begun = asyncio.Event()

    async def waits(request: bytes, context: Any) -> bytes:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            gone.set()
        return b""

    await _given_up(waits, begun, gone, lambda call, channel: call.cancel())
    begun.clear(), gone.clear()
    await _given_up(waits, begun, gone, lambda call, channel: None)


async def _given_up(handler: Any, begun: asyncio.Event, gone: asyncio.Event, leave: Callable[[Any, Any], Any]) -> None:
    server = grpc.aio.server(interceptors=(Guard(lambda name: HERE, (), Limits()),))
    handlers = {"Wait": grpc.unary_unary_rpc_method_handler(handler)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.T", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
    try:
        async with asyncio.timeout(within()):
            call = channel.unary_unary("/test.T/Wait")(b"")
            await begun.wait()
            leave(call, channel)
            await channel.close()
            await gone.wait()
    finally:
        await server.stop(None)


async def test_who_comes_through_a_proxy_of_this_machine_is_not_this_machine() -> None:
    from proto.edge.v1 import node_pb2

    async with calling() as calls:
        metadata = (("x-forwarded-for", "192.0.2.7"),)
        call = calls.node.Status(node_pb2.StatusRequest(), timeout=within(), metadata=metadata)
        assert (await refusal(call))[0] is grpc.StatusCode.PERMISSION_DENIED
