from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.httpd.routes import BadTargetError, Route, RouteTable, Target, parse_target
from tests.httpd.serving import hello


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/", "/"),
        ("/status", "/status"),
        ("//status", "/status"),
        ("/status/", "/status"),
        ("/%73tatus", "/status"),
        ("/./status", "/status"),
        ("/x/../status", "/status"),
        ("/x/%2e%2E/status", "/status"),
        ("/brpc.live/s.flv", "/brpc.live/s.flv"),
        ("/live/a;b.flv", "/live/a;b.flv"),
        ("/live/a%3Bb.flv", "/live/a;b.flv"),
        ("/status?a=b", "/status"),
        ("/status#part", "/status"),
        ("http://other.example:1/status?a", "/status"),
        ("HTTPS://other.example", "/"),
        ("/api//streams", "/api/streams"),
        ("/%C3%A4", "/ä"),
    ],
)
def test_variants_of_a_path_are_one_path(text: str, path: str) -> None:
    assert parse_target(text).path == path


@pytest.mark.parametrize(
    "text", ["/../x", "/%2e%2e/", "/a/..%2f..%2fx", "/%00", "/%c0%ae", "/%zz", "/%4", "/x?a=%zz", "/%0d%0a", "*", "x:1"]
)
def test_H6_bad_targets_are_refused(text: str) -> None:
    with pytest.raises(BadTargetError):
        parse_target(text)


@pytest.mark.parametrize("text", ["/%252e%252e/x", "/..%5cx"])
def test_H6_a_target_is_decoded_exactly_once(text: str) -> None:
    assert parse_target(text).path not in ("/", "/x")


def test_H2_a_hundred_query_parameters_are_enough() -> None:
    assert len(parse_target("/?" + "&".join(["a=1"] * 100)).query) == 100
    with pytest.raises(BadTargetError):
        parse_target("/?" + "&".join(["a=1"] * 101))


def test_argument_is_the_last_of_its_name() -> None:
    target = parse_target("/x?a=1&b=&a=%26")
    assert (target.argument("a"), target.argument("b"), target.argument("c")) == ("&", "", None)


@given(st.text(st.characters(codec="ascii"), max_size=60))
def test_any_text_gives_a_plain_path_or_is_refused(text: str) -> None:
    try:
        target = parse_target(text)
    except BadTargetError:
        return
    assert isinstance(target, Target)
    assert target.path.startswith("/")
    assert not {"", ".", ".."} & set(target.path.split("/")[1:]) or target.path == "/"


def test_a_path_is_taken_once() -> None:
    table = RouteTable([Route("/a", hello)])
    assert [route.path for route in table] == ["/a"]
    assert table.find("/b") is None
    with pytest.raises(ValueError, match="/a"):
        RouteTable([Route("/a", hello), Route("/a", hello)])


def named(*paths: str) -> RouteTable:
    return RouteTable([Route(path, hello) for path in paths])


TABLE = named("/", "/status", "/api/streams", "/players", "/players/*", "*.flv", "*.m3u8", "*.dynamic.m3u8", "/x.flv")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/", "/"),
        ("/status", "/status"),
        ("/api/streams", "/api/streams"),
        ("/live/s.flv", "*.flv"),
        ("/live/a/b/c.flv", "*.flv"),
        ("/s.flv", "*.flv"),
        ("/live/.flv", "*.flv"),
        ("/x.flv", "/x.flv"),
        ("/live/x.flv", "*.flv"),
        ("/x.flv/y.flv", None),
        ("/live/s.m3u8", "*.m3u8"),
        ("/_/live/s.lss7.dynamic.m3u8", "*.dynamic.m3u8"),
        ("/live/s.dynamic.m3u8.flv", "*.flv"),
        ("/live/s.FLV", None),
        ("/live/s.flv2", None),
        ("/live/flv", None),
        ("/live.flv/s", None),
        ("/status/s.flv", None),
        ("/statuses/s.flv", "*.flv"),
        ("/api/s.flv", "*.flv"),
        ("/players", "/players"),
        ("/players/_/live/s.flv", "/players/*"),
        ("/nothing", None),
        # Pages have the names that brpc gives them too; a stream has its own.
        ("/brpc.status", "/status"),
        ("/brpc.status/s.flv", None),
        ("/brpc.live/s.flv", "*.flv"),
        ("/status;x", "/status"),
        ("/api/streams;x", "/api/streams"),
        ("/status;x/s.flv", None),
        ("/live/a;b.flv", "*.flv"),
    ],
)
def test_which_row_a_path_finds(path: str, found: str | None) -> None:
    route = TABLE.find(path)
    assert (route.path if route is not None else None) == found


@given(st.permutations([".flv", ".a.flv", ".b.a.flv", ".ts"]), st.text(st.sampled_from("ab."), max_size=8))
def test_the_longest_suffix_wins_in_any_order(suffixes: list[str], name: str) -> None:
    path = f"/live/{name}.flv"
    route = named(*(f"*{suffix}" for suffix in suffixes)).find(path)
    wanted = max((suffix for suffix in suffixes if path.endswith(suffix)), key=len)
    assert route is not None and route.path == f"*{wanted}"
