"""The live streams: ``/streams`` for people, ``/api/streams`` for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.builtin.addresses import host_vhost
from edge.builtin.page import Page, PageContext, PageFormat, Visit, register
from edge.builtin.present import columns, table
from edge.facts.records import QualityFacts, StreamFacts
from edge.facts.rows import row_of

LIVE = "live"
# A page of more rows helps nobody and takes long to build; the rest is counted.
MAX_ROWS = 500
# Addresses of muted publishers in one row.
_MAX_MUTED = 3

# What fits a terminal; everything is in JSON.
TEXT_COLUMNS = (
    *("key", "service", "state", "push_state", "push_to", "push_state_s", "publisher", "players"),
    *("video_codec", "audio_codec", "video_bps", "audio_bps", "fps", "gop", "fluency_pct", "clock_drift_ms"),
    *("bytes_held", "uptime_s", "muted_publishers", "push_error", "pull_error", "viewers_report"),
)
# Columns that are left out where no stream has anything to say in them.
_RARE = ("service", "muted_publishers", "pull_error", "viewers_report")


@dataclass(frozen=True, slots=True)
class StreamsData:
    """All streams, those with most players first, and the vhost that the visitor's Host header means."""

    stream_count: int
    live_count: int
    host_vhost: str
    streams: list[StreamFacts]


async def collect(context: PageContext, visit: Visit) -> StreamsData:
    """Return the streams."""
    streams = sorted(await context.facts.streams(), key=lambda stream: (-stream.players, stream.key))
    return StreamsData(
        stream_count=len(streams),
        live_count=sum(shown_state(stream) == LIVE for stream in streams),
        host_vhost=host_vhost((await context.facts.process()).addresses, visit),
        streams=streams,
    )


def shown_state(stream: StreamFacts) -> str:
    """The state in a word or two; a live stream whose push does not get through is no more than ``push retrying``."""
    push_state = stream.push_state or LIVE
    return f"push {push_state}" if stream.state == LIVE and push_state != LIVE else stream.state


def level(stream: StreamFacts) -> str:
    """``good`` when it is live, ``bad`` when something has failed, else ``wait``."""
    if shown_state(stream) == LIVE:
        return "good"
    failed = stream.push_state if stream.state == LIVE else stream.state
    return "bad" if failed == "retrying" else "wait"


def delay_text(stream: StreamFacts) -> str:
    """How long frames take to here and out to players; "" while none has been timed."""
    if stream.delay_ms is None:
        return ""
    hops = stream.hop_delays_ms or ()
    parts = [f"{_ms(stream.delay_ms)} ms here" if hops else "first node here"]
    if len(hops) > 1:
        parts.append(f"by hop {' + '.join(map(_ms, hops))} ms")
    if stream.ingest_delay_ms is not None:
        parts.append(f"ingest {_ms(stream.ingest_delay_ms)} ms")
    if stream.flush_delay_ms is not None:
        parts.append(f"flush {_ms(stream.flush_delay_ms)} ms")
    return ", ".join(parts) + ("" if stream.is_delay_whole else "; not of the whole way")


def quality_text(quality: QualityFacts | None) -> str:
    """What players report of themselves; "" where none has."""
    if quality is None:
        return ""
    parts = [f"{quality.reporting} of {quality.sessions} report now"]
    if quality.start_ms is not None:
        parts.append(f"start {quality.start_ms / 1000:.1f} s")
    stalls = f"{quality.stall_count} stall{'s' if quality.stall_count != 1 else ''}"
    parts.append(f"{stalls} of {quality.stall_ms / 1000:.1f} s" if quality.stall_ms else stalls)
    parts.append(f"{quality.dropped_frames} frames dropped")
    if quality.buffer_ms is not None:
        parts.append(f"buffer {quality.buffer_ms / 1000:.1f} s")
    return ", ".join(parts)


def _ms(delay_ms: float) -> str:
    """Hops within a site take less than one."""
    return f"{delay_ms:.0f}" if delay_ms >= 10 else f"{delay_ms:.1f}".removesuffix(".0")


def muted(stream: StreamFacts) -> str:
    """Those whom a younger publish has replaced, the first few by address; "" for nobody."""
    peers = stream.muted_publishers
    rest = len(peers) - _MAX_MUTED
    return ", ".join(peers[:_MAX_MUTED]) + (f" and {rest} more" if rest > 0 else "")


def has_services(streams: Sequence[StreamFacts]) -> bool:
    """Whether the process has two services, so that a row must tell which it is of."""
    return any(stream.service for stream in streams)


def text(data: StreamsData) -> str:
    """One line per stream under a line of names."""
    shown = [
        {**row_of(stream), "muted_publishers": muted(stream), "viewers_report": quality_text(stream.quality)}
        for stream in data.streams[:MAX_ROWS]
    ]
    if not shown:
        return "no streams\n"
    names = [name for name in columns(shown, TEXT_COLUMNS) if name in TEXT_COLUMNS]
    empty = {name for name in _RARE if not any(row.get(name) for row in shown)}
    names = [name for name in names if name not in empty]
    rest = data.stream_count - len(shown)
    return table(shown, names) + (f"... and {rest} more\n" if rest else "")


STREAMS = register(
    Page(
        "/streams",
        "Streams",
        collect,
        text,
        template="streams.html",
        place=2,
        about="the streams, those with most players first",
    )
)
API_STREAMS = register(
    Page(
        "/api/streams",
        "Streams as JSON",
        collect,
        text,
        plain_format=PageFormat.JSON,
        is_listed=False,
        about="the streams, for scripts: JSON",
    )
)
