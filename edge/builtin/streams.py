"""The live streams: ``/streams`` for people, ``/api/streams`` for scripts."""

from __future__ import annotations

from collections.abc import Sequence

from edge.builtin.page import Data, Page, PageContext, PageFormat, Visit, register
from edge.builtin.present import columns, table

# A page of more rows helps nobody and takes long to build; the rest is counted.
MAX_ROWS = 500
# Addresses of muted publishers in one row.
_MAX_MUTED = 3

# What fits a terminal; everything is in JSON.
TEXT_COLUMNS = (
    *("key", "service", "state", "push_state", "push_to", "push_state_s", "publisher", "players"),
    *("video_codec", "audio_codec", "video_bps", "audio_bps", "fps", "gop", "fluency_pct", "clock_drift_ms"),
    *("uptime_s", "muted_publishers", "push_error", "pull_error"),
)
# Columns that are left out where no stream has anything to say in them.
_RARE = ("service", "muted_publishers", "pull_error")


def collect(context: PageContext, _visit: Visit) -> Data:
    """Return all streams, those with most players first."""
    streams = sorted(context.streams(), key=lambda row: (-(row.get("players") or 0), str(row.get("key", ""))))
    live_count = sum(shown_state(row) == "live" for row in streams)
    return {"stream_count": len(streams), "live_count": live_count, "streams": streams}


def shown_state(row: Data) -> str:
    """The state in a word or two; a live stream whose push does not get through is no more than ``push retrying``."""
    state, push_state = str(row.get("state") or ""), row.get("push_state") or "live"
    return f"push {push_state}" if state == "live" and push_state != "live" else state


def level(row: Data) -> str:
    """``good`` when it is live, ``bad`` when something has failed, else ``wait``."""
    state = shown_state(row)
    return "good" if state == "live" else "bad" if state.endswith("retrying") else "wait"


def muted(row: Data) -> str:
    """Those whom a younger publish has replaced, the first few by address; "" for nobody."""
    peers = [str(peer) for peer in row.get("muted_publishers") or ()]
    rest = len(peers) - _MAX_MUTED
    return ", ".join(peers[:_MAX_MUTED]) + (f" and {rest} more" if rest > 0 else "")


def has_services(rows: Sequence[Data]) -> bool:
    """Whether the process has two services, so that a row must tell which it is of."""
    return any(row.get("service") for row in rows)


def text(data: Data) -> str:
    """One line per stream under a line of names."""
    shown = data["streams"][:MAX_ROWS]
    if not shown:
        return "no streams\n"
    names = [name for name in columns(shown, TEXT_COLUMNS) if name in TEXT_COLUMNS]
    empty = {name for name in _RARE if not any(row.get(name) for row in shown)}
    names = [name for name in names if name not in empty]
    shown = [{**row, "muted_publishers": muted(row)} for row in shown]
    rest = data["stream_count"] - len(shown)
    return table(shown, names) + (f"... and {rest} more\n" if rest else "")


STREAMS = register(Page("/streams", "Streams", collect, text, template="streams.html"))
API_STREAMS = register(
    Page("/api/streams", "Streams as JSON", collect, text, plain_format=PageFormat.JSON, is_listed=False)
)
