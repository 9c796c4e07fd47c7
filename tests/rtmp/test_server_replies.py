"""Answers that are remembered are those that would be made anew, whoever asked before."""

from __future__ import annotations

from itertools import product

import pytest

from edge.rtmp import amf0
from edge.rtmp.chunk import ChunkReader, Message
from edge.rtmp.chunk_writer import encode_message
from edge.rtmp.commands import (
    Command,
    _decode_command,
    _remembered_name,
    _remembered_tc_url,
    check_stream_name,
    check_tc_url,
    decode_command,
    encode_command,
)
from edge.rtmp.config import RtmpConfig
from edge.rtmp.events import ConnectRequested
from edge.rtmp.messages import SetChunkSize, UserControl
from edge.rtmp.server import ServerSession
from edge.rtmp.server_replies import (
    ConnectAnswer,
    Enhanced,
    connected,
    encode_connected,
    encode_control,
    encode_playing,
    encode_whole_command,
    playing,
    stream_created,
)

CONFIG = RtmpConfig()
CACHES = (_remembered_name, _remembered_tc_url)
CHUNK_SIZES = (128, 4096, 60000)
ENHANCED = [Enhanced(*bits, caps) for bits in product((False, True), repeat=3) for caps in (None, 0, 6)]


def read(data: bytes) -> list[Message]:
    """The messages in whole replies; the reader obeys a SetChunkSize among them."""
    found: list[Message] = []
    ChunkReader(CONFIG).feed(data, 0, found)
    return found


def commands(data: bytes) -> list[Command]:
    return [
        _decode_command(20, each.payload, each.message_stream_id, CONFIG) for each in read(data) if each.type_id == 20
    ]


@pytest.mark.parametrize("enhanced", ENHANCED)
def test_connect_is_answered_alike_the_first_time_and_later(enhanced: Enhanced) -> None:
    for transaction_id, encoding, edge_id, chunk_size in product((1.0, 7.0), (0.0, 3.0), ("", "edge-1"), (128, 60000)):
        answer = ConnectAnswer(transaction_id, encoding, enhanced, edge_id, 2500000, chunk_size)
        assert connected(answer) == connected(answer) == encode_connected(answer)
        result = commands(connected(answer))[0]
        assert (result.name, result.transaction_id) == ("_result", transaction_id)
        assert result.object is not None
        assert result.object.get("edgeId", "") == edge_id
        assert ("fourCcList" in result.object) is enhanced.has_list
        assert ("videoFourCcInfoMap" in result.object) is enhanced.has_video_map
        assert ("audioFourCcInfoMap" in result.object) is enhanced.has_audio_map
        assert result.object.get("capsEx") == enhanced.capabilities
        assert result.arguments[0]["objectEncoding"] == encoding


def test_what_is_added_to_one_answer_is_in_no_other() -> None:
    answer = ConnectAnswer(1.0, 0.0, Enhanced.of({}), "", 2500000, 60000)
    before = connected(answer)
    assert b"serverId" in encode_connected(answer, {"serverId": "s"})
    assert connected(answer) == before
    assert b"serverId" not in before


@pytest.mark.parametrize("chunk_size", CHUNK_SIZES)
def test_streams_are_told_apart(chunk_size: int) -> None:
    made = [stream_created(chunk_size, number, stream_id) for number in (2.0, 4.0) for stream_id in (1, 2, 70000)]
    assert len(set(made)) == len(made)
    assert [commands(each)[0].arguments for each in made[:3]] == [[1.0], [2.0], [70000.0]]


@pytest.mark.parametrize("chunk_size", [60000])
@pytest.mark.parametrize("has_reset", [False, True])
@pytest.mark.parametrize("has_data_start", [False, True])
def test_a_play_is_answered_alike_the_first_time_and_later(
    chunk_size: int, has_reset: bool, has_data_start: bool
) -> None:
    for stream_id, name in product((1, 2), ("a", "b?token=c", "n" * 500)):
        what = (chunk_size, stream_id, name, has_reset, has_data_start)
        data = encode_control(SetChunkSize(chunk_size)) + playing(*what, None)
        assert playing(*what, None) == encode_playing(*what, None)
        codes = [each.arguments[0]["code"] for each in commands(data)]
        assert codes == ["NetStream.Play.Reset"] * has_reset + ["NetStream.Play.Start"]
        assert [each.payload for each in read(data) if each.type_id == 4] == [
            UserControl.stream_begin(stream_id).encode()
        ]
        assert (b"NetStream.Data.Start" in data) is has_data_start
        assert amf0.encode(f"Start playing {name}") in data
    assert b"waiting" in encode_playing(chunk_size, 1, "a", has_reset, has_data_start, {"waiting": True})


def test_capabilities_that_make_no_sense_are_not_answered() -> None:
    for odd in (-1, 1 << 32, float("nan"), "7", None, True, {}):
        assert Enhanced.of({"capsEx": odd}).capabilities is None
    assert Enhanced.of({"capsEx": 15.0}).capabilities == 15


def test_a_command_is_decoded_alike_the_first_time_and_later() -> None:
    words: list[tuple[object, ...]] = [
        ("connect", 1, {"app": "live", "tcUrl": "rtmp://h/live", "fourCcList": ["avc1"]}),
        ("play", 3, None, "a", -2000),
        ("publish", 5, None, "a", "live"),
        ("play", 3, None, "n" * 2000),
    ]
    for name, number, *values in words:
        payload = encode_command(str(name), float(str(number)), *values)
        for stream_id in (0, 1):
            first = decode_command(20, payload, stream_id, CONFIG)
            assert decode_command(20, bytes(payload), stream_id, CONFIG) == first
            assert first == _decode_command(20, payload, stream_id, CONFIG)
            assert first.message_stream_id == stream_id


def test_limits_hold_for_a_command_that_others_were_allowed() -> None:
    payload = encode_command("play", 1, {"a": {"b": {"c": 1}}}, "name")
    assert decode_command(20, payload, 1, CONFIG).text(0) == "name"
    with pytest.raises(Exception, match="nested deeper"):
        decode_command(20, payload, 1, RtmpConfig(amf_max_depth=1))
    assert encode_whole_command(128, 1, "play", 1, None) != encode_whole_command(128, 0, "play", 1, None)


def test_long_texts_of_strangers_are_not_kept() -> None:
    before = [cache.cache_info().currsize for cache in CACHES]
    for n in range(5):
        long = f"rtmp://host/{n}" + "\U0001f600" * 10_000
        assert check_tc_url(long, CONFIG.max_url_bytes) is not None
        assert check_stream_name(long, CONFIG) is not None
    assert [cache.cache_info().currsize for cache in CACHES] == before
    assert check_stream_name("kept", CONFIG) is None
    assert check_tc_url("rtmp://host/kept", CONFIG.max_url_bytes) is None


def test_a_number_is_given_back_with_its_sign() -> None:
    session = ServerSession(CONFIG, entropy=bytes, now_ms=0)
    session.receive_data(b"\x03BDMS", 0)
    for number in (0.0, -0.0, 1.0):
        session.receive_data(encode_message(3, 20, 0, 0, encode_command("connect", 1, {"app": "live"}), 128), 0)
        while (event := session.next_event()) is not None:
            if isinstance(event, ConnectRequested):
                session.accept_connect(event.request_id)
        session.data_to_send()
        session.receive_data(encode_message(3, 20, 0, 0, encode_command("createStream", number, None), 128), 0)
        assert encode_command("_result", number, None)[10:19] in session.data_to_send()
        session = ServerSession(CONFIG, entropy=bytes, now_ms=0)
        session.receive_data(b"\x03BDMS", 0)
