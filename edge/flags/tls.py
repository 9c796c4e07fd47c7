"""Flags of TLS on the listening side."""

from __future__ import annotations

from edge.flags.registry import define_bool, define_int32, define_string

_TOPIC = "tls"

define_bool("https", False, "Accept TLS on the ports too, told apart by its first bytes.", topic=_TOPIC)
define_string("certificate", "./cert.pem", "PEM file of the certificate chain, used with -https.", topic=_TOPIC)
define_string("private_key", "./key.pem", "PEM file of the key, used with -https.", topic=_TOPIC)
define_bool("force_ssl", False, "Refuse plain connections on all but the internal port.", topic=_TOPIC)
define_bool("strict_sni", False, "Refuse a TLS client that names a host the certificate does not have.", topic=_TOPIC)
define_int32(
    "ssl_handshake_timeout_ms",
    5000,
    "Close a connection whose TLS handshake takes longer.",
    topic=_TOPIC,
    unit="ms",
    is_reloadable=True,
    is_zero_off=True,
    lower=0,
)
define_int32(
    "max_pending_handshakes",
    256,
    "TLS handshakes in progress at a time; more wait unaccepted.",
    topic=_TOPIC,
    is_reloadable=True,
    lower=1,
)
