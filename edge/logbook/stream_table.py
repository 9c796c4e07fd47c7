"""The table of streams, with the columns of media-server's console."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter

from edge.logbook.fluency import fluency_text
from edge.logbook.words import word

#: Of a stream whose source is not known, or is being looked for.
NOWHERE = "0.0.0.0:0"
#: Stuck players that a row names; of more it says how many.
MAX_STUCK_SHOWN = 16

_CREATED_WIDTH, _FROM_WIDTH, _KEY_WIDTH = 26, 19, 10
_GOP_WIDTH, _FPS_WIDTH, _RATE_WIDTH, _PLAY_WIDTH, _FLUENCY_WIDTH = 4, 3, 9, 4, 7
_HEADS = ("Gop", "F/s", "Video B/s", "Audio B/s", "Fluency", "Play")
_WIDTHS = (_GOP_WIDTH, _FPS_WIDTH, _RATE_WIDTH, _RATE_WIDTH, _FLUENCY_WIDTH, _PLAY_WIDTH)


@dataclass(frozen=True, slots=True)
class StuckPlayer:
    """A player that was behind, and what it was not sent: frames of video and of audio."""

    peer: str
    message_stream_id: int
    video_frames: int
    audio_frames: int


@dataclass(frozen=True, slots=True)
class StreamRow:
    """One stream over an interval.

    Attributes:
        created_s: wall clock, seconds since 1970.
        source: ``ip:port`` of the upstream or publisher; ``NOWHERE`` for none.
        gop: video frames between the last two keyframes.
        fps, video_bytes_s, audio_bytes_s: means of the interval.
        framerate: of its metadata.
        stuck: players that were behind in the interval.
    """

    created_s: float
    source: str
    key: str
    gop: int
    fps: float
    video_bytes_s: int
    audio_bytes_s: int
    framerate: float | None
    player_count: int
    stuck: tuple[StuckPlayer, ...] = ()


def table_lines(rows: Sequence[StreamRow], stamp_s: float, *, is_utc: bool = False) -> list[str]:
    """One entry of the log: what it is, the header, a line per stream by key, the end; none without streams."""
    if not rows:
        return []
    prefix = f"T{moment(stamp_s, '%Y%m%d %H:%M:%S', is_utc=is_utc)} [STATS] "
    # Of two long names the same may be shown: rows themselves have no order.
    named = sorted(((word(row.key, "|"), row) for row in rows), key=itemgetter(0))
    key_width = max(_KEY_WIDTH, *(len(key) for key, _ in named))
    head = _cells(
        ("CreatedTime", _CREATED_WIDTH), ("From", _FROM_WIDTH), ("Key", key_width), *zip(_HEADS, _WIDTHS, strict=True)
    )
    lines = [prefix + _row(row, key, key_width, is_utc=is_utc) for key, row in named]
    return [f"Stream stats ({len(rows)} in total):", prefix + head, *lines, "--------END--------"]


def _row(row: StreamRow, key: str, key_width: int, *, is_utc: bool) -> str:
    values = (
        str(row.gop),
        str(round(row.fps)),
        str(row.video_bytes_s),
        str(row.audio_bytes_s),
        fluency_text(row.fps, row.framerate),
        str(row.player_count),
    )
    created = moment(row.created_s, "%Y/%m/%d-%H:%M:%S", is_utc=is_utc)
    cells = _cells(
        (created, _CREATED_WIDTH),
        (word(row.source, "|"), _FROM_WIDTH),
        (key, key_width),
        *zip(values, _WIDTHS, strict=True),
    )
    return cells + _stuck(row.stuck)


def _cells(*cells: tuple[str, int]) -> str:
    return "".join(f"{text:<{width}}|" for text, width in cells)


def _stuck(players: Sequence[StuckPlayer]) -> str:
    if not players:
        return ""
    texts = [_stuck_text(player) for player in players[:MAX_STUCK_SHOWN]]
    more = [f"and {len(players) - MAX_STUCK_SHOWN} more"] if len(players) > MAX_STUCK_SHOWN else []
    return f" stuck: {' '.join([*texts, *more])}"


def _stuck_text(player: StuckPlayer) -> str:
    counts = [("v", player.video_frames), ("a", player.audio_frames)]
    said = " ".join(f"{name}={count}" for name, count in counts if count)
    return f"{word(player.peer)}[{player.message_stream_id}]({said})"


def moment(at_s: float, form: str, *, is_utc: bool = False) -> str:
    """A wall clock moment to the microsecond, whole seconds in the ``form`` of ``strftime``; local time or UTC."""
    second, micros = divmod(round(at_s * 1_000_000), 1_000_000)
    at = datetime.fromtimestamp(second, UTC if is_utc else None)
    return f"{at.strftime(form)}.{micros:06d}"
