"""Flags of TLS, on the listening side and towards upstreams."""

from __future__ import annotations

from edge.flags.classes import LIVE
from edge.flags.registry import FlagValues, define_bool, define_int32, define_string, pick, value_of
from edge.net.config import TlsConfig

_TOPIC = "tls"
_UPSTREAM = "upstream"

define_bool(
    "https", False, "Accept TLS too, told apart by its first bytes, on all ports but the merge port.", topic=_TOPIC
)
define_string(
    "certificate",
    "./cert.pem",
    "PEM file of the certificate chain, used with -https; several with commas between. A client is shown the one that "
    "is for the host it asks for, or the first. Read again when it changes, as is -private_key.",
    topic=_TOPIC,
)
define_string(
    "private_key",
    "./key.pem",
    "PEM file of the key, used with -https; as many as in -certificate, in their order.",
    topic=_TOPIC,
)
define_bool(
    "force_ssl",
    False,
    "Refuse plain connections on -port and -listen; the internal and the merge port take them.",
    topic=_TOPIC,
)
define_bool(
    "strict_sni",
    False,
    "Refuse a TLS client that asks for a host that no certificate is for, or for none.",
    topic=_TOPIC,
)
define_int32(
    "ssl_handshake_timeout_ms",
    5000,
    "Close a connection whose TLS handshake is not done so long after it was accepted.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    is_zero_off=True,
    lower=0,
)
define_int32(
    "max_pending_handshakes",
    256,
    "TLS handshakes in progress at a time; more wait for their turn, unread.",
    topic=_TOPIC,
    reload=LIVE,
    lower=1,
)
define_string(
    "upstream_ca_file",
    "",
    "PEM file with the CAs that upstreams reached over TLS are believed by, instead of the system's. Read "
    "again when it changes, as are the other two.",
    topic=_UPSTREAM,
)
define_string(
    "upstream_cert_file",
    "",
    "PEM file with our certificate chain, shown to upstreams that ask for one over TLS; empty: none.",
    topic=_UPSTREAM,
)
define_string(
    "upstream_key_file",
    "",
    "PEM file with the key of -upstream_cert_file; empty: it stands in that file.",
    topic=_UPSTREAM,
)


def paths(text: str) -> tuple[str, ...]:
    """The paths of ``-certificate`` or ``-private_key``."""
    return tuple(path.strip() for path in text.split(","))


def tls_config(flags: FlagValues) -> TlsConfig:
    """Settings of TLS."""
    lists = {name: paths(value_of(flags, name)) for name in ("certificate", "private_key")}
    return pick(TlsConfig, flags, **lists)
