"""Command bodies, and the rules for names and URLs."""

from __future__ import annotations

import math
import struct

import pytest

from edge.errors import AmfError
from edge.rtmp import amf0
from edge.rtmp.commands import (
    check_app,
    check_name,
    check_stream_name,
    check_tc_url,
    decode_command,
    decode_reply,
    encode_command,
    hop_properties,
    is_edge_id,
    parse_hops,
    parse_resume,
    parse_via,
    status_info,
)
from edge.rtmp.config import RtmpConfig
from edge.rtmp.events import ResumePoint

CONFIG = RtmpConfig()


def test_command_comes_back() -> None:
    body = encode_command("play", 4, None, "cam", -2, -1, True)
    command = decode_command(20, body, 1, CONFIG)
    assert (command.name, command.transaction_id, command.object) == ("play", 4.0, None)
    assert (command.text(0), command.number(1, 0), command.flag(3, default=False)) == ("cam", -2.0, True)
    assert command.message_stream_id == 1


def test_absent_and_mistyped_arguments_give_the_default() -> None:
    command = decode_command(20, encode_command("play", 0, None, 7, "x", math.nan, "y"), 1, CONFIG)
    assert command.text(0) is None
    assert (command.number(1, -2.0), command.number(2, -1.0), command.number(9, 5.0)) == (-2.0, -1.0, 5.0)
    assert command.flag(3, default=True) is True
    assert decode_command(20, encode_command("x", 0, None, amf0.UNDEFINED), 0, CONFIG).argument(0) is None


@pytest.mark.parametrize("bits", ["7ff8000000000001", "7ff0000000000000", "fff0000000000000", "bff0000000000000"])
def test_A7_transaction_number_keeps_its_bytes(bits: str) -> None:
    number = struct.unpack(">d", bytes.fromhex(bits))[0]
    command = decode_command(20, encode_command("createStream", number, None), 0, CONFIG)
    assert encode_command("_result", command.transaction_id)[-8:].hex() == bits


@pytest.mark.parametrize("values", [("play",), ("play", "4"), ("play", True, None), (3.0, 4.0), (None,)])
def test_A7_no_name_or_number_is_malformed(values: tuple[object, ...]) -> None:
    with pytest.raises(AmfError):
        decode_command(20, amf0.encode_all(*values), 0, CONFIG)


@pytest.mark.parametrize(
    ("values", "arguments"),
    [
        (("onFCPublish",), []),
        (("FCPublish", None, "cam"), ["cam"]),
        (("closeStream",), []),
        (("play", None, "cam"), ["cam"]),
        (("deleteStream", {}, 1.0), [1.0]),
        (("madeUp", "x", None, "y"), ["y"]),
    ],
)
def test_number_that_nobody_needs_may_be_missing(values: tuple[object, ...], arguments: list[object]) -> None:
    command = decode_command(20, amf0.encode_all(*values), 0, CONFIG)
    assert (command.name, command.transaction_id, command.has_number) == (values[0], 0.0, False)
    assert command.arguments == arguments


def test_argument_in_the_place_of_the_object_counts() -> None:
    command = decode_command(20, amf0.encode_all("play", 4.0, "cam"), 1, CONFIG)
    assert (command.object, command.text(0)) == (None, "cam")


@pytest.mark.parametrize(
    "name", ["releaseStream", "FCPublish", "closeStream", "pause", "_result", "onStatus", "madeUp"]
)
def test_value_that_nobody_needs_may_be_unreadable(name: str) -> None:
    command = decode_command(20, amf0.encode_all(name, 4.0) + b"\x0d\xff", 1, CONFIG)
    assert (command.name, command.transaction_id) == (name, 4.0)


def test_whole_numbers_of_amf3_are_flags_and_numbers() -> None:
    body = b"\0" + encode_command("pause", 0, None) + b"\x11\x04\x00\x11\x04\x05"
    command = decode_command(17, body, 1, CONFIG)
    assert (command.flag(0, default=True), command.number(1, 0)) == (False, 5.0)


@pytest.mark.parametrize(
    ("body", "name", "arguments"),
    [
        (amf0.encode_all("onFCPublish"), "onFCPublish", []),
        (amf0.encode_all("_result", 2.0, None, 1.0) + b"\x0d\xff", "_result", [1.0]),
        (amf0.encode_all("_result", 2.0, 1.0), "_result", [1.0]),
        (amf0.encode_all("onStatus", None, {"code": "x"}), "onStatus", [{"code": "x"}]),
        (amf0.encode_all("onStatus", 0.0, None) + b"\x03\0\4code\2\0\1x\0\1y\x0e", "onStatus", [{"code": "x"}]),
    ],
)
def test_servers_are_read_as_far_as_they_can_be(body: bytes, name: str, arguments: list[object]) -> None:
    for type_id, sent in ((20, body), (17, b"\0" + body), (17, body)):
        command = decode_reply(type_id, sent, 1, CONFIG)
        assert command is not None
        assert (command.name, command.arguments) == (name, arguments)


@pytest.mark.parametrize("body", [b"", b"\x0d", amf0.encode_all(4.0, "x"), b"\2\xff\xffx"])
def test_what_a_server_says_without_a_name_is_nothing(body: bytes) -> None:
    assert decode_reply(20, body, 0, CONFIG) is None


@pytest.mark.parametrize("body", [b"", b"\x01" + encode_command("play", 1, None, "cam")])
def test_A12_amf3_command_begins_with_zero(body: bytes) -> None:
    with pytest.raises(AmfError):
        decode_command(17, body, 0, CONFIG)


def test_amf3_command_carries_amf0_and_amf3_values() -> None:
    amf3_string = b"\x11\x06\x07cam"
    body = b"\0" + encode_command("play", 1, None) + amf3_string
    assert decode_command(17, body, 1, CONFIG).text(0) == "cam"
    with pytest.raises(AmfError):
        decode_command(20, body[1:], 1, CONFIG)


def test_A13_filler_behind_a_command_is_ignored() -> None:
    body = encode_command("publish", 1, None, "cam", "live") + b"\xff\xff\xff"
    assert decode_command(20, body, 1, CONFIG).text(0) == "cam"


def test_truncated_needed_argument_is_malformed() -> None:
    body = encode_command("publish", 1, None, "cam")
    for size in range(len(encode_command("publish", 1, None)) + 1, len(body)):
        with pytest.raises(AmfError):
            decode_command(20, body[:size], 1, CONFIG)


def test_status_info_has_level_first_and_merges() -> None:
    assert list(status_info("status", "c", "d", {"waiting": True})) == ["level", "code", "description", "waiting"]


@pytest.mark.parametrize(
    "name",
    ["cam", "a/b", "a.b", "..a", "a b", '"<&>|#%', "\N{PILE OF POO}", "\u202e", "\xa0", "x.flv", "%2e%2e%2f", "a//b"],
)
def test_M16_awkward_names_are_usable(name: str) -> None:
    assert check_name(name, 512) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        ".",
        "a/../b",
        "./a",
        "a/.",
        "/a",
        "a/",
        "a\\b",
        "a\x00",
        "a\x1f",
        "a\x7f",
        "a\r\nb",
        "\udc80",
        "\ud800",
    ],
)
def test_M15_names_that_may_not_be_used(name: str) -> None:
    assert check_name(name, 512)


def test_fault_of_a_name_can_be_understood_by_who_reads_it_in_a_client() -> None:
    assert check_name("", 512) == "the name is empty"
    assert check_name("a/", 512) == "the name begins or ends with a slash"
    assert check_name("a/../b", 512) == "a part of the name is . or .."
    assert check_name("aaaaa", 4) == "a name of 5 bytes exceeds 4"


def test_M14_length_counts_in_bytes() -> None:
    assert check_name("a" * 512, 512) is None
    assert check_name("a" * 513, 512)
    assert check_name("é" * 256, 512) is None
    assert check_name("é" * 257, 512)


def test_query_of_a_stream_name_is_only_clean() -> None:
    assert check_stream_name("cam?token=../a\\b/", CONFIG) is None
    assert check_stream_name("cam?a=\n", CONFIG)
    assert check_stream_name("cam?a=\udc80", CONFIG)
    assert check_stream_name("cam?" + "a" * 4097, CONFIG)
    assert check_stream_name("?token=a", CONFIG)


@pytest.mark.parametrize("app", ["", "live", "live/", "/live", "a/b", "live?vhost=v", "?vhost=v", "/", "live/?t=a/b/"])
def test_apps_that_may_be_used(app: str) -> None:
    assert check_app(app, CONFIG) is None


@pytest.mark.parametrize("app", ["..", "a/../b", "a\n", "?a=\n", "a" * 513])
def test_apps_that_may_not_be_used(app: str) -> None:
    assert check_app(app, CONFIG)


@pytest.mark.parametrize(
    "url",
    [
        "rtmp://h/live",
        "rtmp://h:1935/live?vhost=a:b",
        "RTMPS://h:443/live",
        "rtmp://[::1]/live",
        "rtmp://[::1]:1935/live",
        "rtmp://user:word@h:1935/live",
        "h/live",
        "h:1935/live",
        "rtmp:///live",
    ],
)
def test_M3_good_tc_urls(url: str) -> None:
    assert check_tc_url(url, 4096) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://h/live",
        "rtmp://h:0/live",
        "rtmp://h:65536/live",
        "rtmp://h:x/live",
        "rtmp://h:/live",
        "rtmp://h:²/live",
        "rtmp://h:+5/live",
        "rtmp://h:000001935/live",
        "rtmp://[::1/live",
        "rtmp://[::1]x/live",
        "rtmp://h/li ve",
        "rtmp://h/live\r\nX: y",
        "rtmp://h/\udc80",
        "rtmp://h/" + "a" * 4096,
    ],
)
def test_M3_bad_tc_urls(url: str) -> None:
    assert check_tc_url(url, 4096)


def test_hops_and_resume_come_back() -> None:
    properties = hop_properties(("a", "b"), ResumePoint("e1", 77))
    assert parse_hops(properties) == ("a", "b")
    assert parse_resume(properties) == ResumePoint("e1", 77)
    fresh = ResumePoint("e1", 77, is_fresh=True)
    assert parse_resume(hop_properties((), fresh)) == fresh
    assert hop_properties((), None) == {}
    assert (parse_hops(None), parse_resume(None)) == ((), None)


@pytest.mark.parametrize(
    ("value", "via"),
    [("a,b", ("a", "b")), ("", ()), (None, ()), (7.0, ()), ("a,,b\n,c", ("a", "c")), ("a," * 9999, ("a",) * 32)],
)
def test_way_of_a_stream_is_read_within_bounds(value: object, via: tuple[str, ...]) -> None:
    assert parse_via({"via": value}) == via


@pytest.mark.parametrize(
    "value",
    [
        "e1",
        {"epoch": "e1"},
        {"epoch": 1.0, "nextIndex": 1.0},
        {"epoch": "e1", "nextIndex": math.nan},
        {"epoch": "e1", "nextIndex": math.inf},
        {"epoch": "e1", "nextIndex": -1.0},
        {"epoch": "e1", "nextIndex": True},
        {"epoch": "e" * 129, "nextIndex": 1.0},
    ],
)
def test_senseless_resume_point_is_none(value: object) -> None:
    assert parse_resume({"edgeResume": value}) is None


def test_edge_id_is_short_printable_ascii() -> None:
    assert is_edge_id("edge-1")
    assert not any(is_edge_id(value) for value in ("", "a,b", "a\n", "é", "a" * 129, 1.0, None))


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://h/live", "scheme http"),
        ("signature1://h/live", "scheme of 10 characters"),
        ("rtmp://user:secret@h:pass/live", "port of 4 characters"),
        ("rtmp://h:99999/live", "port 99999"),
        ("user:secret/live", "port of 6 characters"),
    ],
)
def test_what_may_be_a_secret_in_a_bad_tc_url_is_not_quoted(url: str, fault: str) -> None:
    assert check_tc_url(url, 1024) == fault
