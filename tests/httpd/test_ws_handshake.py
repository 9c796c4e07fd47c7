"""The handshake of WebSocket: odd offers, old versions, and requests that may not upgrade."""

from __future__ import annotations

import logging

import pytest
from aiohttp.http import HttpVersion, HttpVersion10, HttpVersion11
from aiohttp.test_utils import make_mocked_request
from aiohttp.web import BaseRequest
from multidict import CIMultiDict

from edge.httpd.ws_handshake import handshake_headers, refuse_handshake, wants_websocket

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
OFFER = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}


def asked(*more: tuple[str, str], method: str = "GET", version: HttpVersion = HttpVersion11) -> BaseRequest:
    """A request with the usual headers, those of ``more`` in their place."""
    replaced = {name for name, _ in more}
    usual = [(name, value) for name, value in OFFER.items() if name not in replaced]
    return make_mocked_request(method, "/live/s.flv", CIMultiDict([*usual, *more]), version=version)


def test_answer_proves_that_the_key_was_read() -> None:
    """The example of RFC 6455 §1.3."""
    assert handshake_headers(asked()) == {"Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}


@pytest.mark.parametrize("upgrade", ["websocket", "WebSocket", "h2c, websocket"])
@pytest.mark.parametrize("connection", ["Upgrade", "keep-alive, Upgrade", "upgrade"])
def test_any_writing_is_understood(upgrade: str, connection: str) -> None:
    request = asked(("Upgrade", upgrade), ("Connection", connection))
    assert wants_websocket(request)
    assert refuse_handshake(request) is None


@pytest.mark.parametrize(
    "request_",
    [
        asked(method="HEAD"),
        asked(method="POST"),
        asked(version=HttpVersion10),
        asked(("Upgrade", "h2c")),
        asked(("Upgrade", "websocketx")),
    ],
    ids=["HEAD", "POST", "HTTP/1.0", "h2c", "another word"],
)
def test_P9_upgrade_of_what_may_not_is_ignored(request_: BaseRequest) -> None:
    assert not wants_websocket(request_)


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("Connection", "close", 400),
        ("Sec-WebSocket-Version", "7", 426),
        ("Sec-WebSocket-Version", "", 426),
        ("Sec-WebSocket-Key", "", 400),
        ("Sec-WebSocket-Key", "x", 400),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZQ==", 400),
        ("Sec-WebSocket-Key", "\u0663" * 24, 400),
    ],
)
def test_handshake_that_is_none(name: str, value: str, status: int) -> None:
    answer = refuse_handshake(asked((name, value)))
    assert answer is not None
    assert answer.status == status
    assert answer.headers.get("Sec-WebSocket-Version") == ("13" if status == 426 else None)


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        (["flv"], "flv"),
        (["flv, other"], "flv"),
        (["a", "b"], "a"),
        ([""], None),
        (['a"b'], None),
        (["a\r\nX: y"], None),
        (["x" * 300], None),
    ],
)
def test_first_subprotocol_is_taken(offered: list[str], taken: str | None, caplog: pytest.LogCaptureFixture) -> None:
    """A browser gives up a connection that takes none of them; and nothing is said of it in the log."""
    caplog.set_level(logging.DEBUG)
    request = asked(*(("Sec-WebSocket-Protocol", one) for one in offered))
    assert refuse_handshake(request) is None
    assert handshake_headers(request).get("Sec-WebSocket-Protocol") == taken
    assert not caplog.records


def test_compression_is_not_taken() -> None:
    request = asked(("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"))
    assert "Sec-WebSocket-Extensions" not in handshake_headers(request)
