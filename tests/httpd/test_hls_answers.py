"""What answers say of themselves: types, tags, and how long caches may keep them."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from edge.httpd import hls_answers
from edge.httpd.hls_answers import PlaylistText
from edge.httpd.status import ERROR_CODE
from edge.service.refusal import WORDS, Reason, Refusal

TEXT = PlaylistText("#EXTM3U\n", 2)


def test_a_playlist() -> None:
    answer = TEXT.answer(make_mocked_request("GET", "/"))
    assert answer.status == 200 and answer.body == b"#EXTM3U\n"
    assert answer.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    assert answer.headers["Cache-Control"] == "public, max-age=2"
    assert answer.headers["ETag"] == TEXT.etag and TEXT.etag.startswith('"') and TEXT.etag.endswith('"')
    assert PlaylistText("#EXTM3U\n", 9).etag == TEXT.etag != PlaylistText("#EXTM3U\n\n", 2).etag
    private = PlaylistText("#EXTM3U\n", 0).answer(make_mocked_request("GET", "/"))
    assert private.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        *(("", 200), ('"other"', 200), ("garbage", 200), (TEXT.etag.strip('"'), 200), (f"x{TEXT.etag}", 200)),
        *((TEXT.etag, 304), (f"W/{TEXT.etag}", 304), ("*", 304), (" * ", 304), (f'"a", W/"b" ,{TEXT.etag}', 304)),
        *((f'W/"a",W/{TEXT.etag}', 304), (",,", 200), ('"*"', 200)),
    ],
)
def test_one_who_has_it(said: str, status: int) -> None:
    answer = TEXT.answer(make_mocked_request("GET", "/", headers={"If-None-Match": said}))
    assert answer.status == status
    assert answer.headers["ETag"] == TEXT.etag and answer.headers["Cache-Control"] == "public, max-age=2"
    assert bool(answer.body) == (status == 200)


@pytest.mark.parametrize(("kind", "type_"), [("ts", "video/mp2t"), ("m4s", "video/mp4"), ("mp4", "video/mp4")])
def test_media_may_be_kept_for_ever(kind: str, type_: str) -> None:
    answer = hls_answers.media_answer(kind, b"x")
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, b"x", type_)
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_what_is_missing_is_forgotten_soon_and_what_may_come_is_not_kept() -> None:
    missing, bad, later = hls_answers.missing("no"), hls_answers.bad_request("no"), hls_answers.not_yet("no")
    assert [each.status for each in (missing, bad, later)] == [404, 400, 503]
    assert missing.headers["Cache-Control"] == "public, max-age=1"
    assert all("no-store" in each.headers["Cache-Control"] for each in (bad, later))
    assert later.headers["Retry-After"] == "1"
    assert all(each.headers[ERROR_CODE] for each in (missing, bad, later))


@pytest.mark.parametrize("reason", list(Reason))
def test_a_refusal_that_may_pass_is_no_4xx(reason: Reason) -> None:
    """Players take a 4xx for the last word."""
    answer = hls_answers.refuse(Refusal(reason, "why"))
    passing = {Reason.OVERLOAD, Reason.UNREACHABLE, Reason.SILENT, Reason.LOOP, Reason.RULE_FAILED}
    assert answer.status >= 400 and answer.headers["Cache-Control"]
    assert (answer.status in (502, 503) and answer.headers.get("Retry-After") == "1") or reason not in passing
    assert answer.status != 404 or answer.headers["Cache-Control"] == "public, max-age=1"


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason not in WORDS])
def test_words_of_an_upstream_that_are_no_utf8_can_be_answered(reason: Reason) -> None:
    assert hls_answers.refuse(Refusal(reason, "gone: a\udcffb")).text == "gone: a?b\n"
