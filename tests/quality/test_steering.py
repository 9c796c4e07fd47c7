from __future__ import annotations

from collections import Counter

import pytest

from edge.quality.steering import Pathway, Viewer, manifest, order, pathway_id, place_of, steer_query

A, B, C = (Pathway(name, f"http://{name}") for name in "abc")
VIEWERS = [f"viewer-{number}" for number in range(400)]


def drained(pathway: Pathway, share: float = 1.0) -> Pathway:
    return Pathway(pathway.id, pathway.base, share)


def first(viewer: Viewer, *pathways: Pathway) -> str:
    return order(viewer, pathways)[0].id


@pytest.mark.parametrize(
    ("base", "found"),
    [
        ("http://edge-1.example:8079", "edge-1.example_8079"),
        ("https://cdn.example/live/eu", "cdn.example_live_eu"),
        ("http://[2001:db8::1]:80", "2001_db8__1__80"),
        ("http://", "_"),
    ],
)
def test_ids_of_pathways(base: str, found: str) -> None:
    assert pathway_id(base) == found


def test_all_are_at_home_while_it_is_well_and_come_back() -> None:
    for name in VIEWERS:
        assert first(Viewer(name, "a"), A, B, C) == "a"
        assert first(Viewer(name, "a", at="b"), A, B, C) == "a"


def test_of_a_node_that_drains_all_leave_and_spread() -> None:
    found = Counter(first(Viewer(name, "a", at="a"), drained(A), B, C) for name in VIEWERS)
    assert set(found) == {"b", "c"} and min(found.values()) > 120


def test_of_a_loaded_node_a_part_leaves_the_same_on_all_nodes() -> None:
    for share in (0.25, 0.5, 0.75):
        gone = {name for name in VIEWERS if first(Viewer(name, "a"), drained(A, share), B, C) != "a"}
        assert abs(len(gone) / len(VIEWERS) - share) < 0.1
        assert gone == {name for name in VIEWERS if place_of(name) < share}
        asked_at_b = {name for name in gone if first(Viewer(name, "a", at="b"), C, B, drained(A, share)) != "a"}
        assert asked_at_b == gone


def test_who_has_moved_stays_until_home_is_well() -> None:
    for name in VIEWERS[:50]:
        assert first(Viewer(name, "a", at="b"), drained(A), B, C) == "b"
        assert first(Viewer(name, "a", at="b"), drained(A), drained(B), C) == "c"
        assert first(Viewer(name, "a", at="b", is_away=True), A, B, C) == "b"


def test_a_loaded_node_is_given_no_guests_while_another_is_well() -> None:
    assert {first(Viewer(name, "a"), drained(A), drained(B, 0.25), C) for name in VIEWERS} == {"c"}


def test_where_nobody_is_well_they_stay() -> None:
    loaded = drained(A, 0.5)
    for name in VIEWERS[:50]:
        assert first(Viewer(name, "a", at="a"), loaded, drained(B)) == "a"
        assert first(Viewer(name, "a", at="a"), drained(A)) == "a"
        assert first(Viewer(name, "a", at="a", is_away=True), A) == "a"


def test_who_stalled_is_sent_elsewhere_and_home_is_the_last_of_the_well_ones() -> None:
    ordered = order(Viewer("v", "a", at="a", is_away=True), [A, B, drained(C)])
    assert [pathway.id for pathway in ordered] == ["b", "a", "c"]


def test_the_manifest_names_the_same_playlist_on_each_node() -> None:
    viewer = Viewer("v", "a", at="a")
    query = steer_query(home="a", viewer="v", variant="/live/s.ll.media.m3u8?token=x&y=%20", until_s=12)
    assert query == "home=a&viewer=v&variant=%2Flive%2Fs.ll.media.m3u8%3Ftoken%3Dx%26y%3D%2520&until=12"
    found = manifest(viewer, [B, A], path="/live/s.ll.media.m3u8", query="token=x", reload=query, ttl_s=5)
    assert found == {
        "VERSION": 1,
        "TTL": 5,
        "RELOAD-URI": f"http://b/-/steer?{query}",
        "PATHWAY-PRIORITY": ["b", "a"],
        "PATHWAY-CLONES": [
            {
                "BASE-ID": "a",
                "ID": "b",
                "URI-REPLACEMENT": {"PER-VARIANT-URIS": {"1": "http://b/live/s.ll.media.m3u8?token=x"}},
            }
        ],
    }
    own = manifest(viewer, [Pathway("a", "")], path="/p", query="", reload="q", ttl_s=1)
    assert (own["RELOAD-URI"], own["PATHWAY-CLONES"]) == ("?q", [])
