"""All figures, declared layer by layer: docs/metrics.md is made of this (``python -m edge.facts.document``)."""

from __future__ import annotations

from collections.abc import Iterable

from edge.facts.merging import first, largest, smallest
from edge.facts.metrics import Declarations, Kind, Metric, distributions_together

#: Families of ours begin so; those of SRS and of Prometheus' own clients bear the names that dashboards know.
PREFIX = "edge_"

COUNTER, GAUGE, HISTOGRAM, INFO = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM, Kind.INFO
_PROTOCOL = ("proto",)
_UPSTREAM = ("upstream",)

#: What a session passes over: each is counted as ``<reason>_count`` (``edge/rtmp``, ``Noticed``).
TOLERATED = (
    *("abort_idle", "amf_command", "amf_data", "chunk_fresh_fmt1", "clock", "ctrl_misplaced"),
    *("data_as_command", "data_too_big", "media_no_stream", "media_short", "media_wrong_stream"),
    *("no_stream", "rtmp_c2_mismatch", "shared_object", "unexpected_may", "unexpected_reply", "unexpected_why"),
    *("unknown_command", "unknown_type", "user_control"),
)

_TOLERATED = [
    Metric(f"{reason}_count", COUNTER, "edge_tolerated", "What clients sent against the rules and went on after.")
    for reason in TOLERATED
]

_CONNECTIONS = [
    Metric("conn_accepted_count", COUNTER, "edge_connections_accepted", "Connections accepted."),
    Metric(
        "conn_rejected_count", COUNTER, "edge_connections_rejected", "Connections refused for want of room, or broken."
    ),
    Metric("conn_empty_count", COUNTER, "edge_connections_empty", "Connections closed without a byte, as probes do."),
    Metric("connection_count", GAUGE, "edge_connections_open", "Connections that are open, of all protocols."),
    Metric("max_connections", GAUGE, "edge_connections_max", "Connections that may be open at once."),
    Metric(
        "accept_paused",
        GAUGE,
        "edge_accept_paused",
        "1 while nothing is accepted, as descriptors have run out.",
        rule=largest,
    ),
    Metric(
        "connections_by_protocol",
        GAUGE,
        "edge_connections",
        "Open connections whose protocol is known, by what they speak and what they are for.",
        labels=("proto", "role"),
    ),
    Metric(
        "received_bytes_by_protocol",
        COUNTER,
        "edge_received_bytes",
        "Bytes read from connections.",
        "bytes",
        _PROTOCOL,
    ),
    Metric(
        "sent_bytes_by_protocol",
        COUNTER,
        "edge_sent_bytes",
        "Bytes that the kernel has taken for connections.",
        "bytes",
        _PROTOCOL,
    ),
    Metric(
        "error_*_count",
        COUNTER,
        "edge_errors",
        "Connections ended and requests refused, by the reason that the log names.",
        labels=("reason",),
    ),
    Metric(
        "refused_by_rules",
        COUNTER,
        "edge_refused",
        "Connections, plays and publishes that a rule about who may do what has refused.",
        labels=("action", "reason"),
    ),
    Metric(
        "auth_blocked_count",
        COUNTER,
        "edge_auth_blocked",
        "Addresses of which nothing was looked at for a minute, as too much of it was wrong.",
    ),
]

_STREAMS = [
    Metric("stream_count", GAUGE, "edge_streams", "Streams that are published, pulled or waited for.", rule=largest),
    Metric("publisher_count", GAUGE, "edge_publishers", "Clients that publish."),
    Metric("player_count", GAUGE, "edge_players", "Players of all streams, other nodes included."),
    Metric("shared_log_player_count", GAUGE, "edge_players_on_shared_log", "Players that are sent shared bytes."),
    Metric("player_jump_count", COUNTER, "edge_player_jumps", "Times that a player fell behind and left frames out."),
    Metric("player_dropped_count", COUNTER, "edge_player_dropped_frames", "Frames left out by that."),
    Metric("player_send_count", COUNTER, "edge_player_sends", "Calls of send to players."),
    Metric(
        "flush_interval_ms",
        GAUGE,
        "edge_flush_interval_seconds",
        "Time between two sends to a player, as the load demands.",
        "ms",
        rule=largest,
    ),
    Metric(
        "flush_call_us",
        GAUGE,
        "edge_flush_call_seconds",
        "CPU time that a send to a player takes, as measured lately.",
        "us",
        rule=largest,
    ),
]

_HTTP = [
    Metric("http_requests_count", COUNTER, "edge_http_requests", "Requests by HTTP."),
    Metric("http_forbidden_count", COUNTER, "edge_http_forbidden", "Requests for pages that the port does not show."),
]

_HLS = [
    Metric("hls_user_count", GAUGE, "edge_hls_users", "Viewers of HLS that have an id of their own."),
    Metric("hls_play_count", GAUGE, "edge_hls_plays", "Plays that viewers of HLS share who ask for the same."),
    Metric("hls_stream_count", GAUGE, "edge_hls_streams", "Streams of which segments are made.", rule=largest),
]

_QUALITY = [
    Metric("cmcd_session_count", GAUGE, "edge_viewer_sessions", "Viewers whose players report."),
    Metric("cmcd_report_count", COUNTER, "edge_viewer_reports", "Reports of players that were read."),
    Metric(
        "cmcd_*_rejected_count",
        COUNTER,
        "edge_viewer_reports_rejected",
        "Reports of players that were not taken, by reason.",
        labels=("reason",),
    ),
    Metric(
        "cmcd_forgotten_count",
        COUNTER,
        "edge_viewer_sessions_forgotten",
        "Viewers forgotten for others, as there were more than -cmcd_max_sessions.",
    ),
    Metric("viewer_session_count", COUNTER, "edge_viewer_sessions_seen", "Viewers whose players have reported."),
    Metric("viewer_stall_count", COUNTER, "edge_viewer_stalls", "Times that a viewer's player ran dry."),
    Metric("viewer_stall_ms", COUNTER, "edge_viewer_stall_seconds", "How long players had run dry.", "ms"),
    Metric(
        "viewer_dropped_count", COUNTER, "edge_viewer_dropped_frames", "Pictures that players did not show in time."
    ),
    Metric(
        "viewer_stalled_share",
        GAUGE,
        "edge_viewer_stalled_ratio",
        "Part of the viewers who report whose player has run dry in the last minute.",
        "ratio",
        rule=largest,
    ),
    Metric(
        "viewer_stall_alarm",
        GAUGE,
        "edge_viewer_stall_alarm",
        "1 while that is -viewer_stall_alarm_pct or more, of ten viewers at least.",
        rule=largest,
    ),
]

_STEERING = [
    Metric(
        "hls_late_share",
        GAUGE,
        "edge_hls_late_ratio",
        "Part of the media of HLS that goes out slower than it is played, by its duration, in the last 3 s.",
        "ratio",
        rule=largest,
    ),
    Metric(
        "hls_steer_share",
        GAUGE,
        "edge_hls_steer_share_ratio",
        "Part of its viewers that this node sends elsewhere; 1 while it drains.",
        "ratio",
        rule=largest,
    ),
    Metric(
        "hls_steered_away_count",
        COUNTER,
        "edge_hls_steered_away",
        "Answers that sent a viewer to another node, or kept it there.",
    ),
    Metric("hls_sibling_count", GAUGE, "edge_hls_siblings", "Other nodes that viewers may be sent to.", rule=largest),
    Metric("hls_sibling_up_count", GAUGE, "edge_hls_siblings_up", "Those of them that answer.", rule=largest),
]

_TLS = [
    Metric("tls_handshakes_count", COUNTER, "edge_tls_handshakes", "TLS handshakes completed."),
    Metric("tls_handshakes_pending", GAUGE, "edge_tls_handshakes_pending", "TLS handshakes in progress."),
    Metric(
        "ssl_cert_expires_in_s",
        GAUGE,
        "edge_certificate_expires_in_seconds",
        "Until the first of the certificates is no longer valid; negative once it is not.",
        "s",
        rule=smallest,
    ),
]

_UPSTREAMS = [
    Metric("pull_count", GAUGE, "edge_pulls", "Streams that are pulled."),
    Metric("push_count", GAUGE, "edge_pushes", "Streams that are pushed."),
    Metric("upstream_connection_count", GAUGE, "edge_upstream_connections", "Connections to upstreams."),
    Metric("upstream_connect_count", COUNTER, "edge_upstream_connects", "Connections made to upstreams."),
    Metric("upstream_attempt_count", COUNTER, "edge_upstream_attempts", "Attempts of pulls and pushes."),
    Metric("upstream_gave_up_count", COUNTER, "edge_upstream_gave_up", "Pulls and pushes given up."),
    Metric("upstream_move_count", COUNTER, "edge_upstream_moves", "Streams moved to another server."),
    Metric("ns_failed_count", COUNTER, "edge_naming_failed", "Questions to naming services without an answer."),
    Metric("ns_empty_count", COUNTER, "edge_naming_empty", "Empty answers of naming services."),
    Metric("ns_skipped_count", COUNTER, "edge_naming_skipped", "Servers left out, as their address was none."),
    Metric(
        "upstream_ok_count",
        COUNTER,
        "edge_upstream_ok",
        "Attempts that an upstream server took; what is beyond the bounded number of servers is upstream=other.",
        labels=_UPSTREAM,
    ),
    Metric(
        "upstream_failure_count",
        COUNTER,
        "edge_upstream_failures",
        "Attempts that failed at an upstream server.",
        labels=_UPSTREAM,
    ),
    Metric(
        "upstream_streams",
        GAUGE,
        "edge_upstream_streams",
        "Streams that run over an upstream server.",
        labels=_UPSTREAM,
    ),
    Metric(
        "upstream_servers",
        GAUGE,
        "edge_upstream_servers",
        "Upstream servers by state.",
        labels=("state",),
        rule=largest,
    ),
]

_FILES = [
    Metric("hls_disk_segment_count", COUNTER, "edge_hls_disk_segments", "Segments of HLS written as files."),
    Metric("hls_disk_dropped_count", COUNTER, "edge_hls_disk_dropped", "Segments not written, as the disk was slow."),
    Metric("hls_disk_queue_bytes", GAUGE, "edge_hls_disk_queue_bytes", "Bytes that wait for the disk.", "bytes"),
]

_TRACES = [
    Metric("otlp_sent_count", COUNTER, "edge_otlp_spans_sent", "Spans that a collector has taken."),
]

_HOOKS = [
    Metric(
        "hook_calls",
        COUNTER,
        "edge_hook_calls",
        "Calls of hooks by event, and what came of them: yes, no, or failed.",
        labels=("event", "result"),
    ),
    Metric("hook_calls_in_progress", GAUGE, "edge_hook_calls_in_progress", "Questions to hooks that are under way."),
    Metric(
        "hook_left_alone_count",
        GAUGE,
        "edge_hooks_left_alone",
        "URLs of hooks that are left alone, as they have not answered several times in a row.",
    ),
    Metric("hook_cached_count", COUNTER, "edge_hook_cached", "Questions answered by a yes that was given before."),
    Metric("hook_graced_count", COUNTER, "edge_hook_graced", "The same, as the hook did not answer."),
    Metric("hook_allowed_count", COUNTER, "edge_hook_allowed", "Clients let in without an answer."),
    Metric("hook_denied_count", COUNTER, "edge_hook_denied", "Clients refused for want of an answer."),
    Metric("hook_sessions", GAUGE, "edge_hook_sessions", "Plays and publishes that hooks know of."),
    Metric("hook_answers_kept", GAUGE, "edge_hook_answers_kept", "Answers that are remembered."),
    Metric("hook_events_waiting", GAUGE, "edge_hook_events_waiting", "Events that wait to be told to hooks."),
    Metric("hook_events_dropped_count", COUNTER, "edge_hook_events_dropped", "Events that were never told."),
]

_ASKING = [
    Metric(
        "upstream_asked_yes_count",
        COUNTER,
        "edge_upstream_asked_yes",
        "Questions about clients to which the upstream has said yes (-auth_upstream=ask).",
    ),
    Metric("upstream_asked_no_count", COUNTER, "edge_upstream_asked_no", "The same, and it has said no."),
    Metric("upstream_asked_failed_count", COUNTER, "edge_upstream_asked_failed", "The same, and it has not answered."),
    Metric(
        "upstream_asked_cached_count",
        COUNTER,
        "edge_upstream_asked_cached",
        "Clients let in by a yes that the upstream gave before.",
    ),
    Metric(
        "upstream_asked_graced_count",
        COUNTER,
        "edge_upstream_asked_graced",
        "The same, as the upstream did not answer.",
    ),
]

_OVERLOAD = [
    Metric(
        "overload_level",
        GAUGE,
        "edge_overload_level",
        "What is done against too much load: 0 nothing, 1 newcomers refused, 2 caches cut too, 3 players closed too.",
        rule=largest,
    ),
    Metric("overload_refused_count", COUNTER, "edge_overload_refused", "Newcomers refused for that."),
    Metric("overload_closed_count", COUNTER, "edge_overload_closed", "Players closed for that."),
    Metric(
        "memory_limit_bytes",
        GAUGE,
        "edge_memory_limit_bytes",
        "Memory that the process is to stay below; 0 for none.",
        "bytes",
    ),
]

_LOOP = [
    Metric("loop_lag_ms", GAUGE, "edge_loop_lag_seconds", "How late the event loop was last.", "ms", rule=largest),
    Metric(
        "loop_lag_max_ms",
        GAUGE,
        "edge_loop_lag_max_seconds",
        "How late the event loop was at worst since the start.",
        "ms",
        rule=largest,
    ),
    Metric(
        "loop_turn_cpu_max_ms",
        GAUGE,
        "edge_loop_turn_cpu_max_seconds",
        "The longest that a turn of the loop kept others waiting by its own work.",
        "ms",
        rule=largest,
    ),
    Metric("log_dropped_count", COUNTER, "edge_log_dropped", "Lines of the log left out, as its reader was too slow."),
    Metric("task_count", GAUGE, "edge_tasks", "Tasks of the node that run."),
    Metric(
        "load_ratio",
        GAUGE,
        "edge_load_ratio",
        "For autoscalers: the largest of the loop's share of a CPU, open of possible connections, lag of a second, "
        "and memory of its limit.",
        "ratio",
        rule=largest,
    ),
]

_DELAYS = [
    Metric(name, HISTOGRAM, family, text, "ms", labels, distributions_together)
    for name, family, text, labels in (
        (
            "first_frame_ms",
            "edge_first_frame_seconds",
            "From a viewer's request to play to its first bytes of media.",
            (),
        ),
        (
            "viewer_start_ms",
            "edge_viewer_start_seconds",
            "From the press of play to the first picture, by players.",
            (),
        ),
        ("flush_lag_ms", "edge_flush_lag_seconds", "From a frame's arrival to its having been sent to players.", ()),
        (
            "upstream_connect_ms",
            "edge_upstream_connect_seconds",
            "From the beginning of an attempt to the upstream's yes.",
            (),
        ),
        ("hook_call_ms", "edge_hook_call_seconds", "How long calls of hooks took, until an answer or without one.", ()),
        ("ingest_delay_ms", "edge_ingest_delay_seconds", "How late frames came to the first node.", ()),
        ("hop_delay_ms", "edge_hop_delay_seconds", "What each hop between nodes took, the first is 1.", ("hop",)),
        ("node_delay_ms", "edge_node_delay_seconds", "From the first node to this one.", ()),
    )
]

_PROCESS = [
    Metric("process_cpu_s", COUNTER, "process_cpu_seconds", "CPU time, user and system.", "s"),
    Metric("process_resident_bytes", GAUGE, "process_resident_memory_bytes", "Resident memory.", "bytes"),
    Metric("process_virtual_bytes", GAUGE, "process_virtual_memory_bytes", "Virtual memory.", "bytes"),
    Metric("process_fd_count", GAUGE, "process_open_fds", "Open file descriptors."),
    Metric("process_fd_max", GAUGE, "process_max_fds", "File descriptors that may be open."),
    Metric(
        "process_started_s",
        GAUGE,
        "process_start_time_seconds",
        "When the process started, in seconds since 1970.",
        "s",
        rule=smallest,
    ),
    Metric("build", INFO, "edge_build", "Version of the program.", labels=("version", "python", "role"), rule=first),
]

_SRS = [
    Metric("srs_streams", GAUGE, "srs_streams", "As SRS names edge_streams.", rule=largest),
    Metric("srs_clients", GAUGE, "srs_clients", "As SRS names edge_connections_open."),
    Metric("srs_clients_errs", COUNTER, "srs_clients_errs", "As SRS names the sum of edge_errors_total."),
    Metric("srs_send_bytes", COUNTER, "srs_send_bytes", "As SRS names the sum of edge_sent_bytes_total.", "bytes"),
    Metric(
        "srs_receive_bytes", COUNTER, "srs_receive_bytes", "As SRS names the sum of edge_received_bytes_total.", "bytes"
    ),
]

_EXPOSITION = [
    Metric(
        "metrics_left_out",
        GAUGE,
        "edge_metrics_left_out",
        "Series that are not shown, as there would be more than 5,000.",
    ),
]

TABLES: dict[str, Iterable[Metric]] = {
    "Connections": _CONNECTIONS,
    "Sessions": _TOLERATED,
    "Streams and players": _STREAMS,
    "HTTP": _HTTP,
    "HLS": _HLS,
    "Quality of experience": _QUALITY,
    "Content steering": _STEERING,
    "TLS": _TLS,
    "Upstreams": _UPSTREAMS,
    "HLS as files": _FILES,
    "Traces": _TRACES,
    "Event loop": _LOOP,
    "HTTP callbacks": _HOOKS,
    "Upstreams that are asked about clients": _ASKING,
    "Overload": _OVERLOAD,
    "Delays": _DELAYS,
    "Process": _PROCESS,
    "Names of SRS": _SRS,
    "This page itself": _EXPOSITION,
}
METRICS = Declarations(metric for table in TABLES.values() for metric in table)
