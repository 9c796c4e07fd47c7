"""Waits that a busy machine does not break, and tests that did not run."""

from __future__ import annotations

import itertools

import pytest

from tests.harness import clock
from tests.harness.clock import deadline, left_out, missing, wait_until, wait_until_sync


def test_a_bound_is_five_times_the_stated_one_with_and_without_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    for is_ci in (False, True):
        monkeypatch.setattr(clock, "IS_CI", is_ci)
        assert deadline(3.0) == 15.0


async def test_a_wait_goes_on_longer_than_a_quiet_machine_needs() -> None:
    turns = itertools.count()
    assert wait_until_sync(lambda: next(turns) > 3, 0.001, "the fourth look") > 0
    turns = itertools.count()
    assert await wait_until(lambda: next(turns) > 3, 0.001, "the fourth look") > 0


def test_what_is_missing_fails_under_ci_and_is_named_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "IS_CI", True)
    with pytest.raises(pytest.fail.Exception, match="etcd is not installed"):
        missing("etcd is not installed")
    monkeypatch.setattr(clock, "IS_CI", False)
    with pytest.raises(pytest.skip.Exception) as skipped:
        missing("etcd is not installed")
    reason = f"Skipped: {skipped.value}"
    assert left_out([reason, "Skipped: not on this kernel", reason]) == (
        "2 tests skipped (make deps installs programs): etcd is not installed (2)"
    )


def test_nothing_is_said_where_nothing_is_missing() -> None:
    assert left_out(["Skipped: not on this kernel"]) == ""
