"""A daemon that is not there: fixed facts for the pages, with markup in every place a peer controls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from edge.builtin.config import DebugConfig
from edge.builtin.debugging import Debugging
from edge.builtin.page import PageContext
from edge.facts.metrics import Distribution, Sample
from edge.facts.orders import Order, Outcome, Result, SetFlag
from edge.facts.records import (
    AddressFacts,
    AudienceFacts,
    ConnectionFacts,
    DetailFacts,
    FindingFacts,
    HealthFacts,
    PlayerFacts,
    ProcessFacts,
    QualityFacts,
    ReadinessFacts,
    ReloadFacts,
    SampleFacts,
    ServerFacts,
    ServiceFacts,
    SourceFacts,
    StreamFacts,
    TotalFacts,
    TrafficFacts,
    TrafficTables,
    VhostFacts,
)
from edge.facts.variables import Value
from edge.flags.book import FlagBook
from edge.flags.check import check
from edge.flags.gflags import parse
from edge.httpd.routes import Route
from edge.hub.key import StreamKey
from edge.net.aio import TaskOwner, now_us, wall_us
from edge.net.listed import Listed
from edge.profiling.runs import Profiler
from edge.runtime.reload import Reloader
from edge.runtime.settings import build_settings
from edge.service.answers import AddressAnswer, Cause, Diagnosis, Happened, NodeReport, OpenConnection, Trouble
from edge.service.diagnosis import diagnose
from edge.service.insight import Way
from edge.service.spans import SpanRing
from naming.url import without_secrets

EVIL = "<script>alert('x')</script>\"&"

ADDRESSES = AddressFacts(
    host="media1",
    rtmp_port=8079,
    http_port=8079,
    has_flv=True,
    has_ts=True,
    has_hls=True,
    has_low_latency=True,
    has_tls=False,
    is_tls_forced=False,
    internal_port=8079,
    role="origin",
    proxy_to="",
)
HEALTH = HealthFacts(is_ok=True, is_draining=False, loop_lag_ms=1.5, uptime_s=12, python="3.11.7", overload="")
READY = ReadinessFacts(is_ready=True, reasons=())
PROCESS = ProcessFacts(version="1.2.3", addresses=ADDRESSES, health=HEALTH, readiness=READY)


QUALITY = QualityFacts(
    reporting=2,
    sessions=5,
    start_ms=840,
    stall_count=3,
    stall_ms=1250,
    dropped_frames=7,
    buffer_ms=2100,
    bitrate_kbps=1264,
)


def stream(name: str = "a", **changes: Any) -> StreamFacts:
    known = StreamFacts(
        key=f"_/live/{name}",
        vhost="_",
        app="live",
        stream=name,
        is_forwarded=False,
        service="",
        state="live",
        publisher="10.0.0.9:51234",
        muted_publishers=(),
        players=3,
        viewers=3,
        video_codec="H264",
        audio_codec="AAC",
        video_bps=1_200_000,
        audio_bps=64_000,
        fps=25,
        gop=50,
        fluency_pct=99.5,
        uptime_s=3723,
        created_at_ms=1_796_056_580_123,
        epoch="5d5d5d5d5d5d5d5d",
        next_index=93_075,
        frames_held=125,
        bytes_held=120_000,
        log_bytes=30_000,
        gap_count=0,
        duplicate_count=0,
        dropped_count=0,
        player_jump_count=0,
        player_dropped_count=0,
        upstream_gap_ms=0,
        timestamp_jump_count=0,
        clock_drift_ms=0,
    )
    return replace(known, **changes)


def service(**changes: Any) -> ServiceFacts:
    known = ServiceFacts(
        role="origin", id="5d5d5d5d5d5d5d5d", pulls_from="", pushes_to="", stream_count=1, player_count=3
    )
    return replace(known, **changes)


def source(**changes: Any) -> SourceFacts:
    known = SourceFacts(use="pull+push", target=f"consul://{EVIL}", state="current", servers_count=1, answer_age_s=3)
    return replace(known, **changes)


def server(endpoint: str = "10.0.0.1:1935", **changes: Any) -> ServerFacts:
    known = ServerFacts(
        use="pull+push",
        target="10.0.0.1:1935",
        endpoint=endpoint,
        state="up",
        last_error="",
        last_error_age_s=None,
        tag="",
        priority=0,
        streams_count=1,
        disabled_keys_count=0,
        isolated_for_ms=0,
        check_in_ms=0,
        check_count=0,
        share_pct=100,
        ok_count=7,
        failure_count=0,
    )
    return replace(known, **changes)


def connection(number: int = 7, **changes: Any) -> ConnectionFacts:
    known = ConnectionFacts(
        id=number,
        peer="10.0.0.9:51234",
        protocol="rtmp",
        role="publish",
        key="_/live/a",
        stream_count=1,
        uptime_s=3723,
        received_bytes=120_000,
        sent_bytes=3_500,
    )
    return replace(known, **changes)


def traffic(number: int = 7, **changes: Any) -> TrafficFacts:
    known = TrafficFacts(
        id=number,
        is_upstream=False,
        peer="10.0.0.9:51234",
        local="10.0.0.1:1935",
        is_encrypted=False,
        protocol="rtmp",
        fd=12,
        uptime_s=3723,
        received_bytes_second=1000,
        received_bytes_minute=60_000,
        sent_bytes_second=None,
        sent_bytes_minute=None,
        rtt_ms=1.5,
        rtt_var_ms=0.25,
    )
    return replace(known, **changes)


SAMPLES = (
    Sample("http_requests_count", 7),
    Sample("error_*_count", 1, ("handshake",)),
    Sample("error_*_count", 2, (EVIL,)),
    Sample("first_frame_ms", Distribution((10.0, 100.0), (3, 1, 1), 700.0)),
    Sample("hop_delay_ms", Distribution((10.0, 100.0), (3, 1, 1), 700.0), ("1",)),
    Sample("loop_lag_ms", 2),
    Sample("build", 1, ("1.2.3", "3.11.7", "origin")),
)


def player(number: int | None = 8, **changes: Any) -> PlayerFacts:
    known = PlayerFacts(
        key="_/live/a",
        service="",
        connection=number,
        peer="10.0.0.8:40000",
        protocol="http-flv",
        kind="FlvDownloader",
        is_node=False,
        age_ms=61_500,
        play_delay_ms=3,
        sent_bytes=3_500_000,
        behind_ms=40,
        jump_count=0,
    )
    return replace(known, **changes)


def details(**changes: Any) -> DetailFacts:
    known = DetailFacts(
        key="_/live/a",
        service="",
        index=1250,
        publisher="10.0.0.9:51234",
        age_ms=3_723_000,
        publisher_age_ms=3_722_990,
        last_media_age_ms=12,
        last_dts_ms=3_722_000,
        frames_held=125,
        keyframes_held=2,
        metadata=(("framerate", "25.0"), ("encoder", EVIL)),
        video_header="1700000000",
        audio_header="af00",
    )
    return replace(known, **changes)


def taken(at_s: int = 1_796_056_580, **changes: Any) -> SampleFacts:
    known = SampleFacts(
        at_s=at_s,
        stream_count=1,
        player_count=3,
        received_bps=1_264_000,
        sent_bps=3_792_000,
        cpu_pct=2.5,
        loop_lag_ms=1,
    )
    return replace(known, **changes)


def reloaded(number: int = 1, **changes: Any) -> ReloadFacts:
    """A reload that was refused."""
    report = ReloadFacts(
        id=number,
        at_ms=1_796_056_580_000,
        what="reload",
        who="SIGHUP",
        requests=3,
        state="refused",
        error=f"/etc/edge/edge.flags:3: flag -v={EVIL}: not an integer",
        changed=(),
        kept=(),
        needs_restart=("port", "workers"),
        took_ms=12,
    )
    return replace(report, **changes)


def vhost(name: str = "a.com", **changes: Any) -> VhostFacts:
    known = VhostFacts(
        name=name,
        where="a.conf:3",
        is_enabled=True,
        aliases=("b.com", f"*.{name}"),
        stream_count=2,
        older_rules_count=3,
        settings=(f"queue_length_s 5 (a.conf:4; root: {EVIL})",),
        matches=("match live/* queue_length_s 7 (a.conf:5; root: 30)",),
    )
    return replace(known, **changes)


class FixedOrders:
    """Takes orders, and says what a test chooses."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.taken: list[tuple[Order, str]] = []

    async def carry_out(self, order: Order, who: str) -> Outcome:
        self.taken.append((order, who))
        return self.outcome


class FixedFacts:
    """Facts that a test chooses."""

    def __init__(self) -> None:
        self.of_process = PROCESS
        self.of_streams: Sequence[StreamFacts] = [stream()]
        self.of_services: Sequence[ServiceFacts] = [service()]
        self.of_sources: Sequence[SourceFacts] = [source()]
        self.of_servers: Sequence[ServerFacts] = [server()]
        self.of_connections: Sequence[ConnectionFacts] = [connection()]
        self.of_players: Sequence[PlayerFacts] = [player()]
        self.of_details: Sequence[DetailFacts] = [details()]
        self.of_audience: Sequence[AudienceFacts] = [AudienceFacts(protocol="http-flv", player_count=3)]
        self.of_reloads: Sequence[ReloadFacts] = [reloaded()]
        self.of_vhosts: Sequence[VhostFacts] = [vhost()]
        self.of_findings: Sequence[FindingFacts] = [FindingFacts(level="warning", where="a.conf:9", message=EVIL)]
        self.of_last_hour: Sequence[SampleFacts] = [taken()]
        self.of_totals = TotalFacts(received_bytes=5, sent_bytes=15, cpu_ms=250, uptime_ms=12_000)
        self.of_counters: dict[str, int | float] = {"http_requests_count": 7, "error_handshake_count": 1}

        self.of_traffic: Sequence[TrafficFacts] = [traffic()]
        self.of_samples: Sequence[Sample] = SAMPLES
        self.of_variables: dict[str, Value] = {"loop_lag_ms": 2, "pid": 7, "process_cmdline": EVIL}
        self.of_histories: dict[str, list[float]] = {"loop_lag_ms": [0.0] * 173 + [2.0]}

    async def process(self) -> ProcessFacts:
        return self.of_process

    async def streams(self) -> list[StreamFacts]:
        return list(self.of_streams)

    async def services(self) -> list[ServiceFacts]:
        return list(self.of_services)

    async def sources(self) -> list[SourceFacts]:
        return list(self.of_sources)

    async def servers(self) -> list[ServerFacts]:
        return list(self.of_servers)

    async def players(self, key: str, limit: int) -> list[PlayerFacts]:
        return [player for player in self.of_players if player.key == key][:limit]

    async def details(self, key: str) -> list[DetailFacts]:
        return [details for details in self.of_details if details.key == key]

    async def audience(self) -> list[AudienceFacts]:
        return list(self.of_audience)

    async def totals(self) -> TotalFacts:
        return self.of_totals

    async def reloads(self) -> list[ReloadFacts]:
        return list(self.of_reloads)

    async def vhosts(self) -> list[VhostFacts]:
        return list(self.of_vhosts)

    async def vhost_findings(self) -> list[FindingFacts]:
        return list(self.of_findings)

    async def last_hour(self, since_s: int = 0) -> list[SampleFacts]:
        return [sample for sample in self.of_last_hour if sample.at_s > since_s]

    async def connections(self) -> list[ConnectionFacts]:
        return list(self.of_connections)

    async def traffic(self, *, shows_all: bool = False) -> TrafficTables:
        server = list(self.of_traffic)
        return TrafficTables(server if shows_all else server[:2], len(server), [], 0)

    async def samples(self) -> list[Sample]:
        return list(self.of_samples)

    async def variables(self) -> dict[str, Value]:
        return dict(self.of_variables)

    async def history(self, name: str) -> list[float] | None:
        return self.of_histories.get(name)

    async def counters(self) -> dict[str, int | float]:
        return dict(self.of_counters)


DONE = Outcome(Result.DONE, "done")


class FixedAnswers:
    """What is said of any stream and of any address."""

    def key_meant(self, text: str, host: str = "") -> str:
        """A host of one word is no vhost."""
        return f"{host if '.' in host else '_'}/{text}"

    async def about_stream(self, text: str, host: str = "") -> Diagnosis:
        way = Way("pull", "retrying", "10.0.0.1:1935", EVIL, 3)
        came = Happened("joined", "a player came", 5, 9, 2, 0, "", "10.0.0.9:51234")
        trouble = Trouble("upstream_down", f"pull: {EVIL}")
        mine = NodeReport(
            id="5d5d5d5d5d5d5d5d",
            name=EVIL,
            role="edge",
            state="retrying",
            publisher="",
            players=1,
            video="",
            audio="",
            ways=(way,),
            conditions=(trouble,),
            story=(came,),
        )
        return diagnose(StreamKey("_", "live", text), [mine])

    async def about_address(self, address: str) -> AddressAnswer:
        row = Happened("protocol", EVIL, 5, 9, 2, 0, "", "_/live/a")
        cause = Cause(0, "", row.kind, row.text, "Use another one.", row.age_s, row.count, client=row.client)
        open_one = OpenConnection(7, "rtmp", "play", EVIL, 3)
        return AddressAnswer(address, "the newest cause", (cause,), (row,), (open_one,))


def debugging(
    config: DebugConfig | None = None, *, connections: Iterable[Listed] = (), routes: Iterable[Route] = ()
) -> Callable[[], Debugging]:
    """What pages for debugging work with, anew for each loop of a test; without one, nothing can be profiled."""
    known: dict[Any, Debugging] = {}
    settings = config or DebugConfig()

    def get() -> Debugging:
        try:
            loop: Any = asyncio.get_running_loop()
        except RuntimeError:
            loop = settings  # nobody's
        if loop not in known:
            known.clear()
            profiler = Profiler(loop, max_kept=settings.max_profiles_kept)
            spans = SpanRing(now_us=now_us, wall_us=wall_us, entropy=lambda count: b"\1" * count)
            spans.configure(settings)
            known[loop] = Debugging(settings, loop, profiler, spans, lambda: connections, lambda: routes)
        return known[loop]

    return get


_debugging = debugging


def flag_book(*arguments: str, **options: Any) -> FlagBook:
    """Flags that nobody acts on."""
    return FlagBook(parse(arguments), mask=without_secrets, **options)


class FlagOrders(FixedOrders):
    """Changes the flags of a book, of which no part hears."""

    def __init__(self, book: FlagBook) -> None:
        super().__init__(DONE)
        self.reloader = Reloader(
            book,
            (),
            build=build_settings,
            read=lambda parsed: parsed,
            find=lambda parsed: (),
            check=check,
            owner=TaskOwner("sample"),
        )

    async def carry_out(self, order: Order, who: str) -> Outcome:
        if isinstance(order, SetFlag):
            return self.reloader.set_value(order, who)
        return await super().carry_out(order, who)


def context(
    flags: FlagBook | None = None, *, debugging: Callable[[], Debugging] | None = None, **changes: Any
) -> PageContext:
    """Facts with other ``streams``, ``counters`` and so on, or with other fields of the process or its parts.

    ``orders``: who takes them.
    """
    book = flags or flag_book()
    facts, orders = FixedFacts(), changes.pop("orders", None) or FlagOrders(book)
    for name, value in changes.items():
        if name in ("addresses", "health", "readiness"):
            value = replace(getattr(facts.of_process, name), **value)
        if hasattr(facts, f"of_{name}"):
            setattr(facts, f"of_{name}", value)
        else:
            facts.of_process = replace(facts.of_process, **{name: value})
    return PageContext(facts, debugging or _debugging(), book, orders, FixedAnswers())
