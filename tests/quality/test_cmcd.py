from __future__ import annotations

import time
from typing import Any

import pytest

from edge.quality.cmcd import CmcdError, is_set, number_of, parse, parse_body, text_of

GOOD: list[tuple[str, dict[str, Any]]] = [
    ('sid="6e2fb550-c457-11e9-bb97-0800200c9a66"', {"sid": "6e2fb550-c457-11e9-bb97-0800200c9a66"}),
    ("br=3200,bs,d=4004,mtp=25400", {"br": 3200, "bs": True, "d": 4004, "mtp": 25400}),
    (
        'bl=21300,dl=18500,nor="..%2F300kbps%2Ftrack.m4v",ot=v,pr=1.08,sf=h,st=l,su',
        {
            **{"bl": 21300, "dl": 18500, "nor": "..%2F300kbps%2Ftrack.m4v", "ot": "v"},
            **{"pr": 1.08, "sf": "h", "st": "l", "su": True},
        },
    ),
    ('com.example-myKey="a,b=c",X-y=1', {"com.example-myKey": "a,b=c", "X-y": 1}),
    (r'cid="say \"hi\" \\ you"', {"cid": r'say "hi" \ you'}),
    ("br=(3200;v 128;a),v=2", {"br": (3200, 128), "v": 2}),
    ('nor=("a.m4s";r="0-99" "b.m4s")', {"nor": ("a.m4s", "b.m4s")}),
    ("bs=?0,su=?1,bg;x=1", {"bs": False, "su": True, "bg": True}),
    ("e=ps,sta=r,ts=1796056580123", {"e": "ps", "sta": "r", "ts": 1796056580123}),
    ("ec=(),h=:aGk=:,at=@12", {"ec": (), "h": ":aGk=:", "at": "@12"}),
    ("bl=1, br=2 ,bl=3", {"bl": 3, "br": 2}),
    ('cid="live/каналу"', {"cid": "live/каналу"}),
    ("bl=1,", {"bl": 1}),
    ("", {}),
]
BAD = [
    *("=1", "bl=", "bl==1", ",", "bl=1,,br=2", 'sid="open', 'sid="a"b"', 'sid="a\\', 'sid="\\n"', 'sid="a\tb"'),
    *("br=(1", "br=1)", "br=((1))", "br=(1;)", "br=1.", "br=--1", "br=1e5", "br=12345678901234567", "bl:1", "?1"),
    *("\0", "bl=\0", "br=(1,2)", "a b", '"', "<script>", "bs;", "h=:***:"),
]


@pytest.mark.parametrize(("text", "found"), GOOD, ids=[text[:30] for text, _ in GOOD])
def test_good_reports(text: str, found: dict[str, Any]) -> None:
    assert parse(text, max_bytes=1000, max_keys=20) == found


@pytest.mark.parametrize("text", BAD, ids=repr)
def test_bad_reports(text: str) -> None:
    with pytest.raises(CmcdError) as caught:
        parse(text, max_bytes=1000, max_keys=20)
    assert caught.value.reason == "bad_syntax"


def test_limits() -> None:
    def reason(text: str) -> str:
        with pytest.raises(CmcdError) as caught:
            parse(text, max_bytes=100, max_keys=3)
        return caught.value.reason

    assert reason("a" * 101) == "too_long"
    assert reason("a,b,c,d") == "too_many_keys"
    assert reason("a=1,a=2,a=3,a=4") == "too_many_keys"
    assert parse("a" * 100, max_bytes=100, max_keys=3)


@pytest.mark.parametrize(
    "text", ["(" * 8000, "a=(" + "1 " * 4000, "a" * 8190 + "=(", ";a" * 4000, "a=" + "b;" * 4000, 'a="' + '\\"' * 4000]
)
def test_hostile_texts_take_no_time(text: str) -> None:
    """A grammar that goes back and forth would take minutes."""
    began = time.thread_time()
    with pytest.raises(CmcdError):
        parse(text, max_bytes=10000, max_keys=64)
    assert time.thread_time() - began < 2


def test_a_body_has_a_report_in_each_line() -> None:
    body = b'e=t,sid="a"\r\n\r\nbroken==\n\xff\xfe=1\n' + b"x" * 300 + b"\ne=ps,sta=p\nbl=1\nbl=2"
    reports, faults = parse_body(body, max_lines=6, max_bytes=200, max_keys=9)
    assert reports == [{"e": "t", "sid": "a"}, {"e": "ps", "sta": "p"}, {"bl": 1}]
    assert faults == ["too_many_lines", "bad_syntax", "not_utf8", "too_long"]
    assert parse_body(b"", max_lines=6, max_bytes=200, max_keys=9) == ([], [])


def test_values_of_the_wrong_kind_are_none() -> None:
    report = parse('bl=-1,br="x",sid=12,cid="abcdef",pb=(1 9 "x"),bs=1,su,rtp=99999', max_bytes=999, max_keys=20)
    assert number_of(report, "bl", most=100) is None
    assert number_of(report, "br", most=100) is None
    assert number_of(report, "su", most=100) is None
    assert number_of(report, "rtp", most=100) is None
    assert (number_of(report, "pb", most=100), number_of(report, "pb", most=100, takes_least=True)) == (9, 1)
    assert text_of(report, "sid", max_chars=64) == ""
    assert (text_of(report, "cid", max_chars=6), text_of(report, "cid", max_chars=5)) == ("abcdef", "")
    assert is_set(report, "su") and not is_set(report, "bs") and not is_set(report, "none")
