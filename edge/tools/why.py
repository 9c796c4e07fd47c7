"""``edge-why``: asks a node why a stream plays or does not, or what it told a client, and prints it in plain words.

Exit code 0: it plays. 1: there is a reason why it does not. 2: the node cannot be asked.
3: it is not known: the node has not asked its upstream for the stream.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import ssl
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from edge.service.answers import NOT_KNOWN
from edge.service.names import VHOST_NAMES
from edge.service.story import host_of
from edge.service.wording import text_of

PLAYS, DOES_NOT, CANNOT_ASK, UNKNOWN = 0, 1, 2, 3
#: The node takes 1.5 s at most to ask the nodes behind it.
TIMEOUT_S = 5.0
_DEFAULT_PORTS = {"rtmp": 1935, "rtmps": 443, "http": 80, "https": 443}
_ENCRYPTED = ("rtmps", "https")
_MAX_BYTES = 1 << 20
_MOST_S = 3600.0


class Place(NamedTuple):
    """Where to ask, and for what."""

    host: str
    port: int
    is_tls: bool
    stream: str


class CannotAskError(Exception):
    """The node gave no answer to the question; the text says why, and what to do."""


def place_of(url: str, stream: str, port: int | None) -> Place:
    """The node and the stream of a command line; raises CannotAskError for a URL that is none.

    An RTMP URL is the stream's own; of an HTTP URL the path may name the stream.
    """
    url = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(url)
        own_port = parts.port
    except ValueError as error:
        raise CannotAskError(f"{url.partition('?')[0]}: {error}") from error
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise CannotAskError(f"{url.partition('?')[0]}: expected rtmp[s]:// or http[s]://HOST[:PORT]/...")
    path = parts.path.strip("/")
    named = stream or (_without_secrets(url) if path else "")
    asked = port or own_port or _DEFAULT_PORTS[parts.scheme]
    # Another port than the stream's own is an internal one, which takes plain HTTP too.
    is_tls = parts.scheme in _ENCRYPTED and port is None
    return Place(parts.hostname, asked, is_tls, named)


def _without_secrets(url: str) -> str:
    """The URL with those parameters of its query only that name the stream."""
    place, _, query = url.partition("?")
    kept = "&".join(part for part in query.split("&") if part.partition("=")[0] in (*VHOST_NAMES, "app"))
    return f"{place}?{kept}" if kept else place


def fetch(place: Place, address: str = "", *, timeout_s: float = TIMEOUT_S, insecure: bool = False) -> dict[str, Any]:
    """The answer of ``/why`` as data; raises CannotAskError."""
    asked = {name: value for name, value in (("stream", place.stream), ("address", address)) if value}
    where = f"{place.host}:{place.port}"
    connection: http.client.HTTPConnection
    if place.is_tls:
        context = ssl.create_default_context()
        if insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(place.host, place.port, timeout=timeout_s, context=context)
    else:
        connection = http.client.HTTPConnection(place.host, place.port, timeout=timeout_s)
    try:
        connection.request("GET", f"/why?{urlencode({**asked, 'format': 'json'})}")
        response = connection.getresponse()
        status, body = response.status, _read(response, time.monotonic() + timeout_s)
    except ssl.SSLCertVerificationError as error:
        raise CannotAskError(f"{where}: its certificate is not believed: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise CannotAskError(f"{where}: no TLS there: {error.reason or error}") from error
    except TimeoutError as error:
        raise CannotAskError(
            f"{where}: no answer in {timeout_s:g} s: the node hangs, or a firewall drops it"
        ) from error
    except ConnectionRefusedError as error:
        text = "connection refused: no server listens there. Has it started? Its log tells of a port that was taken"
        raise CannotAskError(f"{where}: {text}, or a fault in its flags") from error
    except socket.gaierror as error:
        text = f"the name of the host is not known ({error.strerror}); ask by rtmp://HOST:PORT/APP/STREAM"
        raise CannotAskError(f"{place.host}: {text}") from error
    except UnicodeError as error:
        raise CannotAskError(f"{place.host[:80]}: that can be no name of a host") from error
    except http.client.HTTPException as error:
        text = "what listens there does not speak HTTP: it is no edge, or speaks TLS on this port"
        raise CannotAskError(f"{where}: {text} ({type(error).__name__})") from error
    except OSError as error:
        raise CannotAskError(f"{where}: {error.strerror or error}") from error
    finally:
        connection.close()
    return _data_of(where, status, body)


def _read(response: http.client.HTTPResponse, until_s: float) -> bytes:
    """The body, of which each piece comes in time, and all of them by ``until_s``."""
    parts, size_bytes = [], 0
    while size_bytes < _MAX_BYTES and (part := response.read1(_MAX_BYTES - size_bytes)):
        parts.append(part)
        size_bytes += len(part)
        if time.monotonic() > until_s:
            raise TimeoutError
    return b"".join(parts)


def _data_of(where: str, status: int, body: bytes) -> dict[str, Any]:
    if status == 403:
        text = "/why is not shown on this port: ask the internal port of the node (-internal_port) with --port"
        raise CannotAskError(f"{where}: {text}")
    if status == 503:
        raise CannotAskError(f"{where}: the node does not serve pages now (503): {body[:80].decode(errors='replace')}")
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = None
    if status != 200 or not isinstance(data, dict) or "about_stream" not in data:
        raise CannotAskError(f"{where}: it answers {status}, and not as an edge does: no edge, or one before /why")
    return data


def exit_code(data: dict[str, Any]) -> int:
    """That of an answer: whether the stream plays, or whether the client met no trouble."""
    stream, address = _about(data)
    if stream is not None:
        if stream.get("state") == NOT_KNOWN:
            return UNKNOWN
        return PLAYS if stream["plays"] else DOES_NOT
    return DOES_NOT if address is not None and address["causes"] else PLAYS


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask and print; returns the exit code."""
    about = "Asks a node why a stream plays or does not, or what it told a client, and prints it in plain words."
    codes = "exit code 0: it plays; 1: there is a reason why it does not; 2: the node cannot be asked; "
    codes += "3: it is not known, as this edge has not asked its upstream for it"
    parser = argparse.ArgumentParser(prog="edge-why", description=about, epilog=codes)
    parser.add_argument("url", help="rtmp://HOST:PORT/APP/STREAM, or http://HOST:PORT of a node")
    parser.add_argument("stream", nargs="?", default="", help="APP/STREAM, where the URL does not name it")
    parser.add_argument("--address", default="", help="what was this client told? its IP address")
    parser.add_argument("--port", type=int, help="port to ask instead of the URL's, such as that of -internal_port")
    parser.add_argument(
        "--timeout", type=seconds, default=TIMEOUT_S, help="seconds to wait for the answer (%(default)s)"
    )
    parser.add_argument("--insecure", action="store_true", help="believe any certificate")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    options = parser.parse_args(arguments)
    try:
        place = place_of(options.url, options.stream, options.port)
        if not place.stream and not options.address:
            parser.error("name a stream or an --address")
        data = fetch(place, host_of(options.address), timeout_s=options.timeout, insecure=options.insecure)
    except CannotAskError as error:
        print(f"edge-why: {error}", file=sys.stderr)
        return CANNOT_ASK
    try:
        said = json.dumps(data, indent=1) + "\n" if options.json else text_of(*_about(data))
        code = exit_code(data)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        print(f"edge-why: {place.host}:{place.port}: its answer makes no sense: {error!r}", file=sys.stderr)
        return CANNOT_ASK
    sys.stdout.write(said)
    return code


def _about(data: dict[str, Any]) -> tuple[Any, Any]:
    return data["about_stream"], data["about_address"]


def seconds(text: str) -> float:
    """How long to wait; raises ValueError for what is no such time."""
    value = float(text)
    if not 0 < value <= _MOST_S:
        raise ValueError(text)
    return value


def run() -> None:
    """The console script."""
    sys.exit(main())


if __name__ == "__main__":
    run()
