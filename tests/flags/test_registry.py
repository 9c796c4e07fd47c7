"""What is known about each flag."""

from __future__ import annotations

import pytest
from absl import flags as absl_flags

from edge.flags import all as all_flags
from edge.flags import registry
from edge.flags.not_acted_on import NOT_ACTED_ON

# Names, types and defaults of the reference server (its own flags), where no decision of ours says otherwise.
REFERENCE = {
    "port": ("int32", 8079),
    "internal_port": ("int32", -1),
    "proxy_to": ("string", ""),
    "proxy_lb": ("string", ""),
    "share_play_connection": ("bool", True),
    "share_publish_connection": ("bool", True),
    "cdn_merge_to": ("string", ""),
    "cdn_merge_lb": ("string", ""),
    "cdn_probe_file": ("string", "baidu-cdn-probe.gif"),
    "server_idle_timeout": ("int32", -1),
    "https": ("bool", False),
    "certificate": ("string", "./cert.pem"),
    "private_key": ("string", "./key.pem"),
    "timeout_ms": ("int32", 1000),
    "connect_timeout_ms": ("int32", -1),
    "fast_retry_count": ("int32", 2),
    "retry_interval_ms": ("int32", 1000),
    "max_retry_duration_ms": ("int32", -1),  # 10000 there; ours goes on until the clients leave
    "unified_play_connections": ("bool", False),
    "simplified_rtmp_play": ("bool", False),
    "keep_pulling_seconds": ("int32", 0),
    "disable_server_duration": ("int64", 5),
    "default_vhost": ("string", "_"),
    "default_app": ("string", "bdms_default_app"),
    "reject_second_stream_when_republish": ("bool", False),
    "stop_kickedoff_publisher": ("bool", False),
    "original_timestamp_domains": ("string", ""),
    "keep_duration_domains": ("string", ""),
    "timestamp_offset": ("int32", 0),
    "min_buffering_ms": ("int32", 0),
    "max_cached_keyframes": ("int32", 1),
    "max_cached_frames": ("int32", 32768),
    "min_cached_frames_without_keyframes": ("int32", 128),
    "max_jitter_ms": ("int32", 5000),
    "frame_interval_ms": ("int32", 40),
    "ts_duration_ms": ("int64", 1042),
    "ts_max_stored": ("int64", 32),
    "ts_pre_generated": ("int64", 3),
    "get_media_playlist_times": ("int64", 20),
    "use_host_in_m3u8": ("bool", True),
    "show_streams_in_vars": ("bool", False),
    "dump_stats_interval": ("int32", -1),
    "log_stats": ("bool", False),
}
# Inherited ones of which only the default is fixed.
INHERITED = {
    "log_hostname": False,
    "v": 0,
    "vmodule": "",
    "minloglevel": 0,
    "rtmp_server_chunk_size": 60000,
    "rtmp_server_window_ack_size": 2500000,
    "rtmp_client_use_simple_handshake": True,
    "rtmp_server_close_connection_on_error": True,
    "user_defined_data_message": "",
    "socket_max_unwritten_bytes": 67108864,
    "defer_close_second": 10,
    "health_check_interval": 3,
    "ns_access_interval": 5,
    "chash_num_replicas": 100,
    "log_error_text": False,
    "log_idle_connection_close": False,
    "log_connection_close": False,
    "http_body_compress_threshold": 512,
    "immutable_flags": False,
    "max_body_size": 67108864,
    "socket_send_buffer_size": -1,
}
# Limits of what a peer may send or hold.
LIMITS = {
    "accept_per_turn": 64,
    "reserved_fds": 64,
    "max_connections_per_ip": 0,
    "max_pending_handshakes": 256,
    "protocol_detect_timeout_ms": 5000,
    "rtmp_setup_timeout_ms": 20000,
    "min_in_chunk_size": 128,
    "message_timeout_ms": 30000,
    "max_partial_bytes": 16777216,
    "max_command_bytes": 65536,
    "amf_max_values": 4096,
    "max_unknown_messages": 20,
    "parse_budget_us": 5000,
    "max_message_streams": 4096,
    "max_name_bytes": 512,
    "max_url_bytes": 4096,
    "republish_min_interval_ms": 1000,
    "max_metadata_per_s": 10,
    "max_publish_kbps": 0,
    "max_player_buffer_bytes": 4194304,
    "slow_player_max_jumps": 0,
    "write_stall_timeout_ms": 10000,
    "http_header_timeout_ms": 10000,
    "http_max_header_bytes": 32768,
    "http_max_body_bytes": 1048576,
    "http_keepalive_ms": 60000,
    "http_max_requests": 10000,
    "hls_max_users": 100000,
    "hls_segment_wait_ms": 10000,
    "hls_playlist_wait_ms": 3000,
    "hls_max_segment_bytes": 52428800,
    "h2_max_concurrent_streams": 100,
    "h2_max_resets": 100,
    "grpc_max_message_bytes": 4194304,
    "grpc_default_timeout_ms": 30000,
    "dns_timeout_ms": 5000,
    "ns_fetch_timeout_ms": 5000,
    "ns_max_body_bytes": 1048576,
    "ns_max_servers": 1024,
    "ns_ignore_empty_list": True,
    "first_data_timeout_ms": 3000,
    "upstream_stall_timeout_ms": 5000,
    "max_connects_per_s": 50,
    "upstream_tls_verify": True,
    "max_memory_mb": 0,
    "overload_lag_ms": 200,
    "log_queue_lines": 10000,
    "admin_allowed_hosts": (),
    "max_message_bytes": 10485760,
    "max_in_chunk_size": 16777215,
    "max_chunk_streams": 1024,
    "max_connections": 0,
    "tcp_user_timeout_ms": 35000,
    "send_timeout_ms": 30000,
}


def test_the_flags_of_the_reference_keep_name_type_and_default() -> None:
    ours = {name: (registry.DEFINITIONS[name].kind, registry.DEFINITIONS[name].default) for name in REFERENCE}
    assert ours == REFERENCE


@pytest.mark.parametrize("table", [INHERITED, LIMITS])
def test_inherited_flags_and_limits_have_their_defaults(table: dict[str, object]) -> None:
    assert {name: registry.DEFINITIONS[name].default for name in table} == table


def test_every_flag_has_help_that_names_its_class() -> None:
    assert all_flags.AREAS
    for definition in registry.DEFINITIONS.values():
        assert len(definition.help) > 10, definition.name
        assert definition.help.endswith("."), definition.name
        assert definition.reload.note in definition.full_help, definition.name


def test_a_unit_in_the_name_is_the_unit_of_the_flag() -> None:
    units = {"_ms": "ms", "_bytes": "bytes", "_us": "us", "_s": "s", "_pct": "%", "_kbps": "kbit/s"}
    for definition in registry.DEFINITIONS.values():
        for suffix, unit in units.items():
            if definition.name.endswith(suffix) and not definition.name.endswith("_per_s"):
                assert definition.unit == unit, definition.name


def test_absl_brings_no_flag_of_its_own() -> None:
    """Such as -run_with_pdb, which a daemon must not have."""
    assert set(registry.new_flags()) == set(registry.DEFINITIONS)


def test_value_sets_are_independent() -> None:
    first, second = registry.new_flags(), registry.new_flags()
    first["port"].parse("1935")
    assert (registry.value_of(first, "port"), registry.value_of(second, "port")) == (1935, 8079)


def test_a_set_can_be_dumped_as_a_flagfile() -> None:
    flags = registry.new_flags()
    flags["listen"].parse("1935,1936")
    text = flags.flags_into_string()
    assert "--listen=1935,1936\n" in text
    assert "--nohttps\n" in text


def test_defining_twice_and_bad_defaults_are_our_faults() -> None:
    with pytest.raises(ValueError, match="defined twice"):
        registry.define_int32("port", 1, "Again.", topic="server")
    with pytest.raises(ValueError, match="unknown topic"):
        registry.define_bool("something_new", True, "New.", topic="nowhere")
    with pytest.raises(ValueError, match="out of range"):
        registry.define_uint64("something_new", -1, "New.", topic="server")
    with pytest.raises(ValueError, match="every start would warn"):
        registry.define_int32("something_new", 0, "New.", topic="server", is_zero_off=True)
    assert "something_new" not in registry.DEFINITIONS


def test_misspelt_options_are_our_faults() -> None:
    with pytest.raises(TypeError, match="is_reloadabel"):
        registry.define_bool("something_new", True, "New.", topic="server", is_reloadabel=True)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="lower"):
        registry.define_string("something_new", "", "New.", topic="server", lower=1)  # type: ignore[call-arg]
    assert "something_new" not in registry.DEFINITIONS


def test_range_texts() -> None:
    assert registry.DEFINITIONS["port"].range_text == "0 to 65535"
    assert registry.DEFINITIONS["timeout_ms"].range_text == "1 or more"
    assert registry.DEFINITIONS["timestamp_offset"].range_text == ""
    assert registry.DEFINITIONS["completion"].range_text == "|bash|zsh"


def test_help_says_where_0_switches_off() -> None:
    assert "0 switches it off" in registry.DEFINITIONS["send_timeout_ms"].full_help
    assert "0 switches it off" not in registry.DEFINITIONS["publish_ping_timeout_ms"].full_help


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (False, "false"), ((1, 2), "1,2"), (5, "5"), ("", ""), (1.5, "1.5")]
)
def test_values_are_formatted_as_typed(value: object, text: str) -> None:
    assert registry.format_value(value) == text


def test_bad_values_raise_the_error_of_absl() -> None:
    with pytest.raises(absl_flags.IllegalFlagValueError, match="out of range"):
        registry.new_flags()["port"].parse("70000")


def test_every_topic_has_flags() -> None:
    assert {definition.topic for definition in registry.DEFINITIONS.values()} == set(registry.TOPICS)
    assert set(registry.DEFINITIONS) >= NOT_ACTED_ON
