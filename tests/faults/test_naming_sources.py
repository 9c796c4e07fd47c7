"""Every naming scheme against a live source: its list changes, it is lost, sends garbage, nothing, an empty list.

Real dnsmasq and etcd, fakes for the registries that are not to be had; drivers
in ``tests/naming/sources.py``. The watcher sleeps a twentieth of its times, so that
an outage lasts several intervals within half a second.
``NAMING_OUTAGE_S=10`` gives outages of ten seconds with the times as they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from naming.base import NamingOptions
from naming.node import ServerNode
from naming.registry import built
from naming.url import parse_address
from naming.watcher import Watcher
from tests.harness.clock import deadline, wait_until
from tests.naming.sources import SOURCES, Source

pytestmark = pytest.mark.faults

_PACE = 1.0 if "NAMING_OUTAGE_S" in os.environ else 0.05
# Six intervals, or what is asked for.
_OUTAGE_S = float(os.environ.get("NAMING_OUTAGE_S", "0.3"))
# So that an answer that is late on a busy machine is no failure; and so that a silent source is one soon.
_PATIENT_MS, _HASTY_MS = 5000, 200

A, B, C, D = (f"127.0.7.{number}:1935 5" for number in range(1, 5))
A_HEAVY = "127.0.7.1:1935 50"
# What happens to the list [A, B], one state after the other.
CHANGES = {
    "add": [[A, B, C]],
    "remove": [[A]],
    "reweight": [[A_HEAVY, B]],
    "replace": [[C, D]],
    "leave_and_return": [[A], [A, B]],
}
_NO_WEIGHTS = "address records have no weight"
_FIXED = "the items stand in the target: a name that is gone keeps its last address, and weights do not change"
_NO_EMPTY = "DNS has no empty answer for addresses: a name without any is an outage"
_LISTED = "fixed: nothing is followed once its names have answered (tests/naming/test_list.py)"
# Pairs that do not exist, with the reason.
LEFT_OUT = {
    **{("reweight", scheme): _NO_WEIGHTS for scheme in ("http", "https", "dns")},
    **{(change, "dlist"): _FIXED for change in ("remove", "reweight", "leave_and_return")},
    **{(fault, "https"): "as http, but for the port" for fault in ("garbage", "slow")},
    **{("empty", scheme): _NO_EMPTY for scheme in ("http", "https", "dns", "dlist")},
}
# Schemes that are not here, with the reason.
WITHOUT_SOURCE = {"list": _LISTED, "redis": "the class of http, whose port it shares"}


def pairs(*cases: str) -> list[Any]:
    """Each of the cases with each scheme, but for those that do not exist."""
    return [
        pytest.param(case, scheme, id=f"{scheme}-{case}")
        for scheme in SOURCES
        for case in cases
        if (case, scheme) not in LEFT_OUT
    ]


class Following:
    """A watcher of a live source, and all that it has told."""

    def __init__(self, source: Source, timeout_ms: int, **options: Any) -> None:
        self.source = source
        self.round_count = 0
        self.updates: list[list[str]] = []
        timeouts = ("ns_fetch_timeout_ms", "remote_file_timeout_ms", "dns_timeout_ms", "discovery_timeout_ms")
        settings = {**dict.fromkeys(timeouts, timeout_ms), "ns_access_interval": 1, **source.options, **options}
        self.watcher = Watcher(
            parse_address(source.text),
            self._note,
            options=NamingOptions(**settings),
            resolver=source.resolver(timeout_ms),
            sleep=self._sleep,
        )

    @property
    def servers(self) -> list[str]:
        """``endpoint tag`` of each server in force, sorted."""
        return sorted(map(_text, self.watcher.servers))

    async def until_seen(self, servers: list[str], within_s: float = 5.0) -> None:
        """Wait until this list is in force."""
        expected = self.source.seen(servers)
        try:
            await wait_until(lambda: self.servers == expected, deadline(within_s), f"{expected} in force")
        except AssertionError as error:
            raise AssertionError(f"{error}, but {self.servers}") from None

    async def rounds(self, count: int) -> None:
        """Wait until the source was asked so many times more, or might have been."""
        until = self.round_count + count + 1
        await wait_until(lambda: self.round_count >= until, deadline(20), "more rounds")

    async def good_rounds(self, count: int) -> None:
        """Wait until so many rounds in a row have not failed."""
        began = time.monotonic()
        while True:
            failed = self.watcher.failed_count
            await self.rounds(count)
            if self.watcher.failed_count == failed:
                return
            assert time.monotonic() - began < deadline(10), f"{failed} rounds have failed, and they go on failing"

    async def failures(self, count: int) -> None:
        """Wait until so many more rounds have failed, and as long as an outage is to last."""
        began = time.monotonic()
        until = self.watcher.failed_count + count
        await wait_until(lambda: self.watcher.failed_count >= until, deadline(20), "failed rounds")
        await asyncio.sleep(max(0.0, began + _OUTAGE_S - time.monotonic()))

    def check_updates(self, *lists: list[str]) -> None:
        """Fail unless just these lists were handed on, in this order."""
        expected = [self.source.seen(servers) for servers in lists]
        told = self.updates if self.source.is_atomic else [self.updates[0], self.updates[-1]]
        assert told == (expected if self.source.is_atomic else [expected[0], expected[-1]])

    def check_counts(self, *, failed: int = 0, empty: int = 0) -> None:
        """Fail unless these are the counters, and nothing was left out of an answer."""
        watcher = self.watcher
        if self.source.is_up_during_changes or failed:
            assert watcher.failed_count == failed
        assert watcher.empty_count == empty and watcher.fault == ""
        if self.source.is_whole:
            assert watcher.skipped_count == 0

    def _note(self, servers: tuple[ServerNode, ...]) -> None:
        self.updates.append(sorted(map(_text, servers)))

    async def _sleep(self, seconds: float) -> None:
        self.round_count += 1
        await asyncio.sleep(seconds * _PACE)


def _text(node: ServerNode) -> str:
    return f"{node.endpoint} {node.tag}".strip()


@contextlib.asynccontextmanager
async def following(
    scheme: str, folder: Path, timeout_ms: int = _PATIENT_MS, **options: Any
) -> AsyncIterator[Following]:
    """A watcher that has seen [A, B]."""
    async with SOURCES[scheme](scheme, folder) as source:
        await source.publish([A, B])
        followed = Following(source, timeout_ms, **options)
        try:
            await followed.watcher.start(within_ms=int(deadline(5) * 1000))
            await followed.until_seen([A, B])
            yield followed
        finally:
            await followed.watcher.close()


def test_every_scheme_is_here_or_says_why_not() -> None:
    assert sorted([*SOURCES, *WITHOUT_SOURCE]) == sorted(built())


@pytest.mark.parametrize(("change", "scheme"), pairs(*CHANGES))
async def test_change_is_handed_on_whole(change: str, scheme: str, tmp_path: Path) -> None:
    async with following(scheme, tmp_path) as followed:
        for servers in CHANGES[change]:
            await followed.source.publish(servers)
            await followed.until_seen(servers)
        followed.check_updates([A, B], *CHANGES[change])
        followed.check_counts()


@pytest.mark.parametrize("scheme", SOURCES)
async def test_N3_the_same_list_in_another_order_and_with_repeats_touches_nothing(scheme: str, tmp_path: Path) -> None:
    async with following(scheme, tmp_path) as followed:
        # The items of dlist:// have their names: another order would be a change.
        await followed.source.publish([A, B, B] if scheme == "dlist" else [B, A, B])
        await followed.rounds(3)
        assert followed.updates[1:] == [] and followed.servers == followed.source.seen([A, B])
        followed.check_counts()


@pytest.mark.parametrize(("fault", "scheme"), pairs("gone", "garbage", "slow"))
async def test_N1_N4_outage_keeps_the_list_and_ends_by_itself(fault: str, scheme: str, tmp_path: Path) -> None:
    async with following(scheme, tmp_path, _HASTY_MS) as followed:
        before = followed.watcher.skipped_count
        await followed.source.fail(fault)
        await followed.failures(2)
        assert followed.servers == followed.source.seen([A, B]) and len(followed.updates) == 1
        assert followed.watcher.has_answer and followed.watcher.fault == "" and followed.watcher.empty_count == 0
        assert followed.watcher.skipped_count == before
        if fault == "slow":
            followed.source.check_one_at_a_time(followed.watcher.failed_count)
        await followed.source.mend()
        await followed.source.publish([C, D])
        await followed.until_seen([C, D])
        await followed.good_rounds(2)
        followed.check_updates([A, B], [C, D])


@pytest.mark.parametrize(("case", "scheme"), pairs("empty"))
async def test_N5_empty_answer_keeps_the_list_until_there_are_servers(case: str, scheme: str, tmp_path: Path) -> None:
    async with following(scheme, tmp_path) as followed:
        await followed.source.publish([])
        await wait_until(lambda: followed.watcher.empty_count, deadline(5), "the empty answer")
        assert followed.servers == followed.source.seen([A, B]) and len(followed.updates) == 1
        await followed.source.publish([A, B, C])
        await followed.until_seen([A, B, C])
        followed.check_updates([A, B], [A, B, C])
        followed.check_counts(empty=followed.watcher.empty_count)


@pytest.mark.parametrize(("case", "scheme"), pairs("empty"))
async def test_N5_empty_answer_is_applied_where_that_is_asked_for(case: str, scheme: str, tmp_path: Path) -> None:
    async with following(scheme, tmp_path, ns_ignore_empty_list=False) as followed:
        await followed.source.publish([])
        await followed.until_seen([])
        await followed.source.publish([B])
        await followed.until_seen([B])
        if followed.source.is_atomic:
            followed.check_updates([A, B], [], [B])
        followed.check_counts()


@pytest.mark.parametrize("scheme", SOURCES)
async def test_N1_source_that_comes_after_us_is_found(scheme: str, tmp_path: Path) -> None:
    async with SOURCES[scheme](scheme, tmp_path) as source:
        await source.publish([A, B])
        await source.fail("gone")
        followed = Following(source, _HASTY_MS)
        try:
            assert not await followed.watcher.start(within_ms=int(deadline(5) * 1000))
            assert followed.servers == [] and followed.updates == [] and followed.watcher.failed_count > 0
            await source.mend()
            await followed.until_seen([A, B])
            followed.check_updates([A, B])
        finally:
            await followed.watcher.close()


@pytest.mark.parametrize("scheme", SOURCES)
async def test_N2_close_waits_for_no_answer_and_takes_none_any_more(scheme: str, tmp_path: Path) -> None:
    async with following(scheme, tmp_path, _PATIENT_MS) as followed:
        await followed.source.fail("slow")
        await asyncio.sleep(0.2 if _PACE < 1 else 2.0)  # several intervals: the question is out
        began = time.monotonic()
        await followed.watcher.close()
        assert time.monotonic() - began < deadline(0.25)
        await followed.source.mend()
        await followed.source.publish([C])
        await asyncio.sleep(0.2)
        assert followed.servers == followed.source.seen([A, B]) and len(followed.updates) == 1
