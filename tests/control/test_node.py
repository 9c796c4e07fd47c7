"""The process over gRPC."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from edge.errors import HandoverError
from edge.facts.orders import Drain, Outcome, Result
from proto.edge.v1 import node_pb2
from tests.control.calling import calling, refusal, within


async def test_status_says_what_it_is_and_how_it_does() -> None:
    async with calling() as calls:
        await calls.one.publisher("s")
        answer = await calls.node.Status(node_pb2.StatusRequest(), timeout=within())
        assert answer.process.readiness.is_ready and answer.process.health.is_ok
        assert answer.process.addresses.rtmp_port == calls.one.port()
        assert [(service.role, service.stream_count) for service in answer.services] == [("origin", 1)]
        assert not answer.services[0].HasField("service")


@pytest.mark.parametrize("within_s", [None, 0, 8])
async def test_a_drain_is_ordered_with_the_time_that_it_may_take(within_s: int | None) -> None:
    async with calling() as calls:
        orders: list[Drain] = []

        def taken(order: Drain) -> Outcome:
            orders.append(order)
            return Outcome(Result.DONE if len(orders) == 1 else Result.REFUSED, "It drains.")

        calls.one.node.on_drain = taken
        request = node_pb2.DrainRequest(within_s=within_s)
        assert (await calls.node.Drain(request, timeout=within())).text == "It drains."
        assert orders == [Drain(within_s)]
        code, text = await refusal(calls.node.Drain(request, timeout=within()))
        assert (code, text) == (grpc.StatusCode.FAILED_PRECONDITION, "It drains.")


async def test_a_drain_takes_no_time_that_is_less_than_none() -> None:
    async with calling() as calls:
        code, _ = await refusal(calls.node.Drain(node_pb2.DrainRequest(within_s=-1), timeout=within()))
        assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_an_upgrade_is_told_when_it_is_done_or_has_failed() -> None:
    async with calling() as calls:

        async def done() -> str:
            return "handed over to process 7"

        calls.one.node.upgrade = done
        answer = await calls.node.Upgrade(node_pb2.UpgradeRequest(), timeout=within())
        assert answer.text == "handed over to process 7"

        async def failed() -> str:
            raise HandoverError("it has gone")

        calls.one.node.upgrade = failed
        code, text = await refusal(calls.node.Upgrade(node_pb2.UpgradeRequest(), timeout=within()))
        assert (code, text) == (grpc.StatusCode.FAILED_PRECONDITION, "it has gone")


async def test_files_are_read_again_or_nothing_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "edge.flags"
    path.write_text("-queue_length_s=8\n")
    async with calling(f"-flagfile={path}") as calls:
        path.write_text("-queue_length_s=9\n-hls=false\n")
        text = (await calls.node.Reload(node_pb2.ReloadRequest(), timeout=within())).text
        assert "Changed: queue_length_s." in text and "Needs a restart: hls." in text
        path.write_text("-queue_length_s=soon\n")
        code, text = await refusal(calls.node.Reload(node_pb2.ReloadRequest(), timeout=within()))
        assert code is grpc.StatusCode.INVALID_ARGUMENT and f"{path}:1" in text
        assert calls.one.node.units[0].service.hub.queue_length_s == 9
