"""``/flags``: the flags with their values and who gave them; ``?setvalue=`` changes those that may change."""

from __future__ import annotations

from dataclasses import dataclass

from edge.builtin.page import Page, PageContext, Visit, register
from edge.builtin.present import cell
from edge.builtin.query import arguments
from edge.facts.orders import Result, SetFlag
from edge.facts.patterns import Patterns
from edge.flags.book import FlagFacts

PATH = "/flags"
_COLUMNS = ("Name", "Value", "Description", "Defined At", "Set By")
_STATUSES = {Result.DONE: 200, Result.NOT_FOUND: 404, Result.REFUSED: 403, Result.BAD_VALUE: 403}
_RULE = "---------------------------------------"


@dataclass(frozen=True, slots=True)
class FlagsData:
    """The flags that are asked for.

    Attributes:
        said: what became of a change, ``code`` its status.
        form: the flag that a form is to change, or "".
    """

    flags: list[FlagFacts]
    said: str = ""
    code: int = 200
    form: str = ""
    filter: str = ""


def is_change(visit: Visit) -> bool:
    """Whether a request changes a flag: a form for it only shows."""
    asked = arguments(visit)
    return "setvalue" in asked and "withform" not in asked


async def collect(context: PageContext, visit: Visit) -> FlagsData:
    """Change what is to be changed, and return the flags that the path names; all without any."""
    book = context.flags
    if is_change(visit):
        outcome = await context.orders.carry_out(SetFlag(visit.path, arguments(visit)["setvalue"]), visit.peer)
        return FlagsData([], outcome.text, _STATUSES[outcome.result])
    patterns = Patterns(visit.path)
    found = [flag for flag in book.facts() if patterns.matches(flag.name)]
    form = visit.path if "setvalue" in arguments(visit) and len(found) == 1 else ""
    return FlagsData(found, form=form, filter=visit.path)


def text(data: FlagsData) -> str:
    """A line of dashes below the heads, then a line each; the outcome alone of a change."""
    if data.said:
        return f"{data.said}\n"
    lines = [" | ".join(_COLUMNS), _RULE, *(" | ".join(_row(flag)) for flag in data.flags)]
    return "".join(f"{line}\n" for line in lines)


def _row(flag: FlagFacts) -> tuple[str, ...]:
    name = flag.name + (" (R)" if flag.is_reloadable else "")
    return name, shown_value(flag), flag.help, defined_at(flag), flag.origin


def shown_value(flag: FlagFacts) -> str:
    """The value, a blank if it is empty, with the default where it is another."""
    value = cell(flag.value) if flag.value else " "
    return value if flag.is_default else f"{value} (default:{cell(flag.default) if flag.default else ' '})"


def defined_at(flag: FlagFacts) -> str:
    """The part of the flags that it is of."""
    return f"edge.flags.{flag.topic}"


def policy(_visit: Visit) -> str:
    """Nothing runs; the form is sent to this server."""
    from edge.builtin.html import CONTENT_SECURITY_POLICY  # only pages for browsers have a policy

    return CONTENT_SECURITY_POLICY.replace("form-action 'none'", "form-action 'self'")


FLAGS = register(
    Page(
        PATH,
        "Flags",
        collect,
        text,
        template="flags.html",
        status=lambda data: data.code,
        has_paths=True,
        policy=policy,
        about="each flag, its value, and who set it; some may be changed",
        changes=is_change,
    )
)
