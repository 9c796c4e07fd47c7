"""Requests for HLS that no honest player sends, many of them, and streams that are hard to cut."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from urllib.parse import quote, unquote

import pytest

from tests.harness.clock import deadline, wait_until_sync
from tests.harness.m3u8 import Media
from tests.harness.server import EdgeServer
from tests.hostile._arena import Row
from tests.hostile._hls import CLOSE, SCHEMES, Watched, beside, get, get_all, media_of
from tests.hostile._http import Broadcast, head, picture, receive
from tests.hostile._wire import AAC_SEQUENCE_HEADER, AUDIO, AVC_SEQUENCE_HEADER, VIDEO, RawPeer

PLAYLISTS = [suffix for both in SCHEMES.values() for suffix in both]


def player_count(row: Row) -> float:
    return row.server.counters()["player_count"]


# --- the HLS halves of rows of HTTP -----------------------------------------------------


@pytest.mark.parametrize("host", ["a b", 'a"b', "user@h", "h:99999", "evil/x", "h#x"])
def test_H3_odd_hosts_are_in_no_playlist(row: Row, host: str) -> None:
    broadcast = Broadcast(row)
    for suffix in PLAYLISTS:
        answer = get(row, f"/live/{broadcast.name}{suffix}", host=host)
        assert answer.status == 400 and host.encode() not in answer.body
        row.fails("bad_host")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_H5_head_and_options_of_playlists_and_segments(row: Row, method: str) -> None:
    broadcast, before = Broadcast(row), player_count(row)
    for suffix in (*PLAYLISTS, ".0-1-2.ts", ".0-1-2.m4s", ".0.seq1.ts", ".0123456789abcdef.init.mp4"):
        answer = get(row, f"/live/{broadcast.name}{suffix}", method=method)
        wanted = 204 if method == "OPTIONS" else 200 if "m3u8" in suffix else 404
        assert (answer.status, answer.body) == (wanted, b""), suffix
        assert answer.headers["access-control-allow-origin"] == "*"
    assert player_count(row) == before


@pytest.mark.parametrize(
    "target",
    ("/../{}", "/%2e%2e/{}", "/..%2f{}", "/..%5c{}", "/%252e%252e/{}", "//..//{}", "/live/%00{}", "/live/%c0%ae{}"),
)
def test_H6_targets_that_climb_or_hide(row: Row, target: str) -> None:
    for name in ("x.m3u8", "etc/passwd.ts", "x.0-1-2.m4s", "x.0123456789abcdef.init.mp4", "x.ll.media.m3u8"):
        answer = get(row, target.format(name))
        assert answer.status in (400, 404), answer
        if answer.status == 400:
            row.fails("bad_name" if "x-bd-error-code" in answer.headers else "bad_target")
        elif "m3u8" in name or "passwd" in name or answer.body.startswith(b"Fail to find"):
            row.fails("not_found")


def test_H7_playlists_that_are_asked_for_in_one_go_are_answered_in_order(row: Row) -> None:
    watched = Watched(row)
    paths = [watched.path(suffix) for suffix in PLAYLISTS] * 3
    for answer, suffix in zip(get_all(row, paths), PLAYLISTS * 3, strict=True):
        assert answer.status == 200
        text = answer.body.decode()
        assert ("#EXT-X-STREAM-INF" in text) is ("media" not in suffix and "dynamic" not in suffix)
        assert ("#EXT-X-PART-INF" in text) is suffix.endswith(".ll.media.m3u8")


@pytest.mark.parametrize(
    "value", ["bytes=0-", "bytes=9-3", "bytes=" + ",".join(f"{n}-{n}" for n in range(1000)), "bytes=0-1" + "0" * 20]
)
def test_H9_ranges_are_ignored(row: Row, value: str) -> None:
    watched = Watched(row)
    for path in (*map(watched.path, PLAYLISTS), watched.segment("classic"), watched.segment("low-latency")):
        answer = get(row, path, f"Range: {value}")
        assert (answer.status, answer.headers["accept-ranges"]) == (200, "none")
        assert "content-range" not in answer.headers and len(answer.body) == int(answer.headers["content-length"])


def test_H10_unknown_stream(row: Row) -> None:
    name = row.arena.new_name()
    for suffix in PLAYLISTS:
        began = time.monotonic()
        answer = get(row, f"/live/{name}{suffix}")
        assert answer.status == 404 and time.monotonic() - began < deadline(0.5)
        row.fails("not_found")


@pytest.mark.parametrize("origin", ["null", "http://evil"])
def test_H14_pages_of_other_origins_may_watch(row: Row, origin: str) -> None:
    watched = Watched(row)
    asked = (f"Origin: {origin}", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: x-any")
    for path in (*map(watched.path, PLAYLISTS), watched.segment("classic"), watched.path(".0-1-2.m4s")):
        for method in ("OPTIONS", "GET"):
            answer = get(row, path, *asked, method=method)
            assert answer.headers["access-control-allow-origin"] == "*"
            assert "access-control-allow-credentials" not in answer.headers


# --- names ------------------------------------------------------------------------------


def test_L1_ids_that_nobody_was_given(custom: Callable[..., Row]) -> None:
    row = custom("-hls_user_session", "-use_host_in_m3u8")
    a, b = Broadcast(row), Broadcast(row)
    chance = random.Random(1)

    def path_of(broadcast: Broadcast) -> str:
        answer = get(row, f"/live/{broadcast.name}.m3u8")
        return answer.body.decode().splitlines()[-1].removeprefix("http://localhost")

    path, other = path_of(a), path_of(b)
    assert get(row, path).status == get(row, other).status == 200
    good = path.partition(".lss")[2].partition(".")[0]
    guesses = [str(chance.randrange(1 << 64)) for _ in range(200)] + [str(n) for n in range(200)]
    guesses += [str(int(good) + step) for step in range(-50, 51) if step] + ["9" * 4000]
    # On its own stream a guess is no id; the other's id is none here.
    paths = [path.replace(good, guess) for guess in guesses] + [path.replace(f"/{a.name}.", f"/{b.name}.")]
    assert {answer.status for answer in get_all(row, paths)} == {404}
    for guess in ("x", "-1", "1_0", "%D9%A1", ""):
        assert get(row, path.replace(good, guess)).status == 404
    assert get(row, path.replace(good, "9" * 100_000)).status in (414, 431)
    row.fails("header_too_large")
    row.expected["error_not_found_count"] = row.deltas()["error_not_found_count"]
    row.expected["error_bad_name_count"] = row.deltas()["error_bad_name_count"]


def test_L2_more_entries_than_ids(custom: Callable[..., Row]) -> None:
    row = custom("-hls_user_session", "-hls_max_users=500", "-ts_duration_ms=100", "-ts_max_stored=40")
    broadcast = Broadcast(row)
    wait_until_sync(lambda: get(row, f"/live/{broadcast.name}.m3u8").status == 200, deadline(10), "room for an id")
    rss_kb = row.server.rss_kb
    answers = get_all(row, [f"/live/{broadcast.name}.m3u8"] * 2000)
    statuses = [answer.status for answer in answers]
    assert statuses == [200] * statuses.count(200) + [503] * statuses.count(503) and statuses.count(200) <= 500
    assert max(len(answer.body) for answer in answers) <= 512
    assert all(answer.headers["retry-after"] == "1" for answer in answers if answer.status == 503)
    assert row.server.rss_kb - rss_kb < 8192
    row.expected["error_hls_users_count"] = row.deltas()["error_hls_users_count"]
    assert row.deltas()["error_hls_users_count"] >= 1500


_NUMBERS = [
    "-1",
    "9223372036854775808",
    "1_0",
    "%D9%A1",
    "0",
    "1e3",
    "+1",
    " 1".replace(" ", "%20"),
    "99999",
    "9" * 3000,
]


@pytest.mark.parametrize("number", _NUMBERS)
def test_L3_segments_that_no_playlist_names(row: Row, number: str) -> None:
    watched = Watched(row)
    two_level, classic, parts = (watched.segment(scheme) for scheme in SCHEMES)
    began = time.monotonic()
    paths = [two_level.partition(".seq")[0] + f".seq{number}.ts"]
    for path in (classic, parts):
        base, kind = path.rsplit(".", 1)
        epoch, at, dts = base.rsplit("-", 2)
        assert at.isdecimal()
        paths += [f"{epoch}-{number}-{dts}.{kind}", f"{epoch}-{at}-{number}.{kind}"][: 1 if number == "0" else 2]
    paths += [f"{parts.removesuffix('.m4s')}.{number}.m4s"] * (number not in ("0",))
    for path in paths:
        answer = get(row, path)
        assert answer.status in (400, 404), path
    assert time.monotonic() - began < deadline(1.5), "nothing of it waits"
    # What names no segment is taken for a stream that is not there.
    row.expected["error_not_found_count"] = row.deltas()["error_not_found_count"]
    row.expected["error_bad_name_count"] = row.deltas()["error_bad_name_count"]


def waiting(row: Row, path: str, count: int) -> list[RawPeer]:
    peers = []
    for _ in range(count):
        peer = row.raw()
        peer.send(head(path, CLOSE))
        peers.append(peer)
    return peers


@pytest.mark.once
@pytest.mark.parametrize("scheme", SCHEMES)
def test_L4_hundreds_wait_for_a_segment_and_the_publisher_dies(row: Row, scheme: str) -> None:
    watched, count = Watched(row), 300
    media = watched.media(scheme)
    if scheme == "two-level":
        paths = [beside(watched.path(".m3u8"), media.segments[-at].uri) for at in (1, 4)]
    elif scheme == "classic":
        paths = [watched.path(".ll.media.m3u8") + f"?_HLS_msn={media.next_sequence + 1}"]
    else:
        assert media.preload_hint is not None
        paths = [beside(watched.path(".m3u8"), media.preload_hint.uri)]
    rss_kb = row.server.rss_kb
    peers = [peer for path in paths for peer in waiting(row, path, count // len(paths))]
    time.sleep(0.3)
    assert row.server.rss_kb - rss_kb < 32 * 1024
    began = time.monotonic()
    watched.broadcast.peer.reset()
    for peer in peers:
        receive(peer, deadline(2))
        assert peer.is_closed
    assert time.monotonic() - began < deadline(1), "all end"
    row.assert_loop_was_free()
    row.wait_gone()
    row.expected.update({name: n for name, n in row.deltas().items() if name in ("error_reset_count",)})


@pytest.mark.once
def test_L4_hundreds_that_wait_are_woken_in_slices(row: Row) -> None:
    watched = Watched(row)
    media = watched.media("low-latency")
    path = f"{watched.path('.ll.media.m3u8')}?_HLS_msn={media.next_sequence}&_HLS_part={len(media.trailing.parts)}"
    peers = waiting(row, path, 400)
    time.sleep(0.3)
    watched.broadcast.push(10)
    for peer in peers:
        assert receive(peer, deadline(3)).startswith(b"HTTP/1.1 200")
    row.assert_loop_was_free()


@pytest.mark.once
def test_L5_playlists_before_the_first_keyframe(custom: Callable[..., Row]) -> None:
    row = custom("-hls_playlist_wait_ms=300")
    name = row.arena.new_name()
    publisher = row.publisher(name)
    publisher.media(VIDEO, AVC_SEQUENCE_HEADER)
    for suffix in PLAYLISTS:
        answer = get(row, f"/live/{name}{suffix}")
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    publisher.close()
    wait_until_sync(lambda: not row.server.has_stream(name), deadline(2), "the end")
    for reason in ("silent", "not_found"):  # the question of the first one ends after ten seconds, or with the stream
        row.expected[f"error_{reason}_count"] = row.deltas()[f"error_{reason}_count"]


def test_L6_host_that_somebody_else_names(custom: Callable[..., Row]) -> None:
    row = custom("-hls_user_session")
    broadcast = Broadcast(row)
    for query in ("?specified_host=evil", "?specified_host=evil:1&vhost=localhost"):
        answer = get(row, f"/live/{broadcast.name}.m3u8{query}")
        last = answer.body.decode().splitlines()[-1]
        assert answer.status == 200 and last.startswith("http://localhost/")
    for host in ("evil/x", "a b", "u@evil", "evil\x0bx"):
        assert get(row, f"/live/{broadcast.name}.m3u8", host=host).status == 400
        row.fails("bad_framing" if "\x0b" in host else "bad_host")


@pytest.mark.parametrize(
    "name", ['a"b', "a b", "#EXTINF:1", "a,b", "<script>", "..m3u8", "a;b", "$(x)", "é€", "a%b", "a&b=c"]
)
def test_L7_names_that_would_be_tags(row: Row, name: str) -> None:
    full = f"{row.arena.new_name()}{name}"
    publisher = row.publisher(full)
    publisher.media(VIDEO, AVC_SEQUENCE_HEADER)
    publisher.media(AUDIO, AAC_SEQUENCE_HEADER)
    for number in range(60):
        publisher.media(VIDEO, picture(number), at=number * 40)
    path = f"/live/{quote(full, safe='')}"
    media = media_of(get(row, f"{path}.dynamic.m3u8"))
    for segment in media.segments:
        assert segment.uri.isascii() and unquote(segment.uri).startswith(f"{full}.")
    entry = get(row, f"{path}.m3u8").body.decode().splitlines()
    assert len(entry) == 4 and unquote(entry[-1]) == f"{full}.dynamic.m3u8"


# --- streams that are hard to cut ----------------------------------------------------------


class Feed:
    """A publisher whose stream is watched by all schemes: each has a playlist when this is made.

    Attributes:
        at_ms: the time of the next picture.
    """

    def __init__(self, row: Row) -> None:
        self.row, self.name, self.sent, self.at_ms = row, row.arena.new_name(), 0, 0
        self.peer = row.publisher(self.name)
        self.peer.media(VIDEO, AVC_SEQUENCE_HEADER)
        self.send(1000, picture)
        waiting = []
        for suffix in PLAYLISTS:
            waiting.append(row.raw())
            waiting[-1].send(head(self.path(suffix), CLOSE))
        # Who comes late, on a busy machine, begins late.
        limit = time.monotonic() + deadline(5)
        while waiting:
            assert time.monotonic() < limit, f"{len(waiting)} playlists are missing"
            self.send(1000, picture)
            waiting = [peer for peer in waiting if not peer.receive(0.1).startswith(b"HTTP/1.1 200")]

    def path(self, suffix: str) -> str:
        return f"/live/{self.name}{suffix}"

    def send(self, duration_ms: int, make: Callable[[int], bytes]) -> None:
        for _ in range(duration_ms // 40):
            self.peer.media(VIDEO, make(self.at_ms // 40), at=self.at_ms)
            self.at_ms += 40
            self.sent += 1

    def medias(self) -> dict[str, Media]:
        """The playlists of all that was sent."""

        def is_there() -> bool:
            (found,) = (each for each in self.row.server.streams() if each["stream"] == self.name)
            return int(found["next_index"]) >= self.sent

        wait_until_sync(is_there, deadline(5), "what was sent")
        return {scheme: media_of(get(self.row, self.path(media))) for scheme, (_, media) in SCHEMES.items()}


def inter(_number: int, size: int = 500) -> bytes:
    unit = b"\x41" + bytes(size)
    return b"\x27\x01\0\0\0" + len(unit).to_bytes(4, "big") + unit


@pytest.mark.once
def test_L8_no_keyframe_for_ten_minutes(custom: Callable[..., Row]) -> None:
    """Cut by time: no segment is longer than four times what was meant."""
    row = custom("-max_jitter_ms=1000000")
    feed = Feed(row)
    for _ in range(10):
        feed.send(60_000, inter)
        for suffix in PLAYLISTS[1::2]:
            get(row, feed.path(suffix))
    for scheme, media in feed.medias().items():
        assert media.segments and all(0 < one.duration_s <= 8.05 for one in media.segments), scheme


@pytest.mark.once
def test_L8_two_hundred_megabits(custom: Callable[..., Row]) -> None:
    """Cut by size."""
    row = custom("-hls_max_segment_bytes=1000000")
    feed = Feed(row)
    feed.send(4800, lambda number: inter(number, 100_000))
    for scheme, media in feed.medias().items():
        assert len(media.segments) >= 4 and all(one.duration_s > 0 for one in media.segments), scheme
        for segment in media.segments[1:3]:
            body = get(row, beside(feed.path(".m3u8"), segment.uri)).body
            assert len(body) < 1_300_000, scheme


@pytest.mark.once
@pytest.mark.parametrize("jump_ms", [3_600_000, -1000, 60_000])
def test_L8_time_jumps(custom: Callable[..., Row], jump_ms: int) -> None:
    row = custom()
    feed = Feed(row)
    feed.send(6000, picture)
    feed.at_ms += jump_ms - 3000
    feed.send(6000, picture)
    for scheme, media in feed.medias().items():
        assert len(media.segments) > 1, scheme
        assert all(0 < one.duration_s <= 10 for one in media.segments), (scheme, media.segments)


@pytest.mark.once
def test_L9_playlists_of_absent_names_at_an_edge(custom: Callable[..., Row]) -> None:
    with EdgeServer() as origin:
        row = custom(f"-proxy_to={origin.address}", "-hls_viewer_timeout_ms=1000", "-hls_playlist_wait_ms=1000")
        before = row.server.counters()
        rss_kb = row.server.rss_kb
        for suffix in PLAYLISTS:
            answers = get_all(row, [f"/live/absent{number}{suffix}" for number in range(150)])
            assert {answer.status for answer in answers} <= {404, 503}
        assert row.server.rss_kb - rss_kb < 16 * 1024

        def are_gone() -> bool:
            now = row.server.counters()
            return all(now[name] <= before[name] for name in ("stream_count", "player_count", "task_count"))

        wait_until_sync(are_gone, deadline(5), "all of it to go")
        for reason in ("not_found", "overload", "silent"):
            row.expected[f"error_{reason}_count"] = row.deltas()[f"error_{reason}_count"]
        row.arena.canary.judge()
