"""Short answers of HTTP to who is not served."""

from __future__ import annotations

import pytest

from edge.net.accepted import Accepted
from edge.net.last_words import answer_and_close, http_answer
from tests.net.live import serving
from tests.net.test_listener import gone


def test_an_answer_says_how_long_it_is_and_that_it_is_the_last() -> None:
    head, _, body = http_answer("503 Service Unavailable", "not now: später").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n") and b"\r\nConnection: close" in head
    assert body == "not now: später\n".encode() and b"Content-Length: %d\r\n" % len(body) in head


@pytest.mark.parametrize("request_bytes", [1, 40, 5000])
async def test_the_answer_arrives_whatever_was_asked(request_bytes: int) -> None:
    async with serving() as server:

        def refuse(accepted: Accepted) -> None:
            answer_and_close(accepted, server.context, b"no\n", "refused")

        server.handler = refuse
        with server.plain() as peer:
            peer.sendall(b"\x03" + bytes(request_bytes - 1))  # what it says is not looked at
            assert await gone(peer) == b"no\n"
