"""Changes flags while the program runs: all that a change is for, or nothing.

Two phases. Every part *prepares* for the new settings, and may refuse; nothing has changed until all have. Then
each *commits*, which only takes what is ready. Where one refuses, those before it give up what they have made
ready, such as ports that are open already, and everything is as it was.

Requests to read the files again that come while that is done, or soon after, are answered together.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar

from edge.errors import ConfigError
from edge.facts.orders import Outcome, Result, SetFlag
from edge.facts.records import ReloadFacts
from edge.flags.book import Change, FlagBook, Refused, Why, failure_text, named_value
from edge.flags.gflags import Parsed
from edge.flags.problem import Problem
from edge.net.aio import TaskOwner, call_in_thread, now_ms, spawn, wall_ms
from edge.runtime.save_flags import SaveError, save
from edge.runtime.settings import Settings
from naming.url import without_secrets

logger = logging.getLogger(__name__)

Value = TypeVar("Value")

#: From the end of one reading of the files to the next.
GAP_MS = 250
_MAX_REPORTS = 32
# Lines about vhosts that a report keeps.
_MAX_REPORTED = 100
# Of one reading; a file that is none at all has one in each line.
_MAX_LOGGED = 10

_RESULTS = {
    Why.UNKNOWN: Result.NOT_FOUND,
    Why.NOT_NOW: Result.REFUSED,
    Why.BAD_VALUE: Result.BAD_VALUE,
}


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a part has made ready.

    Attributes:
        commit: takes it into use; raises nothing.
        give_up: lets go of it instead.
    """

    commit: Callable[[], object]
    give_up: Callable[[], object] = _nothing


class Part(Protocol):
    """A part of the program that settings reach while it runs."""

    def prepare(self, new: Settings) -> Prepared:
        """Make ready for ``new``, which changes nothing yet; raises ConfigError."""
        ...


class Simple:
    """A part that takes any settings that have been checked."""

    def __init__(self, take: Callable[[Settings], object]) -> None:
        self._take = take

    def prepare(self, new: Settings) -> Prepared:
        """Nothing is to be made ready."""
        return Prepared(lambda: self._take(new))


class OnChange(Generic[Value]):
    """A part that takes some of the settings, and only when they are others than it has."""

    def __init__(self, pick: Callable[[Settings], Value], take: Callable[[Value], object], start: Settings) -> None:
        """``pick`` returns what it takes of settings, and has of those of the ``start``."""
        self._pick, self._take = pick, take
        self._has = pick(start)

    def prepare(self, new: Settings) -> Prepared:
        """Nothing is to be made ready."""
        return Prepared(lambda: self._commit(self._pick(new)))

    def _commit(self, value: Value) -> None:
        if value != self._has:
            self._has = value
            self._take(value)


@dataclass(frozen=True, slots=True)
class Reading:
    """The command line and its files, read again, with what is wrong with them."""

    parsed: Parsed
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> list[Problem]:
        """What keeps it from being taken."""
        return [problem for problem in self.problems if not problem.is_warning]


class Reloader:
    """Everything that changes flags of a process that runs goes through here.

    Attributes:
        book: the flags in force.
        on_read: called when the files have been read again and taken, be there a difference or not.
        on_refused: called when they have not.
        gap_ms: from the end of one reading to the next.
    """

    def __init__(
        self,
        book: FlagBook,
        parts: Sequence[Part],
        *,
        build: Callable[[Parsed], Settings],
        read: Callable[[Parsed], Parsed],
        find: Callable[[Parsed], Iterable[Problem]],
        check: Callable[[Parsed], Iterable[Problem]],
        owner: TaskOwner,
        ahead: Callable[[Settings], object] = lambda _: None,
    ) -> None:
        """Take what a process has started with.

        Args:
            parts: in the order in which they are changed.
            build: makes settings of flags; raises ConfigError or ValueError.
            read: reads the command line and its files again; in a thread.
            find: all that is wrong with what has been read; in a thread, may look things up.
            check: what speaks against flags together; at once.
            ahead: makes ready for settings what takes long; in a thread, before the parts prepare. Raises ConfigError.
        """
        self.book = book
        self.on_read: Callable[[], object] = _nothing
        self.on_refused: Callable[[], object] = _nothing
        self.gap_ms = GAP_MS
        self._parts = tuple(parts)
        self._build, self._read, self._find, self._check = build, read, find, check
        self._owner, self._ahead = owner, ahead
        self._reports: deque[ReloadFacts] = deque(maxlen=_MAX_REPORTS)
        self._count = 0
        self._warned: frozenset[Problem] = frozenset()
        self._asked: list[str] = []
        self._answer: asyncio.Future[ReloadFacts] | None = None
        self._task: asyncio.Task[None] | None = None
        self._free_ms = 0
        self._saving = asyncio.Lock()

    @property
    def reports(self) -> list[ReloadFacts]:
        """What was changed lately, or should have been; the newest first."""
        return list(reversed(self._reports))

    # --- one value -----------------------------------------------------------

    def set_value(self, order: SetFlag, who: str) -> Outcome:
        """Give a flag a value; nothing changes unless all is well."""
        origin = f"{order.way} {who}"
        change = self.book.with_value(order.name, order.value, origin)
        if isinstance(change, Refused):
            return Outcome(_RESULTS[change.why], without_secrets(change.text))
        fault = self._fault_of(change) or self._apply(change, who)
        if fault:
            self._report("set", origin, 1, "refused", error=without_secrets(f"-{order.name}: {fault}"))
            return Outcome(Result.BAD_VALUE, without_secrets(failure_text(order.name, order.value, fault)))
        self._report("set", origin, 1, "done", changed=(order.name,))
        shown = without_secrets(named_value(order.name, order.value))
        return Outcome(Result.DONE, f"Set `{order.name}' to {shown}")

    def _fault_of(self, change: Change) -> str:
        """What speaks against the flags together that did not before."""
        before = {problem.message for problem in self._check(self.book.in_force)}
        faults = (problem for problem in self._check(change.parsed) if not problem.is_warning)
        return next((f"{problem.message}" for problem in faults if problem.message not in before), "")

    # --- the files -----------------------------------------------------------

    def request(self, who: str) -> asyncio.Future[ReloadFacts]:
        """Have the files read again, soon; whoever asks before that is answered by the same reading."""
        self._asked.append(who)
        if self._answer is None or self._answer.done():
            self._answer = asyncio.get_running_loop().create_future()
        answer = self._answer
        if self._task is None or self._task.done():
            self._task = spawn(self._run(), name="reload", owner=self._owner)
        return answer

    async def reload(self, who: str) -> ReloadFacts:
        """Have the files read again, and wait for what comes of it."""
        return await asyncio.shield(self.request(who))

    async def _run(self) -> None:
        try:
            while self._asked:
                await asyncio.sleep(max(self._free_ms - now_ms(), 0) / 1000)
                asked, self._asked = self._asked, []
                answer, self._answer = self._answer, None
                try:
                    report = await self._reload(asked)
                except BaseException:
                    if answer is not None:
                        answer.cancel()
                    raise
                self._free_ms = now_ms() + self.gap_ms
                if answer is not None and not answer.done():
                    answer.set_result(report)
        finally:
            if self._answer is not None:
                self._answer.cancel()

    async def _reload(self, asked: list[str]) -> ReloadFacts:
        who, began_ms = asked[0], now_ms()
        try:
            reading = await call_in_thread(self._read_all, name="reload")
        except Exception as error:
            logger.critical("internal error: the flags cannot be read again", exc_info=True)
            return self._refuse(who, asked, began_ms, [f"internal error: {error!r}"])
        if reading.errors:
            return self._refuse(who, asked, began_ms, [str(problem) for problem in reading.errors])
        change, new, fault = await self._made_of(reading)
        fault = fault or self._apply(change, who, new)
        if fault:
            return self._refuse(who, asked, began_ms, [self._placed(change, fault)])
        self._warn(reading)
        self.on_read()
        waiting = tuple(sorted(change.waiting))
        state = "done" if change.is_any else "unchanged"
        took_ms = now_ms() - began_ms
        report = self._report(
            "reload",
            who,
            len(asked),
            state,
            changed=change.changed,
            kept=change.kept,
            needs_restart=waiting,
            vhosts=change.vhosts,
            took_ms=took_ms,
        )
        text = "reload %s id=%d by=%s requests=%d changed=%s kept=%s needs_restart=%s took_ms=%d"
        lists = [",".join(names) or "-" for names in (change.changed, change.kept, waiting)]
        logger.info(text, state, report.id, who, len(asked), *lists, took_ms)
        return report

    async def _made_of(self, reading: Reading) -> tuple[Change, Settings | None, str]:
        """What has been read as a change of what is in force, with settings where there are some, or what is wrong."""
        while True:
            before = self.book.in_force
            change = self.book.with_files(reading.parsed)
            fault = self._fault_of(change) if change.changed else ""
            if fault or not change.vhosts:
                return change, None, fault
            try:
                new = await call_in_thread(partial(self._build_ahead, change.parsed), name="reload")
            except (ConfigError, ValueError) as error:
                return change, None, error.detail if isinstance(error, ConfigError) else str(error)
            except Exception as error:
                logger.critical("internal error: settings cannot be changed", exc_info=True)
                return change, None, f"internal error: {error!r}"
            if self.book.in_force is before:  # else a flag was set meanwhile, and is to be among them
                return change, new, ""

    def _build_ahead(self, parsed: Parsed) -> Settings:
        new = self._build(parsed)
        self._ahead(new)
        return new

    def _read_all(self) -> Reading:
        """In a thread: a disk or a resolver that hangs is to keep nobody waiting."""
        parsed = self._read(self.book.in_force)
        problems = list(parsed.problems)
        if not parsed.has_errors:
            problems += self._find(parsed)
        return Reading(parsed, tuple(problems))

    def _placed(self, change: Change, fault: str) -> str:
        """The fault with the place of the flag that it names, else of the first that is another now."""
        if not change.changed:
            return fault
        name = next((name for name in change.changed if f"-{name}" in fault), change.changed[0])
        return f"{change.parsed.where(name)}: {fault}"

    def _refuse(self, who: str, asked: list[str], began_ms: int, faults: list[str]) -> ReloadFacts:
        faults = [without_secrets(fault) for fault in faults]
        error, took_ms = faults[0], now_ms() - began_ms
        report = self._report("reload", who, len(asked), "refused", error=error, took_ms=took_ms)
        for fault in faults[:_MAX_LOGGED]:
            text = "reload refused id=%d by=%s reason=reload_failed %s"
            logger.error(text, report.id, who, fault, extra={"cause": f"{report.id} {fault}"})
        self.on_refused()
        return report

    def _warn(self, reading: Reading) -> None:
        """Say what is doubtful, unless it was said of the reading before."""
        for problem in reading.problems:
            if problem not in self._warned:
                message = without_secrets(problem.message)
                logger.warning("%s: %s", problem.where, message, extra={"cause": str(problem)})
        self._warned = frozenset(reading.problems)

    # --- saving --------------------------------------------------------------

    async def save(self, who: str) -> Outcome:
        """Write what was set by hand into ``-save_flagfile``, so that it is so after a restart too."""
        async with self._saving:
            return await self._save(who)

    async def _save(self, who: str) -> Outcome:
        names = self.book.set_by_hand
        try:
            saved = await call_in_thread(lambda: save(self.book.in_force, names, who), name="save-flags")
        except SaveError as error:
            return Outcome(Result.REFUSED, str(error))
        read = saved.read
        same = [
            name
            for name in names
            if name in self.book.set_by_hand and read.flags[name].value == self.book.in_force.flags[name].value
        ]
        self.book.saved(same, read)
        text = f"{len(saved.names)} flag{'s are' if len(saved.names) != 1 else ' is'} in {saved.path}."
        others = sorted(names.difference(same))
        if others:
            text += f" Another value wins at the next start for: {', '.join(others)}."
        self._report("save", who, 1, "done", changed=saved.names)
        return Outcome(Result.DONE, text)

    # --- both phases ---------------------------------------------------------

    def _apply(self, change: Change, who: str, new: Settings | None = None) -> str:
        """Put ``change`` into force, with its settings if they are there already; "" or why nothing has changed."""
        try:
            new = new or self._build(change.parsed)
            if change.is_any:
                self._change_all(new)
        except (ConfigError, ValueError) as error:
            return error.detail if isinstance(error, ConfigError) else str(error)
        except Exception as error:
            logger.critical("internal error: settings cannot be changed", exc_info=True)
            return f"internal error: {error!r}"
        for name, before, after in self.book.told(change):
            text = "flag changed name=%s by=%s old=%s new=%s"
            logger.warning(text, name, who, before, after, extra={"cause": f"{name}={after}"})
        for line in change.vhosts[:_MAX_LOGGED]:
            logger.warning("vhosts changed by=%s %s", who, line, extra={"cause": line})
        self.book.take(change)
        return ""

    def _change_all(self, new: Settings) -> None:
        prepared: list[Prepared] = []
        try:
            for part in self._parts:
                prepared.append(part.prepare(new))
        except BaseException:
            for ready in reversed(prepared):
                ready.give_up()
            raise
        for number, ready in enumerate(prepared):
            try:
                ready.commit()
            except Exception:
                self._put_back(number, prepared)
                raise

    def _put_back(self, failed: int, prepared: list[Prepared]) -> None:
        """A part has broken in its commit, which is a fault of ours: what was taken is given back as far as it goes."""
        for ready in prepared[failed + 1 :]:
            ready.give_up()
        old = self._build(self.book.in_force)
        for part in self._parts[: failed + 1]:
            try:
                part.prepare(old).commit()
            except Exception:
                logger.critical("internal error: a part is left with settings that were given up", exc_info=True)

    def _report(
        self,
        what: str,
        who: str,
        requests: int,
        state: str,
        *,
        error: str = "",
        changed: tuple[str, ...] = (),
        kept: tuple[str, ...] = (),
        needs_restart: tuple[str, ...] = (),
        vhosts: tuple[str, ...] = (),
        took_ms: int = 0,
    ) -> ReloadFacts:
        self._count += 1
        report = ReloadFacts(
            id=self._count,
            at_ms=wall_ms(),
            what=what,
            who=who,
            requests=requests,
            state=state,
            error=error,
            changed=changed,
            kept=kept,
            needs_restart=needs_restart,
            vhosts=vhosts[:_MAX_REPORTED],
            took_ms=took_ms,
        )
        self._reports.append(report)
        return report
