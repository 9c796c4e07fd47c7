"""Limits and settings of the RTMP sessions; frozen, given by the caller."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RtmpConfig:
    """What a session may assume, accept and announce.

    Times in milliseconds, sizes in bytes. A time of 0 switches that limit off.
    The fields bear the names of the flags that set them.
    """

    rtmp_server_chunk_size: int = 60000
    rtmp_server_window_ack_size: int = 2500000
    rtmp_server_close_connection_on_error: bool = True
    rtmp_client_use_simple_handshake: bool = True
    rtmp_send_data_start: bool = False
    user_defined_data_message: str = ""
    handshake_timeout_ms: int = 5000
    rtmp_setup_timeout_ms: int = 20000
    message_timeout_ms: int = 30000
    min_in_chunk_size: int = 128
    max_in_chunk_size: int = 16777215
    max_message_bytes: int = 10485760
    max_partial_bytes: int = 16777216
    max_command_bytes: int = 65536
    max_data_bytes: int = 262144
    max_chunk_streams: int = 1024
    max_unknown_messages: int = 20
    max_message_streams: int = 4096
    max_name_bytes: int = 512
    max_url_bytes: int = 4096
    max_forward_hops: int = 4
    amf_max_depth: int = 128
    amf_max_string_size: int = 67108864
    amf_max_array_size: int = 65536
    amf_max_values: int = 4096
