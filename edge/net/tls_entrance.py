"""TLS on the ports of the listeners: shakes hands with who begins so, and has what is inside detected again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge.errors import TlsError
from edge.net.accepted import Accepted, TlsFacts
from edge.net.certificates import CertificateStore, KeyPair, Reload
from edge.net.config import TlsConfig
from edge.net.connection_set import ConnectionSet
from edge.net.handshaker import Handshaker
from edge.net.limits import Undecided
from edge.net.tls import TlsServerStream

if TYPE_CHECKING:
    from edge.net.context import NetContext
    from edge.net.sniff import WireProtocol


def open_certificates(config: TlsConfig) -> CertificateStore:
    """Read those of ``-certificate``; raises ConfigError, which names the file."""
    pairs = [KeyPair(*pair) for pair in zip(config.certificate, config.private_key, strict=True)]
    return CertificateStore(pairs, strict_sni=config.strict_sni)


class TlsEntrance:
    """Serves the connections of a node's listeners that begin with TLS; ``serve`` is the handler.

    Attributes:
        certificates: what is shown to whom.
        handshaker: the handshakes in progress.
        undecided: where they count as connections that nobody serves yet.
    """

    def __init__(
        self,
        context: NetContext,
        undecided: ConnectionSet[Undecided],
        config: TlsConfig,
        certificates: CertificateStore,
    ) -> None:
        self.certificates = certificates
        self.context = context
        self.undecided = undecided
        self.handshaker = Handshaker(
            context.loop,
            context.poller,
            max_pending=config.max_pending_handshakes,
            timeout_ms=config.ssl_handshake_timeout_ms,
        )

    def reconfigure(self, config: TlsConfig) -> None:
        """Take other limits of handshakes, for those in progress too."""
        self.handshaker.reconfigure(
            max_pending=config.max_pending_handshakes, timeout_ms=config.ssl_handshake_timeout_ms
        )

    def serve(self, accepted: Accepted) -> None:
        """Shake hands; then its entrance detects what is inside."""
        _ShakingHands(accepted, self)

    def check_files(self, now_ms: int, wall_ms: int) -> None:
        """Read certificates whose files have changed, and warn of dates; meant for once a second."""
        self._count(self.certificates.check_files(now_ms, wall_ms))

    def reload(self) -> Reload:
        """Read all certificates now; one that cannot be used stays as it is."""
        return self._count(self.certificates.reload())

    def _count(self, result: Reload) -> Reload:
        if result.refused:
            self.context.counters["error_reload_failed_count"] += len(result.refused)
        return result

    def counters(self, wall_ms: int) -> dict[str, int]:
        """For pages and metrics."""
        return {
            "tls_handshakes_count": self.handshaker.completed_count,
            "tls_handshakes_pending": len(self.handshaker),
            "ssl_cert_expires_in_s": self.certificates.expires_in_s(wall_ms),
        }

    def close(self) -> None:
        """No more handshakes; those in progress end with their listeners."""
        self.handshaker.close()


class _ShakingHands:
    """An accepted connection in its handshake; see ``Undecided``.

    Attributes:
        protocol: None, for what it speaks is inside.
    """

    __slots__ = ("_entrance", "_stream", "accepted", "protocol")

    def __init__(self, accepted: Accepted, entrance: TlsEntrance) -> None:
        self.accepted = accepted
        self.protocol: WireProtocol | None = None
        self._entrance = entrance
        self._stream = TlsServerStream(accepted.wire, entrance.certificates)
        entrance.undecided.add(self)
        entrance.handshaker.begin(self._stream, accepted.accepted_ms, self._done)

    @property
    def host(self) -> str:
        """Address of the peer."""
        return self.accepted.address.host

    def _done(self, error: Exception | None) -> None:
        self._entrance.undecided.discard(self)
        accepted, stream = self.accepted, self._stream
        if error is None:
            facts = TlsFacts(stream.version, stream.server_name or "")
            accepted.entrance.detect(replace(accepted, wire=stream, tls=facts, head=b""))
            return
        stream.close()
        if not isinstance(error, TlsError):
            error = TlsError(f"lost in the handshake: {getattr(error, 'strerror', None) or error}")
        self._report(error)

    def _report(self, error: TlsError) -> None:
        self._entrance.context.counters.report(error, f"[{self.accepted.address}]", peer=str(self.accepted.address))

    def hand_over(self) -> None:
        """Nobody waits for it: only who is held does."""

    def abort(self, why: str) -> None:
        """Close at once."""
        self._entrance.undecided.discard(self)
        self._entrance.handshaker.cancel(self._stream)
        self._stream.close()
        if why:
            self._report(TlsError(why))
