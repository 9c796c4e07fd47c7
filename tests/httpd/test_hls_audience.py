"""Who watches by HLS: plays that are granted once for many, pulls that begin and end with them, viewers with an id."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from edge.httpd.hls_answers import refuse
from edge.hub.stream import Stream
from edge.service.refusal import Reason, Refusal
from tests.harness.clock import deadline, wait_until
from tests.harness.judge import GOOD, REFUSED, SILENT, Judge
from tests.harness.ports import free_port
from tests.httpd.feeding import Source
from tests.httpd.hls_asking import LAVF, SCHEMES, ask, asking, beside, entry_of, hls_of, media_of, waits
from tests.httpd.test_live import chain, edge_flags
from tests.runtime.nodes import RunningNode, running

every_scheme = pytest.mark.parametrize("scheme", SCHEMES)
TWO_LEVEL = ".dynamic.m3u8"


def streams_of(node: RunningNode) -> list[Stream]:
    return list(node.node.units[0].registry.streams.values())


@asynccontextmanager
async def live(*flags: str, name: str = "s") -> AsyncIterator[tuple[RunningNode, Source]]:
    """A node with a second of a broadcast."""
    async with running(*flags) as node:
        source = await Source.at(node, name)
        source.push(30)
        await wait_until(lambda: streams_of(node)[0].timeline.last_dts_ms >= 1160, deadline(3), "the pictures")
        yield node, source


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (Reason.NOT_FOUND, 404),
        (Reason.OVERLOAD, 503),
        (Reason.SILENT, 503),
        (Reason.UNREACHABLE, 502),
        (Reason.LOOP, 503),
        (Reason.RULE_FAILED, 503),
        (Reason.FORBIDDEN, 403),
        (Reason.BAD_NAME, 400),
    ],
)
def test_H10_refusal_as_players_understand_it(reason: Reason, status: int) -> None:
    """What may pass is never a 4xx: hls.js does not ask again after one."""
    answer = refuse(Refusal(reason, "why"))
    assert (answer.status, answer.text) == (status, "why\n")
    assert ("Retry-After" in answer.headers) is (status >= 500)
    wanted = "public, max-age=1" if status == 404 else "no-store"
    assert answer.headers["Cache-Control"] == wanted


def test_stream_that_the_upstream_does_not_have_is_missing() -> None:
    assert refuse(Refusal(Reason.UPSTREAM, "no", code="NetStream.Play.StreamNotFound")).status == 404


# --- one play for many ----------------------------------------------------------------


async def test_all_who_say_the_same_are_one_play_and_make_one_segmenter() -> None:
    async with live() as (node, _):
        answers = await asyncio.gather(*(ask(node, suffix) for suffix in (".m3u8", TWO_LEVEL) * 50))
        assert {answer.status for answer in answers} == {200}
        (stream,), ((_, shelved),) = streams_of(node), hls_of(node).shelf.watched()
        assert stream.player_count == 1 and len(hls_of(node).audience) == 1
        assert len(shelved.two_level) == 1 and not shelved.segmenters


async def test_who_says_something_else_is_a_play_of_its_own() -> None:
    async with live() as (node, _):
        for query in ("?token=1", "?token=2", "?token=2&_HLS_x=3&p=4&CMCD=x", "?token=2&only-audio=1"):
            assert (await ask(node, f"{TWO_LEVEL}{query}")).status == 200
        (stream,), ((_, shelved),) = streams_of(node), hls_of(node).shelf.watched()
        assert stream.player_count == 3
        assert len(shelved.two_level) == 2, "one for each choice of tracks"


async def test_more_kinds_of_viewers_than_are_allowed() -> None:
    async with live("-hls_max_users=2") as (node, _):
        for number in range(4):
            answer = await ask(node, f"{TWO_LEVEL}?token={number}")
            assert answer.status == (200 if number < 2 else 503)
        assert answer.headers["retry-after"] == "1"
        assert node.node.context.counters["error_overload_count"] == 2
        assert (await ask(node, f"{TWO_LEVEL}?token=0")).status == 200


async def test_viewer_whose_play_is_stopped_is_judged_anew() -> None:
    async with live() as (node, _):
        assert (await ask(node, TWO_LEVEL)).status == 200
        (stream,) = streams_of(node)
        for play in list(stream.roster.plays_of("")):
            play.stop(Refusal(Reason.FORBIDDEN, "kicked"))
        assert not stream.player_count
        assert (await ask(node, TWO_LEVEL)).status == 200
        assert stream.player_count == 1


async def test_viewer_who_leaves_while_he_waits_leaves_nothing() -> None:
    async with running("-pull_nodata_timeout_ms=500", "-hls_viewer_timeout_ms=1000") as node:
        source = await Source.at(node)
        tasks = [asking(node, TWO_LEVEL) for _ in range(5)]
        await wait_until(lambda: streams_of(node)[0].player_count, deadline(3), "the play")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await wait_until(lambda: not streams_of(node)[0].player_count, deadline(3), "the play to be given back")
        assert len(hls_of(node).audience) == 0
        source.push(30)
        assert (await ask(node, TWO_LEVEL)).status == 200


# --- at an edge -------------------------------------------------------------------------


@every_scheme
async def test_playlist_request_at_an_edge_pulls_until_nobody_asks(scheme: str) -> None:
    async with chain("-hls_viewer_timeout_ms=1000") as (origin, edge):
        source = await Source.at(origin)
        source.push(10)
        task = asking(edge, SCHEMES[scheme][1])
        await wait_until(lambda: streams_of(edge) and len(streams_of(edge)[0].readers) > 1, deadline(3), "the pull")
        source.push(60)
        assert (await task).status == 200
        assert (await ask(edge, SCHEMES[scheme][0])).status == 200
        assert streams_of(origin)[0].player_count == 1
        await wait_until(lambda: not streams_of(origin)[0].player_count, deadline(4), "the end of the pull")


async def test_edge_that_begins_shortly_before_the_end_lists_the_parts_of_others() -> None:
    """Its own target for parts was 1 ms, since it had begun none; and its list could begin earlier than before."""
    async with chain("-publisher_return_ms=0") as (origin, edge):
        source = await Source.at(origin)
        source.push(10)
        await wait_until(lambda: streams_of(origin)[0].queue.has_media, deadline(3), "pictures")
        task = asking(origin, ".ll.media.m3u8")
        await wait_until(lambda: len(streams_of(origin)[0].readers) > 1, deadline(3), "the segmenter")
        source.push(70)
        assert (await task).status == 200
        before = await media_of(edge, ".ll.media.m3u8")
        source.push(5)
        source.end()
        await wait_until(lambda: not streams_of(origin), deadline(3), "the end")
        await wait_until(lambda: not streams_of(edge), deadline(3), "the end at the edge")
        media = await media_of(edge, ".ll.media.m3u8")
        assert media.is_ended and media.part_target_s and before.part_target_s
        assert media.media_sequence >= before.media_sequence


async def test_broadcast_that_begins_again_is_watched_at_an_edge_that_serves_the_end_of_the_one_before() -> None:
    """The edge went on with the ended playlist for two minutes, and nobody asked the origin."""
    async with chain("-publisher_return_ms=0", "-missing_cache_ms=100") as (origin, edge):
        source = await Source.at(origin)
        source.push(60)
        assert (await ask(edge, TWO_LEVEL)).status == 200
        source.end()
        await wait_until(lambda: not streams_of(edge), deadline(3), "the end at the edge")
        before = await media_of(edge, TWO_LEVEL)
        assert before.is_ended
        again = await Source.at(origin)
        again.push(60)
        loop = asyncio.get_running_loop()
        until = loop.time() + deadline(4)
        while (answer := await ask(edge, TWO_LEVEL)).status != 200 or b"ENDLIST" in answer.body:
            assert loop.time() < until, "still the end"
            again.push(5)
            await asyncio.sleep(0.2)
        now = await media_of(edge, TWO_LEVEL)
        assert now.media_sequence > before.media_sequence


async def test_play_of_a_first_viewer_who_was_told_to_come_back_is_given_back() -> None:
    """Nothing looked after it, and the pull went on as long as the broadcast."""
    flags = ("-hls_playlist_wait_ms=200", "-hls_viewer_timeout_ms=1000", "-pull_nodata_timeout_ms=5000")
    async with chain(*flags) as (origin, edge):
        source = await Source.at(origin)
        assert (await ask(edge, ".m3u8")).status == 503  # headers alone are nothing yet
        source.push(30)
        await wait_until(lambda: len(hls_of(edge).audience) == 1, deadline(3), "what he asked for")
        await wait_until(lambda: not streams_of(origin)[0].player_count, deadline(4), "the end of the pull")


async def test_a_thousand_queries_are_one_reader_of_the_stream() -> None:
    async with live() as (node, source):
        answers = [await ask(node, f".m3u8?token={number}") for number in range(50)]
        assert {answer.status for answer in answers} == {200} and len(hls_of(node).audience) == 50
        (stream,) = streams_of(node)
        assert stream.player_count == 50 and len(stream.readers) <= 3
        source.end()
        await wait_until(lambda: not stream.player_count, deadline(3), "the end of all plays")


async def test_three_hundred_requests_in_one_moment_are_one_pull_and_one_segmenter() -> None:
    async with chain() as (origin, edge):
        source = await Source.at(origin)
        source.push(30)
        answers = await asyncio.gather(*(ask(edge, suffix) for suffix in (".m3u8", TWO_LEVEL) * 150))
        assert {answer.status for answer in answers} == {200}
        assert streams_of(origin)[0].player_count == 1
        ((_, shelved),) = hls_of(edge).shelf.watched()
        assert len(shelved.two_level) == 1 and len(hls_of(edge).audience) == 1
        assert streams_of(edge)[0].player_count == 1


@pytest.mark.parametrize("suffix", [".m3u8", TWO_LEVEL, ".ll.m3u8", ".ll.media.m3u8"])
async def test_first_playlist_follows_the_first_keyframe_at_once(suffix: str) -> None:
    async with chain() as (origin, edge):
        source = await Source.at(origin)
        task = asking(edge, suffix)
        await wait_until(lambda: streams_of(edge), deadline(3), "the pull")
        await asyncio.sleep(0.1)
        began = asyncio.get_running_loop().time()
        while not task.done():
            source.push(1)
            await asyncio.sleep(0.04)
            assert asyncio.get_running_loop().time() < began + deadline(1)
        assert (await task).status == 200


async def test_query_goes_to_the_upstream_without_what_players_add() -> None:
    async with chain() as (origin, edge):
        source = await Source.at(origin, "s?token=1")
        source.push(30)
        uri = await entry_of(edge, ".m3u8?token=1&p=x&_HLS_msn=1&CMCD=x&lssid=1&hls_ctx=2&only-audio=1")
        assert uri == "s.dynamic.m3u8?token=1&only-audio=1"
        (stream,) = streams_of(edge)
        assert list(stream.roster.plays_of("token=1"))
        source.push(30)
        media = await media_of(edge, beside(".m3u8", uri))
        assert all(segment.uri.endswith(".ts?only-audio=1") for segment in media.segments)


async def test_H5_head_at_an_edge_begins_no_pull() -> None:
    async with chain() as (origin, edge):
        (await Source.at(origin)).push(30)
        for suffix in (*(each for both in SCHEMES.values() for each in both[:2]), ".0-1-2.m4s", ".0.seq1.ts"):
            answer = await ask(edge, suffix, method="HEAD")
            assert (answer.status, answer.body) == (200 if "m3u8" in suffix else 404, b""), suffix
        assert not streams_of(edge) and not streams_of(origin)[0].player_count


async def test_H10_stream_that_the_upstream_does_not_have() -> None:
    async with chain() as (_, edge):
        for suffix in (".m3u8", TWO_LEVEL, ".ll.m3u8"):
            assert (await ask(edge, suffix)).status == 404
        assert not hls_of(edge).audience._viewers


async def test_H10_upstream_that_is_unreachable() -> None:
    async with running(*edge_flags(free_port()), "-pull_nodata_timeout_ms=300") as edge:
        answer = await ask(edge, ".m3u8")
        assert (answer.status, answer.headers["retry-after"]) == (502, "1")


async def test_H10_upstream_that_says_nothing() -> None:
    async with (
        Judge(lambda name: SILENT) as origin,
        running(*edge_flags(origin.port), "-pull_nodata_timeout_ms=300", "-first_data_timeout_ms=200") as edge,
    ):
        for suffix in (".m3u8", TWO_LEVEL):
            answer = await ask(edge, suffix)
            assert answer.status in (502, 503) and answer.headers["retry-after"] == "1"


async def test_who_brings_a_wrong_token_is_refused_and_the_others_watch() -> None:
    async with (
        Judge(lambda name: GOOD if "good" in name else REFUSED) as origin,
        running(*edge_flags(origin.port)) as edge,
    ):
        assert [(await ask(edge, f".m3u8?token={word}")).status for word in ("bad", "good")] == [403, 200]


# --- viewers with an id ------------------------------------------------------------------

SESSIONS = "-hls_user_session"


async def test_viewer_with_an_id() -> None:
    async with live(SESSIONS) as (node, _):
        answer = await ask(node, ".m3u8?token=1")
        assert answer.headers["cache-control"] == "no-store" and len(answer.body) <= 512
        uri = await entry_of(node, ".m3u8?token=1")
        head, _, rest = uri.partition("/_/live/s.lss")
        session, _, query = rest.partition(TWO_LEVEL)
        assert head == f"http://127.0.0.1:{node.port()}"
        assert session.isdecimal() and int(session) < 1 << 64 and query == "?vhost=_&token=1"
        path = uri.removeprefix(head)
        answer = await ask(node, path)
        assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
        media = await media_of(node, path)
        first = media.segments[0].uri
        assert re.fullmatch(rf"s\.[0-9a-f]{{16}}\.seq[0-9]+\.ts\?lssid={session}&vhost=_", first)
        assert (await ask(node, beside(path, media.segments[0].uri), method="HEAD")).status == 200
        assert (await media_of(node, TWO_LEVEL)).segments, "without an id it goes too"


async def test_viewer_with_an_id_whose_player_is_of_libavformat() -> None:
    async with live(SESSIONS) as (node, _):
        await entry_of(node, ".m3u8", LAVF)
        ((_, shelved),) = hls_of(node).shelf.watched()
        uri = await entry_of(node, ".m3u8", LAVF)
        assert (await ask(node, uri.removeprefix(f"http://127.0.0.1:{node.port()}"))).status == 200
        assert [at_keyframes for _, at_keyframes in shelved.two_level] == [True]


@pytest.mark.parametrize(
    ("flags", "host", "begin"),
    [
        ((), "media.example:99", "http://media.example:99/"),
        (("-nouse_host_in_m3u8",), "media.example:99", "http://127.0.0.1:{port}/"),
        (("-hls_entry_prefix=https://cdn.example",), "media.example:99", "https://cdn.example/"),
    ],
    ids=["host", "address", "prefix"],
)
async def test_where_the_playlist_of_a_viewer_with_an_id_is(flags: tuple[str, ...], host: str, begin: str) -> None:
    async with live(SESSIONS, *flags, name="s?vhost=media.example") as (node, _):
        answer = await ask(node, ".m3u8", host=host)
        last = answer.body.decode().splitlines()[-1]
        assert last.startswith(begin.format(port=node.port()) + "media.example/live/s.lss")
        assert last.endswith("?vhost=media.example")


async def test_L1_ids_that_are_none() -> None:
    """Guessed, next to a good one, of another stream, without digits, far too long, of another vhost."""
    async with live(SESSIONS) as (node, _):
        other = await Source.at(node, "other")
        other.push(30)
        path = (await entry_of(node, ".m3u8")).removeprefix(f"http://127.0.0.1:{node.port()}")
        session = path.partition(".lss")[2].partition(".")[0]
        for bad in (
            *(path.replace(session, one) for one in ("1", str(int(session) + 1), str(int(session) - 1), "0" + session)),
            *(path.replace(session, one) for one in ("", "x", "-1", "1" * 40, "1" * 300, f"{session}_", "%D9%A1")),
            path.replace("/s.", "/other."),
            path.replace("/_/", "/x.example/"),
            path.replace("/_/live", "/_/life"),
            path.replace(TWO_LEVEL, ".kf.dynamic.m3u8"),
        ):
            answer = await ask(node, bad, within_s=1)
            assert answer.status == 404, bad
        assert (await ask(node, path)).status == 200


async def test_L1_ids_do_not_follow_each_other() -> None:
    async with live(SESSIONS) as (node, _):
        ids = []
        for _ in range(20):
            uri = await entry_of(node, ".m3u8")
            ids.append(int(uri.partition(".lss")[2].partition(".")[0]))
        assert len(set(ids)) == 20 and max(ids) > 1 << 60
        assert min(abs(a - b) for a in ids for b in ids if a is not b) > 1 << 40


async def test_L1_id_that_has_expired() -> None:
    async with live(SESSIONS, "-ts_duration_ms=100", "-ts_max_stored=5") as (node, _):
        path = (await entry_of(node, ".m3u8")).removeprefix(f"http://127.0.0.1:{node.port()}")
        assert (await ask(node, path)).status == 200
        await wait_until(lambda: not len(hls_of(node).sessions), deadline(4), "the id to expire")
        assert (await ask(node, path)).status == 404


async def test_L2_more_ids_than_are_allowed() -> None:
    async with live(SESSIONS, "-hls_max_users=3") as (node, _):
        statuses = [(await ask(node, ".m3u8")).status for _ in range(6)]
        assert statuses == [200] * 3 + [503] * 3
        answer = await ask(node, ".m3u8")
        assert answer.headers["retry-after"] == "1" and b"hls_users" in answer.body
        assert node.node.context.counters["error_hls_users_count"] == 4


async def test_L6_where_a_playlist_is_cannot_be_said_from_outside() -> None:
    for flags in ((), (SESSIONS,)):
        async with live(*flags) as (node, _):
            for query in ("?specified_host=evil", "?specified_host=evil&vhost=127.0.0.1"):
                uri = await entry_of(node, f".m3u8{query}")
                assert "//evil" not in uri and uri.startswith(("http://127.0.0.1:", "s."))
            for host in ("evil/x", "a b", 'a"b', "u@evil", "evil:x", "evil#"):
                assert (await ask(node, ".m3u8", host=host)).status == 400, host


async def test_viewer_with_an_id_waits_as_others_do() -> None:
    async with running(SESSIONS) as node:
        source = await Source.at(node)
        task = asking(node, ".m3u8")
        await waits(task)
        source.push(30)
        assert (await task).status == 200
