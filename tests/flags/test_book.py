from __future__ import annotations

import logging

import pytest

from edge.flags.book import FlagBook, Outcome
from edge.flags.check import check
from edge.flags.gflags import Parsed, parse
from edge.flags.registry import value_of
from edge.runtime.alarms import cause_of


class Applied:
    """Takes what is put into force."""

    def __init__(self) -> None:
        self.flags: list[Parsed] = []

    def __call__(self, parsed: Parsed) -> None:
        self.flags.append(parsed)


def book(*arguments: str, live: tuple[str, ...] = ("v", "send_timeout_ms", "vmodule")) -> tuple[FlagBook, Applied]:
    applied = Applied()
    return FlagBook(parse(arguments), live=live, check=check, apply=applied), applied


def value(flags: FlagBook, name: str) -> tuple[str, str]:
    return next((facts.value, facts.origin) for facts in flags.facts() if facts.name == name)


def test_a_change_is_put_into_force_with_all_else_as_it_was() -> None:
    flags, applied = book("-port=1935")
    assert flags.set("v", "2", "10.0.0.1:5") == Outcome(200, "Set `v' to 2")
    (parsed,) = applied.flags
    assert (value_of(parsed.flags, "v"), value_of(parsed.flags, "port")) == (2, 1935)
    assert value(flags, "v") == ("2", "page 10.0.0.1:5")
    assert value(flags, "port") == ("1935", "command line")


def test_origins_are_told(tmp_path: object) -> None:
    flags, _ = book()
    assert value(flags, "v") == ("0", "default")


def test_what_contradicts_other_flags_changes_nothing() -> None:
    flags, applied = book("-tcp_user_timeout_ms=5000", "-send_timeout_ms=4000")
    outcome = flags.set("vmodule", "nonsense=", "p")
    assert outcome.status == 403
    assert outcome.text.startswith("Fail to set `vmodule' to nonsense=: ")
    assert (applied.flags, value(flags, "vmodule")[0]) == ([], "")


def test_a_change_that_cannot_be_applied_is_none() -> None:
    def fails(_: Parsed) -> None:
        raise RuntimeError

    flags = FlagBook(parse([]), live=("v",), check=check, apply=fails)
    with pytest.raises(RuntimeError):
        flags.set("v", "1", "p")
    assert value(flags, "v") == ("0", "default")


def test_X7_the_log_tells_who_changed_what_on_one_line(caplog: pytest.LogCaptureFixture) -> None:
    flags, _ = book()
    with caplog.at_level(logging.WARNING):
        flags.set("vmodule", "a=1", "10.0.0.1:5")
        flags.set("vmodule", "b\n\x1b=1" + "x" * 1000, "10.0.0.1:5")
    first, *rest = [record.getMessage() for record in caplog.records]
    assert first == "flag changed name=vmodule peer=10.0.0.1:5 old= new=a=1"
    for line in rest:
        assert line.isprintable() and len(line) < 600


def test_each_change_of_a_minute_is_a_warning_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    flags, _ = book()
    for number in ("1", "2"):
        flags.set("v", number, "10.0.0.1:5")
    flags.set("send_timeout_ms", "4000", "10.0.0.1:5")
    told = [record for record in caplog.records if record.name == "edge.flags.book"]
    assert len({cause_of(record) for record in told}) == len(told) == 3
