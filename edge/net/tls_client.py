"""TLS towards upstreams: whom to believe, what to show, and why a server was not believed."""

from __future__ import annotations

import ipaddress
import ssl

from edge.errors import ConfigError, UpstreamTlsError
from edge.net.aio import wall_ms
from edge.net.byte_stream import ByteStream
from edge.net.certificates import load_pair, read_file
from edge.net.config import TlsConfig
from edge.net.tls import TlsBrokenError, TlsStream, library_reason
from edge.net.x509 import Certificate, date_text, read_certificate

# First bytes of TLS records: change of cipher, alert, handshake, data.
_RECORDS = range(20, 24)
_QUOTED_BYTES = 32

# OpenSSL's verdicts (X509_V_ERR_*) in words for people; others are told as it words them.
_NOT_YET_VALID, _EXPIRED, _OTHER_NAME, _OTHER_ADDRESS = 9, 10, 62, 64
_REFUSALS = {
    2: "unknown CA",
    18: "self-signed certificate",
    19: "unknown CA: self-signed certificate in its chain",
    20: "unknown CA",
    21: "unknown CA: incomplete chain",
}
# Faults of its library (SSL_R_*) whose own words say little; those words follow in brackets.
_NO_COMMON_VERSION = "protocol version: the server has no TLS 1.2 or later"
_NOT_BELIEVED = "the server does not accept our certificate, -upstream_cert_file"
_FAULTS = {
    "TLSV1_ALERT_PROTOCOL_VERSION": _NO_COMMON_VERSION,
    "UNSUPPORTED_PROTOCOL": _NO_COMMON_VERSION,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server wants a certificate of ours, -upstream_cert_file",
    "SSLV3_ALERT_BAD_CERTIFICATE": _NOT_BELIEVED,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": _NOT_BELIEVED,
    "SSLV3_ALERT_CERTIFICATE_REVOKED": _NOT_BELIEVED,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _NOT_BELIEVED,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": _NOT_BELIEVED,
    "TLSV1_ALERT_UNKNOWN_CA": _NOT_BELIEVED,
    "TLSV1_UNRECOGNIZED_NAME": "the server does not know the name",
}
_MAX_SHOWN_NAMES = 3
_MAX_SHOWN_CHARS = 64


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


class UpstreamTlsBrokenError(TlsBrokenError):
    """An upstream broke a rule of TLS after the handshake, or only then said what it has against us (TLS 1.3)."""

    reason = UpstreamTlsError.reason


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
            return UpstreamTlsError(_words_of_refusal(error, self._host, self._shown_chain()))
        return UpstreamTlsError(_words_of_fault(library_reason(error)))

    def _breach(self, detail: str) -> TlsBrokenError:
        return UpstreamTlsBrokenError(_words_of_fault(detail))

    def _shown_chain(self) -> list[Certificate]:
        """The certificates that the server has shown, its own first; none where Python does not tell.

        Before 3.13 it does so by an inner name only.
        """
        inner = getattr(self._object, "_sslobj", None)
        try:
            chain = inner.get_unverified_chain() if inner is not None else None
            return [read_certificate(each.public_bytes().encode()) for each in chain or ()]
        except (AttributeError, ValueError, ssl.SSLError):
            return []


def _words_of_fault(reason: str) -> str:
    return f"{_FAULTS[reason]} ({reason})" if reason in _FAULTS else reason


def _words_of_refusal(error: ssl.SSLCertVerificationError, host: str, chain: list[Certificate]) -> str:
    """Why the certificate of ``host`` is not believed."""
    code, now_s = error.verify_code, wall_ms() // 1000
    if code in (_OTHER_NAME, _OTHER_ADDRESS):
        names = _shown_names(chain[0].names) if chain else ""
        return f"name mismatch: certificate is for {names}, not {host}" if names else f"name mismatch: not for {host}"
    if code == _EXPIRED:
        past = (each.not_after_s for each in chain if each.not_after_s < now_s)
        return next((f"certificate expired on {date_text(at_s)}" for at_s in past), "certificate has expired")
    if code == _NOT_YET_VALID:
        to_come = (each.not_before_s for each in chain if each.not_before_s > now_s)
        words = (f"certificate is not valid before {date_text(at_s)}" for at_s in to_come)
        return next(words, "certificate is not yet valid")
    return _REFUSALS.get(code) or str(error.verify_message)


def _shown_names(names: tuple[str, ...]) -> str:
    """Some names of a certificate, whatever a stranger wrote there."""
    shown = [_printable(name[:_MAX_SHOWN_CHARS]) for name in names[:_MAX_SHOWN_NAMES]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)
