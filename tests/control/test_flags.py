"""Flags over gRPC."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from edge.facts.patterns import MAX_PATTERNS
from proto.edge.v1 import flags_pb2
from tests.control.calling import calling, refusal, within
from tests.net.live import eventually


async def test_flags_are_listed_by_name_and_pattern() -> None:
    async with calling("-queue_length_s=7") as calls:
        everything = await calls.flags.List(flags_pb2.ListFlagsRequest(), timeout=within())
        assert len(everything.flags) > 100
        some = await calls.flags.List(flags_pb2.ListFlagsRequest(names=["h2_*", "port"]), timeout=within())
        assert [flag.name for flag in some.flags] == ["h2_max_concurrent_streams", "h2_max_resets", "port"]
        flag = (await calls.flags.Get(flags_pb2.GetFlagRequest(name="queue_length_s"), timeout=within())).flag
        assert (flag.value, flag.default, flag.is_default, flag.origin) == ("7", "30", False, "command line")


async def test_what_is_no_flag_is_told() -> None:
    async with calling() as calls:
        code, text = await refusal(calls.flags.Get(flags_pb2.GetFlagRequest(name="qeue"), timeout=within()))
        assert code is grpc.StatusCode.NOT_FOUND and "'qeue'" in text
        many = flags_pb2.ListFlagsRequest(names=["x"] * (MAX_PATTERNS + 1))
        assert (await refusal(calls.flags.List(many, timeout=within())))[0] is grpc.StatusCode.INVALID_ARGUMENT


async def test_passwords_in_addresses_are_not_shown() -> None:
    async with calling("-proxy_to=remotefile://127.0.0.1:1/list?token=secret") as calls:
        flag = (await calls.flags.Get(flags_pb2.GetFlagRequest(name="proxy_to"), timeout=within())).flag
        assert "secret" not in flag.value and "token=" in flag.value


async def test_a_flag_is_set_and_saved(tmp_path: Path) -> None:
    path = tmp_path / "kept.flags"
    async with calling(f"-save_flagfile={path}") as calls:
        request = flags_pb2.SetFlagRequest(name="queue_length_s", value="9")
        assert (await calls.flags.Set(request, timeout=within())).text == "Set `queue_length_s' to 9"
        assert calls.one.node.units[0].service.hub.queue_length_s == 9
        flag = (await calls.flags.Get(flags_pb2.GetFlagRequest(name="queue_length_s"), timeout=within())).flag
        assert flag.value == "9" and flag.origin.startswith("control 127.0.0.1:") and flag.reload == "live"
        await calls.flags.Save(flags_pb2.SaveFlagsRequest(), timeout=within())
        assert "-queue_length_s=9" in path.read_text()


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("no_such_flag", "1", grpc.StatusCode.NOT_FOUND),
        ("https", "true", grpc.StatusCode.FAILED_PRECONDITION),
        ("queue_length_s", "long", grpc.StatusCode.INVALID_ARGUMENT),
        ("h2_max_resets", "0", grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_values_that_cannot_be_are_refused(name: str, value: str, code: grpc.StatusCode) -> None:
    async with calling() as calls:
        refused = await refusal(calls.flags.Set(flags_pb2.SetFlagRequest(name=name, value=value), timeout=within()))
        assert refused[0] is code and refused[1]


async def test_limits_of_grpc_are_set_by_grpc() -> None:
    async with calling() as calls:
        request = flags_pb2.SetFlagRequest(name="grpc_max_message_bytes", value="2048")
        await calls.flags.Set(request, timeout=within())
        grpc_of_node = calls.one.node.grpc

        def has_it() -> bool:
            return grpc_of_node.service is not None and grpc_of_node.service.config.grpc_max_message_bytes == 2048

        await eventually(has_it, "new servers", 5)
