"""AMF values in commands and data."""

from __future__ import annotations

import json
import math
import struct
import time

import pytest

from tests.harness.wire import decode_amf
from tests.hostile._arena import Row
from tests.hostile._wire import AUDIO, COMMAND, DATA, VIDEO, RawPeer, audio, chunk, encode_amf, message, video

_END = b"\x00\x00\x09"
_NULL = b"\x05"


def short(text: bytes) -> bytes:
    return struct.pack(">H", len(text)) + text


def fields(*pairs: tuple[bytes, bytes]) -> bytes:
    """The inside of an object: keys and encoded values, without its marker."""
    return b"".join(short(key) + value for key, value in pairs) + _END


def string(text: bytes) -> bytes:
    return b"\x02" + short(text)


_ASKED = ((b"app", string(b"live")), (b"tcUrl", string(b"rtmp://localhost/live")))

VALUES = {
    "number": b"\x00" + struct.pack(">d", 1.5),
    "boolean": b"\x01\x01",
    "string": string(b"text"),
    "object": b"\x03" + fields((b"key", string(b"v"))),
    "ecma_array": b"\x08\x00\x00\x00\x01" + fields((b"key", b"\x01\x00")),
    "strict_array": b"\x0a\x00\x00\x00\x02" + _NULL + string(b"x"),
    "date": b"\x0b" + struct.pack(">dh", 1e12, 60),
    "long_string": b"\x0c\x00\x00\x00\x04text",
    "xml": b"\x0f\x00\x00\x00\x04<a/>",
    "typed_object": b"\x10" + short(b"Class") + fields((b"key", _NULL)),
}


def connect_with(row: Row, value: bytes, *, type_id: int = COMMAND) -> RawPeer:
    """A connection that has sent ``connect`` with ``value`` for its command object."""
    peer = row.shaken()
    prefix = b"\x00" if type_id == 17 else b""
    peer.send(message(type_id, prefix + encode_amf("connect", 1) + value))
    return peer


def connect_object(*pairs: tuple[bytes, bytes]) -> bytes:
    return b"\x03" + fields(*_ASKED, *pairs)


def assert_connected(peer: RawPeer) -> None:
    peer.wait(lambda: peer.replies(1), "the answer to connect")
    assert peer.replies(1)[0][0] == "_result"


def assert_malformed(row: Row, value: bytes, *, is_logged: bool = True, type_id: int = COMMAND) -> None:
    row.closes(connect_with(row, value, type_id=type_id), "amf_malformed", is_logged=is_logged)


@pytest.mark.parametrize("name", VALUES)
def test_A1_truncated_command_closes(row: Row, name: str) -> None:
    value = VALUES[name]
    for cut in range(1, len(value)):
        assert_malformed(row, value[:cut], is_logged=cut == 1)


@pytest.mark.parametrize("name", VALUES)
def test_A1_truncated_data_are_ignored_and_publishing_goes_on(row: Row, name: str) -> None:
    publisher, player = row.pair()
    value = VALUES[name]
    for cut in range(1, len(value)):
        publisher.media(DATA, encode_amf("onThing") + value[:cut])
        row.notes("amf_data")
    publisher.media(VIDEO, video(1))
    player.wait(lambda: player.received(VIDEO) == [video(1)], "the frame after it")


def nested(kind: str, depth: int) -> bytes:
    """``depth`` containers inside each other, the innermost empty."""
    opens = {"object": b"\x03\x00\x01a", "ecma": b"\x08\x00\x00\x00\x01\x00\x01a", "strict": b"\x0a\x00\x00\x00\x01"}
    kinds = list(opens) if kind == "mixed" else [kind]
    used = [kinds[level % len(kinds)] for level in range(depth)]
    closes = b"".join(b"" if each == "strict" else _END for each in reversed(used))
    return b"".join(opens[each] for each in used) + _NULL + closes


@pytest.mark.parametrize("kind", ["object", "ecma", "strict", "mixed"])
def test_A2_nesting_is_accepted_up_to_128(row: Row, kind: str) -> None:
    # The command object itself is the first level.
    assert_connected(connect_with(row, connect_object((b"x", nested(kind, 127)))))
    assert_malformed(row, connect_object((b"x", nested(kind, 128))))


@pytest.mark.parametrize("kind", ["object", "ecma", "strict", "mixed"])
def test_A2_seventy_thousand_levels_close(roomy: Row, kind: str) -> None:
    peer = roomy.shaken()
    peer.set_chunk_size(65536)
    peer.send_message(COMMAND, encode_amf("connect", 1) + connect_object((b"x", nested(kind, 70_000))))
    roomy.closes(peer, "amf_malformed", within_s=0.5)
    roomy.assert_loop_was_free()


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"\x0a\xff\xff\xff\xff\x05\x05\x05", id="strict-2^32-1"),
        pytest.param(b"\x0a\x00\x01\x00\x01" + _NULL * 40_000, id="strict-over-limit"),
        pytest.param(b"\x08\xff\xff\xff\xff\x05\x05\x05", id="ecma-2^32-1-without-end"),
        pytest.param(b"\x02\xff\xffabc", id="string-past-end"),
        pytest.param(b"\x0c\xff\xff\xff\xffabc", id="long-string-2^32-1"),
        pytest.param(b"\x0f\xff\xff\xff\xffabc", id="xml-2^32-1"),
    ],
)
def test_A3_counts_beyond_the_body_close(row: Row, value: bytes) -> None:
    before_kb = row.server.peak_rss_kb
    assert_malformed(row, connect_object()[:-3] + short(b"x") + value)
    assert row.server.peak_rss_kb - before_kb < 4096


def test_A3_ecma_count_is_only_a_hint(row: Row) -> None:
    assert_connected(connect_with(row, b"\x08\xff\xff\xff\xff" + fields(*_ASKED)))


@pytest.mark.parametrize("type_id", [17, 20])
def test_A4_large_command_closes_at_the_header(row: Row, type_id: int) -> None:
    for length in (65535, 65536):
        peer = row.shaken()
        peer.send(chunk(0, 3, bytes(64), length=length, type_id=type_id))
        peer.settle(0.02)
        assert not peer.is_closed
    peer = row.shaken()
    peer.send(chunk(0, 3, length=65537, type_id=type_id))
    row.closes(peer, "command_too_big")


@pytest.mark.parametrize("type_id", [15, 16, 18, 19])
def test_A4_large_data_are_passed_over_and_publishing_goes_on(row: Row, type_id: int) -> None:
    publisher, player = row.pair()
    before_kb = row.server.peak_rss_kb
    for size in (262_145, 10_000_000):
        publisher.media(type_id, encode_amf("onMetaData") + bytes(size - 13))
        row.notes("data_too_big")
    publisher.media(VIDEO, video(1))
    player.wait(lambda: player.received(VIDEO) == [video(1)], "the frame after them")
    assert row.server.peak_rss_kb - before_kb < 4096
    row.assert_loop_was_free()


_SIMPLE = {"width": 1280.0, "height": 720.0, "videocodecid": 7.0}
_OPEN = b"\x08\x00\x00\x00\x03" + b"".join(short(name.encode()) + encode_amf(_SIMPLE[name]) for name in _SIMPLE)
_NUMBERS = b"\x0a" + struct.pack(">I", 9000) + encode_amf(2.0) * 9000

ODD_METADATA = {
    "no end marker": _OPEN,
    "filler": _OPEN + _END + b"\xff\xff\xff",
    "an array inside without its marker": _OPEN + short(b"extra") + b"\x08\x00\x00\x00\x00",
    "a value of type unsupported": _OPEN + short(b"x") + b"\x0d" + _END,
    "a reference": _OPEN + short(b"x") + b"\x07\x00\x01" + _END,
    "a record set": _OPEN + short(b"x") + b"\x0e" + _END,
    "9000 keys behind them": _OPEN + b"".join(short(b"%04d" % number) + _NULL for number in range(9000)) + _END,
    "an index of 9000 numbers": _OPEN + short(b"keyframes") + b"\x03" + short(b"times") + _NUMBERS + _END + _END,
    "an index before them": b"\x08\x00\x00\x00\x04" + short(b"times") + _NUMBERS + _OPEN[5:] + _END,
    "nesting of 129": _OPEN + short(b"x") + b"\x0a\x00\x00\x00\x01" * 129 + _NULL + _END,
    "a string past the end": _OPEN + short(b"x") + b"\x02\xff\xffabc",
}


@pytest.mark.parametrize("kind", ODD_METADATA)
def test_A5_metadata_keep_what_stands_before_a_fault(row: Row, kind: str) -> None:
    name = row.arena.new_name()
    publisher = row.publisher(name)
    publisher.media(DATA, encode_amf("@setDataFrame", "onMetaData") + ODD_METADATA[kind])
    publisher.media(VIDEO, video(1))
    player = row.player(name)
    player.wait(lambda: player.received(VIDEO), "a frame")
    (body,) = [body for body in player.received(DATA) if decode_amf(body)[0] == "onMetaData"]
    assert {key: decode_amf(body)[1].get(key) for key in _SIMPLE} == _SIMPLE
    row.stays_open(publisher)


@pytest.mark.parametrize(("count", "is_good"), [(4090, True), (4091, True), (4092, False), (9000, False)])
def test_A5_values_of_one_message_are_counted(row: Row, count: int, is_good: bool) -> None:
    # Name, number and object, app and tcUrl come on top: 4096 in all are allowed.
    value = connect_object(*((b"%04d" % number, _NULL) for number in range(count)))
    if is_good:
        assert_connected(connect_with(row, value))
    else:
        assert_malformed(row, value)


_BAD_NAMES = {"number": 5, "boolean": False, "null": None, "object": {"a": 1}}


@pytest.mark.parametrize("kind", _BAD_NAMES)
@pytest.mark.parametrize(
    ("command", "code"), [("play", "NetStream.Play.Failed"), ("publish", "NetStream.Publish.BadName")]
)
def test_A6_name_of_a_wrong_type_is_refused(row: Row, command: str, code: str, kind: str) -> None:
    peer = row.connected()
    peer.command(peer.open_stream(), command, 4, None, _BAD_NAMES[kind])
    row.refuses(peer, code, "bad_argument")
    row.fails("bad_argument")


def test_A6_multiplexing_peer_loses_only_the_stream(row: Row) -> None:
    peer = row.connected(stream_multiplexing=True)
    peer.command(peer.open_stream(), "play", 4, None, 5)
    row.refuses(peer, "NetStream.Play.Failed", "bad_argument", is_closed=False)
    row.stays_open(peer)
    row.fails("bad_argument")


def test_A6_optional_argument_of_a_wrong_type_is_its_default(row: Row) -> None:
    publisher, _ = row.pair()
    name = next(each["stream"] for each in row.server.streams() if each["publisher"] == publisher.name)
    player = row.connected()
    player.command(player.open_stream(), "play", 4, None, name, "soon", {}, "yes")
    player.wait(lambda: player.received(VIDEO), "a frame")
    peer = row.connected()
    peer.command(peer.open_stream(), "publish", 4, None, row.arena.new_name(), 7)
    peer.wait(lambda: "NetStream.Publish.Start" in peer.statuses, "Publish.Start")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, -1.0, 0.0, 1e308, 0.5])
def test_A7_transaction_number_comes_back_as_it_was(row: Row, number: float) -> None:
    peer = row.connected()
    raw = struct.pack(">d", number)
    peer.send_message(COMMAND, string(b"createStream") + b"\x00" + raw + _NULL)
    prefix = string(b"_result") + b"\x00" + raw
    peer.wait(lambda: any(body.startswith(prefix) for body in peer.received(COMMAND)), "the same eight bytes")


@pytest.mark.parametrize("value", [string(b"1"), _NULL, b"\x01\x01", b"\x03" + _END])
def test_A7_transaction_that_is_no_number_closes(row: Row, value: bytes) -> None:
    peer = row.connected()
    peer.send_message(COMMAND, string(b"createStream") + value + _NULL)
    row.closes(peer, "amf_malformed")


@pytest.mark.parametrize(
    ("command", "code"), [("play", "NetStream.Play.Failed"), ("publish", "NetStream.Publish.BadName")]
)
def test_A8_missing_name_is_refused(row: Row, command: str, code: str) -> None:
    peer = row.connected()
    peer.command(peer.open_stream(), command, 4, None)
    row.refuses(peer, code, "bad_argument")
    row.fails("bad_argument")


@pytest.mark.parametrize("values", [(), ("sideways",)], ids=["none", "unknown"])
def test_A8_publish_without_a_known_type_is_live(row: Row, values: tuple[str, ...]) -> None:
    peer = row.connected()
    peer.command(peer.open_stream(), "publish", 4, None, row.arena.new_name(), *values)
    peer.wait(lambda: "NetStream.Publish.Start" in peer.statuses, "Publish.Start")


@pytest.mark.parametrize("value", [_NULL, b"", string(b"x")], ids=["null", "absent", "string"])
def test_A8_connect_without_an_object_is_rejected(row: Row, value: bytes) -> None:
    peer = connect_with(row, value)
    peer.wait(lambda: peer.replies(1), "the answer")
    answer = peer.replies(1)[0]
    assert answer[0] == "_error" and answer[3]["code"] == "NetConnection.Connect.Rejected", answer
    assert answer[3]["level"] == "error"
    peer.connect()


def test_A9_the_last_of_equal_keys_wins(row: Row) -> None:
    apps = [(b"app", string(name)) for name in (b"first", b"second", b"last")]
    peer = connect_with(row, b"\x03" + fields(*apps))
    assert_connected(peer)
    peer.open_stream()
    peer.publish(row.arena.new_name())
    assert [each["app"] for each in row.server.streams() if each["publisher"] == peer.name] == ["last"]


def test_A9_empty_key_without_the_end_marker_closes(row: Row) -> None:
    assert_malformed(row, b"\x03" + short(b"") + _NULL + _END)


@pytest.mark.parametrize("key", [b"a\x00b", b"\r\nX: y", b"\xff\xfe", b"\x1b[31m", "é".encode()])
def test_A9_strange_keys_are_kept(row: Row, key: bytes) -> None:
    assert_connected(connect_with(row, connect_object((key, _NULL))))


@pytest.mark.parametrize(
    ("type_id", "value"),
    [
        pytest.param(COMMAND, b"\x03" + fields((b"x", b"\x07\x00\x00")), id="reference-to-itself"),
        pytest.param(COMMAND, b"\x03" + fields((b"x", b"\x07\x00\x09")), id="reference-forward"),
        pytest.param(COMMAND, b"\x11\x0a\x0b\x01\x01", id="switch-in-amf0"),
        pytest.param(17, b"\x03" + short(b"x") + b"\x11\x09\x03\x01\x09\x00" + _END, id="amf3-cycle"),
        pytest.param(17, b"\x11\x0a\x10", id="amf3-reference-out-of-range"),
        pytest.param(17, b"\x11\x09\xff\xff\xff\xff\xff", id="amf3-five-byte-number"),
        pytest.param(17, b"\x11\x06\x04", id="amf3-string-reference-out-of-range"),
    ],
)
def test_A10_references_and_cycles_close(row: Row, type_id: int, value: bytes) -> None:
    assert_malformed(row, value, type_id=type_id)


@pytest.mark.parametrize("name", ["date", "xml", "typed_object", "long_string"])
def test_A11_rare_values_are_read(row: Row, name: str) -> None:
    assert_connected(connect_with(row, connect_object((b"x", VALUES[name]))))


def test_A11_typed_object_is_read_without_its_class(row: Row) -> None:
    assert_connected(connect_with(row, b"\x10" + short(b"Anything") + fields(*_ASKED)))


@pytest.mark.parametrize("marker", [0x04, 0x0D, 0x0E, 0x12, 0x7F, 0xFF])
def test_A11_reserved_markers_close(row: Row, marker: int) -> None:
    assert_malformed(row, b"\x03" + fields((b"x", bytes((marker,)))))


@pytest.mark.parametrize("body", [b"", b"\x01" + encode_amf("createStream", 2, None), b"\xff"])
def test_A12_amf3_command_that_is_none_closes(row: Row, body: bytes) -> None:
    peer = row.connected()
    peer.send_message(17, body)
    row.closes(peer, "amf_malformed")


@pytest.mark.parametrize("body", [b"", b"\x01" + encode_amf("onThing", 1)])
def test_A12_amf3_data_that_are_none_are_ignored(row: Row, body: bytes) -> None:
    publisher, player = row.pair()
    publisher.media(15, body)
    publisher.media(VIDEO, video(1))
    player.wait(lambda: player.received(VIDEO) == [video(1)], "the frame after them")
    row.notes("amf_data")


@pytest.mark.parametrize("extra", [b"\xff\xff\xff", b"\x02\x00\x05ab", _NULL * 5, bytes(3)])
def test_A13_bytes_after_a_command_are_ignored(row: Row, extra: bytes) -> None:
    peer = row.connected()
    peer.send_message(COMMAND, encode_amf("createStream", 6, None) + extra)
    peer.wait(lambda: peer.replies(6), "the answer")


@pytest.mark.once
def test_A14_senseless_metadata_are_relayed_and_shown_as_unknown(row: Row) -> None:
    values = [math.nan, math.inf, 1e300, -1.0, "fast"]
    publishers = []
    for value in values:
        name = row.arena.new_name()
        publisher = row.publisher(name)
        publishers.append(publisher)
        asked = {"width": value, "height": value, "framerate": value}
        publisher.media(DATA, encode_amf("@setDataFrame", "onMetaData", asked))
        publisher.media(VIDEO, video(0))
        player = row.player(name)
        player.wait(lambda player=player: player.received(VIDEO), "a frame")
        (body,) = [body for body in player.received(DATA) if decode_amf(body)[0] == "onMetaData"]
        relayed = decode_amf(body)[1]["framerate"]
        assert relayed == value or (relayed != relayed and value != value)
    for number in range(1, 26):
        for publisher in publishers:
            publisher.media(VIDEO, video(number, is_keyframe=False), at=number * 50)
            publisher.media(AUDIO, audio(number), at=number * 50)
        time.sleep(0.05)
    names = {publisher.name for publisher in publishers}
    deadline = time.monotonic() + 5
    while True:
        rows = [each for each in row.server.streams() if each["publisher"] in names]
        assert len(rows) == len(values)
        if all(each["fps"] is not None for each in rows) or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    for each in rows:
        assert each["fps"] > 0 and each["fluency_pct"] is None, each
    for page in ("/status", "/streams", "/health"):
        assert row.server.http(page)
    json.loads(row.server.http("/status?format=json"), parse_constant=lambda text: pytest.fail(f"{text} in the page"))
