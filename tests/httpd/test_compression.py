"""Which pages are compressed, for whom."""

from __future__ import annotations

import gzip

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from edge.httpd.compression import MAX_BYTES, compress, takes_gzip

TEXT = "a page of text, a page of text\n" * 100


def packed(
    answer: web.StreamResponse, accepted: str = "gzip, br", *, method: str = "GET", threshold: int = 512
) -> bool:
    headers = {"Accept-Encoding": accepted} if accepted else {}
    compress(make_mocked_request(method, "/", headers=headers), answer, threshold)
    return answer.headers.get("Content-Encoding") == "gzip"


@pytest.mark.parametrize(
    ("accepted", "is_taken"),
    [
        *(("gzip", True), ("deflate, GZIP;q=0.5", True), ("*", True), ("x-gzip", True)),
        *(("", False), ("br", False), ("gzip;q=0", False), ("gzip; q=0.0, br", False), ("identity", False)),
    ],
)
def test_who_takes_gzip(accepted: str, is_taken: bool) -> None:
    assert takes_gzip(accepted) is is_taken
    answer = web.Response(text=TEXT)
    assert packed(answer, accepted) is is_taken
    body = answer.body
    assert isinstance(body, bytes)
    assert (gzip.decompress(body) if is_taken else body).decode() == TEXT
    assert answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(text=TEXT, status=404),
        web.Response(body=TEXT.encode(), content_type="video/mp2t"),
        web.Response(text=TEXT, headers={"ETag": '"1"'}),
        web.Response(text="x" * 511),
        web.Response(text="x" * (MAX_BYTES + 1)),
        web.Response(text=TEXT, headers={"Content-Encoding": "br"}),
        web.StreamResponse(),
    ],
    ids=["not found", "media", "with a tag", "short", "long", "already", "of unknown length"],
)
def test_what_stays_as_it_is(answer: web.StreamResponse) -> None:
    assert not packed(answer)


def test_the_threshold_is_the_least_size() -> None:
    assert packed(web.Response(text="x" * 512)) and not packed(web.Response(text=TEXT), threshold=len(TEXT) + 1)
    assert not packed(web.Response(text=TEXT), method="HEAD")
