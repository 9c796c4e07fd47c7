"""``/media_server``, ``/players/KEY`` and ``/urls/KEY``: the pages of media-server, in its words and widths."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from edge.builtin.addresses import host_vhost, key_of, player_page
from edge.builtin.page import Page, PageContext, Visit, register
from edge.builtin.present import cell
from edge.builtin.streams import delay_text, quality_text
from edge.facts.records import AddressFacts, DetailFacts, PlayerFacts, StreamFacts
from edge.hub.key import normalise_vhost
from edge.logbook.fluency import fluency_text
from edge.net.aio import wall_ms
from edge.net.slices import in_slices

DEFAULT_VHOST = "_"
NOBODY = "0.0.0.0:0"
#: Players that one page tells of; the rest is counted.
MAX_PLAYERS = 500
_CYBERPLAYER = "http://cyberplayer.bcelive.com/live/index.html?fileUrl="
_MIN_KEY_WIDTH = 10
_HEADS = ("CreatedTime", "From", "Key", "Gop", "F/s", "Video B/s", "Audio B/s", "Play", "Fluency")


@dataclass(frozen=True, slots=True)
class StreamUrls:
    """Where one stream is played; the signs that a URL within a URL must not have are escaped in those of HTTP."""

    rtmp: str
    flv: str
    hls: str


@dataclass(frozen=True, slots=True)
class MediaStream:
    """A stream as media-server's table has it, and the path of the page that plays it."""

    created: str
    source: str
    key: str
    gop: int
    fps: int
    video_bytes: int
    audio_bytes: int
    play: int
    fluency: str
    urls: StreamUrls
    player: str

    def cells(self) -> tuple[str, ...]:
        """One text per column, without that of HTML alone."""
        return (
            self.created,
            self.source,
            cell(self.key),
            str(self.gop),
            str(self.fps),
            str(self.video_bytes),
            str(self.audio_bytes),
            str(self.play),
            self.fluency,
        )


@dataclass(frozen=True, slots=True)
class MediaService:
    """A service with its streams by key; ``proxy_to`` is "" of an origin."""

    service: str
    proxy_to: str
    streams: list[MediaStream]


@dataclass(frozen=True, slots=True)
class MediaServerData:
    """The services."""

    services: list[MediaService]


def fluency(stream: StreamFacts) -> str:
    """``F/s`` in percent of what it should be, with a star behind it where that is guessed."""
    if stream.fluency_pct is not None:
        return f"{stream.fluency_pct:.1f}%"
    return fluency_text(stream.fps or 0, None)


def created_time(unix_ms: int) -> str:
    """Local time as brpc writes it: ``2026/11/30-18:36:20.123000``."""
    return time.strftime("%Y/%m/%d-%H:%M:%S", time.localtime(unix_ms // 1000)) + f".{unix_ms % 1000 * 1000:06d}"


def urls_of(vhost: str, app: str, name: str, addresses: AddressFacts) -> StreamUrls:
    """The URLs, by the name of this machine; a vhost is named if somebody gave it."""
    place = f"{addresses.host}:{addresses.internal_port}"
    default = normalise_vhost(addresses.host, "", default_vhost=DEFAULT_VHOST, hostname=addresses.host)
    is_own = vhost not in ("", DEFAULT_VHOST, default)
    in_rtmp, in_http = (f"?vhost={vhost}", f"%3Fvhost={quote(vhost)}") if is_own else ("", "")
    path = f"{quote(app)}/{quote(name)}"
    return StreamUrls(
        f"rtmp://{place}/{app}{in_rtmp}/{name}",
        f"http://{place}/{path}.flv{in_http}",
        f"http://{place}/{path}.m3u8{in_http}",
    )


def _row(stream: StreamFacts, addresses: AddressFacts, vhost_of_host: str) -> MediaStream:
    return MediaStream(
        created=created_time(stream.created_at_ms),
        source=stream.publisher or NOBODY,
        key=stream.key,
        gop=stream.gop,
        fps=stream.fps or 0,
        video_bytes=stream.video_bps // 8,
        audio_bytes=stream.audio_bps // 8,
        play=stream.players,
        fluency=fluency(stream),
        urls=urls_of(stream.vhost, stream.app, stream.stream, addresses),
        player=player_page(stream, vhost_of_host),
    )


async def collect(context: PageContext, visit: Visit) -> MediaServerData:
    """Return the streams of each service, by the bytes of their keys."""
    addresses = (await context.facts.process()).addresses
    vhost = host_vhost(addresses, visit)
    found = sorted(await context.facts.streams(), key=lambda stream: stream.key.encode("utf-8", "surrogatepass"))
    return MediaServerData(
        [
            MediaService(
                service.service or "",
                service.pulls_from,
                [
                    _row(stream, addresses, vhost)
                    async for stream in in_slices(found)
                    if stream.service == (service.service or "")
                ],
            )
            for service in await context.facts.services()
        ]
    )


def _line(cells: tuple[str, ...], widths: tuple[int, ...]) -> str:
    return "".join(f"{text:<{width}}|" for text, width in zip(cells, widths, strict=True)) + "\n"


def text_pieces(data: MediaServerData) -> Iterator[str]:
    """One table per service; a key that is long widens its column."""
    if not data.services:
        yield "no services\n"
    for service in data.services:
        if service.proxy_to:
            yield f"[ proxy_to: {cell(service.proxy_to)} ]\n"
        key_width = max((len(cell(stream.key)) for stream in service.streams), default=0)
        widths = (26, 19, max(_MIN_KEY_WIDTH, key_width), 4, 3, 9, 9, 4, 7)
        yield _line(_HEADS, widths)
        for stream in service.streams:
            yield _line(stream.cells(), widths)


def text(data: MediaServerData) -> str:
    """All of it."""
    return "".join(text_pieces(data))


def policy(_visit: Visit) -> str:
    """The script that sorts, and the styles; nothing else."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


# --- one stream ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlayersData:
    """The streams of a key, and who plays them.

    Attributes:
        at_ms: when, in Unix time.
        delays: how long frames take, in words, by the service of the stream; none before one has been timed.
    """

    key: str
    at_ms: int
    player_count: int
    streams: list[DetailFacts]
    players: list[PlayerFacts]
    delays: dict[str, str]


async def collect_players(context: PageContext, visit: Visit) -> PlayersData:
    """Return who plays the stream that the path names."""
    facts = context.facts
    found = await facts.streams()
    key = key_of(context, visit, visit.path, found)
    streams = [stream for stream in found if stream.key == key]
    details = await facts.details(key)
    count = sum(stream.players for stream in streams)
    delays = {stream.service: words for stream in streams if (words := delay_text(stream))}
    players = await facts.players(key, MAX_PLAYERS) if details else []
    return PlayersData(key, wall_ms(), count, details, players, delays)


def players_text(data: PlayersData) -> str:
    """What is known of the stream, a name and value per line, then a line per player."""
    if not data.streams:
        return f"No players on {cell(data.key)}\n"
    parts = []
    for stream in data.streams:
        parts.append(f"[ {cell(stream.key)} ]\n")
        parts += [f"{name}={cell(value)}\n" for name, value in _details(stream, data.at_ms).items()]
        if stream.service in data.delays:
            parts.append(f"delay={data.delays[stream.service]}\n")
        if stream.quality is not None:
            parts.append(f"viewers={quality_text(stream.quality)}\n")
        parts.append("\n")
        players = [player for player in data.players if player.service == stream.service]
        parts += [_player_line(number, player, data.at_ms) for number, player in enumerate(players)]
    rest = data.player_count - len(data.players)
    return "".join(parts) + (f"... and {rest} more\n" if len(data.players) == MAX_PLAYERS and rest > 0 else "")


def _details(stream: DetailFacts, now_ms: int) -> dict[str, object]:
    age_ms, push_ms = stream.publisher_age_ms, stream.last_media_age_ms
    metadata = " ".join(f"{name}={cell(value)}" for name, value in stream.metadata)
    return {
        "index": stream.index,
        "remote_side": stream.publisher or NOBODY,
        "player_group_create": created_time(now_ms - stream.age_ms),
        "publisher_create": created_time(now_ms - age_ms) if age_ms is not None else "null",
        "last_push_time": created_time(now_ms - push_ms) if push_ms is not None else "<never pushed>",
        "last_push_to_now": f"{push_ms}ms" if push_ms is not None else "",
        "last_message_timestamp": stream.last_dts_ms,
        "cached": stream.frames_held,
        "keyframes": stream.keyframes_held,
        "metadata": f"AMFObject{{{metadata}}}" if metadata else "null",
        "avc_seq_header": stream.video_header or "null",
        "aac_seq_header": stream.audio_header or "null",
    }


def _player_line(number: int, player: PlayerFacts, now_ms: int) -> str:
    created = created_time(now_ms - player.age_ms)
    delay = f" play_delay={player.play_delay_ms}ms" if player.play_delay_ms is not None else ""
    connection = f" c{player.connection}" if player.connection is not None else ""
    return (
        f"{number}) {cell(player.peer)}{connection} {player.protocol} {created}{delay} sent={player.sent_bytes} "
        f"behind={player.behind_ms}ms jumps={player.jump_count} [{player.kind}]\n"
    )


@dataclass(frozen=True, slots=True)
class UrlsData:
    """Where a stream is played; None for one that is not there."""

    key: str
    urls: StreamUrls | None
    place: str


async def collect_urls(context: PageContext, visit: Visit) -> UrlsData:
    """Return the URLs of the stream that the path names."""
    addresses = (await context.facts.process()).addresses
    place = f"{addresses.host}:{addresses.internal_port}"
    found = await context.facts.streams()
    key = key_of(context, visit, visit.path, found)
    for stream in found:
        if stream.key == key:
            return UrlsData(key, urls_of(stream.vhost, stream.app, stream.stream, addresses), place)
    return UrlsData(key, None, place)


def urls_text(data: UrlsData) -> str:
    """Three links to players."""
    if data.urls is None:
        return f"No players on {cell(data.key)}\n"
    return (
        f"rtmp: {_CYBERPLAYER}{cell(data.urls.rtmp)}\n"
        f"flv:  {_CYBERPLAYER}{data.urls.flv}&isLive=true\n"
        f"hls:  http://{data.place}/play_hls?fileUrl={data.urls.hls}\n"
    )


MEDIA_SERVER = register(
    Page(
        "/media_server",
        "Media Server",
        collect,
        text,
        template="media_server.html",
        policy=policy,
        text_pieces=text_pieces,
        about="the table of streams as media-server has it",
    )
)
PLAYERS = register(
    Page(
        "/players",
        "Players",
        collect_players,
        players_text,
        is_listed=False,
        has_paths=True,
        about="/players/KEY: one stream, and who plays it",
    )
)
URLS = register(
    Page(
        "/urls",
        "URLs",
        collect_urls,
        urls_text,
        is_listed=False,
        has_paths=True,
        about="/urls/KEY: links to players of a stream",
    )
)
