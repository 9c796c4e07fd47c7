"""Settings of pulls and pushes; frozen, given by the caller."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UpstreamConfig:
    """Times in milliseconds unless the name says otherwise.

    The fields bear the names of the flags that set them.
    """

    proxy_to: str = ""
    proxy_lb: str = ""
    proxy_vhost: str = ""
    cdn_merge_to: str = ""
    cdn_merge_lb: str = ""
    cdn_merge_port: int = -1
    upstream_tls: bool = False
    share_play_connection: bool = True
    share_publish_connection: bool = True
    unified_play_connections: bool = False
    simplified_rtmp_play: bool = False
    timeout_ms: int = 1000
    connect_timeout_ms: int = -1
    fast_retry_count: int = 2
    max_search_servers: int = 32
    max_pull_queries: int = 8
    retry_interval_ms: int = 1000
    restart_retry_ms: int = 100
    max_retry_duration_ms: int = -1
    pull_wait_for_stream: bool = True
    pull_nodata_timeout_ms: int = 10000
    publisher_return_ms: int = 10000
    first_data_timeout_ms: int = 3000
    upstream_stall_timeout_ms: int = 5000
    disable_server_duration: int = 5
    health_check_interval: int = 3
    health_check_timeout_ms: int = 500
    slow_start_ms: int = 10000
    rebalance_after_ms: int = 30000
    max_connects_per_s: int = 50
    max_pulls: int = 10000
    max_redirects: int = 3
    max_forward_hops: int = 4
    chash_num_replicas: int = 100

    @property
    def effective_connect_timeout_ms(self) -> int:
        """TCP connect timeout: a third of ``timeout_ms`` unless set above 0."""
        return self.connect_timeout_ms if self.connect_timeout_ms > 0 else self.timeout_ms // 3
