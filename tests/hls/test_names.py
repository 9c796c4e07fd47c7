"""Names come back as they were given, whatever the stream is called; nothing else is a name."""

from __future__ import annotations

from urllib.parse import quote, unquote, urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.hls.names import (
    Asked,
    SegmentName,
    TwoLevelName,
    Uris,
    epoch_word,
    init_digest,
    parse_path,
    parse_two_level_path,
)

#: Parts of names that mean something somewhere: in playlists, in URLs, in names of ours.
ODD = [
    '"',
    " ",
    "#",
    "\n",
    "\r",
    ":",
    "é",
    "漢",
    ".",
    "..",
    "%",
    "%2e",
    "?",
    "&",
    "\\",
    "\x00",
    "a",
    "#EXTINF:2,",
    "\u2028",
]
ODD += ["e-1-2", ".ts", ".m4s", ".init.mp4", ".seq3", ".0123456789abcdef", "//evil", "http:", "e1-1-2.1", ",", "'"]
STREAM_NAMES = st.lists(st.one_of(st.sampled_from(ODD), st.characters(codec="utf-8")), min_size=1, max_size=8).map(
    "".join
)
NUMBERS = st.integers(0, 10**16 - 1)
EPOCHS = st.one_of(st.text("0123456789abcdefXYZ", min_size=1, max_size=64), st.text(max_size=80)).map(epoch_word)


def clean(name: str) -> str:
    """As a player can ask for it: none of its components vanishes on the way."""
    return "/".join(each if each not in ("", ".", "..") else f"{each}x" for each in name.split("/"))


def came_back(base: str, uri: str) -> str:
    """What a server decodes of the request that a player makes of a URI in a playlist."""
    assert len(uri.splitlines()) == 1 and uri.isascii() and " " not in uri and '"' not in uri
    assert not uri.startswith("#")
    whole = urljoin(f"http://h:1{base}", uri)
    assert whole.startswith("http://h:1/")
    return unquote(whole.removeprefix("http://h:1").partition("?")[0], errors="strict")


def playlist_url(path: str) -> str:
    return quote(path) + ".classic.media.m3u8"


@given(
    name=STREAM_NAMES.map(clean),
    epoch=EPOCHS,
    number=NUMBERS,
    dts_ms=NUMBERS,
    part=st.integers(0, 99_999),
    kind=st.sampled_from(["ts", "m4s"]),
    prefix=st.sampled_from(["", "http://h:1", "http://h:1/"]),
    query=st.sampled_from(["", "vhost=a.b&only-audio=1"]),
)
def test_any_name_of_a_stream_comes_back(
    name: str, epoch: str, number: int, dts_ms: int, part: int, kind: str, prefix: str, query: str
) -> None:
    path = f"/live/{name}"
    uris, base = Uris(path, query, prefix), playlist_url(path)
    segment = SegmentName(epoch, number, dts_ms)
    assert parse_path(came_back(base, uris.segment(segment, kind))) == Asked(path, segment, -1, kind)
    assert parse_path(came_back(base, uris.part(segment, part))) == Asked(path, segment, part, "m4s")
    digest = init_digest(name.encode())
    assert parse_path(came_back(base, uris.init(digest))) == Asked(path, None, -1, "mp4", digest)
    assert parse_two_level_path(came_back(base, uris.two_level(epoch, number))) == TwoLevelName(path, epoch, number)
    assert came_back(base, uris.playlist(".ll.media.m3u8", "a=1")) == f"{path}.ll.media.m3u8"
    assert parse_two_level_path(f"{path}.{segment}.ts") is None
    assert parse_path(f"{path}.{epoch}.seq{number}.ts") is None


def test_a_stream_whose_name_has_a_new_line_has_segments() -> None:
    assert parse_path("/live/a\nb.e1-2-3.ts") == Asked("/live/a\nb", SegmentName("e1", 2, 3), -1, "ts")
    assert parse_two_level_path("/live/a\nb.e1.seq2.ts") == TwoLevelName("/live/a\nb", "e1", 2)
    assert parse_path(f"/live/a\nb.{init_digest(b'')}.init.mp4") is not None


@pytest.mark.parametrize(
    "odd",
    [
        "-1",
        "+1",
        "1_0",
        "\u0661",
        "\uff11",
        "\u00b2",
        " 1",
        "1 ",
        "",
        "1,0",
        "0x1",
        "1" * 17,
        "9" * 10**5,
        "00",
        "01",
        "1\n",
        "nan",
    ],
)
def test_odd_numbers_are_no_names(odd: str) -> None:
    for path in (f"/live/a.e1-{odd}-3.ts", f"/live/a.e1-2-{odd}.m4s", f"/live/a.e1-2-3.{odd}.m4s"):
        assert parse_path(path) is None, path[:50]
    assert parse_two_level_path(f"/live/a.e1.seq{odd}.ts") is None


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", ".ts", "/live/cam.ts", "/live/cam.m4s", "/live/cam.init.mp4", "/live/.e1-2-3.ts"),
        *("/live/cam.e1-2-3.mp4", "/live/cam.e1-2-3.1.ts", "/live/cam.e1-2-3.1.1.m4s.ts", "/live/cam.e_1-2-3.ts"),
        *("/live/cam.e1-2-3.100000.m4s", "/live/cam.-2-3.ts", "/live/cam.e1-2.ts", "/live/cam.e1-2-3.TS"),
        *("/live/cam.0123456789ABCDEF.init.mp4", "/live/cam.0123456789abcde.init.mp4", "/live/cam.e1-2-3.ts\n"),
        "/live/cam." + "e" * 65 + "-2-3.ts",
    ],
)
def test_what_is_no_name(path: str) -> None:
    assert parse_path(path) is None


@pytest.mark.parametrize(
    "path", ["/live/cam.seq1.ts", "/live/.e.seq1.ts", "/live/cam.e.seq.ts", "/live/cam.e.seq1.m4s"]
)
def test_what_is_no_name_of_the_two_level_scheme(path: str) -> None:
    assert parse_two_level_path(path) is None


@pytest.mark.parametrize("odd", ["", "a-b", "a.b", "a/b", "../..", "a\nb", '"', "#", "é", "\udc80\udcff", "x" * 65])
def test_ids_of_other_nodes_become_words(odd: str) -> None:
    """Of a name that is no UTF-8 too, which comes with surrogates from AMF."""
    word = epoch_word(odd)
    assert word.isascii() and word.isalnum() and len(word) == 16
    assert epoch_word(odd) == word != epoch_word(odd + "a")
    assert epoch_word("5f0cAZ") == "5f0cAZ"


def test_very_long_paths_are_read_at_once() -> None:
    for path in (".a" * 50_000 + ".ts", "/live/cam" + ".e1-2-3" * 10_000 + ".mp4", "a-" * 50_000 + ".m4s"):
        assert parse_path(path) is None
        assert parse_two_level_path(path) is None
