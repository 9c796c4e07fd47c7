"""The client of content steering is judged first: it takes nothing doubtful."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.harness.hls_steering import Steering
from tests.harness.m3u8 import PlaylistError, parse_multivariant

PLAYLIST = """\
#EXTM3U
#EXT-X-CONTENT-STEERING:SERVER-URI="../-/steer?v=1",PATHWAY-ID="a"
#EXT-X-STREAM-INF:BANDWIDTH=1,STABLE-VARIANT-ID="1",PATHWAY-ID="a"
s.m3u8?x
"""
CLONE = {"BASE-ID": "a", "ID": "b", "URI-REPLACEMENT": {"PER-VARIANT-URIS": {"1": "http://b/live/s.m3u8?x"}}}
GOOD = {"VERSION": 1, "TTL": 5, "PATHWAY-PRIORITY": ["b", "a"], "PATHWAY-CLONES": [CLONE]}


def steering() -> Steering:
    found = Steering.of(parse_multivariant(PLAYLIST), "http://a/live/s.m3u8")
    assert found is not None
    return found


def test_it_goes_where_it_is_sent_and_asks_there() -> None:
    found = steering()
    assert found.question == "http://a/-/steer?v=1&_HLS_pathway=a&_HLS_throughput=5000000"
    assert found.media_url == "http://a/live/s.m3u8?x"
    found.take(json.dumps({**GOOD, "RELOAD-URI": "http://b/-/steer"}).encode())
    assert (found.media_url, found.ttl_s, found.moves) == ("http://b/live/s.m3u8?x", 5, ["b"])
    assert found.question == "http://b/-/steer?_HLS_pathway=b&_HLS_throughput=5000000"
    found.take(json.dumps({**GOOD, "PATHWAY-PRIORITY": ["none", "a"], "RELOAD-URI": "?w=2"}).encode())
    assert (found.pathway, found.moves, found.uri) == ("a", ["b", "a"], "http://b/-/steer?w=2")


@pytest.mark.parametrize(
    "changes",
    [
        {"VERSION": 2},
        {"TTL": "5"},
        {"PATHWAY-PRIORITY": []},
        {"PATHWAY-PRIORITY": ["a", "a"]},
        {"MORE": 1},
        {"PATHWAY-CLONES": [{**CLONE, "BASE-ID": "c"}]},
        {"PATHWAY-CLONES": [{**CLONE, "URI-REPLACEMENT": {"PER-VARIANT-URIS": {"2": "http://b"}}}]},
        {"PATHWAY-CLONES": [{"ID": "b"}]},
    ],
)
def test_manifests_that_break_a_rule(changes: dict[str, Any]) -> None:
    with pytest.raises(PlaylistError):
        steering().take(json.dumps({**GOOD, **changes}).encode())


def test_what_is_no_manifest() -> None:
    for body in (b"", b"[]", b"<html>"):
        with pytest.raises(PlaylistError):
            steering().take(body)
