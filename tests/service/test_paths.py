"""Identity over HTTP: every form of a path and its query, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.service.names import BadNameError, StreamName, parse_tc_url
from edge.service.paths import name_of_path
from edge.service.refusal import Reason, Refusal
from tests.service.fakes import Door


def name(path: str, query: str = "", host: str = "h.example") -> StreamName:
    return name_of_path(host, path, query, hostname="myhost.example")


@pytest.mark.parametrize(
    ("host", "path", "query", "wanted"),
    [
        ("h.example", "/live/cam", "", "h.example/live/cam"),
        ("H.Example:8079", "/live/cam", "", "h.example/live/cam"),
        ("127.0.0.1:8079", "/live/cam", "", "_/live/cam"),
        ("[::1]:8079", "/live/cam", "", "_/live/cam"),
        ("localhost", "/live/cam", "", "_/live/cam"),
        ("myhost.example", "/live/cam", "", "_/live/cam"),
        ("h.example", "/live/a/b/c", "", "h.example/live/a/b/c"),
        ("h.example", "/live/a.b.c", "", "h.example/live/a.b.c"),
        ("h.example", "/live/cam", "vhost=v.example", "v.example/live/cam"),
        ("h.example", "/live/cam", "vhost=V.example:80", "v.example/live/cam"),
        ("h.example", "/live/cam", "vhost=v%2Eexample", "v.example/live/cam"),
        ("h.example", "/live/cam", "vhost=[::1]:80", "_/live/cam"),
        ("h.example", "/live/cam", "domain=d.example&wshost=w.example", "w.example/live/cam"),
        ("h.example", "/live/cam", "domain=d.example&vhost=v.example", "v.example/live/cam"),
        ("h.example", "/live/cam", "wsHost=w.example", "w.example/live/cam"),
        # The first that is there counts, also when it is empty: then the host does.
        ("h.example", "/live/cam", "vhost=&wshost=w.example", "h.example/live/cam"),
        ("h.example", "/live/cam", "vhost=a.example&vhost=b.example", "b.example/live/cam"),
        ("h.example", "/live/cam", "vhost=__defaultVhost__", "_/live/cam"),
        # Only RTMP has the app in a query.
        ("h.example", "/live/cam", "app=other", "h.example/live/cam"),
        # What was asked for at another host.
        ("h.example", "/r/o.example/live/cam", "", "o.example/live/cam"),
        ("h.example", "/r/o.example:80/live/a/b", "", "o.example/live/a/b"),
        ("h.example", "/r/10.0.0.7/live/cam", "", "_/live/cam"),
        ("h.example", "/r/o.example/live/cam", "vhost=v.example", "v.example/live/cam"),
        # Too short for that form: an app named r.
        ("h.example", "/r/cam", "", "h.example/r/cam"),
        ("h.example", "/r/a/b", "", "h.example/r/a/b"),
    ],
)
def test_key_of_a_path(host: str, path: str, query: str, wanted: str) -> None:
    assert str(name(path, query, host).key) == wanted


@pytest.mark.parametrize(
    ("query", "forwarded"),
    [
        ("", ""),
        ("token=a%2Fb%3D%3D&x", "token=a%2Fb%3D%3D&x"),
        ("vhost=v.example&token=1&domain=d", "token=1"),
        ("only-audio=1&token=1", "token=1"),
        ("only-audio=2&token=1", "only-audio=2&token=1"),
        ("app=x&token=1", "token=1"),
        ("idcpassed=1", "idcpassed=1"),
        ("&&a=1&", "a=1"),
    ],
)
def test_query_that_is_forwarded(query: str, forwarded: str) -> None:
    assert name("/live/cam", query).query == forwarded


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("only-audio=1", (True, False)),
        ("only-video=1", (False, True)),
        ("only-audio=1&only-video=1", (False, False)),
        ("only-audio=true", (False, False)),
    ],
)
def test_filters(query: str, wanted: tuple[bool, bool]) -> None:
    found = name("/live/cam", query)
    assert (found.only_audio, found.only_video) == wanted


def test_another_nodes_hop_is_no_viewer() -> None:
    assert name("/live/cam", "idcpassed=1").is_internal
    assert not name("/live/cam", "idcpassed=").is_internal
    assert not name("/live/cam", "notidcpassed=1").is_internal


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/cam", ""),
        ("/", ""),
        ("", ""),
        ("/live/../cam", ""),
        ("/live//cam", ""),
        ("/live/" + "x" * 600, ""),
        ("/live/a\x01b", ""),
        ("/live/a\\b", ""),
        ("/live/cam", "vhost=a%0d%0ab"),
        ("/live/cam", "vhost=a/b"),
        ("/live/cam", "vhost=a%2Fb"),
        ("/live/cam", "domain=%3Cscript%3E"),
        ("/live/cam", "vhost=a%22b"),
        ("/live/cam", "vhost=a%26app%3Db"),
        ("/live/cam", "vhost=" + "v" * 65536),
        ("/r/o.example/live/..", ""),
        ("/live/cam?app=secret", ""),
        ("/live?vhost=secret.example/cam", ""),
        ("/r/o.example?app=secret/live/cam", ""),
        ("/r/<script>/live/cam", ""),
        ("/r/a b/live/cam", ""),
        ("/r/user@h/live/cam", ""),
        ("/" + "x" * 7000, ""),
    ],
)
def test_bad_names_are_refused(path: str, query: str) -> None:
    with pytest.raises(BadNameError):
        name(path, query)
    refusal = Door().service.resolve_path("h.example", path, query)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.BAD_NAME
    assert len(refusal.detail) < 100, "what was asked for is not said again"


@pytest.mark.parametrize("host", ["user:secret@h.example", "<b>", 'a"b', "a b"])
def test_H12_host_of_an_absolute_url_that_is_none(host: str) -> None:
    """It is not looked at before, as a ``Host`` header is."""
    with pytest.raises(BadNameError):
        name("/live/cam", host=host)


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_any_text_gives_a_clean_name_or_a_refusal(host: str, path: str, query: str) -> None:
    try:
        key = name(path, query, host).key
    except BadNameError:
        return
    for part in key[:3]:
        assert part
        assert not any(ord(char) < 0x20 or char in "\\?" for char in part)
    assert "/" not in key.vhost + key.app


def test_rtmp_and_http_mean_the_same_stream() -> None:
    """A stream that was published by RTMP is found under the host, or the vhost, of an HTTP URL."""
    service = Door().service
    by_path = service.resolve_path("V.example:8079", "/live/cam", "token=1")
    by_name = service.resolve("cam?token=1", parse_tc_url("rtmp://v.example/live"), is_play=True)
    assert by_path == by_name
