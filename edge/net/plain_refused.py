"""What plain connections are told where only encrypted ones are served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import HandshakeError
from edge.net.accepted import Accepted, Handler
from edge.net.connection import RawConnection
from edge.net.sniff import WireProtocol

if TYPE_CHECKING:
    from edge.net.context import NetContext

_REASON = "plain_on_tls"
_TEXT = b"this port speaks TLS: use https\n"
_ANSWER = b"".join(
    (
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nServer: edge\r\n",
        b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(_TEXT),
        _TEXT,
    )
)


def encrypted_only(protocol: WireProtocol, handler: Handler, context: NetContext) -> Handler:
    """``handler`` for what comes inside TLS; plain HTTP is answered 400, and what else is plain is closed."""

    def serve(accepted: Accepted) -> None:
        if accepted.tls is not None:
            handler(accepted)
            return
        context.counters.report(HandshakeError(f"plain {protocol.value}", reason=_REASON), f"[{accepted.address}]")
        if protocol is not WireProtocol.HTTP:
            accepted.wire.close()
            return
        connection = RawConnection(accepted.wire, context, str(accepted.address))
        connection.enqueue(_ANSWER)
        connection.close_gracefully(_REASON)

    return serve
