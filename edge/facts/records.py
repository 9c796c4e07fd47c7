"""What is told of streams, connections, upstreams and the process: a record for each, whoever asks.

Pages, metrics, logs and other processes of the same server are given these; each field is described here once, and
docs/pages.md is made of the descriptions. Times are ages or lengths, never readings of a clock that others have not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from edge.facts.merging import (
    About,
    first_known,
    first_said,
    identity,
    joined,
    known_as_one,
    largest,
    one_of,
    smallest,
    total,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityFacts:
    """What the players of a stream report of themselves."""

    reporting: Annotated[int, About("players that report now", total)]
    sessions: Annotated[int, About("those that there have been since the stream began here", total)]
    start_ms: Annotated[
        int | None, About("from the press of play to the first picture, on average, where players tell", largest)
    ]
    stall_count: Annotated[int, About("times that a player ran dry", total)]
    stall_ms: Annotated[int, About("how long that took, all together, as far as players tell", total)]
    dropped_frames: Annotated[int, About("pictures that players did not show in time", total)]
    buffer_ms: Annotated[int | None, About("what players hold now, on average", smallest)]
    bitrate_kbps: Annotated[int | None, About("what they load now, on average", largest)]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFacts:
    """A stream that is published, pulled or waited for."""

    key: Annotated[str, About("the name: [streams](streams.md)", identity)]
    vhost: Annotated[str, About("first part of the key")]
    app: Annotated[str, About("second part of the key")]
    stream: Annotated[str, About("the rest of the key")]
    is_forwarded: Annotated[bool, About("a publish on its way to the upstream")]
    service: Annotated[str, About("`front` or `merge` with a merge tier, else empty", identity)]
    state: Annotated[
        str,
        About(
            "`live`; `waiting` for a publisher; `grace`: its publisher may come back; on an edge also `connecting` "
            "and `retrying`"
        ),
    ]
    pull_error: Annotated[
        str | None,
        About(
            "of a pull: why the last attempt failed, while there is no upstream that has the stream or waits for it",
            first_said,
            is_rare=True,
        ),
    ] = None
    push_state: Annotated[
        str | None,
        About(
            "of a publish that is forwarded: `live`; `connecting` at first; `retrying` from the first attempt in "
            "vain until one succeeds",
            first_said,
            is_rare=True,
        ),
    ] = None
    push_to: Annotated[str | None, About("the server that it is pushed to", first_said, is_rare=True)] = None
    push_state_s: Annotated[int | None, About("for how long `push_state` has been so", first_said, is_rare=True)] = None
    push_error: Annotated[
        str | None, About("why the last attempt failed, while it is not `live`", first_said, is_rare=True)
    ] = None
    publisher: Annotated[
        str,
        About(
            "address of who feeds it, the upstream's on an edge; while it is `waiting` there, the upstream that is "
            "waited for",
            first_said,
        ),
    ]
    muted_publishers: Annotated[
        tuple[str, ...],
        About("addresses of those that a younger publish has replaced, and that are seen again when it ends", joined),
    ]
    players: Annotated[int, About("all who play it", total)]
    viewers: Annotated[int, About("those who are no pulls marked as internal (`idcpassed`)", total)]
    video_codec: Annotated[str, About("as the headers of the present publish say, else its newest frame", first_said)]
    audio_codec: Annotated[str, About("likewise", first_said)]
    video_bps: Annotated[int, About("bits of the last second", largest)]
    audio_bps: Annotated[int, About("bits of the last second", largest)]
    fps: Annotated[int | None, About("frames per second over the last ten seconds", largest)]
    gop: Annotated[int, About("frames between the last two keyframes", largest)]
    fluency_pct: Annotated[
        float | None,
        About("`fps` in percent of the metadata's frame rate: below 100 when frames are missing or late", largest),
    ]
    uptime_s: Annotated[int, About("since it was created here", largest)]
    created_at_ms: Annotated[int, About("when that was: Unix time in milliseconds", smallest)]
    epoch: Annotated[str, About("the publish in progress, the same on all our nodes", first_said)]
    next_index: Annotated[int, About("number of its next frame, the same on all our nodes", largest)]
    frames_held: Annotated[int, About("frames that its queue holds", total)]
    bytes_held: Annotated[int, About("bytes of those", total)]
    log_bytes: Annotated[
        int,
        About(
            "what logs hold as it is sent, all outputs together; in RTMP, FLV and WebSocket the bodies are those of "
            "the frames and take no memory of their own, TS is a copy: do not add them",
            total,
        ),
    ]
    gap_count: Annotated[int, About("losses seen at upstreams", total)]
    duplicate_count: Annotated[int, About("frames that came twice", total)]
    dropped_count: Annotated[int, About("frames refused, as those of a replaced publisher", total)]
    player_jump_count: Annotated[
        int, About("times that a player, or a node that pulls, fell too far behind and went to a keyframe", total)
    ]
    player_dropped_count: Annotated[int, About("frames left out by that", total)]
    upstream_gap_ms: Annotated[int, About("time without an upstream", largest)]
    timestamp_jump_count: Annotated[int, About("impossible timestamps that were mended", total)]
    clock_drift_ms: Annotated[
        int,
        About(
            "how far the sound's clock has run ahead of the picture's since both began, negative when it falls "
            "behind: an encoder with a wrong sample rate, say. [Both stay whole](streams.md#clocks)"
        ),
    ]
    ingest_delay_ms: Annotated[
        float | None,
        About(
            "how late the frame timed last came to the first node: [delay by hop](edges.md#delay-by-hop)",
            first_known,
            is_rare=True,
        ),
    ] = None
    hop_delays_ms: Annotated[
        tuple[float, ...] | None,
        About("what each hop to this node took; empty at the first node", first_known, is_rare=True),
    ] = None
    delay_ms: Annotated[
        float | None,
        About("from the first node to this one, without `ingest_delay_ms`", first_known, is_rare=True),
    ] = None
    flush_delay_ms: Annotated[
        float | None,
        About(
            "from the frame's arrival here to its having been sent to players",
            largest,
            is_rare=True,
        ),
    ] = None
    is_delay_whole: Annotated[
        bool | None,
        About(
            "the first node is the one that the stream is published to; else what is before it is not known",
            first_known,
            is_rare=True,
        ),
    ] = None
    quality: Annotated[
        QualityFacts | None,
        About("[what players report](monitoring.md#what-viewers-see)", known_as_one, is_rare=True),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionFacts:
    """A connection that is open, accepted or made."""

    id: Annotated[int, About("its number; logs say `c<number>`", identity)]
    service: Annotated[str | None, About("whose it is, in a process with two services", is_rare=True)] = None
    peer: Annotated[str, About("address", identity)]
    protocol: Annotated[str, About("what it speaks")]
    role: Annotated[str, About("what it is for, in a word")]
    key: Annotated[str, About("the stream, when it carries one")]
    stream_count: Annotated[int, About("how many it carries")]
    uptime_s: Annotated[int, About("since it was opened")]
    received_bytes: Annotated[int, About("bytes read")]
    sent_bytes: Annotated[int, About("bytes the kernel has taken, those of shared logs included")]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficFacts:
    """What goes over a connection, and what its kernel knows of it."""

    id: Annotated[int, About("its number; logs say `c<number>`", identity)]
    is_upstream: Annotated[bool, About("this node has made it")]
    peer: Annotated[str, About("address", identity)]
    local: Annotated[str, About("address of this end")]
    is_encrypted: Annotated[bool, About("TLS")]
    protocol: Annotated[str, About("what it speaks")]
    fd: Annotated[int, About("its descriptor")]
    uptime_s: Annotated[int, About("since it was opened")]
    received_bytes_second: Annotated[int | None, About("bytes read in the last second; none until that is known")]
    received_bytes_minute: Annotated[int | None, About("bytes read in the last minute, or what is known of it")]
    sent_bytes_second: Annotated[int | None, About("bytes that the kernel took in the last second")]
    sent_bytes_minute: Annotated[int | None, About("bytes that the kernel took in the last minute")]
    rtt_ms: Annotated[float | None, About("round trip as the kernel measures it")]
    rtt_var_ms: Annotated[float | None, About("its variation")]


@dataclass(frozen=True, slots=True)
class TrafficTables:
    """The connections that clients have made, and those to upstreams: some of each, and how many there are."""

    server: list[TrafficFacts]
    server_count: int
    upstream: list[TrafficFacts]
    upstream_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayerFacts:
    """One play of a stream, or a push of it."""

    key: Annotated[str, About("the stream", identity)]
    service: Annotated[str, About("whose it is, in a process with two services", identity)]
    connection: Annotated[int | None, About("number of its connection; unknown of viewers of HLS", identity)]
    peer: Annotated[str, About("address of who asked first", identity)]
    protocol: Annotated[str, About("what it speaks", identity)]
    kind: Annotated[
        str,
        About("media-server's word for it: `RtmpForwarder`, `FlvDownloader`, `TsQueue` or `PublishProxy`", identity),
    ]
    is_node: Annotated[bool, About("another node, which is no viewer")]
    age_ms: Annotated[int, About("milliseconds since it was let in", largest)]
    play_delay_ms: Annotated[int | None, About("milliseconds that it waited to be let in", largest)]
    sent_bytes: Annotated[
        int,
        About("bytes of the stream that it was sent; 0 for viewers of HLS, who are sent segments", total),
    ]
    behind_ms: Annotated[int, About("how old what it is sent next is", largest)]
    jump_count: Annotated[int, About("times that it fell too far behind and went to a keyframe, lately", total)]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailFacts:
    """What is told of one stream alone."""

    key: Annotated[str, About("the stream", identity)]
    service: Annotated[str, About("whose it is, in a process with two services", identity)]
    index: Annotated[int, About("number of the next frame that its queue takes", largest)]
    publisher: Annotated[str, About("address of who feeds it", first_said)]
    age_ms: Annotated[int, About("milliseconds since it was created here", largest)]
    publisher_age_ms: Annotated[int | None, About("since the publish was granted here", largest)]
    last_media_age_ms: Annotated[int | None, About("since the publisher's last message", smallest)]
    last_dts_ms: Annotated[int, About("the newest frame on the stream's clock", largest)]
    frames_held: Annotated[int, About("frames that its queue holds", largest)]
    keyframes_held: Annotated[int, About("keyframes among them", largest)]
    metadata: Annotated[tuple[tuple[str, str], ...], About("names and values that the publisher sent", first_said)]
    video_header: Annotated[str, About("the first bytes of the video's sequence header in hexadecimal", first_said)]
    audio_header: Annotated[str, About("those of the sound's", first_said)]
    quality: Annotated[QualityFacts | None, About("what players report", known_as_one, is_rare=True)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceFacts:
    """Those who play by one protocol."""

    protocol: Annotated[str, About("what they speak", identity)]
    player_count: Annotated[int, About("how many; viewers of HLS who say the same count as one", total)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalFacts:
    """What has gone through since the start."""

    received_bytes: Annotated[int, About("bytes read from all connections", total)]
    sent_bytes: Annotated[int, About("bytes that the kernel has taken", total)]
    cpu_ms: Annotated[int, About("CPU time of the process, all threads", total)]
    uptime_ms: Annotated[int, About("since the start", largest)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFacts:
    """One look at the server, each ten seconds; an hour of them is kept."""

    at_s: Annotated[int, About("when: Unix time, a multiple of 10", identity)]
    stream_count: Annotated[int, About("streams", largest)]
    player_count: Annotated[int, About("players", total)]
    received_bps: Annotated[int, About("bits read in each of the seconds before", total)]
    sent_bps: Annotated[int, About("bits sent in each", total)]
    cpu_pct: Annotated[float, About("CPU time in percent of one core", total)]
    loop_lag_ms: Annotated[int, About("how late the loop was at worst", largest)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """An upstream server, and what it is there for."""

    service: Annotated[str | None, About("whose it is, in a process with two services", identity, is_rare=True)] = None
    use: Annotated[str, About("`pull`, `push` or `pull+push`", identity)]
    target: Annotated[str, About("the list that it is of", identity)]
    endpoint: Annotated[str, About("its address", identity)]
    state: Annotated[
        str,
        About(
            "`up`; `slow start`; `failing`: it fails and is asked all the same; `isolated`; `checking`: down, a check "
            "is to find it up; `trial`; `leaving`: off the list, with streams of ours"
        ),
    ]
    last_error: Annotated[str, About("how it failed last", first_said)]
    last_error_age_s: Annotated[int | None, About("how long ago", smallest)]
    tag: Annotated[str, About("what the naming service says of it")]
    priority: Annotated[int, About("smaller ones are asked first")]
    streams_count: Annotated[int, About("streams that run over it", total)]
    streams: Annotated[tuple[str, ...], About("keys of those, the first 20", joined)] = ()
    disabled_keys_count: Annotated[int, About("streams for which it is passed over, as it had no data", total)]
    isolated_for_ms: Annotated[int, About("rest of the time for which nobody asks it", largest)]
    check_in_ms: Annotated[int, About("until the next health check", smallest)]
    check_count: Annotated[int, About("health checks", total)]
    share_pct: Annotated[int, About("how much of its share of requests it is given", smallest)]
    ok_count: Annotated[int, About("attempts that succeeded", total)]
    failure_count: Annotated[int, About("attempts that failed", total)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """Where a list of upstream servers comes from."""

    service: Annotated[str | None, About("whose it is, in a process with two services", identity, is_rare=True)] = None
    use: Annotated[str, About("`pull`, `push` or `pull+push`", identity)]
    target: Annotated[str, About("what is asked, its beginning", identity)]
    state: Annotated[str, About("`waiting`, `current`, `kept in outage`, `kept at empty answer` or `unusable`")]
    servers_count: Annotated[int, About("servers in force", largest)]
    failed_count: Annotated[int, About("questions without an answer", total)] = 0
    empty_count: Annotated[int, About("empty answers", total)] = 0
    skipped_count: Annotated[int, About("servers left out, as their address was none", total)] = 0
    answer_age_s: Annotated[int | None, About("since the last answer", smallest)] = None
    error_age_s: Annotated[int | None, About("since the last failure", smallest)] = None
    last_error: Annotated[str, About("the last failure", first_said)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFacts:
    """One of the services of a process."""

    service: Annotated[str | None, About("its name, in a process with two", identity, is_rare=True)] = None
    role: Annotated[str, About("`origin` or `edge`")]
    id: Annotated[str, About("what refusals of loops name")]
    pulls_from: Annotated[str, About("where its streams come from", first_said)]
    pushes_to: Annotated[str, About("where publishes go to", first_said)]
    stream_count: Annotated[int, About("streams", largest)]
    player_count: Annotated[int, About("players", total)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressFacts:
    """Where to publish to and play from."""

    host: Annotated[str, About("name of this machine")]
    rtmp_port: Annotated[int, About("port of RTMP")]
    http_port: Annotated[int, About("port of HTTP for players")]
    has_flv: Annotated[bool, About("HTTP-FLV is on")]
    has_ts: Annotated[bool, About("HTTP-TS is on")]
    has_hls: Annotated[bool, About("HLS is on")]
    has_low_latency: Annotated[bool, About("LL-HLS is on")]
    has_tls: Annotated[bool, About("TLS is taken")]
    is_tls_forced: Annotated[bool, About("nothing else is")]
    internal_port: Annotated[int, About("port of the pages")]
    role: Annotated[str, About("`origin` or `edge`")]
    proxy_to: Annotated[str, About("upstreams of an edge")]
    siblings: Annotated[tuple[str, ...], About("base URLs that players of HLS may be sent to", joined)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthFacts:
    """How the process itself is."""

    is_ok: Annotated[bool, About("its loop is in time", all)]
    is_draining: Annotated[bool, About("it is being stopped", any)]
    loop_lag_ms: Annotated[float, About("how late its loop is", largest)]
    uptime_s: Annotated[int, About("since it started", largest)]
    python: Annotated[str, About("version of Python")]
    overload: Annotated[str, About('what is done against too much load, and why; "" while nothing is', largest)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadinessFacts:
    """Whether traffic may come."""

    is_ready: Annotated[bool, About("it may", all)]
    reasons: Annotated[tuple[str, ...], About("why not", joined)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFacts:
    """The process, or all of one server together."""

    version: Annotated[str, About('of the program, "" when it does not know its own')]
    addresses: Annotated[AddressFacts, About("where it is reached", one_of)]
    health: Annotated[HealthFacts, About("how it is", one_of)]
    readiness: Annotated[ReadinessFacts, About("whether traffic may come", one_of)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadFacts:
    """A change of flags while the server ran, or one that was refused."""

    id: Annotated[int, About("counts up from 1", identity)]
    at_ms: Annotated[int, About("when: Unix time in milliseconds", smallest)]
    what: Annotated[str, About("`reload` of the flagfiles, `set` of one flag, `save`")]
    who: Annotated[str, About("`SIGHUP`, or how and from where it was asked for")]
    requests: Annotated[int, About("how many requests that came together it answers", largest)]
    state: Annotated[str, About("`done`; `unchanged`: there was no difference; `refused`: nothing was changed")]
    error: Annotated[str, About("why it was refused, with the place: `FILE:LINE` or `command line`", first_said)]
    changed: Annotated[
        tuple[str, ...], About("flags that have another value since; of a save, those in the file", joined)
    ]
    kept: Annotated[
        tuple[str, ...],
        About("flags that the files change, and that were set while the server ran: they stay until saved", joined),
    ]
    needs_restart: Annotated[
        tuple[str, ...], About("flags that are read at the start, and that the files have another value for", joined)
    ]
    took_ms: Annotated[int, About("from the request, or the one before, to the end", largest)]
    vhosts: Annotated[
        tuple[str, ...], About("what is another for vhosts since: setting, old and new value, which vhosts", joined)
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VhostFacts:
    """A vhost of `-vhost_config`."""

    name: Annotated[str, About("`__defaultVhost__` for all names that no other has", identity)]
    where: Annotated[str, About("its place, `FILE:LINE`")]
    is_enabled: Annotated[bool, About("false: nobody is served there")]
    aliases: Annotated[tuple[str, ...], About("other names of it, `*.name` for all below one", joined)]
    stream_count: Annotated[int, About("its streams now", total)]
    older_rules_count: Annotated[
        int,
        About("players and publishers that go on, and were let in before what says who may was changed", total),
    ]
    settings: Annotated[
        tuple[str, ...], About("flags that it gives a value: name, value, place, and the value of the root", joined)
    ]
    matches: Annotated[tuple[str, ...], About("the same for single streams, behind their pattern", joined)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingFacts:
    """What is to be said of the files of `-vhost_config`."""

    level: Annotated[str, About("`warning`: something is not offered, or given twice; `note`")]
    where: Annotated[str, About("`FILE:LINE`", identity)]
    message: Annotated[str, About("what", identity)]
