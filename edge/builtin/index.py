"""``/``: for newcomers, where to publish and play; for the others, what is on."""

from __future__ import annotations

from dataclasses import dataclass, fields
from urllib.parse import quote

from edge.builtin import streams
from edge.builtin.page import PAGES, Page, PageContext, Visit, register
from edge.builtin.present import cell, duration, pairs
from edge.builtin.version import UNKNOWN
from edge.facts.records import AddressFacts, StreamFacts
from edge.net.slices import in_slices

DEFAULT_RTMP_PORT = 1935
DEFAULT_HTTP_PORT = 80
DEFAULT_PORTS = {"rtmp": DEFAULT_RTMP_PORT, "http": DEFAULT_HTTP_PORT, "rtmps": 443, "https": 443}
EXAMPLE_APP = "live"
EXAMPLE_STREAM = "livestream"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedStream(StreamFacts):
    """A stream with the URLs that play it; ``flv_url`` is "" where HTTP-FLV is off."""

    play_url: str
    flv_url: str


@dataclass(frozen=True, slots=True)
class IndexData:
    """The addresses to use, "" for outputs that are off, and the streams."""

    version: str
    role: str
    proxy_to: str
    publish_server: str
    publish_name: str
    publish_url: str
    flv_url: str
    ts_url: str
    hls_url: str
    stream_count: int
    live_count: int
    host_vhost: str
    streams: list[ListedStream]


def rtmp_server(addresses: AddressFacts, visit: Visit) -> str:
    """Return ``rtmp://host[:port]``, or rtmps, as the visitor can reach it: by the name it used for us."""
    return _server("rtmp", addresses.rtmp_port, addresses, visit)


def http_server(addresses: AddressFacts, visit: Visit) -> str:
    """Return ``http://host[:port]`` of the port that plays streams, likewise."""
    return _server("http", addresses.http_port, addresses, visit)


def _server(scheme: str, port: int, addresses: AddressFacts, visit: Visit) -> str:
    """Encrypted for who came so, and for all where nothing else is taken."""
    if visit.is_encrypted or addresses.is_tls_forced:
        scheme += "s"
    host = visit.host or addresses.host or "127.0.0.1"
    return f"{scheme}://{host}" if port == DEFAULT_PORTS[scheme] else f"{scheme}://{host}:{port}"


def play_path(vhost: str, app: str, name: str, host_vhost: str) -> str:
    """Return ``app/name``, with the vhost as an argument unless it is ``host_vhost``, which the URL's host means."""
    path = f"{app}/{name}"
    return path if vhost in ("", host_vhost) else f"{path}?vhost={vhost}"


def http_path(stream: StreamFacts, host_vhost: str) -> str:
    """As ``play_path`` for HTTP-FLV; there, other than in RTMP, signs are escaped (RFC 3986 §2.1)."""
    return play_path(quote(stream.vhost), quote(stream.app), f"{quote(stream.stream)}.flv", quote(host_vhost))


async def collect(context: PageContext, visit: Visit) -> IndexData:
    """Return the addresses to use, and the live streams each with its ``play_url``, and its ``flv_url`` by HTTP."""
    process, found = await context.facts.process(), await streams.collect(context, visit)
    addresses = process.addresses
    server, http = rtmp_server(addresses, visit), http_server(addresses, visit)
    example, host_vhost = f"{http}/{EXAMPLE_APP}/{EXAMPLE_STREAM}", found.host_vhost

    def listed(stream: StreamFacts) -> ListedStream:
        path = play_path(stream.vhost, stream.app, stream.stream, host_vhost)
        return ListedStream(
            **{field.name: getattr(stream, field.name) for field in fields(StreamFacts)},
            play_url=f"{server}/{path}",
            flv_url=f"{http}/{http_path(stream, host_vhost)}" if addresses.has_flv else "",
        )

    return IndexData(
        version=process.version or UNKNOWN,
        role=addresses.role,
        proxy_to=addresses.proxy_to,
        publish_server=f"{server}/{EXAMPLE_APP}",
        publish_name=EXAMPLE_STREAM,
        publish_url=f"{server}/{EXAMPLE_APP}/{EXAMPLE_STREAM}",
        flv_url=f"{example}.flv" if addresses.has_flv else "",
        ts_url=f"{example}.ts" if addresses.has_ts else "",
        hls_url=f"{example}.m3u8" if addresses.has_hls else "",
        stream_count=found.stream_count,
        live_count=found.live_count,
        host_vhost=host_vhost,
        streams=[listed(stream) async for stream in in_slices(found.streams)],
    )


def text(data: IndexData) -> str:
    """The addresses, the play URL of each stream, the pages."""
    role = f"edge of {data.proxy_to}" if data.role == "edge" else data.role
    parts = [
        f"edge {data.version} ({role})\n\n",
        f"publish: ffmpeg -re -i file.mp4 -c copy -f flv {data.publish_url}\n",
        f"play:    ffplay {data.publish_url}\n",
        *(f"         ffplay {url}\n" for url in (data.flv_url, data.hls_url) if url),
        "\n",
        f"[streams] {data.live_count} live of {data.stream_count}\n",
    ]
    shown = data.streams[: streams.MAX_ROWS]
    parts.append(pairs({stream.key: f"{stream.play_url}{_remark(stream)}" for stream in shown}))
    if len(shown) < data.stream_count:
        parts.append(f"... and {data.stream_count - len(shown)} more\n")
    others = sorted((page for page in PAGES.values() if page is not INDEX), key=lambda page: page.path)
    parts.append("\n[pages]\n" + pairs({page.path: page.about or page.title for page in others}))
    return "".join(parts)


def _remark(stream: StreamFacts) -> str:
    """What is to be said of a stream that is not live, or whose push is not: `` (push retrying to ...)``."""
    state = streams.shown_state(stream)
    if state in ("", streams.LIVE):
        return ""
    if not stream.push_state:
        return f" ({state}: {stream.pull_error})" if stream.pull_error else f" ({state})"
    push = f"{state} to {cell(stream.push_to)} for {duration(stream.push_state_s)}"
    return f" ({push}: {stream.push_error})" if stream.push_error else f" ({push})"


INDEX = register(
    Page("/", "Overview", collect, text, template="index.html", place=0, about="where to publish and play")
)
