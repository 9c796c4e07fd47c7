"""Flags change all together or not at all; requests that come together are answered together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.facts.orders import Result, SetFlag
from edge.flags.book import FlagBook
from edge.flags.check import check
from edge.flags.gflags import Parsed, parse
from edge.flags.problem import Problem
from edge.flags.registry import value_of
from edge.net.aio import TaskOwner
from edge.runtime.alarms import cause_of
from edge.runtime.reload import OnChange, Prepared, Reloader, Simple
from edge.runtime.settings import Settings, build_settings
from naming.url import without_secrets
from tests.harness.clock import deadline


class Noted:
    """A part that writes down what becomes of it; ``fails`` in one of the phases."""

    def __init__(self, name: str, notes: list[str], fails: str = "") -> None:
        self.name, self.notes, self.fails = name, notes, fails

    def prepare(self, new: Settings) -> Prepared:
        if self.fails == "prepare":
            raise ConfigError(f"{self.name} cannot")
        self.notes.append(f"{self.name} prepares {new.log.v}")
        return Prepared(lambda: self._commit(new), lambda: self.notes.append(f"{self.name} gives up"))

    def _commit(self, new: Settings) -> None:
        if self.fails == "commit":
            self.fails = ""
            raise RuntimeError("broken")
        self.notes.append(f"{self.name} has {new.log.v}")


class Rig:
    """A reloader over parts that write down, and the arguments that it finds when it reads again."""

    def __init__(self, *arguments: str) -> None:
        self.notes: list[str] = []
        self.parts = [Noted(name, self.notes) for name in "abc"]
        self.owner = TaskOwner("test")
        self.now = list(arguments)
        self.reads = 0
        self.found: list[Problem] = []
        self.reloader = Reloader(
            FlagBook(parse(arguments), mask=without_secrets),
            self.parts,
            build=build_settings,
            read=self.read,
            find=self.find,
            check=check,
            owner=self.owner,
        )
        self.reloader.gap_ms = 0

    def read(self, _: Parsed) -> Parsed:
        self.reads += 1
        return parse(self.now)

    def find(self, _: Parsed) -> Iterable[Problem]:
        return self.found

    @property
    def v(self) -> int:
        found: int = value_of(self.reloader.book.in_force.flags, "v")
        return found


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig("-v=1")
    yield made
    await made.owner.close()


async def test_all_prepare_before_any_commits(rig: Rig) -> None:
    assert rig.reloader.set_value(SetFlag("v", "2"), "10.0.0.1:5").result is Result.DONE
    assert rig.notes == [*(f"{name} prepares 2" for name in "abc"), *(f"{name} has 2" for name in "abc")]
    assert rig.v == 2


@pytest.mark.parametrize("failing", [0, 1, 2])
async def test_a_part_that_cannot_leaves_all_others_untouched(rig: Rig, failing: int) -> None:
    rig.parts[failing].fails = "prepare"
    outcome = rig.reloader.set_value(SetFlag("v", "2"), "p")
    assert outcome.result is Result.BAD_VALUE
    assert outcome.text == f"Fail to set `v' to 2: {'abc'[failing]} cannot"
    before = "abc"[:failing]
    assert rig.notes == [*(f"{name} prepares 2" for name in before), *(f"{name} gives up" for name in before[::-1])]
    assert rig.v == 1
    (report,) = rig.reloader.reports
    assert (report.state, report.changed) == ("refused", ())


async def test_a_part_that_breaks_while_it_commits_has_all_put_back(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.parts[1].fails = "commit"
    assert rig.reloader.set_value(SetFlag("v", "2"), "p").result is Result.BAD_VALUE
    assert rig.v == 1
    last = {note[0]: note for note in rig.notes if " has " in note}
    assert last == {"a": "a has 1", "b": "b has 1"}
    assert rig.notes.count("c gives up") == 1
    assert [record.levelname for record in caplog.records] == ["CRITICAL"]


async def test_what_contradicts_other_flags_changes_nothing() -> None:
    rig = Rig("-max_in_chunk_size=1000")
    outcome = rig.reloader.set_value(SetFlag("min_in_chunk_size", "2000"), "p")
    assert outcome.result is Result.BAD_VALUE and "-max_in_chunk_size=1000" in outcome.text
    assert rig.notes == []


async def test_settings_that_cannot_be_made_change_nothing(rig: Rig) -> None:
    def fails(_: Parsed) -> Settings:
        raise ValueError("no settings")

    rig.reloader._build = fails
    assert "no settings" in rig.reloader.set_value(SetFlag("v", "2"), "p").text
    assert (rig.v, rig.notes) == (1, [])


async def test_files_that_are_as_they_were_change_nothing_and_are_reported(rig: Rig) -> None:
    report = await rig.reloader.reload("SIGHUP")
    assert (report.state, report.changed, rig.notes) == ("unchanged", (), [])


async def test_the_difference_is_applied_and_told(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.now = ["-v=3", "-workers=2", "-default_vhost=x"]
    with caplog.at_level(logging.INFO):
        report = await rig.reloader.reload("SIGHUP")
    assert (report.state, report.changed, report.needs_restart) == ("done", ("v",), ("default_vhost", "workers"))
    assert (report.id, report.who, report.error) == (1, "SIGHUP", "")
    assert rig.v == 3
    changed, done = [record.getMessage() for record in caplog.records]
    assert changed == "flag changed name=v by=SIGHUP old=1 new=3"
    assert done.startswith(
        "reload done id=1 by=SIGHUP requests=1 changed=v kept=- needs_restart=default_vhost,workers took_"
    )


@pytest.mark.parametrize("found", ["read", "find", "part"])
async def test_any_fault_of_the_files_keeps_everything(rig: Rig, caplog: pytest.LogCaptureFixture, found: str) -> None:
    refused: list[str] = []
    rig.reloader.on_refused = lambda: refused.append(found)
    rig.now = ["-v=3", "-port=99999"] if found == "read" else ["-v=3"]
    if found == "find":
        rig.found = [Problem("edge.flags:7", "the fault"), Problem("edge.flags:8", "a doubt", is_warning=True)]
    elif found == "part":
        rig.parts[2].fails = "prepare"
    report = await rig.reloader.reload("SIGHUP")
    assert (report.state, report.changed, refused, rig.v) == ("refused", (), [found], 1)
    places = {"read": "command line: ", "find": "edge.flags:7: the fault", "part": "command line: c cannot"}
    assert report.error.startswith(places[found])
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == f"reload refused id=1 by=SIGHUP reason=reload_failed {report.error}"
    rig.now, rig.found, rig.parts[2].fails = ["-v=3"], [], ""
    assert (await rig.reloader.reload("SIGHUP")).state == "done"


async def test_a_fault_of_ours_in_reading_keeps_everything(rig: Rig) -> None:
    def breaks(_: Parsed) -> Parsed:
        raise RuntimeError("broken")

    rig.reloader._read = breaks
    assert (await rig.reloader.reload("SIGHUP")).state == "refused"
    assert rig.v == 1


async def test_what_a_page_has_set_stays_until_it_is_saved(rig: Rig, tmp_path: Path) -> None:
    path = tmp_path / "saved.flags"
    rig.now = [f"-save_flagfile={path}"]
    rig.reloader.book.take(rig.reloader.book.with_files(parse(rig.now)))
    rig.reloader.book.in_force.flags["save_flagfile"].value = str(path)  # as if started so
    rig.reloader.set_value(SetFlag("v", "5"), "10.0.0.1:5")
    rig.now = ["-v=2", f"-save_flagfile={path}"]
    report = await rig.reloader.reload("SIGHUP")
    assert (report.state, report.kept, rig.v) == ("unchanged", ("v",), 5)
    outcome = await rig.reloader.save("10.0.0.1:5")
    assert (outcome.result, outcome.text) == (Result.DONE, f"1 flag is in {path}.")
    assert rig.reloader.book.set_by_hand == frozenset()
    assert (await rig.reloader.reload("SIGHUP")).changed == ()
    path.write_text("-v=4\n")
    assert (await rig.reloader.reload("SIGHUP")).changed == ("v",)


async def test_who_asks_while_the_files_are_read_is_answered_by_the_next_reading(rig: Rig) -> None:
    first = rig.reloader.request("SIGHUP")
    await asyncio.sleep(0)
    others = [rig.reloader.request("SIGHUP") for _ in range(100)]
    async with asyncio.timeout(deadline(2)):
        reports = [await each for each in (first, *others)]
    assert rig.reads <= 2
    assert len({report.id for report in reports}) == rig.reads
    assert sum({report.id: report.requests for report in reports}.values()) == 101


async def test_the_next_reading_comes_a_while_after_the_last(rig: Rig) -> None:
    rig.reloader.gap_ms = 50
    loop = asyncio.get_running_loop()
    await rig.reloader.reload("SIGHUP")
    began = loop.time()
    await rig.reloader.reload("SIGHUP")
    assert loop.time() - began >= 0.04


async def test_who_waits_when_the_program_ends_is_let_go(rig: Rig) -> None:
    rig.reloader.gap_ms = 60_000
    await rig.reloader.reload("SIGHUP")
    waiting = rig.reloader.request("SIGHUP")
    await asyncio.sleep(0)
    await rig.owner.close()
    assert waiting.cancelled()


async def test_X7_the_log_tells_who_changed_what_on_one_line(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    rig.reloader.set_value(SetFlag("vmodule", "a=1"), "10.0.0.1:5")
    rig.reloader.set_value(SetFlag("vmodule", "b\n\x1b=1" + "x" * 1000), "10.0.0.1:5")
    for number in ("1", "2"):
        rig.reloader.set_value(SetFlag("v", number), "10.0.0.1:5")
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "flag changed name=vmodule by=10.0.0.1:5 old= new=a=1"
    assert all(line.isprintable() and len(line) < 600 for line in lines)
    assert len({cause_of(record) for record in caplog.records}) == len(lines) == 3


async def test_what_an_address_bears_is_told_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    start = "-proxy_to=nacos://a?accessToken=hunter1"
    rig = Rig(start)
    with caplog.at_level(logging.INFO):
        outcome = rig.reloader.set_value(SetFlag("proxy_to", "nacos://a?accessToken=hunter2"), "p")
        assert outcome.text == "Set `proxy_to' to nacos://a?accessToken=***"
        rig.parts[0].fails = "prepare"
        assert "hunter" not in rig.reloader.set_value(SetFlag("proxy_to", "nacos://a?accessToken=hunter3"), "p").text
        rig.found = [Problem("f:1", "-cdn_merge_to=nacos://a?accessToken=hunter4 is nothing")]
        rig.now = [start]
        report = await rig.reloader.reload("SIGHUP")
    assert report.error == "f:1: -cdn_merge_to=nacos://a?accessToken=*** is nothing"
    assert "hunter" not in caplog.text + str(rig.reloader.reports)
    await rig.owner.close()


async def test_what_is_doubtful_is_said_once(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.found = [Problem("edge.flags:8", "a doubt", is_warning=True)]
    for _ in range(3):
        await rig.reloader.reload("SIGHUP")
    assert [record.getMessage() for record in caplog.records if "doubt" in record.getMessage()] == [
        "edge.flags:8: a doubt"
    ]


def test_a_part_that_waits_for_a_change_takes_it_and_what_was_before_as_well() -> None:
    taken: list[int] = []
    old, new = (build_settings(parse([f"-v={number}"])) for number in (1, 2))
    part = OnChange(lambda settings: settings.log.v, taken.append, old)
    for settings in (old, new, new, old):
        part.prepare(settings).commit()
    assert taken == [2, 1]


def test_a_simple_part_takes_what_it_is_given() -> None:
    taken: list[Settings] = []
    new = build_settings(parse([]))
    ready = Simple(taken.append).prepare(new)
    assert taken == []
    ready.give_up()
    ready.commit()
    assert taken == [new]
