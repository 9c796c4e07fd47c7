"""The root of our errors.

Each error carries ``reason``, the stable word used in logs and counters
(``error_<reason>_count``), and a ``detail`` that names the values that differ
and where, so that a reader finds the byte in a packet capture.
"""

from __future__ import annotations


class EdgeError(Exception):
    """Anything the program raises on purpose.

    Attributes:
        reason: stable lower-case word, the ``r`` of the log line and the counter.
        detail: free text for people.
    """

    reason = "internal"

    def __init__(self, detail: str = "", *, reason: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if reason is not None:
            self.reason = reason

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


class ProtocolError(EdgeError):
    """A rule of a wire protocol was broken.

    Attributes:
        is_quiet: log at INFO only (probes, scanners and dropped mobiles would
            otherwise flood the log).
        offset: bytes received on the connection when it was found, or None.
    """

    is_quiet = False

    def __init__(
        self, detail: str = "", *, reason: str | None = None, is_quiet: bool | None = None, offset: int | None = None
    ) -> None:
        super().__init__(detail, reason=reason)
        self.offset = offset
        if is_quiet is not None:
            self.is_quiet = is_quiet


class RemoteProtocolError(ProtocolError):
    """The peer broke a rule; its connection ends."""

    reason = "protocol"


class HandshakeError(RemoteProtocolError):
    """RTMP 1.0 §5.2 was not followed."""

    reason = "handshake"
    is_quiet = True


class TlsError(RemoteProtocolError):
    """A TLS handshake failed: its client broke the rules, refused ours, or has gone."""

    reason = "tls_error"
    is_quiet = True


class ChunkError(RemoteProtocolError):
    """RTMP 1.0 §5.3 was not followed."""

    reason = "chunk"


class AmfError(RemoteProtocolError):
    """AMF bytes that cannot be decoded within the limits."""

    reason = "amf_malformed"


class CommandError(RemoteProtocolError):
    """A command that may not be sent now, or not at all."""

    reason = "command"


class LocalProtocolError(ProtocolError):
    """We called out of order: a bug, never caught to carry on."""

    reason = "local_protocol"


class HandoverError(EdgeError):
    """What one process hands to the next cannot be handed over, or not be taken up; nothing has been changed.

    Attributes:
        reason: ``handover_busy`` (not now), ``handover_version`` (of a version that this one does not know),
            ``handover_malformed``, ``handover_refused`` (it cannot move at all) or ``handover_broken`` (the channel).
    """

    reason = "handover_refused"


class MediaError(EdgeError):
    """Coded media that cannot be read, or has no place where it is wanted; the peer stays."""

    reason = "media"


class MalformedHeaderError(MediaError):
    """A decoder configuration (sequence header) that breaks its own format; the one before stays in force."""

    reason = "media_header"


class MalformedFrameError(MediaError):
    """A coded frame that breaks its own format; it is left out."""

    reason = "media_frame"


class UnsupportedCodecError(MediaError):
    """A container has no place for a codec, or for this form of it.

    Attributes:
        codec: its name for people, e.g. ``Speex`` or ``AAC-ELD``.
    """

    reason = "media_codec"

    def __init__(self, codec: str, container: str) -> None:
        super().__init__(f"{container} has no place for {codec}")
        self.codec = codec


class HubError(EdgeError):
    """A request that the live streams of this process cannot grant."""

    reason = "hub"


class StreamBusyError(HubError):
    """Somebody else publishes this stream and may not be replaced."""

    reason = "stream_busy"


class UpstreamError(EdgeError):
    """A pull or push could not be served by an upstream."""

    reason = "upstream"


class NoServerError(UpstreamError):
    """The balancer has no server to offer."""

    reason = "no_server"


class UpstreamTlsError(UpstreamError):
    """TLS towards an upstream failed, or its certificate may not be believed; plain text is never tried instead."""

    reason = "upstream_tls"


class ConfigError(EdgeError):
    """Refused at start or reload, naming the flag and the accepted range."""

    reason = "config"
