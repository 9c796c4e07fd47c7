"""Settings of the HTTP side; frozen, given by the caller."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """Times in milliseconds, sizes in bytes. The fields bear the names of the flags that set them."""

    http_header_timeout_ms: int = 10000
    http_max_header_bytes: int = 32768
    http_max_body_bytes: int = 1048576
    max_body_size: int = 67108864
    http_body_compress_threshold: int = 512
    http_keepalive_ms: int = 60000
    http_max_requests: int = 10000
    write_stall_timeout_ms: int = 10000
    http_preload: bool = False
    http_flv: bool = True
    http_ts: bool = True
    cdn_probe_file: str = "baidu-cdn-probe.gif"
    http_flv_missing: str = "wait"
    ts_pcr_lead_ms: int = 700
    pull_nodata_timeout_ms: int = 10000
    is_internal_port_set: bool = False
    version: str = ""
    hostname: str = ""
    admin_allowed_hosts: tuple[str, ...] = ()
