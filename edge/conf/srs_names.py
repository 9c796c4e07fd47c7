"""Every directive of SRS 0.5 to 7, what it takes, and which of our flags it sets: a table.

Where a flag that a row names is not in the registry, its row's effect says what that does to the operator: the server
does *less* than the file says, which is a warning, or it would admit, expose or lose *more*, which is an error. So a
row works from the day on which its flag exists. A directive of ours is the plain name of a flag and has no row.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

#: Names of SRS that are no flags of ours although a flag bears them.
SRS_MEANING = frozenset({"listen", "log_dir"})


class Takes(Enum):
    """What stands behind a name."""

    SWITCH = "on, off"
    INTEGER = "integer"
    NUMBER = "number"
    WORD = "text"
    WORDS = "list"
    BLOCK = "block"


class Effect(Enum):
    """What it means that a directive does nothing here."""

    #: Nothing to anybody: the setting has no counterpart, or what it switches on is always on.
    NOTED = "noted"
    #: It is about processes and hosts.
    HOST = "host"
    #: The server does less than the file says.
    LESS = "less"
    #: It would admit, expose or lose more.
    MORE = "more"


@dataclass(frozen=True, slots=True)
class Name:
    """One directive.

    Attributes:
        path: with the sections that it stands in, such as ``play/queue_length``; without ``vhost``.
        flag: of ours that it sets, "" for none.
        effect: where that flag does not exist.
        says: what is then so, for people.
        harmless: values that need no flag, since they ask for what is so anyway.
        default: ``on`` or ``off``, of a switch, and of the ``enabled`` of a block that has one.
        needs: a value that the flag must know for the directive to be offered.
        how: of what is more than a value for a flag, the name of its handler in ``edge.conf.special``.
        is_list: several of it are meant, not the first alone.
        is_opaque: a block whose inside is not looked at.
        is_secret: its value is shown nowhere.
    """

    path: str
    takes: Takes
    flag: str = ""
    effect: Effect = Effect.NOTED
    says: str = ""
    harmless: tuple[str, ...] = ()
    default: str = ""
    how: str = ""
    needs: str = ""
    is_list: bool = False
    is_opaque: bool = False
    is_secret: bool = False

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


SWITCH, INTEGER, NUMBER, WORD, WORDS, BLOCK = Takes
NOTED, HOST, LESS, MORE = Effect
_ENABLED = "enabled"


def _block(path: str, *names: Name, **more: object) -> tuple[Name, ...]:
    """A section with what stands in it."""
    head = Name(path, BLOCK, **more)  # type: ignore[arg-type]
    inside = [Name(f"{path}/{_ENABLED}", SWITCH, default=head.default)] if head.default else []
    inside += [_below(path, each) for each in names]
    return head, *inside


def _below(path: str, name: Name) -> Name:
    values = {field: getattr(name, field) for field in Name.__dataclass_fields__}
    return Name(**{**values, "path": f"{path}/{name.path}"})


def _noted(names: str, takes: Takes = WORDS, effect: Effect = NOTED) -> tuple[Name, ...]:
    return tuple(Name(each, takes, effect=effect, is_list=True) for each in names.split())


_TLS = _block(
    "https",
    Name("listen", WORDS, how="port"),
    Name("key", WORD, "private_key"),
    Name("cert", WORD, "certificate"),
    default="off",
    how="tls",
)
_HTTP_SERVER = (
    Name("listen", WORDS, how="port"),
    Name("dir", WORD, "http_dir", LESS, "files of a folder are not served"),
    *_noted("crossdomain"),
    *_TLS,
)

ROOT: tuple[Name, ...] = (
    Name("listen", WORDS, "port", how="listen"),
    *_block("rtmp", Name("listen", WORDS, how="listen"), Name("chunk_size", INTEGER, "rtmp_server_chunk_size")),
    *_block(
        "rtmps",
        Name("listen", WORDS, how="port"),
        Name("key", WORD, "private_key"),
        Name("cert", WORD, "certificate"),
        default="off",
        how="tls",
    ),
    Name("chunk_size", INTEGER, "rtmp_server_chunk_size"),
    Name("max_connections", INTEGER, "max_connections"),
    Name("pid", WORD, "pid_file"),
    Name("utc_time", SWITCH, "log_utc_time", default="off"),
    *_noted("daemon work_dir asprocess empty_ip_ok auto_reload_for_docker", effect=HOST),
    *_noted("disable_daemon_for_docker in_docker tcmalloc_release_rate server_id", effect=HOST),
    *_noted("query_latest_version first_wait_for_qlv log_dir ff_log_dir ff_log_level", effect=HOST),
    *_block("threads", effect=HOST, is_opaque=True),
    *_block("stats", *_noted("network disk"), effect=HOST),
    Name("srs_log_tank", WORD, "log_dir", how="log"),
    Name("srs_log_file", WORD, "log_dir", how="log"),
    Name("srs_log_level", WORD, "v", how="log"),
    Name("srs_log_level_v2", WORD, "v", how="log"),
    *_block(
        "pithy_print",
        *(Name(each, INTEGER, "pithy_print_stage", how="stage") for each in ("publish", "play", "hls")),
        *(Name(each, INTEGER, "pithy_print_stage", how="stage") for each in ("forwarder", "edge")),
        *_noted("encoder ingester"),
    ),
    Name("pithy_print_ms", INTEGER, "pithy_print_ms"),
    Name("grace_start_wait", INTEGER, "grace_start_wait_ms"),
    Name("grace_final_wait", INTEGER, "grace_final_wait_ms"),
    Name("force_grace_quit", SWITCH, "graceful_quit_on_sigterm", default="off"),
    Name("inotify_auto_reload", SWITCH, "config_watch", LESS, "files are read again on SIGHUP", ("off",), "off"),
    *_block(
        "http_api",
        *_noted("listen crossdomain"),
        *_block(
            "raw_api",
            *_noted("allow_reload allow_query allow_update"),
            default="off",
            effect=LESS,
            flag="http_api_raw",
            says="orders are given by pages and gRPC",
        ),
        *_block(
            "auth",
            Name("username", WORD),
            Name("password", WORD, is_secret=True),
            default="off",
            effect=MORE,
            flag="http_api_auth",
            says="pages are not behind a password; keep them on -internal_port",
        ),
        *_block("https", *_noted("listen key cert"), default="off", effect=LESS, flag="http_api"),
        default="off",
        effect=LESS,
        flag="http_api",
        says="it has no port of its own: pages answer on -port, or on -internal_port",
    ),
    *_block("http_server", *_HTTP_SERVER, default="off"),
    *_block("http_stream", *_HTTP_SERVER, default="off"),
    *_block(
        "heartbeat",
        *_noted("interval url device_id summaries ports"),
        default="off",
        effect=LESS,
        flag="heartbeat_url",
        says="no registry is told of this server",
    ),
    *_block(
        "exporter",
        *_noted("listen label tag"),
        default="off",
        effect=LESS,
        flag="exporter",
        says="it has no port of its own: /metrics answers where pages do",
    ),
    *_block(
        "circuit_breaker",
        *_noted("high_threshold high_pulse critical_threshold critical_pulse dying_threshold dying_pulse"),
        default="on",
        flag="circuit_breaker",
        how="switch",
    ),
    Name("is_full", SWITCH, "", MORE, "this file is an example of all directives, never to be run", ("off",), "off"),
    *_block("rtc_server", default="off", effect=LESS, is_opaque=True, says="WebRTC clients will not connect"),
    *_block("srt_server", default="off", effect=LESS, is_opaque=True, says="SRT clients will not connect"),
    *_block("rtsp_server", default="off", effect=LESS, is_opaque=True, says="RTSP clients will not connect"),
    *_block(
        "stream_caster",
        default="off",
        effect=LESS,
        is_opaque=True,
        is_list=True,
        says="nothing is taken in by other protocols than RTMP",
    ),
    *_block("tencentcloud_cls", default="off", effect=LESS, is_opaque=True, says="no logs are sent there"),
    *_block("tencentcloud_apm", default="off", effect=LESS, is_opaque=True, says="no traces are sent there"),
    *_block("kafka", default="off", effect=LESS, is_opaque=True, says="no events are sent there"),
)

#: What may stand in ``play``, and stood in the vhost itself up to SRS 2.
_PLAY: tuple[Name, ...] = (
    Name("gop_cache", SWITCH, "gop_cache", LESS, "players begin at a keyframe that was kept", ("on",), "on"),
    Name("gop_cache_max_frames", INTEGER, "max_cached_frames", how="no_limit"),
    Name("queue_length", INTEGER, "queue_length_s"),
    Name("time_jitter", WORD, "time_jitter", LESS, "timestamps of players are corrected as by full", ("full",)),
    Name("mix_correct", SWITCH, "mix_correct", default="off"),
    Name("atc", SWITCH, "time_jitter", LESS, "timestamps of players are corrected as by full", ("off",), "off", "atc"),
    Name("mw_latency", INTEGER, "flush_interval_ms"),
    Name("reduce_sequence_header", SWITCH, says="a header that is the same again is never sent", default="off"),
    *_noted("atc_auto mw_msgs send_min_interval"),
)
_REMOTE = "an origin that redirects to where a stream is; a hashing -proxy_lb, such as c_murmurhash, does it"
#: What may stand in ``cluster``; the first stood in the vhost itself up to SRS 2.
_OLD_CLUSTER: tuple[Name, ...] = (
    Name("mode", WORD, "proxy_to", how="cluster"),
    Name("origin", WORDS, "proxy_to", how="cluster", is_list=True),
    Name(
        "token_traverse",
        SWITCH,
        "auth_upstream",
        MORE,
        "the origin is not asked who may connect",
        ("off",),
        "off",
        "ask",
        needs="ask",
    ),
    Name("vhost", WORD, "proxy_vhost", LESS, "origins are asked for the vhost of the client", ("[vhost]",)),
    *_noted("debug_srs_upnode"),
)
_CLUSTER: tuple[Name, ...] = (
    *_OLD_CLUSTER,
    Name("protocol", WORD, "", LESS, "origins are asked by RTMP", ("rtmp",)),
    Name("follow_client", SWITCH, "", LESS, "origins are asked by RTMP", ("off",), "off"),
    Name("origin_cluster", SWITCH, "", LESS, _REMOTE, ("off",), "off"),
    *_noted("coworkers"),
)
_KEYS_SAY = "segments would not be encrypted"
#: What may stand in ``hls``, and stood in the vhost itself up to SRS 0.8.
_HLS: tuple[Name, ...] = (
    Name("hls_path", WORD, "hls_path"),
    Name("hls_m3u8_file", WORD, "hls_m3u8_file"),
    Name("hls_ts_file", WORD, "hls_ts_file"),
    Name("hls_fragment", NUMBER, "hls_fragment_s"),
    Name("hls_window", NUMBER, "hls_window_s"),
    Name("hls_td_ratio", NUMBER, "hls_td_ratio"),
    Name("hls_aof_ratio", NUMBER, "hls_aof_ratio"),
    Name("hls_wait_keyframe", SWITCH, "hls_wait_keyframe", default="on"),
    Name("hls_cleanup", SWITCH, "hls_cleanup", default="on"),
    Name("hls_dispose", INTEGER, "hls_dispose_s"),
    Name("hls_on_error", WORD, "hls_on_error"),
    Name("hls_entry_prefix", WORD, "hls_entry_prefix"),
    Name("hls_ctx", SWITCH, "hls_user_session", default="on"),
    Name("hls_keys", SWITCH, "hls_keys", MORE, _KEYS_SAY, ("off",), "off"),
    Name("hls_use_fmp4", SWITCH, "hls_use_fmp4", default="off"),
    Name("hls_fmp4_file", WORD, "hls_fmp4_file"),
    Name("hls_init_file", WORD, "hls_init_file"),
    *_noted("hls_ts_ctx hls_ts_floor hls_dts_directly hls_acodec hls_vcodec hls_nb_notify hls_storage hls_mount"),
    *_noted("hls_fragments_per_key hls_key_file hls_key_file_path hls_key_url hls_recover"),
)
_EVENTS = ("connect", "close", "publish", "unpublish", "play", "stop", "dvr", "hls", "hls_notify")
_REFER_SAYS = "players and publishers of all pages would be let in"
_SECURITY_SAYS = "clients of all addresses would be let in"


VHOST: tuple[Name, ...] = (
    Name(_ENABLED, SWITCH, default="on", how="vhost"),
    Name("chunk_size", INTEGER, "rtmp_server_chunk_size"),
    Name("min_latency", SWITCH, "flush_interval_ms", default="off", how="min_latency"),
    Name("out_ack_size", INTEGER, "rtmp_server_window_ack_size"),
    *_noted("tcp_nodelay in_ack_size hstrs"),
    *_block("play", *_PLAY),
    *_PLAY,
    *_block(
        "publish",
        Name("firstpkt_timeout", INTEGER, "publish_firstpkt_timeout_ms"),
        Name("normal_timeout", INTEGER, "publish_normal_timeout_ms"),
        Name(
            *("kickoff_for_idle", NUMBER, "publish_kickoff_for_idle_s", LESS),
            *("publishers without players stay", ("0",)),
        ),
        Name("mr", SWITCH, "ingest_tick_ms", default="off", how="mr"),
        Name("mr_latency", INTEGER, "ingest_tick_ms", how="mr"),
        *_noted("parse_sps try_annexb_first"),
    ),
    Name("publish_1stpkt_timeout", INTEGER, "publish_firstpkt_timeout_ms"),
    Name("publish_normal_timeout", INTEGER, "publish_normal_timeout_ms"),
    *_block("mr", Name("latency", INTEGER, "ingest_tick_ms", how="mr"), default="off", how="mr"),
    *_block("cluster", *_CLUSTER),
    *_OLD_CLUSTER,
    *_block("hls", *_HLS, default="off", how="hls"),
    Name("hls", SWITCH, "hls", default="off", how="hls"),
    *_HLS,
    *_block(
        "refer",
        *(Name(each, WORDS, f"refer_{each}", MORE, _REFER_SAYS, is_list=True) for each in ("all", "publish", "play")),
        default="off",
    ),
    Name("refer", WORDS, "refer_all", MORE, _REFER_SAYS, is_list=True),
    Name("refer_publish", WORDS, "refer_publish", MORE, _REFER_SAYS, is_list=True),
    Name("refer_play", WORDS, "refer_play", MORE, _REFER_SAYS, is_list=True),
    *_block(
        "security",
        *(
            Name(each, WORDS, "publish_allow", MORE, _SECURITY_SAYS, how="security", is_list=True)
            for each in ("allow", "deny")
        ),
        default="off",
        flag="publish_deny",
        effect=MORE,
        says=_SECURITY_SAYS,
        how="security",
    ),
    *_block(
        "http_hooks",
        *(
            Name(f"on_{each}", WORDS, f"hooks_on_{each}", MORE, "nobody would be asked or told", is_list=True)
            for each in _EVENTS
        ),
        default="off",
    ),
    *_block(
        "forward",
        Name("destination", WORDS, "forward_to", LESS, is_list=True),
        Name("backend", WORDS, "forward_backend", LESS, is_list=True),
        default="off",
        effect=LESS,
        flag="forward_to",
        says="streams are sent nowhere else",
    ),
    Name("forward", WORDS, "forward_to", LESS, "streams are sent nowhere else", is_list=True),
    *_block(
        "transcode",
        default="off",
        effect=LESS,
        flag="transcode",
        is_opaque=True,
        is_list=True,
        says="streams are passed on as they are",
    ),
    *_block(
        "ingest", default="off", effect=LESS, flag="ingest", is_opaque=True, is_list=True, says="nothing is fetched"
    ),
    *_block(
        "exec", default="off", effect=LESS, flag="exec", is_opaque=True, is_list=True, says="no program is started"
    ),
    *_block(
        "dvr",
        *_noted("dvr_apply dvr_path dvr_plan dvr_duration dvr_wait_keyframe time_jitter"),
        default="off",
        effect=MORE,
        flag="dvr",
        says="streams would not be recorded",
    ),
    *_block(
        "http_remux",
        Name("mount", WORD, how="mount", effect=LESS),
        *(
            Name(each, SWITCH, "", LESS, "players by HTTP get all that is published", ("on",), "on")
            for each in ("has_audio", "has_video")
        ),
        *_noted("hstrs fast_cache guess_has_av drop_if_not_match"),
        default="off",
        how="remux",
    ),
    *_block(
        "http_static",
        *_noted("mount dir"),
        default="off",
        effect=LESS,
        flag="http_static",
        says="files of a folder are not served",
    ),
    *_block(
        "http",
        *_noted("mount dir"),
        default="off",
        effect=LESS,
        flag="http_static",
        says="files of a folder are not served",
    ),
    *_block(
        "bandcheck",
        *_noted("interval limit_kbps"),
        Name("key", WORD, is_secret=True),
        default="off",
        effect=LESS,
        flag="bandcheck",
        says="clients cannot measure their bandwidth",
    ),
    *_block("dash", default="off", effect=LESS, is_opaque=True, says="DASH is not served"),
    *_block("hds", default="off", effect=LESS, is_opaque=True, says="HDS is not served"),
    *_block("rtc", default="off", effect=LESS, is_opaque=True, says="WebRTC clients will not connect"),
    *_block("srt", default="off", effect=LESS, is_opaque=True, says="SRT clients will not connect"),
    *_block("rtsp", default="off", effect=LESS, is_opaque=True, says="RTSP clients will not connect"),
    *_block("nack", is_opaque=True),
    *_block("twcc", is_opaque=True),
)

#: Words that a value may be, where its flag's parser does not say so.
CHOICES: dict[str, tuple[str, ...]] = {
    "mode": ("local", "remote"),
    "time_jitter": ("full", "zero", "off"),
    "protocol": ("rtmp", "flv"),
    "srs_log_tank": ("file", "console"),
    "srs_log_level": ("verbose", "info", "trace", "warn", "error"),
    "srs_log_level_v2": ("trace", "debug", "info", "warn", "error"),
    "hls_on_error": ("ignore", "disconnect", "continue"),
}


def _table(names: tuple[Name, ...]) -> dict[tuple[str, bool], Name]:
    """By path, and whether it is a block."""
    found: dict[tuple[str, bool], Name] = {}
    for each in names:
        found[each.path, each.takes is BLOCK] = each
    return found


ROOT_TABLE = _table(ROOT)
VHOST_TABLE = _table(VHOST)
