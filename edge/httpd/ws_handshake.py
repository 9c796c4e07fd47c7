"""The opening handshake of a WebSocket, the side of a server (RFC 6455 §4.2); what a peer offers goes into no log."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from aiohttp import web
from aiohttp.http import HttpVersion11

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
_KEY_BYTES = 16
#: The only version there is (§4.1); the numbers before it were drafts.
_VERSION = "13"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")


def wants_websocket(request: web.BaseRequest) -> bool:
    """Whether the client wants to upgrade; what may not (RFC 9110 §7.8) is answered as if it had not said so."""
    return (
        request.method == "GET"
        and request.version >= HttpVersion11
        and "websocket" in _listed(request, "Upgrade", is_lower=True)
    )


def refuse_handshake(request: web.BaseRequest) -> web.Response | None:
    """Why the client's handshake cannot be answered, None when it can."""
    headers = request.headers
    if "upgrade" not in _listed(request, "Connection", is_lower=True):
        return web.Response(status=400, text="not a handshake of WebSocket: Connection does not name Upgrade\n")
    if headers.get("Sec-WebSocket-Version", "").strip() != _VERSION:
        text = f"version {_VERSION} of WebSocket is spoken here\n"
        return web.Response(status=426, text=text, headers={"Sec-WebSocket-Version": _VERSION})
    if not _is_key(headers.get("Sec-WebSocket-Key", "")):
        return web.Response(status=400, text="not a handshake of WebSocket: the key is not of 16 bytes\n")
    return None


def handshake_headers(request: web.BaseRequest) -> dict[str, str]:
    """What the answer says beside its upgrade.

    Of subprotocols that are offered the first is taken, whatever it is: browsers give up
    a connection that takes none of them, and pages put there what they cannot put into a header.
    Extensions are not taken: media are compressed.
    """
    key = request.headers["Sec-WebSocket-Key"].strip().encode()
    accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest()).decode()
    headers = {"Sec-WebSocket-Accept": accept}
    offered = next(iter(_listed(request, "Sec-WebSocket-Protocol")), "")
    if _TOKEN.fullmatch(offered):
        headers["Sec-WebSocket-Protocol"] = offered
    return headers


def _listed(request: web.BaseRequest, name: str, *, is_lower: bool = False) -> list[str]:
    """The members of a header that is a list (RFC 9110 §5.6.1), in how many lines it may have come."""
    text = ",".join(request.headers.getall(name, ()))
    members = [member.strip() for member in text.split(",")]
    return [member.lower() if is_lower else member for member in members if member]


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text.strip(), validate=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        return False
