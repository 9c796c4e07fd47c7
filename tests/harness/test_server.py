"""Servers whose start fails leave no process and no open file, whoever started them."""

from __future__ import annotations

import asyncio
import gc
import os
import warnings
from collections.abc import Callable

import pytest

from tests.harness.clients import Program
from tests.harness.fleet import Fleet
from tests.harness.server import LIVE, Chain, EdgeServer

_BAD_FLAG = "-no_such_flag=1"


def alone() -> None:
    EdgeServer(_BAD_FLAG).start()


def as_a_context() -> None:
    with EdgeServer(_BAD_FLAG):
        pass


def in_a_chain() -> None:
    with Chain(_BAD_FLAG):
        pass


def in_a_fleet() -> None:
    async def start() -> None:
        async with Fleet(_BAD_FLAG, edges=1, shields=1):
            pass

    asyncio.run(start())


def a_program_that_is_not_there() -> None:
    Program("/no/such/program")


@pytest.mark.parametrize("set_up", [alone, as_a_context, in_a_chain, in_a_fleet, a_program_that_is_not_there])
def test_a_set_up_that_fails_leaves_nothing_open(set_up: Callable[[], None]) -> None:
    before = set(os.listdir("/proc/self/fd"))
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        with pytest.raises((AssertionError, OSError)):
            set_up()
        gc.collect()
    assert not LIVE
    assert [str(one.message) for one in found if issubclass(one.category, ResourceWarning)] == []
    assert set(os.listdir("/proc/self/fd")) <= before
