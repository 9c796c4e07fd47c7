"""What plain connections are told where only encrypted ones are served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import HandshakeError
from edge.net.accepted import Accepted, Handler
from edge.net.last_words import answer_and_close, http_answer
from edge.net.sniff import WireProtocol

if TYPE_CHECKING:
    from edge.net.context import NetContext

_REASON = "plain_on_tls"
_ANSWER = http_answer("400 Bad Request", "this port speaks TLS: use https")


def encrypted_only(protocol: WireProtocol, handler: Handler, context: NetContext) -> Handler:
    """``handler`` for what comes inside TLS; plain HTTP is answered 400, and what else is plain is closed."""

    def serve(accepted: Accepted) -> None:
        if accepted.tls is not None:
            handler(accepted)
            return
        error, peer = HandshakeError(f"plain {protocol.value}", reason=_REASON), str(accepted.address)
        context.counters.report(error, f"[{peer}]", peer=peer)
        if protocol is not WireProtocol.HTTP:
            accepted.wire.close()
            return
        answer_and_close(accepted, context, _ANSWER, _REASON)

    return serve
