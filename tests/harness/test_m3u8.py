"""The judge of playlists is judged first: each rule has a playlist that breaks it and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.harness.m3u8 import (
    ContentSteering,
    Multivariant,
    Part,
    PlaylistError,
    PreloadHint,
    RenditionReport,
    ServerControl,
    Variant,
    parse,
    parse_media,
    parse_multivariant,
)

MASTER = """\
#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-STREAM-INF:BANDWIDTH=2560000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=25.000
a/b.m3u8?x=1
"""
STEERED = """\
#EXTM3U
#EXT-X-VERSION:3
#EXT-X-CONTENT-STEERING:SERVER-URI="../-/steer?home=a",PATHWAY-ID="a"
#EXT-X-STREAM-INF:BANDWIDTH=100,STABLE-VARIANT-ID="1",PATHWAY-ID="a"
a.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=100,STABLE-VARIANT-ID="1",PATHWAY-ID="b"
b.m3u8
"""
CLASSIC = """\
#EXTM3U
#EXT-X-VERSION:3
#EXT-X-MEDIA-SEQUENCE:7
#WRITE-SEQUENCE:9
#EXT-X-TARGETDURATION:2
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:05.000Z
#EXTINF:2.000,
s.seq7.ts?id=1
#EXT-X-PROGRAM-DATE-TIME:2026-01-02T04:04:07.000+01:00
#EXTINF:2.400,a title, with a comma
s.seq8.ts?id=1
"""
VOD = """\
#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:2
#EXT-X-MAP:URI="init.mp4"
#EXTINF:2.0,
0.m4s
#EXT-X-ENDLIST
"""
LOW = """\
#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5,HOLD-BACK=6.0,CAN-SKIP-UNTIL=12.0
#EXT-X-PART-INF:PART-TARGET=0.5
#EXT-X-MEDIA-SEQUENCE:20
#EXT-X-DISCONTINUITY-SEQUENCE:3
#EXT-X-MAP:URI="init.mp4"
#EXT-X-PART:DURATION=0.5,URI="20.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.5,URI="20.1.m4s"
#EXT-X-PART:DURATION=0.2,URI="20.2.m4s"
#EXTINF:1.2,
20.m4s
#EXT-X-PART:DURATION=0.5,URI="21.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.43,URI="21.1.m4s"
#EXT-X-PART:DURATION=0.1,URI="21.2.m4s",GAP=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="21.3.m4s"
#EXT-X-RENDITION-REPORT:URI="../low/a.m3u8",LAST-MSN=21,LAST-PART=2
"""
LONG = """\
#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0
#EXT-X-MEDIA-SEQUENCE:10
#EXT-X-MAP:URI="init.mp4"
""" + "".join(f"#EXTINF:2.0,\n{number}.m4s\n" for number in range(10, 19))
# The update of LONG, one segment later.
DELTA = LONG.replace("SEQUENCE:10\n", "SEQUENCE:11\n#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n")
for _gone in range(10, 13):
    DELTA = DELTA.replace(f"#EXTINF:2.0,\n{_gone}.m4s\n", "")
DELTA = DELTA.replace('#EXT-X-MAP:URI="init.mp4"\n', "") + "#EXTINF:2.0,\n19.m4s\n"


def test_multivariant_in_full() -> None:
    variant = Variant("a/b.m3u8?x=1", 2_560_000, "avc1.64001f,mp4a.40.2", (1280, 720), 25.0)
    assert parse(MASTER) == Multivariant(6, (variant,), has_independent_segments=True)


def test_content_steering() -> None:
    found = parse_multivariant(STEERED)
    assert found.steering == ContentSteering("../-/steer?home=a", "a")
    assert [(variant.pathway_id, variant.stable_variant_id) for variant in found.variants] == [("a", "1"), ("b", "1")]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('?home=a",PATHWAY-ID="a"', '?home=a",PATHWAY-ID="c"', "no variant is of the pathway"),
        (',PATHWAY-ID="b"', ',PATHWAY-ID="b c"', "PATHWAY-ID may not be"),
        ('ID="1",PATHWAY-ID="b"', 'ID="2",PATHWAY-ID="b"', "pathways have different variants"),
        ('ID="1",PATHWAY-ID="b"', 'ID="1",PATHWAY-ID="a"', "have one STABLE-VARIANT-ID"),
        ('ID="1",PATHWAY-ID="b"', 'ID="1 ",PATHWAY-ID="b"', "STABLE-VARIANT-ID may not be"),
        ('SERVER-URI="../-/steer?home=a",', "", "SERVER-URI"),
        ("#EXT-X-VERSION:3\n", '#EXT-X-VERSION:3\n#EXT-X-CONTENT-STEERING:SERVER-URI="x"\n', "twice"),
    ],
)
def test_bad_content_steering(old: str, new: str, what: str) -> None:
    with pytest.raises(PlaylistError, match=what):
        parse(STEERED.replace(old, new, 1))


def test_three_lines_of_the_simplest_entry() -> None:
    text = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=2560000\nhttp://h:8079/v/a/s.lss1.dynamic.m3u8?vhost=v\n"
    assert parse_multivariant(text, allows_absolute=True).variants[0].bandwidth == 2_560_000
    with pytest.raises(PlaylistError, match="line 3: absolute URI"):
        parse(text)


def test_classic_in_full() -> None:
    found = parse_media(CLASSIC)
    assert (found.version, found.target_s, found.media_sequence, found.next_sequence) == (3, 2, 7, 9)
    first, second = found.segments
    assert first.is_discontinuity and first.program_date_time == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert (second.uri, second.duration_s, second.title) == ("s.seq8.ts?id=1", 2.4, "a title, with a comma")
    assert second.program_date_time is not None and second.program_date_time > first.program_date_time
    assert found.comments == ("#WRITE-SEQUENCE:9",)
    assert not found.is_ended and not found.notes and found.part_target_s is None


def test_low_latency_in_full() -> None:
    found = parse_media(LOW)
    assert found.server_control == ServerControl(True, 1.5, 6.0, 12.0)
    assert found.part_target_s == 0.5 and found.discontinuity_sequence == 3
    assert found.segments[0].parts[0] == Part("20.0.m4s", 0.5, is_independent=True)
    assert [part.uri for part in found.trailing.parts] == ["21.0.m4s", "21.1.m4s", "21.2.m4s"]
    assert found.trailing.parts[2].is_gap and found.trailing.map_uri == found.segments[0].map_uri == "init.mp4"
    assert found.preload_hint == PreloadHint("21.3.m4s", "PART")
    assert found.rendition_reports == (RenditionReport("../low/a.m3u8", 21, 2),)
    assert not found.notes


@pytest.mark.parametrize("text", [MASTER, CLASSIC, VOD, LOW, LONG, DELTA])
def test_good_playlists_have_no_notes(text: str) -> None:
    found = parse(text)
    assert isinstance(found, Multivariant) or found.notes == ()


def test_kind_that_was_not_asked_for() -> None:
    with pytest.raises(PlaylistError, match="instead of a media"):
        parse_media(MASTER)
    with pytest.raises(PlaylistError, match="instead of a multivariant"):
        parse_multivariant(CLASSIC)


KEY_WITH_IV = '#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x0F'
CAPTIONS = '#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="c",NAME="n",INSTREAM-ID="SERVICE1"'

# Text, what is replaced in it and by what, the line of the fault (0: none) and what is said.
BAD = [
    # The text as a whole.
    (CLASSIC, "#EXTM3U", "#EXTM3U8", 1, "not with #EXTM3U"),
    (CLASSIC, "#EXTM3U\n", "", 1, "not with #EXTM3U"),
    (CLASSIC, "#EXTM3U", "\ufeff#EXTM3U", 1, "byte order mark"),
    (CLASSIC, "#EXT-X-VERSION:3\n", "#EXT-X-VERSION:3\n\n", 3, "blank line"),
    (CLASSIC, "#EXT-X-VERSION:3\n", "#EXT-X-VERSION:3\r\n", 2, "carriage return"),
    (VOD, "#EXT-X-ENDLIST\n", "#EXT-X-ENDLIST", 7, "no end"),
    (VOD, "#EXT-X-ENDLIST\n", "#EXT-X-ENDLIST\n#EXTINF:2.0,\n1.m4s\n", 8, "behind EXT-X-ENDLIST"),
    (VOD, "#EXT-X-ENDLIST\n", "#EXT-X-ENDLIST\n# end\n", 8, "behind EXT-X-ENDLIST"),
    # Tags.
    (CLASSIC, "#EXT-X-VERSION:3", "#EXT-X-VERSIONS:3", 2, "unknown tag EXT-X-VERSIONS"),
    (CLASSIC, "#WRITE-SEQUENCE:9", "#EXT-X-WRITE-SEQUENCE:9", 4, "unknown tag"),
    (CLASSIC, "#EXT-X-VERSION:3\n", "#EXT-X-VERSION:3\n#EXT-X-VERSION:3\n", 3, "EXT-X-VERSION twice"),
    (CLASSIC, "#WRITE-SEQUENCE:9\n", "#EXT-X-MEDIA-SEQUENCE:7\n", 4, "EXT-X-MEDIA-SEQUENCE twice"),
    (CLASSIC, "#WRITE-SEQUENCE:9\n", "#EXT-X-TARGETDURATION:2\n", 5, "EXT-X-TARGETDURATION twice"),
    (CLASSIC, "#EXT-X-VERSION:3\n", "#EXT-X-VERSION:3\n#EXTM3U\n", 3, "EXTM3U twice"),
    (CLASSIC, "#EXT-X-TARGETDURATION:2\n", "", 0, "no EXT-X-TARGETDURATION"),
    (CLASSIC, "#EXT-X-TARGETDURATION:2", "#EXT-X-TARGETDURATION:2.5", 5, "no decimal-integer"),
    (CLASSIC, "SEQUENCE:7", "SEQUENCE:-7", 3, "no decimal-integer"),
    (CLASSIC, "SEQUENCE:7", "SEQUENCE:18446744073709551616", 3, "no decimal-integer"),
    (CLASSIC, "#EXT-X-DISCONTINUITY\n", "#EXT-X-DISCONTINUITY:1\n", 6, "takes no value"),
    (CLASSIC, "SEQUENCE:7", "SEQUENCE:", 3, "without a value"),
    (CLASSIC, "#EXT-X-DISCONTINUITY\n", "#EXT-X-DISCONTINUITY\n#EXT-X-DISCONTINUITY\n", 7, "twice for one segment"),
    (CLASSIC, "#EXTINF:2.000,\n", "#EXTINF:2.000,\n#EXTINF:2.000,\n", 9, "twice for one segment"),
    (
        CLASSIC,
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-02T04",
        "#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-PROGRAM-DATE-TIME:2026-01-02T04",
        10,
        "twice",
    ),
    (
        CLASSIC,
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-02T04",
        "#EXT-X-DISCONTINUITY-SEQUENCE:7\n#EXT-X-PROGRAM-DATE-TIME:2026-01-02T04",
        10,
        "behind the first segment",
    ),
    (VOD, "#EXT-X-TARGETDURATION:2", "#EXT-X-PLAYLIST-TYPE:LIVE\n#EXT-X-TARGETDURATION:2", 3, "may not be 'LIVE'"),
    # The two kinds.
    (MASTER, "#EXT-X-VERSION:6\n", "#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n", 5, "in a media playlist"),
    (CLASSIC, "#WRITE-SEQUENCE:9", "#EXT-X-STREAM-INF:BANDWIDTH=1", 4, "in a media playlist"),
    (MASTER, "b.m3u8?x=1\n", "b.m3u8?x=1\n#EXTINF:2.0,\n", 6, "in a multivariant playlist"),
    (MASTER, "b.m3u8?x=1\n", "b.m3u8?x=1\nc.m3u8\n", 6, "in a multivariant playlist"),
    (MASTER, "a/b.m3u8?x=1\n", "", 4, "without its URI"),
    (MASTER, "a/b.m3u8", "# here\na/b.m3u8", 5, "without its URI"),
    (MASTER, MASTER[MASTER.index("#EXT-X-STREAM") :], '#EXT-X-SESSION-DATA:DATA-ID="a"\n', 0, "without a variant"),
    # Attribute lists.
    (MASTER, '"avc1.64001f,mp4a.40.2"', "avc1.64001f", 4, "CODECS without quotes"),
    (MASTER, '"avc1.64001f,mp4a.40.2"', '"avc1.64001f, mp4a.40.2"', 4, "CODECS may not be"),
    (MASTER, '"avc1.64001f,mp4a.40.2"', '""', 4, "CODECS may not be"),
    (MASTER, "BANDWIDTH=2560000", 'BANDWIDTH="2560000"', 4, "BANDWIDTH with quotes"),
    (MASTER, "BANDWIDTH=2560000", "BANDWIDTH=2560000.5", 4, "no decimal-integer"),
    (MASTER, "BANDWIDTH=2560000", "BANDWIDTH=0", 4, "BANDWIDTH may not be 0"),
    (MASTER, "BANDWIDTH=2560000,", "", 4, "without BANDWIDTH"),
    (MASTER, "BANDWIDTH=2560000", "BANDWIDTH=2560000,BANDWIDTH=1", 4, "BANDWIDTH twice"),
    (MASTER, "1280x720", '"1280x720"', 4, "RESOLUTION with quotes"),
    (MASTER, "1280x720", "1280*720", 4, "RESOLUTION may not be"),
    (MASTER, "FRAME-RATE=25.000", "FRAME-RATE=25fps", 4, "no decimal-floating-point"),
    (MASTER, "FRAME-RATE=25.000", "FPS=25.000", 4, "unknown attribute FPS"),
    (MASTER, "FRAME-RATE=25.000", "FRAME-RATE=25.000,", 4, "no attribute list"),
    (MASTER, ",RESOLUTION", ", RESOLUTION", 4, "no attribute list"),
    (MASTER, "BANDWIDTH=", "BANDWIDTH =", 4, "no attribute list"),
    (MASTER, 'mp4a.40.2"', "mp4a.40.2", 4, "no attribute list"),
    (LOW, "INDEPENDENT=YES", "INDEPENDENT=NO", 9, "INDEPENDENT may not be NO"),
    (LOW, "CAN-BLOCK-RELOAD=YES", 'CAN-BLOCK-RELOAD="YES"', 4, "CAN-BLOCK-RELOAD with quotes"),
    (LOW, "TYPE=PART", "TYPE=SEGMENT", 17, "TYPE may not be"),
    (LOW, "TYPE=PART,", "", 17, "without TYPE"),
    (LOW, ',URI="21.3.m4s"', "", 17, "without URI"),
    (LOW, 'URI="21.3.m4s"', "URI=21.3.m4s", 17, "URI without quotes"),
    (LOW, 'DURATION=0.5,URI="20.1.m4s"', 'URI="20.1.m4s"', 10, "without DURATION"),
    (LOW, "LAST-MSN=21", "LAST-MSN=x", 18, "no decimal-integer"),
    # URIs.
    (CLASSIC, "s.seq8.ts", "http://h/s.seq8.ts", 12, "absolute URI"),
    (CLASSIC, "s.seq8.ts", "//h/s.seq8.ts", 12, "absolute URI"),
    (LOW, '"21.3.m4s"', '"https://h/21.3.m4s"', 17, "absolute URI"),
    (CLASSIC, "s.seq8.ts", "s seq8.ts", 12, "may not stand in one"),
    (CLASSIC, "s.seq8.ts", 's"seq8".ts', 12, "may not stand in one"),
    (CLASSIC, "s.seq8.ts", "s\x01seq8.ts", 12, "may not stand in one"),
    (CLASSIC, "s.seq8.ts", "ß.seq8.ts", 12, "may not stand in one"),
    (CLASSIC, "s.seq8.ts", "%2.seq8.ts", 12, "may not stand in one"),
    (LOW, '"21.3.m4s"', '"21 3.m4s"', 17, "may not stand in one"),
    # EXTINF.
    (CLASSIC, "#EXTINF:2.000,\n", "", 8, "without EXTINF"),
    (CLASSIC, "#EXTINF:2.000,", "#EXTINF:2.000", 8, "without a comma"),
    (CLASSIC, "#EXTINF:2.000,", "#EXTINF:0.000,", 8, "EXTINF of 0.000 s"),
    (CLASSIC, "#EXTINF:2.000,", "#EXTINF:-2.0,", 8, "no decimal-floating-point"),
    (CLASSIC, "#EXTINF:2.000,", "#EXTINF:2e0,", 8, "no decimal-floating-point"),
    (CLASSIC, "#EXTINF:2.400,", "#EXTINF:2.500,", 11, "EXT-X-TARGETDURATION:2"),
    (CLASSIC, "s.seq8.ts?id=1\n", "", 11, "EXTINF without a URI"),
    # Versions.
    (CLASSIC, "#EXT-X-VERSION:3\n", "", 7, "EXTINF as it stands needs version 3"),
    (CLASSIC, "#EXT-X-VERSION:3", "#EXT-X-VERSION:13", 2, "no version 13"),
    (VOD, "#EXT-X-VERSION:7", "#EXT-X-VERSION:5", 4, "EXT-X-MAP as it stands needs version 6"),
    (VOD, "#EXT-X-VERSION:7\n", "#EXT-X-VERSION:4\n#EXT-X-I-FRAMES-ONLY\n", 5, "needs version 5"),
    (DELTA, "#EXT-X-VERSION:9", "#EXT-X-VERSION:8", 6, "EXT-X-SKIP as it stands needs version 9"),
    (VOD, "#EXTINF:2.0,\n", "#EXTINF:2.0,\n#EXT-X-BYTERANGE:x\n", 6, "may not be"),
    (CLASSIC, "#EXTINF:2.000,\n", "#EXTINF:2.000,\n#EXT-X-BYTERANGE:5@0\n", 9, "needs version 4"),
    (CLASSIC, "#WRITE-SEQUENCE:9", '#EXT-X-DEFINE:NAME="a",VALUE="b"', 4, "needs version 8"),
    (CLASSIC, "#WRITE-SEQUENCE:9", '#EXT-X-KEY:METHOD=AES-128,URI="k",KEYFORMAT="identity"', 4, "needs version 5"),
    (CLASSIC.replace("VERSION:3", "VERSION:1"), "#WRITE-SEQUENCE:9", KEY_WITH_IV, 4, "needs version 2"),
    (MASTER, "#EXT-X-INDEPENDENT-SEGMENTS", CAPTIONS, 3, "needs version 7"),
    (DELTA, "SEGMENTS=2", 'SEGMENTS=2,RECENTLY-REMOVED-DATERANGES="a"', 6, "needs version 10"),
    (
        MASTER.replace("VERSION:6", "VERSION:9"),
        "#EXT-X-INDEP",
        '#EXT-X-DEFINE:QUERYPARAM="t"\n#EXT-X-INDEP',
        3,
        "version 11",
    ),
    (MASTER, "FRAME-RATE=25.000", 'REQ-VIDEO-LAYOUT="CH-STEREO"', 4, "needs version 12"),
    # Parts.
    (LOW, "#EXT-X-PART-INF:PART-TARGET=0.5\n", "", 8, "EXT-X-PART without EXT-X-PART-INF"),
    (LONG, "18.m4s\n", '18.m4s\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI="x.m4s"\n', 25, "a hint of a part without"),
    (LOW, "PART-HOLD-BACK=1.5,", "", 5, "without PART-HOLD-BACK"),
    (LOW, "PART-HOLD-BACK=1.5", "PART-HOLD-BACK=0.99", 4, "under twice"),
    (LOW, "PART-TARGET=0.5", "PART-TARGET=0", 5, "PART-TARGET of 0.0 s"),
    (LOW, ",HOLD-BACK=6.0", ",HOLD-BACK=5.9", 4, "HOLD-BACK of 5.9 s is under 3"),
    (LOW, "CAN-SKIP-UNTIL=12.0", "CAN-SKIP-UNTIL=11.9", 4, "CAN-SKIP-UNTIL of 11.9 s is under 6"),
    (LOW, "CAN-SKIP-UNTIL=12.0", "CAN-SKIP-DATERANGES=YES", 4, "CAN-SKIP-DATERANGES without"),
    (LOW, 'DURATION=0.5,URI="21.0.m4s"', 'DURATION=0.51,URI="21.0.m4s"', 14, "part of 0.51 s"),
    (LOW, "DURATION=0.1", "DURATION=0", 16, "part of 0.0 s"),
    (LOW, "DURATION=0.43", "DURATION=0.42", 15, "short of 85 %"),
    (LOW, "#EXTINF:1.2,", "#EXTINF:1.205,", 12, "its parts 1.2"),
    (LOW, '#EXT-X-MAP:URI="init.mp4"\n', "", 11, "20.m4s without EXT-X-MAP"),
    (VOD, '#EXT-X-MAP:URI="init.mp4"\n', "", 4, "0.m4s without EXT-X-MAP"),
    (LOW, "#EXTINF:1.2,\n", '#EXTINF:1.2,\n#EXT-X-PART:DURATION=0.2,URI="x.m4s"\n', 13, "between EXTINF and its URI"),
    (LOW, "#EXTINF:1.2,\n", "#EXT-X-DISCONTINUITY\n#EXTINF:1.2,\n", 12, "behind parts of its segment"),
    (
        LOW,
        "#EXT-X-RENDITION",
        '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="x.m4s"\n#EXT-X-RENDITION',
        18,
        "a second EXT-X-PRELOAD-HINT",
    ),
    # Dates.
    (CLASSIC, "03:04:05.000Z", "03:04:05.000", 7, "no date with time and zone"),
    (CLASSIC, "2026-01-02T03:04:05.000Z", "2026-01-02 03:04:05.000Z", 7, "no date with time and zone"),
    (CLASSIC, "2026-01-02T03", "2026-13-02T03", 7, "no date with time and zone"),
    (CLASSIC, "04:04:07.000+01:00", "04:04:05.000+01:00", 11, "goes from"),
    # The end.
    (VOD, "#EXT-X-ENDLIST", '#EXT-X-PRELOAD-HINT:TYPE=MAP,URI="i.mp4"\n#EXT-X-ENDLIST', 7, "playlist that has ended"),
    (LOW + "#EXT-X-ENDLIST\n", LOW[LOW.index("#EXT-X-PREL") :], "", 14, "a segment in progress"),
    # Delta updates.
    (DELTA, ",CAN-SKIP-UNTIL=12.0", "", 6, "EXT-X-SKIP without CAN-SKIP-UNTIL"),
    (DELTA, "CAN-SKIP-UNTIL=12.0", "CAN-SKIP-UNTIL=17.0", 6, "the Skip Boundary is 17.0 s"),
    (DELTA, "SKIPPED-SEGMENTS=2", "SKIPPED-SEGMENTS=0", 6, "may not be 0"),
    (DELTA, "14.m4s\n", "14.m4s\n#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n", 11, "EXT-X-SKIP twice"),
]


@pytest.mark.parametrize(
    ("text", "old", "new", "line", "what"), BAD, ids=[f"{row[4]}-{n}" for n, row in enumerate(BAD)]
)
def test_bad_playlist(text: str, old: str, new: str, line: int, what: str) -> None:
    changed = text.replace(old, new, 1)
    assert changed != text
    with pytest.raises(PlaylistError) as caught:
        parse(changed)
    assert what in caught.value.what
    assert caught.value.line_number == line, caught.value


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        (CLASSIC, "#WRITE-SEQUENCE:9", "# free text: ß \"'"),
        (CLASSIC, "2.400", "2.499"),
        (CLASSIC.replace("VERSION:3", "VERSION:1").replace("2.000", "2"), "2.400", "2"),
        (VOD, "#EXT-X-VERSION:7\n", "#EXT-X-VERSION:5\n#EXT-X-I-FRAMES-ONLY\n"),
        (VOD, "#EXTINF", "#EXT-X-GAP\n#EXTINF"),
        (VOD, "#EXTINF", "#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-START:TIME-OFFSET=-1.5,PRECISE=NO\n#EXTINF"),
        (CLASSIC, "#WRITE-SEQUENCE:9", KEY_WITH_IV),
        (VOD, "#EXTINF", '#EXT-X-DATERANGE:ID="a",X-OURS="b"\n#EXTINF'),
        (LOW, "#EXTINF:1.2,", "#EXTINF:1.203,"),
        (LOW, "DURATION=0.43", "DURATION=0.425"),
        (LOW, "#EXT-X-PRELOAD", "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-PRELOAD"),
        (LOW, "#EXTINF:1.2,\n", "#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:05Z\n#EXTINF:1.2,\n"),
        (MASTER, "FRAME-RATE=25.000", "CLOSED-CAPTIONS=NONE"),
    ],
)
def test_what_is_allowed(text: str, old: str, new: str) -> None:
    changed = text.replace(old, new, 1)
    assert changed != text
    parse(changed)


FAR_BACK = LOW.replace(
    "#EXTINF:1.2,\n20.m4s\n", "#EXTINF:1.2,\n20.m4s\n" + "".join(f"#EXTINF:2.0,\n2{n}.m4s\n" for n in "abcd")
)


@pytest.mark.parametrize(
    ("text", "old", "new", "what"),
    [
        (LOW, "PART-HOLD-BACK=1.5", "PART-HOLD-BACK=1.4", "under three times"),
        (LOW, "CAN-BLOCK-RELOAD=YES,", "", "without CAN-BLOCK-RELOAD"),
        (LOW, "21.3.m4s", "21.2.m4s", "hinted at, and listed"),
        (CLASSIC, "s.seq8.ts", "s.seq7.ts", "listed 2 times"),
        (FAR_BACK, "", "", "parts of 20.m4s are 9.030 s from the end"),
        (FAR_BACK, "", "", "2d.m4s is listed without parts"),
    ],
)
def test_what_is_not_advised_is_noted(text: str, old: str, new: str, what: str) -> None:
    assert any(what in note for note in parse_media(text.replace(old, new, 1)).notes)
