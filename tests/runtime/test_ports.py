"""Other ports for a node that serves: who is connected stays, and a port that is taken changes nothing."""

from __future__ import annotations

import asyncio
import socket

import pytest

from edge.facts.orders import Outcome, Result, SetFlag
from tests.harness.ports import free_port
from tests.net.live import pictures, send_video
from tests.runtime.nodes import RunningNode, running

WHO = "127.0.0.1:5"


async def change(one: RunningNode, name: str, value: object) -> Outcome:
    return await one.orders.carry_out(SetFlag(name, str(value)), WHO)


async def is_open(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


def public_ports(one: RunningNode) -> list[int]:
    return [listener.port for listener in one.node.listeners if listener.role == "public"]


async def test_another_port_is_opened_and_who_is_connected_stays() -> None:
    async with running() as one:
        before, after = one.port(), free_port()
        publisher, player = await one.publisher(), await one.player()
        await pictures(player, 0)
        assert (await change(one, "port", after)).result is Result.DONE
        assert (one.port(), await is_open(after), await is_open(before)) == (after, True, False)
        send_video(publisher, 1)
        await pictures(player, 1)
        assert one.facts.addresses().rtmp_port == after
        late = await one.player()
        await pictures(late, 1)
        assert (await one.get("/health"))[0] == 200


async def test_further_ports_come_and_go_and_change_places_with_the_first() -> None:
    async with running() as one:
        first, second, third = free_port(), free_port(), free_port()
        await change(one, "port", first)
        assert (await change(one, "listen", f"{second},{third}")).result is Result.DONE
        assert public_ports(one) == [first, second, third]
        kept = {id(listener) for listener in one.node.listeners if listener.port in (second, third)}
        await change(one, "listen", third)
        await change(one, "port", second)
        assert (sorted(public_ports(one)), one.port()) == (sorted((second, third)), second)
        assert id(next(each for each in one.node.listeners if each.port == third)) in kept
        assert [await is_open(port) for port in (first, second, third)] == [False, True, True]


async def test_T12_a_port_that_is_taken_leaves_all_as_it_was() -> None:
    async with running() as one:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port, free = taken.getsockname()[1], free_port()
            before = public_ports(one)
            outcome = await change(one, "listen", f"{free},{port}")
        assert outcome.result is Result.BAD_VALUE
        assert outcome.text.endswith(f"-listen={port}: Fail to listen 127.0.0.1:{port}: Address already in use")
        assert (public_ports(one), await is_open(free), await is_open(before[0])) == (before, False, True)


async def test_another_part_that_cannot_has_the_new_port_closed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as one:
        port = free_port()

        def breaks(_: object) -> None:
            raise RuntimeError("broken")

        before = public_ports(one)
        with monkeypatch.context() as patch:
            patch.setattr(one.node, "take_settings", breaks)
            part = one.reloader._parts[-1]
            patch.setattr(part, "_take", breaks)
            assert (await change(one, "listen", port)).result is Result.BAD_VALUE
        assert (public_ports(one), await is_open(port), await is_open(before[0])) == (before, False, True)


async def test_a_server_that_stops_opens_no_port() -> None:
    async with running() as one:
        one.node.is_draining = True
        assert "being stopped" in (await change(one, "listen", free_port())).text
        one.node.is_draining = False
