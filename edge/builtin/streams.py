"""The live streams: ``/streams`` for people, ``/api/streams`` for scripts."""

from __future__ import annotations

from collections.abc import Sequence

from edge.builtin.page import Data, Page, PageContext, PageFormat, Visit, register
from edge.builtin.present import columns, table

# A page of more rows helps nobody and takes long to build; the rest is counted (row X8).
MAX_ROWS = 500

# What fits a terminal; everything is in JSON.
TEXT_COLUMNS = (
    *("key", "service", "state", "publisher", "players", "video_codec", "audio_codec", "video_bps", "audio_bps"),
    *("fps", "gop", "fluency_pct", "uptime_s"),
)


def collect(context: PageContext, _visit: Visit) -> Data:
    """Return all streams, those with most players first."""
    streams = sorted(context.streams(), key=lambda row: (-(row.get("players") or 0), str(row.get("key", ""))))
    return {"stream_count": len(streams), "streams": streams}


def has_services(rows: Sequence[Data]) -> bool:
    """Whether the process has two services, so that a row must tell which it is of."""
    return any(row.get("service") for row in rows)


def text(data: Data) -> str:
    """One line per stream under a line of names."""
    shown = data["streams"][:MAX_ROWS]
    if not shown:
        return "no streams\n"
    names = [name for name in columns(shown, TEXT_COLUMNS) if name in TEXT_COLUMNS]
    if not has_services(shown):
        names = [name for name in names if name != "service"]
    rest = data["stream_count"] - len(shown)
    return table(shown, names) + (f"... and {rest} more\n" if rest else "")


STREAMS = register(Page("/streams", "Streams", collect, text, template="streams.html"))
API_STREAMS = register(
    Page("/api/streams", "Streams as JSON", collect, text, plain_format=PageFormat.JSON, is_listed=False)
)
