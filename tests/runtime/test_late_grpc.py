"""Control by gRPC that is loaded when it is first asked for, and for whom it is what."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from edge.net.accepted import Accepted
from edge.net.address import Address
from edge.net.h2_frames import PREFACE
from edge.runtime import late_grpc
from edge.runtime.late_grpc import is_public
from proto.edge.v1 import node_pb2, node_pb2_grpc
from tests.control.calling import calling, channel_to, within
from tests.harness.clock import ROOT, deadline
from tests.harness.ports import free_port
from tests.net.live import eventually
from tests.runtime.nodes import running


class Door:
    role = "public"

    def __init__(self, *, is_internal: bool) -> None:
        self.is_internal = is_internal

    def detect(self, accepted: Accepted) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    ("host", "is_internal", "is_internal_port_set", "found"),
    [
        ("127.0.0.1", False, False, False),
        ("::1", False, False, False),
        ("192.0.2.1", False, False, True),
        ("", False, False, True),
        ("127.0.0.1", False, True, True),
        ("192.0.2.1", True, True, False),
    ],
)
def test_who_gets_no_more_than_health(host: str, is_internal: bool, is_internal_port_set: bool, found: bool) -> None:
    accepted = Accepted(None, Address(host, 1), Door(is_internal=is_internal))  # type: ignore[arg-type]
    assert is_public(accepted, is_internal_port_set=is_internal_port_set) is found


async def test_calls_that_come_early_are_answered_once_it_is_loaded() -> None:
    async with calling() as calls:
        assert calls.one.node.grpc.service is None
        request = node_pb2.StatusRequest()
        answers = await asyncio.gather(*(calls.node.Status(request, timeout=within()) for _ in range(3)))
        assert len(answers) == 3 and calls.one.node.grpc.connection_count == 1
        assert calls.one.node.http.service is None  # each is loaded by itself


async def test_what_cannot_be_loaded_is_told_and_media_go_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(late_grpc, "MODULES", ("edge.no_such_module",))
    async with running() as one:
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", one.port())
            writer.write(PREFACE)
            async with asyncio.timeout(deadline(5)):
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
            writer.close()
        assert caplog.text.count("control by gRPC cannot be loaded") == 1
        assert one.node.context.counters["error_grpc_not_loaded_count"] == 2
        await one.publisher()
        await eventually(lambda: one.node.units[0].registry.streams, "the stream")


async def test_the_merge_port_has_health_alone() -> None:
    port = free_port()
    flags = ("-proxy_to=127.0.0.1:1", f"-cdn_merge_to=list://127.0.0.1:{port}", f"-cdn_merge_port={port}")
    async with running(*flags) as one, channel_to(port) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=within())
        assert answer.status
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await node_pb2_grpc.NodeStub(channel).Status(node_pb2.StatusRequest(), timeout=within())
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert one.node.grpc.failed_count == 0


def test_a_library_that_control_needs_is_missed_at_once() -> None:
    program = (
        "import sys; sys.modules['grpc_health'] = None\nfrom edge.runtime.main import main\nsys.exit(main(['--check']))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "installation: control by gRPC needs grpc_health: not installed" in done.stdout + done.stderr
