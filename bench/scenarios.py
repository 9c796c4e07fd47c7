"""What is measured, as plans, and how a plan is carried out against one server."""

from __future__ import annotations

import contextlib
import dataclasses
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.load import BenchError, Load, Meter, Row, cores, usage
from bench.servers import Running, Server

_PUBLISH_LEAD_S = 2.5  # a keyframe each 2 s: every player finds one
_START_AND_STOP_S = 1.7
_OVERLOADED_BELOW = 0.7  # of the bytes that the median player should have had
_SLACK_S = 25.0  # beyond its estimate, before a run of the generator is ended
_SAMPLE = 20  # the generator's own
QUEUE_LENGTH_S = 5  # of our server in the run with slow readers, so that the bound shows within it
MANY_FLUSH_MS = 350
_CLOSED_LOOP = 64  # connects under way, where the next follows the end of one


@dataclass(frozen=True, slots=True)
class Plan:
    """One measurement of one server.

    Attributes:
        scenario: its name on the command line and in the results.
        steps: numbers of players, growing, measured one after another.
        ramp: players connected per second.
        settle_s: between the last player's first keyframe and the window; the automatic interval settles in it.
        repeats: how often, the servers in turn.
        edge_flags: flags of our server beyond the port.
        has_nginx: whether nginx is measured too.
        slow_pct: share of players that read at a tenth of the stream's rate.
        until: ``keyframe`` or ``play``: the run is connect .. that .. close instead of playing.
        connects_per_s: how often; 0: each as soon as one before it has ended.
        is_unplayed: the run is of publishers alone.
        idle_s: from the start until the idle server is looked at; a part of it may be loaded late.
        variant: tells plans of one scenario apart.
        form: what players ask for: ``rtmp``, ``flv``, ``ws`` or ``ts``.
        sample: one in so many players parses all it gets.
        edge_count: edges behind the server, each pulling from the one before; they are played at the last.
    """

    scenario: str
    steps: tuple[int, ...] = ()
    kbps: int = 500
    streams: int = 1
    ramp: int = 400
    settle_s: float = 4
    window_s: float = 6
    repeats: int = 1
    edge_flags: tuple[str, ...] = ()
    has_nginx: bool = True
    slow_pct: int = 0
    until: str = ""
    connects_per_s: int = 0
    is_unplayed: bool = False
    idle_s: float = 0.5
    variant: str = ""
    form: str = "rtmp"
    sample: int = _SAMPLE
    edge_count: int = 0

    @property
    def publish_ramp(self) -> int:
        return 150 if self.streams > 1 else 200

    @property
    def load_s(self) -> float:
        """About how long the players take."""
        if self.until:
            return self.window_s
        if self.is_unplayed:
            return self.settle_s + self.window_s
        return max(self.steps) / self.ramp + len(self.steps) * (self.settle_s + self.window_s)

    @property
    def run_s(self) -> float:
        """About how long one run takes, start and stop included."""
        return self.load_s + self.streams / self.publish_ramp + _PUBLISH_LEAD_S + self.idle_s + _START_AND_STOP_S

    def with_repeats(self, repeats: int) -> Plan:
        """The same, measured so often."""
        return dataclasses.replace(self, repeats=repeats)

    def publish_arguments(self, port: str) -> list[str]:
        """The publishers' command line."""
        return [
            *("publish", "--port", port, "--streams", str(self.streams), "--kbps", str(self.kbps)),
            *("--ramp", str(self.publish_ramp)),
        ]

    def load_arguments(self, port: str) -> list[str]:
        """The players' command line."""
        common = ["--port", port, "--streams", str(self.streams), "--kbps", str(self.kbps)]
        if self.form != "rtmp":
            common += ["--proto", self.form]
        if self.until:
            rate = ("--rate", str(self.connects_per_s), "--conc", str(self.connects_per_s * 5 or _CLOSED_LOOP))
            return ["churn", *common, *rate, "--until", self.until, "--duration", f"{self.window_s:g}"]
        slow = ("--slow-pct", str(self.slow_pct), "--slow-factor", "10") if self.slow_pct else ()
        sample = ("--sample", str(self.sample)) if self.sample != _SAMPLE else ()
        return [
            *("play", *common, "--steps", ",".join(map(str, self.steps)), "--ramp", str(self.ramp)),
            *("--settle", f"{self.settle_s:g}", "--window", f"{self.window_s:g}", *sample, *slow),
        ]


#: The variants of ``churn``; its figures are judged by these names.
TO_KEYFRAME, TO_START = "to the first keyframe", "to Play.Start, closed loop"


def publishers(count: int) -> str:
    """The variant of ``ingest`` with so many."""
    return f"{count} publishers"


FULL: tuple[Plan, ...] = (
    Plan("fanout", steps=(50, 300, 1800, 2500), settle_s=4, window_s=5, repeats=3),
    Plan(
        "many",
        steps=(10_000,),
        ramp=800,
        edge_flags=(f"-flush_interval_ms={MANY_FLUSH_MS}",),
        has_nginx=False,
    ),
    Plan("bitrate6m", steps=(1000,), kbps=6000),
    Plan("churn", until="keyframe", connects_per_s=100, window_s=4, repeats=3, variant=TO_KEYFRAME),
    Plan("churn", until="play", window_s=4, repeats=3, variant=TO_START),
    *(
        Plan(
            "ingest",
            steps=(count,),
            streams=count,
            ramp=200,
            settle_s=3,
            window_s=5,
            repeats=3,
            variant=publishers(count),
        )
        for count in (200, 500)
    ),
    Plan("unplayed", streams=100, settle_s=10, window_s=3, idle_s=3, repeats=3, is_unplayed=True),
    Plan("slow", steps=(100,), kbps=4000, variant="all prompt", edge_flags=(f"-queue_length_s={QUEUE_LENGTH_S}",)),
    Plan(
        "slow",
        steps=(100, 100),
        kbps=4000,
        slow_pct=10,
        window_s=10,
        variant="1 in 10 slow",
        edge_flags=(f"-queue_length_s={QUEUE_LENGTH_S}",),
    ),
    Plan("memory", steps=(100, 1500), ramp=500, settle_s=2, window_s=3),
)
SCENARIOS = tuple(dict.fromkeys(plan.scenario for plan in FULL))


def quick(plan: Plan) -> Plan:
    """The same with few players and short windows: shows that it works, measures nothing."""
    return dataclasses.replace(
        plan,
        steps=tuple(max(step // 20, 20) for step in plan.steps),
        streams=min(plan.streams, 20),
        connects_per_s=min(plan.connects_per_s, 50),
        settle_s=0.5,
        window_s=1.5,
        idle_s=min(plan.idle_s, 1),
        repeats=1,
    )


def raise_descriptor_limit() -> int:
    """Raise the soft limit to the hard one, for this process and its children; returns it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def carry_out(plan: Plan, server: Server, tool: Path, repeat: int) -> Row:
    """Start the server, load it as planned, stop it.

    Returns the run: what ran and its ``rows``, one per step; where something
    went wrong also ``error``, with the rows until then.
    """
    flags = plan.edge_flags if server.name == "edge" else ()
    rows: list[Row] = []
    run: Row = {
        "scenario": plan.scenario,
        "variant": plan.variant,
        "server": server.name,
        "repeat": repeat,
        "command": server.shown(flags),
        "publish": " ".join(["rtmpload", *plan.publish_arguments("PORT")]),
        "load": "" if plan.is_unplayed else " ".join(["rtmpload", *plan.load_arguments("PORT")]),
        "kbps": plan.kbps,
        "streams": plan.streams,
        "rows": rows,
    }
    try:
        server_core, load_core = cores()
        with contextlib.ExitStack() as stack:
            first = running = stack.enter_context(Running(server, flags, server_core, is_asked=not plan.is_unplayed))
            for _ in range(plan.edge_count):
                upstream = f"-proxy_to=127.0.0.1:{running.port}"
                running = stack.enter_context(Running(server, [*flags, upstream], server_core))
            time.sleep(plan.idle_s)
            run["idle_rss_mb"] = usage(running.program.session)[2] / 1e6
            limit_s = plan.run_s + 2 * _SLACK_S
            publishers = Load(tool, load_core, plan.publish_arguments(str(first.port)), limit_s)
            try:
                published = publishers.wait_for("publishing")
                if published["failed"]:
                    raise BenchError(f"{published['failed']} of {plan.streams} publishers failed")
                time.sleep(_PUBLISH_LEAD_S)
                if plan.is_unplayed:
                    rows.append({**_unplayed_row(plan, running), "idle_rss_mb": run["idle_rss_mb"]})
                else:
                    rows.extend(_rows(plan, server, running, tool))
            finally:
                publishers.stop()
    except BenchError as error:
        run["error"] = str(error)
    return run


def _unplayed_row(plan: Plan, running: Running) -> Row:
    """What publishers alone cost; their streams are held back for 10 s, so the memory is that after more."""
    meter = Meter(running.program.session, cores()[0])
    time.sleep(plan.settle_s)
    meter.start()
    time.sleep(plan.window_s)
    return {**meter.stop(), "publishers": plan.streams, "seconds": plan.window_s, "is_overloaded": False}


def _rows(plan: Plan, server: Server, running: Running, tool: Path) -> Iterator[Row]:
    """Yield a row per window of the generator; stops early where the server falls behind."""
    server_core, load_core = cores()
    meter = Meter(running.program.session, server_core)
    load = Load(tool, load_core, plan.load_arguments(str(running.port)), plan.load_s + _SLACK_S)
    found = 0
    try:
        for event in load.events():
            if event["event"] == "window_start":
                meter = Meter(running.program.session, server_core)
                meter.start()
            elif event["event"] == "window_end":
                row = {**event, **meter.stop(), **server.status(running.port)}
                row["is_overloaded"] = not plan.until and is_overloaded(row, plan.kbps)
                found += 1
                yield row
                if row["is_overloaded"]:
                    return
    finally:
        load.stop()
    if found < max(len(plan.steps), 1):
        raise BenchError(f"{found} of {max(len(plan.steps), 1)} windows were measured")


def is_overloaded(row: Row, kbps: float) -> bool:
    """Whether the players got visibly less than the stream."""
    should_have = kbps * 125 * row["seconds"]
    return bool(row["median_bytes"] < _OVERLOADED_BELOW * should_have or row["alive"] < 0.9 * row["normal"])
