from __future__ import annotations

import asyncio
import os

from edge.hub.key import StreamKey
from edge.runtime.variables import MAX_STREAMS, Rates
from tests.net.live import eventually
from tests.runtime.nodes import running


def test_rates_are_of_the_last_ten_seconds() -> None:
    rates = Rates()
    assert rates.per_second() == {}
    rates.sample(0, {"a": 100})
    assert rates.per_second() == {"a": 0.0}
    for second in range(1, 21):
        rates.sample(second * 1000, {"a": 100 + (second * 5 if second <= 10 else 50), "b": 1})
    assert rates.per_second() == {"a": 0.0, "b": 0.0}
    rates.sample(21_000, {"a": 250, "b": 1})
    assert rates.per_second()["a"] == 10


async def test_variables_have_the_names_of_brpc_and_media_server() -> None:
    async with running("-show_streams_in_vars") as one:
        await one.publisher("Cam-1", pictures=2)
        await one.player("Cam-1")
        found = await one.facts.variables()
        port = one.port()
        assert found["pid"] == os.getpid()
        assert (found["rtmp_user_count"], found["rtmp_server_stream_count"], found["flv_user_count"]) == (2, 2, 0)
        assert found[f"rpc_server_{port}_connection_count"] == 2
        assert found["stream_count"] == 1
        assert found["conn_accepted_count"] == 2
        assert found["first_frame_count" if "first_frame_count" in found else "player_count"] in (0, 1)
        assert str(found[f"rpc_server_{port}_start_time"]).count("/") == 2
        assert list(found) == sorted(found)
        await eventually(lambda: next(iter(one.node.units[0].registry.streams.values())).has_begun, "the stream")
        found = await one.facts.variables()
        assert "_live_cam_1_video_bytes_second" in found
        assert {"process_memory_resident", "system_loadavg_1m", "media_server_revision"} <= set(found)


async def test_streams_have_none_unless_it_is_asked_for() -> None:
    async with running() as one:
        await one.publisher(pictures=2)
        assert not [name for name in await one.facts.variables() if name.endswith("_bytes_second") and "live" in name]


async def test_numbers_have_a_history_once_they_are_sampled() -> None:
    async with running() as one:
        await one.publisher()
        await one.facts._variables.sample()
        history = await one.facts.history("connection_count")
        assert history is not None
        assert history[-1] == 1
        assert await one.facts.history("kernel_version") is None
        assert (await one.get("/vars/connection_count?series"))[0] == 200


async def test_no_history_is_kept_where_that_is_off() -> None:
    async with running("-nosave_series") as one:
        await one.facts._variables.sample()
        assert await one.facts.history("connection_count") is None
        assert (await one.get("/vars/connection_count?series"))[0] == 500


async def test_secrets_of_the_command_line_are_masked(monkeypatch: object) -> None:
    import sys

    from edge.flags.registry import DEFINITIONS

    secret = next(name for name, known in DEFINITIONS.items() if known.is_secret)
    before = sys.argv
    sys.argv = ["edge", "-proxy_to=nacos://a?accessToken=hunter1", f"-{secret}=hunter2"]
    try:
        async with running() as one:
            assert "hunter" not in str((await one.facts.variables())["process_cmdline"])
    finally:
        sys.argv = before


async def test_X8_ten_thousand_streams_are_shown_in_slices() -> None:
    async with running("-show_streams_in_vars") as one:
        (unit,) = one.node.units
        for number in range(MAX_STREAMS + 1):
            unit.registry.find_or_create(StreamKey("_", "live", f"s{number}"), 0).has_begun = True
        turns = 0

        def turn() -> None:
            nonlocal turns
            turns += 1
            if turns < 1_000_000:
                asyncio.get_running_loop().call_soon(turn)

        found = await one.facts.variables()
        turn()
        before = turns
        found = await one.facts.variables()
        slices, turns = turns - before, 1_000_000
        unit.registry.streams.clear()
    assert slices >= MAX_STREAMS // 1000
    names = [name for name in found if name.endswith("_video_bytes_second")]
    assert len(names) == MAX_STREAMS
