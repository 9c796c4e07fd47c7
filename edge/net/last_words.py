"""A short answer of HTTP to who is not served, given without HTTP: it asks for no library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.net.accepted import Accepted
from edge.net.connection import RawConnection

if TYPE_CHECKING:
    from edge.net.context import NetContext


def http_answer(status: str, text: str) -> bytes:
    """One that ends its connection; ``status`` is the code with its words."""
    body = f"{text}\n".encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nServer: edge\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def answer_and_close(accepted: Accepted, context: NetContext, answer: bytes, reason: str) -> None:
    """Send ``answer`` to an accepted connection, whatever it asked; ``reason`` is what the close is counted as."""
    connection = RawConnection(accepted.wire, context, str(accepted.address))
    connection.enqueue(answer)
    connection.close_gracefully(reason)
