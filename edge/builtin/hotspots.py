"""``/hotspots/cpu``, ``heap``, ``growth`` and ``contention``: where time and memory go, by function.

A program that asks gets the profile once it is finished; a browser chooses first how long it is to take.
Finished profiles are kept and shown again by ``?view=NAME``. What each is: ``edge.profiling``.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime

from edge.builtin.page import Page, PageContext, PageFormat, Visit, register
from edge.builtin.query import BadQueryError, arguments, positive_number, whole_number
from edge.errors import EdgeError
from edge.net.aio import call_in_thread
from edge.profiling import flame, views
from edge.profiling.runs import KINDS, NothingTracedError, Profiler, ProfilerBusyError
from edge.profiling.stacks import Kind, Profile

DEFAULT_SECONDS = 10
CHOICES_S = (1, 10, 60)
DISPLAYS = ("flame", "text", "dot", "collapsed")
#: Largest number of a function in a flame graph that is looked for.
_MAX_FOCUS = 10_000_000

DISABLED = "profiles are refused here: -max_profiling_seconds=0"
NOT_TRACED = (
    "allocations are not traced: start the server with PYTHONTRACEMALLOC=16 in its environment (the number of callers "
    "that are remembered), or look at /hotspots/growth, which traces for a while"
)

_log = logging.getLogger(__name__)


class ProfilesOffError(EdgeError):
    """No profiles are made here; answer 403."""


@dataclass(frozen=True, slots=True)
class StackRow:
    """A stack, its functions joined by ``;`` from the outermost on, how often it was seen and its value."""

    stack: str
    times: int
    value: int


@dataclass(frozen=True, slots=True)
class ProfileView:
    """A finished profile; values are in ``unit``.

    Attributes:
        samples: of a profile of samples: how many there were, and how many at work, in words; else "".
    """

    name: str
    kind: str
    started: str
    duration_ms: int
    unit: str
    total: int
    facts: dict[str, int | float]
    samples: str
    stacks: tuple[StackRow, ...]


@dataclass(frozen=True, slots=True)
class HotspotsData:
    """A page of profiles.

    Attributes:
        kind: as in the path.
        error: why there is none, "" when nothing is wrong; ``status`` goes with it.
        running: kind of the profile that is being made now; "" for none.
        kept: names of those of the kind that can be shown again, newest first.
        profile: None when none was asked for.
        display: how ``body`` shows it: one of ``DISPLAYS``.
        body: text, or the SVG of a flame graph.
    """

    kind: str
    error: str = ""
    status: int = 200
    running: str = ""
    kept: tuple[str, ...] = ()
    profile: ProfileView | None = None
    display: str = ""
    body: str = ""
    choices_s: tuple[int, ...] = field(default=CHOICES_S)


def view_of(profile: Profile) -> ProfileView:
    """What JSON tells of a profile."""
    return ProfileView(
        name=profile.name,
        kind=profile.kind.name,
        started=datetime.fromtimestamp(profile.started_ms / 1000).strftime("%Y/%m/%d-%H:%M:%S"),
        duration_ms=profile.duration_ms,
        unit=profile.kind.unit,
        total=profile.total,
        facts=profile.facts,
        samples=_samples_of(profile),
        stacks=tuple(
            StackRow(";".join(views.printable(frame.label) for frame in row.stack), row.times, row.value)
            for row in profile.rows
        ),
    )


def _samples_of(profile: Profile) -> str:
    """How much of the time there was work: a graph shows that alone, as if it were all."""
    count, idle_count = (int(profile.facts.get(name, -1)) for name in ("sample_count", "idle_count"))
    if idle_count < 0:
        return ""
    work_count = count - idle_count
    told = f"{count} sample{'' if count == 1 else 's'}, {work_count} of them at work"
    if work_count <= 0:
        return f"{told}: the event loop had nothing to do, so there is nothing to draw"
    return f"{told} ({100 * work_count / count:.1f} %): the rest is not drawn" if idle_count else told


def body_of(profile: Profile, display: str, *, width_px: int, focus: int) -> str:
    """The profile as ``display`` shows it."""
    if display == "flame":
        base = f"/hotspots/{profile.kind.name}?view={profile.name}&display_type=flame&focus="
        return flame.svg(profile, width_px=width_px, focus=focus, link=lambda number: f"{base}{number}")
    return {"dot": views.dot, "collapsed": views.collapsed}.get(display, views.text)(profile)


def starts_a_run(visit: Visit) -> bool:
    """Whether a profile is to be made for this request; a browser that has not chosen is asked first."""
    asked = arguments(visit)
    return "view" not in asked and (visit.view is not PageFormat.HTML or "seconds" in asked)


async def profile_for(context: PageContext, visit: Visit, kind: Kind, *, needs_seconds: bool = False) -> Profile:
    """Make the profile that a request asks for, and say in the log who did.

    ``needs_seconds``: there is no default. Raises ``BadQueryError``, ``ProfilerBusyError``,
    ``NothingTracedError``, and ``ProfilesOffError``.
    """
    debugging, asked = context.debugging(), arguments(visit)
    most = debugging.config.max_profiling_seconds
    if needs_seconds and "seconds" not in asked:
        raise BadQueryError("seconds must be given")
    seconds = positive_number(asked, "seconds", default=DEFAULT_SECONDS, most=most or DEFAULT_SECONDS)
    if not most:
        raise ProfilesOffError(DISABLED)
    _log.info("profile asked kind=%s seconds=%g peer=%s", kind.name, seconds, visit.peer)
    return await debugging.profiler.run(kind, seconds)


def refusal_of(error: Exception) -> tuple[int, str]:
    """Status and text for what ``profile_for`` raises."""
    match error:
        case BadQueryError():
            return 400, error.detail
        case ProfilerBusyError():
            return 503, error.detail
        case NothingTracedError():
            return 403, NOT_TRACED
        case _:
            return 403, DISABLED


FAULTS = (BadQueryError, ProfilerBusyError, NothingTracedError, ProfilesOffError)


async def _collect(context: PageContext, visit: Visit, kind: Kind) -> HotspotsData:
    debugging, asked = context.debugging(), arguments(visit)
    profiler, config = debugging.profiler, debugging.config
    is_html = visit.view is PageFormat.HTML
    try:
        display = _display_of(asked, "flame" if is_html else "text")
        focus = whole_number(asked, "focus", default=0, least=0, most=_MAX_FOCUS)
        if "view" in asked:
            profile = _kept(profiler, kind, asked["view"])
        elif starts_a_run(visit):
            profile = await profile_for(context, visit, kind)
        else:
            return HotspotsData(kind.name, running=profiler.running, kept=_names(profiler, kind))
    except FAULTS as error:
        status, text = refusal_of(error)
        return HotspotsData(kind.name, error=text, status=status, running=profiler.running, kept=_names(profiler, kind))
    width_px = config.max_flame_graph_width
    body, view = await call_in_thread(
        lambda: (body_of(profile, display, width_px=width_px, focus=focus), view_of(profile)), name="profile-view"
    )
    return HotspotsData(
        kind.name, running=profiler.running, kept=_names(profiler, kind), profile=view, display=display, body=body
    )


def _display_of(asked: dict[str, str], default: str) -> str:
    display = asked.get("display_type", default).lower()
    if display not in DISPLAYS:
        raise BadQueryError(f"display_type must be one of {', '.join(DISPLAYS)}")
    return display


def _kept(profiler: Profiler, kind: Kind, name: str) -> Profile:
    profile = profiler.kept.get(name)
    if profile is None or profile.kind is not kind:
        raise BadQueryError("no such profile is kept")
    return profile


def _names(profiler: Profiler, kind: Kind) -> tuple[str, ...]:
    return tuple(name for name, profile in reversed(profiler.kept.items()) if profile.kind is kind)


def text(data: HotspotsData) -> str:
    """The profile, or why there is none."""
    return data.body if data.profile is not None else f"{data.error}\n"


_ABOUT = {
    "cpu": "what the event loop works at, as a flame graph",
    "contention": "what keeps the event loop from its turn",
    "growth": "what is allocated meanwhile and still held",
    "heap": "all memory that is held; only with PYTHONTRACEMALLOC set at the start",
}


def _page(kind: Kind, title: str, *, is_listed: bool) -> Page[HotspotsData]:
    async def collect(context: PageContext, visit: Visit) -> HotspotsData:
        return await _collect(context, visit, kind)

    return register(
        Page(
            f"/hotspots/{kind.name}",
            title,
            collect,
            text,
            template="hotspots.html",
            tab="Profiles",
            status=lambda data: data.status,
            is_listed=is_listed,
            about=_ABOUT[kind.name],
            changes=starts_a_run,
        )
    )


PROFILES = {name: _page(kind, f"Profile: {name}", is_listed=name == "cpu") for name, kind in KINDS.items()}
