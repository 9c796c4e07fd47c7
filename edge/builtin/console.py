"""``/console``: the whole server at a glance, live; what may be watched, kicked and ended from one page.

The page is made here once; then ``static/console.js`` asks for the same as JSON every second or two.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from urllib.parse import quote

from edge.builtin import index, streams
from edge.builtin.addresses import host_vhost, player_page
from edge.builtin.page import Page, PageContext, Visit, register
from edge.builtin.player import policy
from edge.builtin.present import bit_rate, columns, duration, pairs, table
from edge.builtin.query import arguments
from edge.builtin.version import UNKNOWN
from edge.facts.records import (
    AddressFacts,
    AudienceFacts,
    SampleFacts,
    ServerFacts,
    SourceFacts,
    StreamFacts,
    TotalFacts,
)
from edge.facts.rows import rows_of

#: Rows that are shown and sent each time; the rest is counted, and found in ``/streams``.
MAX_STREAMS = 100
MAX_SERVERS = 50
_MAX_DIGITS = 12
_TEXT_COLUMNS = ("key", "state", "players", "video_codec", "fps", "gop", "fluency_pct", "uptime_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleStream(StreamFacts):
    """A stream as the console shows it.

    Attributes:
        shown_state: the state in words.
        level: ``good``, ``wait`` or ``bad``.
        delay_text: how long frames take, in words, "" while that is not known.
        quality_text: what players report, in words, "" where none has.
        player_page: path of the page that plays it, "" for a stream without a name.
        preview_kind, preview_source: what plays it within the console (``static/engines.js``), "" where nothing does.
    """

    shown_state: str
    level: str
    delay_text: str
    quality_text: str
    player_page: str
    preview_kind: str
    preview_source: str


@dataclass(frozen=True, slots=True)
class ConsoleData:
    """The server, its streams, players by protocol, upstreams, totals, and the samples that were asked for."""

    version: str
    role: str
    proxy_to: str
    uptime_s: int
    is_ok: bool
    is_draining: bool
    not_ready_because: tuple[str, ...]
    loop_lag_ms: float
    publish_server: str
    publish_name: str
    publish_url: str
    stream_count: int
    live_count: int
    player_count: int
    received_bps: int
    streams: list[ConsoleStream]
    audience: list[AudienceFacts]
    server_count: int
    servers: list[ServerFacts]
    sources: list[SourceFacts]
    totals: TotalFacts
    samples: list[SampleFacts]


async def collect(context: PageContext, visit: Visit) -> ConsoleData:
    """Return what the console shows; ``since=`` in the query: only samples after that Unix time."""
    facts = context.facts
    process, found, servers = await facts.process(), await facts.streams(), await facts.servers()
    addresses, health = process.addresses, process.health
    found.sort(key=lambda stream: (-stream.players, stream.key))
    vhost, server = host_vhost(addresses, visit), index.rtmp_server(addresses, visit)
    return ConsoleData(
        version=process.version or UNKNOWN,
        role=addresses.role,
        proxy_to=addresses.proxy_to,
        uptime_s=health.uptime_s,
        is_ok=health.is_ok,
        is_draining=health.is_draining,
        not_ready_because=process.readiness.reasons,
        loop_lag_ms=health.loop_lag_ms,
        publish_server=f"{server}/{index.EXAMPLE_APP}",
        publish_name=index.EXAMPLE_STREAM,
        publish_url=f"{server}/{index.EXAMPLE_APP}/{index.EXAMPLE_STREAM}",
        stream_count=len(found),
        live_count=sum(streams.shown_state(stream) == streams.LIVE for stream in found),
        player_count=sum(stream.players for stream in found),
        received_bps=sum(stream.video_bps + stream.audio_bps for stream in found),
        streams=[_shown(stream, addresses, vhost) for stream in found[:MAX_STREAMS]],
        audience=await facts.audience(),
        server_count=len(servers),
        servers=servers[:MAX_SERVERS],
        sources=await facts.sources(),
        totals=await facts.totals(),
        samples=await facts.last_hour(since_of(visit)),
    )


def since_of(visit: Visit) -> int:
    """The Unix time that the query names, 0 for all there is."""
    text = arguments(visit).get("since", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else 0


def _shown(stream: StreamFacts, addresses: AddressFacts, vhost_of_host: str) -> ConsoleStream:
    kind, source = "", ""
    if stream.stream and (addresses.has_flv or addresses.has_hls):
        kind, suffix = ("flv", ".flv") if addresses.has_flv else ("hls", ".m3u8")
        path = f"/{quote(stream.app)}/{quote(stream.stream)}{suffix}"
        source = path if stream.vhost in ("", vhost_of_host) else f"{path}?vhost={quote(stream.vhost)}"
    return ConsoleStream(
        **{field.name: getattr(stream, field.name) for field in fields(StreamFacts)},
        shown_state=streams.shown_state(stream),
        level=streams.level(stream),
        delay_text=streams.delay_text(stream),
        quality_text=streams.quality_text(stream.quality),
        player_page=player_page(stream, vhost_of_host) if stream.stream else "",
        preview_kind=kind,
        preview_source=source,
    )


def text(data: ConsoleData) -> str:
    """A screenful for terminals."""
    parts = [
        pairs(
            {
                "server": f"edge {data.version}, {data.role}, up {duration(data.uptime_s)}",
                "streams": f"{data.live_count} live of {data.stream_count}",
                "players": data.player_count,
                "media in": bit_rate(data.received_bps),
                "loop lag": f"{data.loop_lag_ms:.0f} ms",
            }
        )
    ]
    for name, rows, first in (
        ("streams", rows_of(data.streams), _TEXT_COLUMNS),
        ("players", rows_of(data.audience), ("protocol", "player_count")),
        ("upstreams", rows_of(data.servers), ("endpoint", "use", "state", "last_error", "streams_count")),
    ):
        if rows:
            parts.append(f"\n[{name}]\n{table(rows, [column for column in columns(rows, first) if column in first])}")
    return "".join(parts)


CONSOLE = register(
    Page(
        "/console",
        "Console",
        collect,
        text,
        template="console.html",
        place=1,
        policy=policy,
        about="everything at a glance, live: streams with a preview, players, upstreams, the last hour; kick and end",
    )
)
