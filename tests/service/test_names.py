"""Identity: every form in which clients name a stream, and the names that are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.hub.key import PUBLISH_REALM, StreamKey
from edge.service.names import BadNameError, StreamName, TcUrl, moved_to, parse_stream_name, parse_tc_url


def request(name: str, tc_url: str = "rtmp://h.example/live", *, is_play: bool = True, app: str = "") -> StreamName:
    return parse_stream_name(
        name,
        parse_tc_url(tc_url, app),
        is_play=is_play,
        default_vhost="_",
        default_app="bdms_default_app",
        hostname="myhost.example",
    )


def text(name: str, tc_url: str = "rtmp://h.example/live") -> str:
    return str(request(name, tc_url).key)


@pytest.mark.parametrize(
    ("tc_url", "wanted"),
    [
        ("rtmp://h/a", TcUrl("h", "", "a", "")),
        ("rtmp://h:1935/a", TcUrl("h", "", "a", "")),
        ("rtmps://h/a", TcUrl("h", "", "a", "")),
        ("RTMP://h/a", TcUrl("h", "", "a", "")),
        ("rtmp:///h//a", TcUrl("h", "", "a", "")),
        ("rtmp://[::1]:1935/a", TcUrl("::1", "", "a", "")),
        ("rtmp://h/a/", TcUrl("h", "", "a", "")),
        ("rtmp://h/a/b/c", TcUrl("h", "", "a", "b/c")),
        ("rtmp://h/a?vhost=v", TcUrl("h", "v", "a", "", "vhost=v")),
        ("rtmp://h/a?vhost=v:80/p", TcUrl("h", "v", "a", "p", "vhost=v:80")),
        ("rtmp://h/a/?vhost=v", TcUrl("h", "v", "a", "", "vhost=v")),
        ("rtmp://h/a/p?vhost=v", TcUrl("h", "v", "a", "p", "vhost=v")),
        ("rtmp://h/a?x=1/p?vhost=v", TcUrl("h", "", "a", "", "x=1/p?vhost=v")),
        ("rtmp://h/a?vhost=v/p?x=1/2", TcUrl("h", "v", "a", "p", "vhost=v&x=1/2")),
        ("rtmp://h/a?vhost=v/p/q&x=1/2", TcUrl("h", "v", "a", "p/q", "vhost=v&x=1/2")),
        ("rtmp://h/a?x=1/2&vhost=v/p/", TcUrl("h", "v", "a", "p", "x=1/2&vhost=v")),
        ("rtmp://h/a?domain=v/p", TcUrl("h", "v", "a", "p", "domain=v")),
        ("rtmp://h/a/?x=1/2", TcUrl("h", "", "a", "", "x=1/2")),
        ("rtmp://h/a/p/?x=1/2", TcUrl("h", "", "a", "p", "x=1/2")),
        ("rtmp://h/a?x=a==/b=&y=#/%2F?z", TcUrl("h", "", "a", "", "x=a==/b=&y=#/%2F?z")),
        ("rtmp://h?x=1/2", TcUrl("h", "", "", "", "x=1/2")),
        ("rtmp://[::1]:1935?x=[1/2]", TcUrl("::1", "", "", "", "x=[1/2]")),
        ("rtmp://h", TcUrl("h", "", "", "")),
        ("", TcUrl("", "", "", "")),
    ],
)
def test_parse_tc_url(tc_url: str, wanted: TcUrl) -> None:
    assert parse_tc_url(tc_url) == wanted


def test_app_field_serves_only_where_the_url_has_none() -> None:
    assert parse_tc_url("", "live?x=1").app == "live"
    assert parse_tc_url("rtmp://h", "/live/").app == "live"
    assert parse_tc_url("rtmp://h/a", "b").app == "a"


@pytest.mark.parametrize(
    ("tc_url", "app", "wanted"),
    [
        ("rtmp://h/a?t=1/2", "a?t=1/2", "t=1/2"),
        ("rtmp://h/a", "a?t=1/2", "t=1/2"),
        ("rtmp://h/a?t=1/2", "a?u=3/4", "t=1/2&u=3/4"),
        ("rtmp://h/a?vhost=v/p", "a?vhost=v/p", "vhost=v"),
    ],
)
def test_query_of_the_app_field_stands_behind_that_of_the_url(tc_url: str, app: str, wanted: str) -> None:
    assert parse_tc_url(tc_url, app).query == wanted


@pytest.mark.parametrize(
    ("name", "tc_url", "wanted"),
    [
        ("s", "rtmp://h.example/live", "h.example/live/s"),
        ("s", "rtmp://1.2.3.4:1935/live", "_/live/s"),
        ("s", "rtmp://h.example/live/pre/fix", "h.example/live/pre/fix/s"),
        ("a/b", "rtmp://h.example/live", "h.example/live/a/b"),
        ("s", "", "_/bdms_default_app/s"),
        ("s", "rtmp://h.example", "h.example/bdms_default_app/s"),
        ("s?vhost=V.Example:80", "rtmp://1.2.3.4/live", "v.example/live/s"),
        ("s?vhost=127.0.0.1", "rtmp://h.example/live", "_/live/s"),
        ("s?vhost=LOCALHOST", "rtmp://h.example/live", "_/live/s"),
        ("s?app=other", "rtmp://h.example/live", "h.example/other/s"),
    ],
)
def test_names_and_urls_make_the_key(name: str, tc_url: str, wanted: str) -> None:
    assert text(name, tc_url) == wanted


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("vhost=a.b&wshost=c.d&domain=e.f", "a.b"),
        ("domain=e.f&wsHost=c.d", "c.d"),
        ("domain=e.f", "e.f"),
        ("vhost=a.b&vhost=c.d", "c.d"),
        ("vhost=&wshost=c.d", "c.d"),
        ("vhost=", "tc.example"),
        ("vhost=a.b:8080", "a.b"),
        ("VHOST=a.b", "tc.example"),
    ],
)
def test_M17_precedence_of_vhost_parameters(query: str, wanted: str) -> None:
    assert request(f"s?{query}", "rtmp://h.example/live?vhost=tc.example").key.vhost == wanted
    by_url = request("s", f"rtmp://tc.example/live?{query}").key.vhost
    assert by_url == wanted


def test_M17_app_in_the_url_and_in_the_name() -> None:
    assert text("s", "rtmp://h.example/live?app=b") == "h.example/b/s"
    assert text("s?app=c", "rtmp://h.example/live?app=b") == "h.example/c/s"
    assert text("s?app=", "rtmp://h.example/live") == "h.example/live/s"


@pytest.mark.parametrize(
    ("path", "query", "wanted"),
    [
        ("live/s", "sign=a/b/c==&exp=1", "h.example/live/s"),
        ("live/s", "exp=1&sign=a/b/c=", "h.example/live/s"),
        ("live/hall/s", "sign=a/b/c=", "h.example/live/hall/s"),
        ("live/s", "sign=a?b/c==", "h.example/live/s"),
        ("live/s", "sign=//=", "h.example/live/s"),
        ("live/s", "sign=a/b==&vhost=v.example", "v.example/live/s"),
        ("live/s", "vhost=v.example&sign=a/b==", "v.example/live/s"),
        ("live/s", "app=news&sign=a/b==", "h.example/news/s"),
    ],
)
def test_url_that_a_program_has_cut_in_its_query_is_one_url(path: str, query: str, wanted: str) -> None:
    whole = f"rtmp://h.example/{path}?{query}"
    kept = "&".join(part for part in query.split("&") if not part.startswith(("vhost=", "app=")))
    slashes = [at for at, char in enumerate(whole) if char == "/" and at > whole.index("?")]
    for at in slashes:
        if "=" in whole[at:].partition("?")[0]:
            found = request(whole[at + 1 :], whole[:at])
            assert (str(found.key), found.query) == (wanted, kept)


@pytest.mark.parametrize(
    ("name", "tc_url", "wanted"),
    [
        ("s", "rtmp://h.example/live/hall?sign=a/b==", "h.example/live/hall/s"),
        ("s?t=b==", "rtmp://h.example/live/hall?sign=a", "h.example/live/hall/s"),
        ("a=b", "rtmp://h.example/live?sign=a", "h.example/live/a=b"),
        ("a=b", "rtmp://h.example/live/hall", "h.example/live/hall/a=b"),
        ("b", "rtmp://h.example/live/hall?sign=a", "h.example/live/hall/b"),
    ],
)
def test_name_behind_the_query_of_a_server_is_a_name(name: str, tc_url: str, wanted: str) -> None:
    assert text(name, tc_url) == wanted


@pytest.mark.parametrize("query", ["vhost=a/b", "app=a/b", "wshost=a/b", "domain=/"])
def test_M17_values_with_a_slash_are_refused(query: str) -> None:
    with pytest.raises(BadNameError):
        request(f"s?{query}")


def test_M17_keys_are_compared_as_triples() -> None:
    assert StreamKey("v", "a", "b/c") != StreamKey("v", "a/b", "c")
    assert len({StreamKey("v", "a", "s"), StreamKey("v", "a", "s", PUBLISH_REALM)}) == 2


def test_publish_realm_shows_but_is_hashed_like_the_live_stream() -> None:
    live, local = StreamKey("v", "a", "s"), StreamKey("v", "a", "s", PUBLISH_REALM)
    assert str(local) == "v/a/s.pubproxy"
    assert local.text == live.text == str(live) == "v/a/s"


def test_M16_a_name_that_looks_internal_is_another_stream() -> None:
    named = request("s.pubproxy").key
    assert named != StreamKey("h.example", "live", "s", PUBLISH_REALM)


@pytest.mark.parametrize("name", ["a b", "\"'", "<&>", "a|b", "a#b", "%2e%2e%2f", "%0d%0a", "\U0001f600", "‮x", "\xa0"])
@pytest.mark.parametrize("suffix", ["", ".flv", ".lss1"])
def test_M16_awkward_names_are_usable(name: str, suffix: str) -> None:
    assert request(name + suffix).key.stream_name == name + suffix


@pytest.mark.parametrize("length", [0, 512, 513, 60_000])
@pytest.mark.parametrize("part", ["name", "app", "vhost"])
def test_M14_lengths(part: str, length: int) -> None:
    value = "x" * length
    name = {"name": value, "app": f"s?app={value}", "vhost": f"s?vhost={value}"}[part]
    is_refused = length > 512 or (part == "name" and length == 0)
    if is_refused:
        with pytest.raises(BadNameError):
            request(name)
    else:
        assert request(name).key.stream_name in ("s", value)


def test_M14_the_limit_counts_bytes() -> None:
    with pytest.raises(BadNameError, match="514 bytes"):
        request("ä" * 257)


@pytest.mark.parametrize(
    "name",
    [
        *("..", ".", "a/../b", "/a", "a/", "a//b", "a\\b"),
        *("a\nb", "a\x00", "a\x7f", "\x1b[2J", "a\r\nX: y"),
        *("a\udcff", "a\ud800", "\udfff"),
    ],
)
@pytest.mark.parametrize("where", ["{}", "s?app={}", "s?vhost={}"])
def test_M15_dangerous_names_are_refused(name: str, where: str) -> None:
    if "vhost" in where and not name.strip("."):
        assert request(where.format(name)).key.vhost == "_"  # digits and dots: an address
        return
    with pytest.raises(BadNameError):
        request(where.format(name))


def test_M15_prefix_is_held_to_the_same_rule() -> None:
    with pytest.raises(BadNameError):
        request("s", "rtmp://h.example/live/../x")


def test_M18_recognised_parameters_are_taken_out_once_and_the_rest_forwarded_verbatim() -> None:
    found = request("s?token=a%20b&app=x&only-audio=1&only-video=1&vhost=v.e&flag&=&t=1&t=2")
    assert found.query == "token=a%20b&flag&=&t=1&t=2"
    assert (found.only_audio, found.only_video) == (False, False)
    assert str(found.key) == "v.e/x/s"


def test_M18_no_second_parameter_appears_by_removing_one() -> None:
    assert request("s?vvhost=x.yhost=a.b").query == "vvhost=x.yhost=a.b"


@pytest.mark.parametrize("name", ["s?a=1&vhost=x.y?app=z", "s?app=a?vhost=v.example"])
def test_a_query_within_a_vhost_or_an_app_is_refused(name: str) -> None:
    """An upstream would read it, and send another stream than is meant here."""
    with pytest.raises(BadNameError, match="question mark"):
        request(name)


@pytest.mark.parametrize("is_play", [True, False])
@pytest.mark.parametrize(
    ("tc_url", "name", "query"),
    [
        ("rtmp://h/live?secret=84af&time=3C5D", "s", "secret=84af&time=3C5D"),
        ("rtmp://h/live?secret=84af", "s?time=3C5D", "time=3C5D&secret=84af"),
        ("rtmp://h/live", "s?secret=84af&time=3C5D", "secret=84af&time=3C5D"),
        ("rtmp://h/live?t=1&u=2", "s?t=3", "t=3&u=2"),
        ("rtmp://h/live?t=1&t=2&t=1", "s", "t=1&t=2"),
        ("rtmp://h/live?flag&t=", "s?t", "t&flag"),
        (
            "rtmp://h/live?vhost=v&domain=d&wshost=w&wsHost=w&app=live&only-audio=1&only-video=0&idcpassed=1&t=1",
            "s",
            "t=1",
        ),
        ("rtmp://h/live?vhost=v/hall?t=a/b", "s?u=c/d", "u=c/d&t=a/b"),
        ("rtmp://h/live/?t=a/b", "s", "t=a/b"),
    ],
)
def test_token_in_the_url_goes_upstream_behind_the_query_of_the_name(
    tc_url: str, name: str, query: str, is_play: bool
) -> None:
    found = request(name, tc_url, is_play=is_play)
    assert (found.query, found.is_internal) == (query, False)


#: Base64, hexadecimal, percent-encoded and mangled signatures: all that may stand behind a question mark.
_SIGNATURES = st.text("abcXYZ019+/=?#%._~:;,@!$'()*[]-", max_size=40)


@pytest.mark.parametrize("place", ["url", "app", "both", "name"])
@given(sign=_SIGNATURES, other=_SIGNATURES)
def test_no_signature_changes_the_key_and_each_reaches_the_upstream_once(place: str, sign: str, other: str) -> None:
    tail = f"?sign={sign}&other={other}"
    url, app, name = (tail if place in where else "" for where in (("url", "both"), ("app", "both"), ("name",)))
    for prefix, wanted in (("", "s"), ("/", "s"), ("/hall", "hall/s"), ("/hall/", "hall/s")):
        found = request(f"s{name}", f"rtmp://h.example/live{prefix}{url}", app=f"live{app}")
        assert str(found.key) == f"h.example/live/{wanted}"
        assert found.query == f"sign={sign}&other={other}"
        # The next node is asked by name, and so is the one behind it.
        behind = request(f"{wanted}?{found.query}&app=live", "rtmp://h.example/unified_app")
        assert (behind.key, behind.query) == (found.key, found.query)


@pytest.mark.parametrize(
    ("query", "audio", "video", "kept"),
    [
        ("only-audio=1", True, False, ""),
        ("only-video=1", False, True, ""),
        ("only-audio=true", False, False, "only-audio=true"),
        ("only-audio=1&only-video=0", True, False, "only-video=0"),
        ("only-audio", False, False, "only-audio"),
    ],
)
def test_filters_of_a_play(query: str, audio: bool, video: bool, kept: str) -> None:
    found = request(f"s?{query}")
    assert (found.only_audio, found.only_video, found.query) == (audio, video, kept)


def test_filters_are_kept_and_forwarded_by_a_publish() -> None:
    found = request("s?only-audio=1&vhost=v.e", is_play=False)
    assert (found.only_audio, found.query, found.key.vhost) == (False, "only-audio=1", "v.e")


@pytest.mark.parametrize(("query", "wanted"), [("idcpassed=1", True), ("idcpassed=", False), ("x=1", False)])
def test_internal_hop_is_seen_and_kept(query: str, wanted: bool) -> None:
    found = request(f"s?{query}")
    assert found.is_internal is wanted
    assert found.query == query


NAMES = st.text(max_size=20)


@given(name=NAMES, tc_url=NAMES, app=NAMES)
def test_any_text_is_a_key_or_a_bad_name(name: str, tc_url: str, app: str) -> None:
    try:
        key = request(name, tc_url, app=app).key
    except BadNameError:
        return
    assert key.vhost and key.app and key.stream_name
    assert "/" not in key.vhost + key.app
    assert not any(ord(c) < 0x20 or ord(c) == 0x7F for c in str(key))


@pytest.mark.parametrize(
    ("tc_url", "moved"),
    [
        ("rtmp://h.example:1935/live", "rtmp://b.example/live?vhost=h.example"),
        ("rtmp://10.0.0.1/live/deep/er", "rtmp://b.example/live/deep/er?vhost=__defaultVhost__"),
        ("rtmp://myhost.example/live?token=a", "rtmp://b.example/live?token=a&vhost=__defaultVhost__"),
        ("rtmp://h.example/live?vhost=v.example&token=a/b==", "rtmp://b.example/live?vhost=v.example&token=a/b=="),
        ("rtmp://h.example/live?vhost=v.example/deep?token=a", "rtmp://b.example/live/deep?vhost=v.example&token=a"),
        ("rtmp://h.example", "rtmp://b.example?vhost=h.example"),
    ],
)
def test_at_another_server_a_url_names_the_same_stream(tc_url: str, moved: str) -> None:
    url = parse_tc_url(tc_url)
    assert moved_to("rtmp://b.example", url, default_vhost="_", hostname="myhost.example") == moved
    assert request("cam?x=1", moved) == request("cam?x=1", tc_url)
