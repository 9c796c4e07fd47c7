"""``file://``: a list in a file, over its life."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from naming.base import NamingError, NamingOptions
from naming.file import FileService
from naming.node import ServerNode
from naming.url import parse_address
from naming.watcher import Watcher
from tests.harness.clock import deadline, wait_until
from tests.naming.fakes import FakeResolver, make_context

A, B = ServerNode("10.0.0.1", 80, "5"), ServerNode("10.0.0.2", 80)


async def quick(seconds: float) -> None:
    await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def following(path: Path, **options: int) -> AsyncIterator[Watcher]:
    address = parse_address(f"file://{path}")
    watcher = Watcher(
        address, lambda servers: None, options=NamingOptions(**options), resolver=FakeResolver(), sleep=quick
    )
    await watcher.start()
    try:
        yield watcher
    finally:
        await watcher.close()


async def reached(condition: Callable[[], object]) -> None:
    await wait_until(condition, deadline(3), "the list changes")


async def test_N8_file_is_followed_through_all_that_befalls_it(tmp_path: Path) -> None:
    path = tmp_path / "servers"
    path.write_text("10.0.0.1:80 5\n10.0.0.2:80")
    async with following(path) as watcher:
        assert watcher.servers == (A, B)
        path.unlink()
        await reached(lambda: watcher.failed_count == 1)
        path.mkdir()
        await reached(lambda: watcher.failed_count == 2)
        assert watcher.servers == (A, B)
        path.rmdir()
        path.write_text("10.0.0.2:80\n")
        await reached(lambda: watcher.servers == (B,))
        path.write_text("")
        await reached(lambda: watcher.empty_count)
        path.write_text("\x00\x01 not a list")
        failed = watcher.failed_count
        await reached(lambda: watcher.failed_count > failed)
        assert watcher.servers == (B,)
        (tmp_path / "next").write_text("10.0.0.1:80 5\n")
        os.replace(tmp_path / "next", path)
        await reached(lambda: watcher.servers == (A,))


async def test_N8_missing_at_start_is_an_outage_that_ends(tmp_path: Path) -> None:
    path = tmp_path / "servers"
    async with following(path) as watcher:
        assert not watcher.has_answer and watcher.failed_count == 1
        path.write_text("10.0.0.2:80\n")
        await reached(lambda: watcher.servers == (B,))


async def test_N8_larger_than_the_cap_pipes_and_devices_are_not_read(tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(100 << 20)
    os.mkfifo(tmp_path / "pipe")
    for path in (large, tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        async with following(path) as watcher:
            assert not watcher.has_answer and watcher.failed_count == 1


async def test_N8_a_file_that_is_being_written_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "servers"
    path.write_text("10.0.0.2:80\n")
    seen = []
    service = FileService(make_context())
    turn = 0

    async def write_on(seconds: float) -> None:
        nonlocal turn
        turn += 1
        if turn in (1, 2, 3):
            path.write_text("10.0.0.1:80 5\n10.0.0.2:80\n"[: turn * 9])

    object.__setattr__(service._context, "sleep", write_on)
    async with contextlib.aclosing(service.watch(str(path))) as answers:  # type: ignore[type-var]
        async for answer in answers:
            seen.append(list(answer))
            if len(seen) == 2:
                break
    assert seen == [[B], [A, B]]


async def test_list_that_is_rewritten_at_every_look_is_taken_each_second(tmp_path: Path) -> None:
    path = tmp_path / "servers"
    path.write_text("10.0.0.1:1\n")
    taken: list[tuple[int, int]] = []
    service = FileService(make_context())
    turn = 0

    async def rewrite(seconds: float) -> None:
        nonlocal turn
        turn += 1
        (tmp_path / "next").write_text(f"10.0.0.1:{turn + 1}\n")
        os.replace(tmp_path / "next", path)

    object.__setattr__(service._context, "sleep", rewrite)
    async with asyncio.timeout(deadline(10)), contextlib.aclosing(service.watch(str(path))) as answers:  # type: ignore[type-var]
        async for (server,) in answers:
            taken.append((turn, server.port))
            if len(taken) == 4:
                break
    assert taken == [(0, 1), (11, 12), (22, 23), (33, 34)], "looks are 100 ms apart"


def test_check_name() -> None:
    for name in ("", "a\0b"):
        with pytest.raises(NamingError, match="bad file name"):
            FileService(make_context()).check_name(name)
