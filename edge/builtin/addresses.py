"""Where a stream is, as a visitor of a page reaches it."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from edge.builtin.page import PageContext, Visit
from edge.facts.records import AddressFacts, StreamFacts
from edge.hub.key import normalise_vhost

DEFAULT_VHOST = "_"
PLAYER_PATH = "/play"


def server_url(visit: Visit) -> str:
    """The URL of this server without a path, by the name that the visitor uses; his Host header is well-formed."""
    return f"{'https' if visit.is_encrypted else 'http'}://{visit.authority or 'HOST'}"


def host_vhost(addresses: AddressFacts, visit: Visit) -> str:
    """The vhost that the visitor's Host header means: a name in place of an address is one, unless it is our own."""
    return normalise_vhost(visit.host, "", default_vhost=DEFAULT_VHOST, hostname=addresses.host)


def key_of(context: PageContext, visit: Visit, text: str, streams: Iterable[StreamFacts]) -> str:
    """The key that ``text`` is, else that of the stream which it means in short; ``text`` where none is on."""
    keys = {stream.key for stream in streams}
    if text in keys or not text:
        return text
    # By a name that leads here, the stream may be looked for in a vhost of that name, and be in the default one.
    meant = (context.why.key_meant(text, host) for host in (visit.host, ""))
    return next((key for key in meant if key in keys), text)


def player_page(stream: StreamFacts, vhost_of_host: str) -> str:
    """Path of the page that plays the stream of ``stream``, which names the vhost if the URL's host does not."""
    path = f"{PLAYER_PATH}/{quote(stream.app)}/{quote(stream.stream)}"
    return path if stream.vhost in ("", vhost_of_host) else f"{path}?vhost={quote(stream.vhost)}"
