"""``/play/APP/STREAM``: a page that plays a stream in all forms that browsers take, and shows its addresses.

The page is static but for its addresses: the scripts in ``static/`` do the rest, with players of their own origin.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

from edge.builtin.addresses import PLAYER_PATH
from edge.builtin.assets import STYLE_URLS, script_urls
from edge.builtin.index import http_server, rtmp_server
from edge.builtin.page import Page, PageContext, Visit, register
from edge.builtin.present import pairs

# What is meant for the page itself; the rest of its query, a vhost or a token, goes to the stream's URLs.
_OWN_PARAMETERS = frozenset({"output", "autoplay", "muted", "format"})
# A host that a policy can name: its grammar has neither brackets nor underscores.
_NAMEABLE = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?")


class Output(NamedTuple):
    """A form in which a stream is played.

    Attributes:
        name: in ``?output=``.
        label: as people know it.
        kind: what plays it (``static/engines.js``).
        suffix: of its path.
        switch: of ``AddressFacts``, it says whether there is such an output.
    """

    name: str
    label: str
    kind: str
    suffix: str
    switch: str


OUTPUTS = (
    Output("flv", "HTTP-FLV", "flv", ".flv", "has_flv"),
    Output("ws", "WS-FLV", "ws", ".flv", "has_flv"),
    Output("hls", "HLS", "hls", ".m3u8", "has_hls"),
    Output("classic", "HLS, classic", "hls", ".classic.m3u8", "has_hls"),
    Output("ll", "LL-HLS", "hls", ".ll.m3u8", "has_low_latency"),
)


def carried_query(query: str) -> str:
    """``query`` without what is meant for the page, as it was written, behind its question mark; "" without any."""
    parts = [part for part in query.split("&") if part and part.partition("=")[0] not in _OWN_PARAMETERS]
    return f"?{'&'.join(parts)}" if parts else ""


def policy(visit: Visit) -> str:
    """What the page may load: scripts and styles of ours, media from where it came itself and from its siblings."""
    sockets = f" ws://{visit.authority} wss://{visit.authority}" if _NAMEABLE.fullmatch(visit.authority) else ""
    others = "".join(f" {origin}" for origin in sorted(set(map(_origin_of, visit.siblings))) if origin)
    return content_security_policy(connect=f"'self'{sockets}{others}", media="'self'")


def _origin_of(base: str) -> str:
    """Scheme and authority of a base URL; "" of one that a policy cannot name."""
    parts = urlsplit(base)
    return f"{parts.scheme}://{parts.netloc}" if _NAMEABLE.fullmatch(parts.netloc) else ""


def content_security_policy(*, connect: str, media: str) -> str:
    """Of a page with a player; MSE hands media to the element as ``blob:``."""
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; connect-src {connect}; media-src {media} blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


@dataclass(frozen=True, slots=True)
class OutputRow:
    """An output of one stream: ``source`` is what the page loads, ``url`` what is copied."""

    output: str
    label: str
    kind: str
    source: str
    url: str


@dataclass(frozen=True, slots=True)
class Address:
    """What may be copied."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class PlayerData:
    """The outputs, which of them is played first and how, what to copy, and the files that the page loads."""

    name: str
    output: str
    is_autoplay: bool
    is_muted: bool
    outputs: list[OutputRow]
    addresses: list[Address]
    scripts: dict[str, str]
    styles: tuple[str, ...]
    error: str = ""


def page_data(visit: Visit, *, name: str, outputs: list[OutputRow], addresses: list[Address]) -> PlayerData:
    """What the template of a player takes."""
    asked = {key: values[-1] for key, values in parse_qs(visit.query, keep_blank_values=True).items()}
    names = [output.output for output in outputs]
    return PlayerData(
        name=name,
        output=asked["output"] if asked.get("output") in names else next(iter(names), ""),
        is_autoplay=asked.get("autoplay") != "0",
        is_muted=asked.get("muted") == "1",
        outputs=outputs,
        addresses=addresses,
        scripts=script_urls(),
        styles=STYLE_URLS,
    )


async def collect(context: PageContext, visit: Visit) -> PlayerData:
    """Return the outputs of the stream that the page's path names; none where it names no stream."""
    app, _, stream = visit.path.partition("/")
    if not stream:
        return page_data(visit, name=visit.path, outputs=[], addresses=[])
    known = (await context.facts.process()).addresses
    query, path, http = carried_query(visit.query), f"/{quote(visit.path)}", http_server(known, visit)
    outputs = []
    for output in OUTPUTS:
        if attrgetter(output.switch)(known):
            source = f"{path}{output.suffix}{query}"
            server = http.replace("http", "ws", 1) if output.kind == "ws" else http
            outputs.append(OutputRow(output.name, output.label, output.kind, source, f"{server}{source}"))
    addresses = [Address(output.label, output.url) for output in outputs]
    addresses.insert(0, Address("RTMP", f"{rtmp_server(known, visit)}/{app}/{stream}{query}"))
    return page_data(visit, name=visit.path, outputs=outputs, addresses=addresses)


def text(data: PlayerData) -> str:
    """The addresses."""
    if not data.addresses:
        return f"{PLAYER_PATH}/APP/STREAM plays a stream\n"
    return pairs({address.label: address.url for address in data.addresses})


PLAYER = register(
    Page(
        PLAYER_PATH,
        "Player",
        collect,
        text,
        template="player.html",
        is_for_any_name=True,
        has_paths=True,
        policy=policy,
        about="/play/APP/STREAM: plays a stream in this browser",
    )
)
