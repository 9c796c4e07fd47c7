"""What connections to upstreams over TLS begin with: one context per process, as its files are now."""

from __future__ import annotations

import logging
import ssl

from edge.errors import ConfigError, UpstreamTlsError
from edge.net.byte_stream import ByteStream
from edge.net.certificates import FileSignature, signature_of
from edge.net.config import TlsConfig
from edge.net.tls_client import TlsClientStream, client_context

logger = logging.getLogger(__name__)


class UpstreamTls:
    """Puts TLS over connections to upstreams.

    The files are looked at before each connection, which costs microseconds, and read when
    they have changed; connections that stand are not touched. Files that are of no use then,
    such as a new certificate without its key, leave in force what was, and are read again
    once they change again. Sessions are not resumed: the certificate of each new connection is judged.
    """

    __slots__ = ("_config", "_context", "_seen")

    def __init__(self, config: TlsConfig) -> None:
        """Nothing is read before ``load``, or before the first connection."""
        self._config = config
        self._context: ssl.SSLContext | None = None
        self._seen: tuple[FileSignature, ...] = ()

    def load(self) -> None:
        """Read the files; blocks. Raises ConfigError, which names the flag."""
        seen = self._look()
        self._context, self._seen = client_context(self._config), seen

    def reconfigure(self, config: TlsConfig) -> None:
        """Take other settings, for connections to come."""
        if config != self._config:
            self._config, self._context = config, None

    def wrap(self, wire: ByteStream, host: str) -> TlsClientStream:
        """TLS over ``wire``, towards the host that the certificate must be for; raises UpstreamTlsError."""
        return TlsClientStream(wire, self._now(), host)

    def _look(self) -> tuple[FileSignature, ...]:
        config = self._config
        # Looked at before they are read: a change in between counts next time.
        paths = (config.upstream_ca_file, config.upstream_cert_file, config.upstream_key_file)
        return tuple(signature_of(path) for path in paths if path)

    def context(self) -> ssl.SSLContext:
        """The context of the files as they are; raises UpstreamTlsError."""
        return self._now()

    def _now(self) -> ssl.SSLContext:
        """The context of the files as they are."""
        if self._context is None:
            try:
                self.load()
            except ConfigError as error:
                raise UpstreamTlsError(error.detail) from error
        elif (seen := self._look()) != self._seen:
            self._seen = seen
            try:
                self._context = client_context(self._config)
            except ConfigError as error:
                logger.warning("upstream TLS files kept reason=reload_failed %s", error.detail)
            else:
                logger.info("upstream TLS files loaded")
        assert self._context is not None
        return self._context
