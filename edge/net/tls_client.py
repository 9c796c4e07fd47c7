"""TLS towards upstreams: whom to believe, what to show, and why a server was not believed."""

from __future__ import annotations

import ipaddress
import ssl

from edge.errors import ConfigError, UpstreamTlsError
from edge.net.byte_stream import ByteStream
from edge.net.certificates import load_pair, read_file
from edge.net.config import TlsConfig
from edge.net.tls import TlsStream, library_reason

# First bytes of TLS records: change of cipher, alert, handshake, data.
_RECORDS = range(20, 24)
_QUOTED_BYTES = 32

# OpenSSL's verdicts (X509_V_ERR_*) in words for people; others are told as it words them.
_REFUSALS = {
    2: "unknown CA",
    9: "certificate is not yet valid",
    10: "certificate has expired",
    18: "self-signed certificate",
    19: "unknown CA: self-signed certificate in its chain",
    20: "unknown CA",
    21: "unknown CA: incomplete chain",
    62: "name mismatch: certificate is not for {name}",
    64: "name mismatch: certificate is not for {name}",
}


def client_context(config: TlsConfig) -> ssl.SSLContext:
    """What connections to upstreams begin with; blocks while it reads files.

    ``upstream_ca_file`` takes the place of the CAs of the system. Without
    ``upstream_key_file`` the key stands in ``upstream_cert_file``.

    Raises:
        ConfigError: a file cannot be used; the text names its flag.
    """
    ca, cert, key = config.upstream_ca_file, config.upstream_cert_file, config.upstream_key_file
    if key and not cert:
        raise ConfigError(f"-upstream_key_file={key}: there is no -upstream_cert_file that it belongs to")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    try:
        if ca:
            read_file(ca)
            context.load_verify_locations(cafile=ca)
        else:
            context.load_default_certs()
    except ConfigError as error:
        raise ConfigError(f"-upstream_ca_file={error.detail}") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"-upstream_ca_file={ca}: {getattr(error, 'reason', None) or error}") from error
    if not config.upstream_tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if cert:
        try:
            load_pair(context, cert, key or cert)
        except ConfigError as error:
            raise ConfigError(f"-upstream_cert_file: {error.detail}") from error
    return context


def server_hostname(host: str) -> str:
    """The host of a target as TLS asks for it and compares it: a name without the last dot, or a bare address.

    Raises:
        UpstreamTlsError: no certificate can be for it.
    """
    name = host.removeprefix("[").removesuffix("]")
    try:
        return str(ipaddress.ip_address(name.partition("%")[0]))
    except ValueError:
        pass
    name = name.removesuffix(".")
    try:
        ascii_name = name.encode("idna").decode("ascii") if not name.isascii() else name
    except UnicodeError as error:
        raise UpstreamTlsError(f"{host!r} is no name of a host") from error
    if not ascii_name or ascii_name.startswith(".") or "\0" in ascii_name:
        raise UpstreamTlsError(f"{host!r} is no name of a host")
    return ascii_name


class TlsClientStream(TlsStream):
    """The side that calls.

    ``host`` stands in the target: what the server's certificate must be for, and what it
    is asked for unless that is an address (RFC 6066 §3).
    """

    __slots__ = ("_host", "_is_answered")

    def __init__(self, inner: ByteStream, context: ssl.SSLContext, host: str) -> None:
        super().__init__(inner)
        self._host = server_hostname(host)
        self._is_answered = False
        try:
            self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=self._host)
        except (ValueError, ssl.SSLError) as error:
            raise UpstreamTlsError(f"{host!r}: {error}") from error

    def _receive_first(self, data: memoryview) -> None:
        if not self._is_answered:
            self._is_answered = True
            if data[0] not in _RECORDS:
                raise UpstreamTlsError(f"plain text answer {bytes(data[:_QUOTED_BYTES])!r}")
        super()._receive_first(data)

    def _failure(self, error: ssl.SSLError | None) -> UpstreamTlsError:
        if error is None:
            return UpstreamTlsError("closed in the handshake")
        if isinstance(error, ssl.SSLCertVerificationError):
            words = _REFUSALS.get(error.verify_code)
            return UpstreamTlsError(words.format(name=self._host) if words else error.verify_message)
        return UpstreamTlsError(library_reason(error))
