"""Settings of sockets, listener, fan-out and TLS; frozen, given by the caller."""

from __future__ import annotations

from dataclasses import dataclass

#: Unsent bytes that the kernel may hold of a connection, where half a second of what it plays is not more.
MIN_NOTSENT_BYTES = 65536


@dataclass(frozen=True, slots=True)
class NetConfig:
    """Times in milliseconds unless the name says otherwise, sizes in bytes.

    The fields bear the names of the flags that set them. A time of 0 switches
    that limit off.
    """

    port: int = 8079
    internal_port: int = -1
    listen: tuple[int, ...] = ()
    bind: tuple[str, ...] = ()
    server_idle_timeout: int = -1
    accept_per_turn: int = 64
    reserved_fds: int = 64
    max_connections: int = 0
    max_connections_per_ip: int = 0
    trusted_proxies: tuple[str, ...] = ()
    rtmp_proxy_protocol: bool = False
    protocol_detect_timeout_ms: int = 5000
    tcp_user_timeout_ms: int = 35000
    send_timeout_ms: int = 30000
    slow_player_max_jumps: int = 0
    max_player_buffer_bytes: int = 4194304
    socket_max_unwritten_bytes: int = 67108864
    socket_send_buffer_size: int = -1
    flush_interval_ms: int = -1
    flush_cpu_pct: int = 20
    ingest_tick_ms: int = 20
    parse_budget_us: int = 5000
    end_flush_ms: int = 2000
    upgrade_socket: str = ""
    takeover: str = ""
    upgrade_timeout_ms: int = 30000
    upgrade_pause_ms: int = 3000
    upgrade_hls_max_mb: int = 512
    reject_linger_ms: int = 100
    max_publish_kbps: int = 0
    loop_stall_warn_ms: float = 100.0
    log_error_text: bool = False
    log_connection_close: bool = False
    log_idle_connection_close: bool = False


@dataclass(frozen=True, slots=True)
class Http2Config:
    """Limits of connections of HTTP/2; the fields bear the names of the flags that set them.

    Times in milliseconds, 0 for no limit. ``h2_max_resets`` are those of 10 s.
    """

    h2_max_concurrent_streams: int = 100
    h2_max_resets: int = 100
    http_header_timeout_ms: int = 10000
    http_keepalive_ms: int = 60000
    write_stall_timeout_ms: int = 10000


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """Settings of TLS on both sides; the fields bear the names of the flags that set them.

    ``certificate`` and ``private_key`` are paths of PEM files, as many of the one as of the
    other; the first pair is the default. Empty paths of upstreams: the system's CAs, no certificate of ours.
    """

    https: bool = False
    certificate: tuple[str, ...] = ("./cert.pem",)
    private_key: tuple[str, ...] = ("./key.pem",)
    force_ssl: bool = False
    strict_sni: bool = False
    ssl_handshake_timeout_ms: int = 5000
    max_pending_handshakes: int = 256
    upstream_tls_verify: bool = True
    upstream_ca_file: str = ""
    upstream_cert_file: str = ""
    upstream_key_file: str = ""
