"""``/``: for newcomers, where to publish and play; for the others, what is on."""

from __future__ import annotations

from urllib.parse import quote

from edge.builtin import streams
from edge.builtin.page import PAGES, Data, Page, PageContext, Visit, register
from edge.builtin.present import cell, duration, pairs
from edge.hub.key import normalise_vhost

DEFAULT_RTMP_PORT = 1935
DEFAULT_HTTP_PORT = 80
DEFAULT_PORTS = {"rtmp": DEFAULT_RTMP_PORT, "http": DEFAULT_HTTP_PORT, "rtmps": 443, "https": 443}
DEFAULT_VHOST = "_"
EXAMPLE_APP = "live"
EXAMPLE_STREAM = "livestream"


def rtmp_server(context: PageContext, visit: Visit) -> str:
    """Return ``rtmp://host[:port]``, or rtmps, as the visitor can reach it: by the name it used for us."""
    urls = context.server_urls()
    return _server("rtmp", urls.get("rtmp_port", DEFAULT_RTMP_PORT), urls, visit)


def http_server(context: PageContext, visit: Visit) -> str:
    """Return ``http://host[:port]`` of the port that plays streams, likewise."""
    urls = context.server_urls()
    return _server("http", urls.get("http_port", DEFAULT_HTTP_PORT), urls, visit)


def _server(scheme: str, port: int, urls: Data, visit: Visit) -> str:
    """Encrypted for who came so, and for all where nothing else is taken."""
    if visit.is_encrypted or urls.get("is_tls_forced"):
        scheme += "s"
    host = visit.host or urls.get("host", "") or "127.0.0.1"
    return f"{scheme}://{host}" if port == DEFAULT_PORTS[scheme] else f"{scheme}://{host}:{port}"


def play_path(row: Data, host_vhost: str) -> str:
    """Return ``app/stream``, with the vhost as an argument unless it is ``host_vhost``, which the URL's host means."""
    path, vhost = f"{row.get('app', '')}/{row.get('stream', '')}", row.get("vhost", "")
    return path if vhost in ("", host_vhost) else f"{path}?vhost={vhost}"


def http_path(row: Data, host_vhost: str) -> str:
    """As ``play_path`` for HTTP-FLV; there, other than in RTMP, signs are escaped (RFC 3986 §2.1)."""
    escaped = {name: quote(row.get(name, "")) for name in ("vhost", "app", "stream")}
    return play_path({**escaped, "stream": f"{escaped['stream']}.flv"}, quote(host_vhost))


def collect(context: PageContext, visit: Visit) -> Data:
    """Return the addresses to use, and the live streams each with its ``play_url``, and its ``flv_url`` by HTTP."""
    server, http, urls = rtmp_server(context, visit), http_server(context, visit), context.server_urls()
    found = streams.collect(context, visit)
    has_flv, has_ts = bool(urls.get("has_flv")), bool(urls.get("has_ts"))
    example = f"{http}/{EXAMPLE_APP}/{EXAMPLE_STREAM}"
    # A name in place of an address is another vhost, unless it is this machine's own.
    host_vhost = normalise_vhost(visit.host, "", default_vhost=DEFAULT_VHOST, hostname=urls.get("host", ""))
    return {
        "version": context.version or "unknown",
        "role": urls.get("role", "origin"),
        "proxy_to": urls.get("proxy_to", ""),
        "publish_server": f"{server}/{EXAMPLE_APP}",
        "publish_name": EXAMPLE_STREAM,
        "publish_url": f"{server}/{EXAMPLE_APP}/{EXAMPLE_STREAM}",
        "flv_url": f"{example}.flv" if has_flv else "",
        "ts_url": f"{example}.ts" if has_ts else "",
        "stream_count": found["stream_count"],
        "live_count": found["live_count"],
        "streams": [
            {
                **row,
                "play_url": f"{server}/{play_path(row, host_vhost)}",
                "flv_url": f"{http}/{http_path(row, host_vhost)}" if has_flv else "",
            }
            for row in found["streams"]
        ],
    }


def text(data: Data) -> str:
    """The addresses, the play URL of each stream, the pages."""
    role = f"edge of {data['proxy_to']}" if data["role"] == "edge" else data["role"]
    parts = [
        f"edge {data['version']} ({role})\n\n",
        f"publish: ffmpeg -re -i file.mp4 -c copy -f flv {data['publish_url']}\n",
        f"play:    ffplay {data['publish_url']}\n",
        f"         ffplay {data['flv_url']}\n\n" if data["flv_url"] else "\n",
        f"[streams] {data['live_count']} live of {data['stream_count']}\n",
    ]
    shown = data["streams"][: streams.MAX_ROWS]
    parts.append(pairs({row.get("key", "-"): f"{row['play_url']}{_remark(row)}" for row in shown}))
    if len(shown) < data["stream_count"]:
        parts.append(f"... and {data['stream_count'] - len(shown)} more\n")
    parts.append(f"\n[pages]\n{' '.join(path for path in PAGES if path != INDEX.path)}\n")
    return "".join(parts)


def _remark(row: Data) -> str:
    """What is to be said of a stream that is not live, or whose push is not: `` (push retrying to ...)``."""
    state = streams.shown_state(row)
    if state in ("", "live"):
        return ""
    if not row.get("push_state"):
        return f" ({state}: {row['pull_error']})" if row.get("pull_error") else f" ({state})"
    push = f"{state} to {cell(row.get('push_to'))} for {duration(row.get('push_state_s'))}"
    return f" ({push}: {row['push_error']})" if row.get("push_error") else f" ({push})"


INDEX = register(Page("/", "Overview", collect, text, template="index.html"))
