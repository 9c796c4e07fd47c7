"""What is not needed is no reason to hang up: oddities of clients over which media go on, and what still ends them.

The rows that ask for the contrary are in the other files; here is what encoders and players were seen to send.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from tests.hostile._arena import Row
from tests.hostile._wire import AUDIO, COMMAND, DATA, VIDEO, RawPeer, audio, control, encode_amf, message, video

_ACK, _USER_CONTROL, _WINDOW, _BANDWIDTH = 3, 4, 5, 6


def command_body(*values: object, tail: bytes = b"") -> Callable[[RawPeer], None]:
    return lambda peer: peer.send_message(COMMAND, encode_amf(*values) + tail, stream=peer.stream)


def data_body(body: bytes, type_id: int = DATA) -> Callable[[RawPeer], None]:
    return lambda peer: peer.media(type_id, body)


def raw(data: bytes) -> Callable[[RawPeer], None]:
    return lambda peer: peer.send(data)


TOLERATED: dict[str, Callable[[RawPeer], None]] = {
    "command without a number": command_body("onFCPublish"),
    "releaseStream without a number": command_body("releaseStream", None, "x"),
    "FCPublish without a number": command_body("FCPublish"),
    "FCPublish with an odd value": command_body("FCPublish", 5, None, tail=b"\x0d"),
    "FCPublish with a number for a name": command_body("FCPublish", 5, None, 7),
    "FCUnpublish of another name": command_body("FCUnpublish", 5, None, "nobody"),
    "FCUnpublish with a reference": command_body("FCUnpublish", 5, None, tail=b"\x07\x00\x01"),
    "FCSubscribe": command_body("FCSubscribe", 5, None, "x"),
    "FCUnsubscribe": command_body("FCUnsubscribe", 5, None, "x"),
    "_checkbw": command_body("_checkbw", 5, None),
    "unknown command with an odd value": command_body("madeUp", 5, None, tail=b"\x0e\xff"),
    "unknown command with a string for a number": command_body("madeUp", "5", None),
    "AMF3 command": lambda peer: peer.send_message(17, b"\0" + encode_amf("madeUp", 5, None), stream=peer.stream),
    "reply that nobody asked for": command_body("_result", 77, None, tail=b"\x0d"),
    "error that nobody asked for": command_body("_error", 77, None, {"level": "error", "code": "NetStream.Failed"}),
    "onStatus of a client": command_body("onStatus", 0, None, {"code": "NetStream.Play.Stop"}),
    "onStatus without a number": command_body("onStatus", {"code": "x"}),
    "receiveAudio of a publisher": command_body("receiveAudio", 0, None, False),
    "pause of a publisher": command_body("pause", 0, None, True, 0),
    "seek of a publisher": command_body("seek", 0, None, 1000),
    "deleteStream of a stranger": command_body("deleteStream", 0, None, 99),
    "deleteStream of nothing": command_body("deleteStream", 0, None),
    "metadata in a command": command_body("@setDataFrame", "onMetaData", {"width": 1.0}),
    "metadata in a command, numbered": command_body("onMetaData", 0, {"width": 1.0}),
    "metadata that are a number": data_body(encode_amf("onMetaData", 5)),
    "metadata behind a null": data_body(encode_amf("onMetaData", None, {"width": 1.0})),
    "metadata without values": data_body(encode_amf("@setDataFrame", "onMetaData")),
    "data frame without a name": data_body(encode_amf("@setDataFrame")),
    "data frame of another name": data_body(encode_amf("@setDataFrame", "onTextData", {"text": "x"})),
    "cleared data frame": data_body(encode_amf("@clearDataFrame", "onMetaData")),
    "text": data_body(encode_amf("onTextData", {"text": "x", "language": "eng"})),
    "cue point with lists": data_body(encode_amf("onCuePoint", {"name": "x"}) + b"\x0a\0\0\0\2\x05\x06"),
    "data with a date and a document": data_body(
        encode_amf("onX") + b"\x0b" + bytes(10) + b"\x0f\0\0\0\4<a/>" + b"\x10\0\1C\0\0\x09"
    ),
    "data that begin with a number": data_body(encode_amf(5, "x")),
    "data that are cut": data_body(encode_amf("onX", {"a": 1.0})[:-5]),
    "data of noise": data_body(bytes(range(200, 256))),
    "AMF3 data": data_body(b"\0" + encode_amf("onX", 1.0), 15),
    "AMF3 data without their zero": data_body(encode_amf("onX", 1.0), 15),
    "AMF3 data of noise": data_body(b"\x07\xff\xff", 15),
    "data too big": data_body(encode_amf("onX") + bytes(300_000)),
    "shared object": data_body(bytes(50), 19),
    "shared object too big": data_body(bytes(300_000), 16),
    "empty messages": lambda peer: [peer.media(type_id, b"") for type_id in (AUDIO, VIDEO, DATA, 22)] and None,
    "media on stream 0": lambda peer: peer.send_message(AUDIO, audio(1), csid=4, stream=0),
    "unknown type": lambda peer: peer.send_message(13, b"?", csid=9),
    "window of 0": raw(control(_WINDOW, bytes(4))),
    "window of 1": raw(control(_WINDOW, struct.pack(">I", 1))),
    "bandwidth of 0": raw(control(_BANDWIDTH, bytes(5))),
    "bandwidth of an unknown kind": raw(control(_BANDWIDTH, struct.pack(">IB", 1000, 9))),
    "acknowledgement of anything": raw(control(_ACK, b"\xff" * 4)),
    "unknown event": raw(control(_USER_CONTROL, b"\xff\xff")),
    "event that only a server sends": raw(control(_USER_CONTROL, struct.pack(">HI", 1, 1))),
    "pong that nobody asked for": raw(control(_USER_CONTROL, struct.pack(">HI", 7, 1))),
    "control on another chunk stream": raw(message(_USER_CONTROL, struct.pack(">HI", 6, 1), csid=20, stream=5)),
}


@pytest.mark.parametrize("oddity", TOLERATED)
def test_media_go_on_over(row: Row, oddity: str) -> None:
    publisher, player = row.pair()
    TOLERATED[oddity](publisher)
    publisher.media(VIDEO, video(1))
    player.wait(lambda: player.received(VIDEO) == [video(1)], "the frame behind it")
    row.stays_open(publisher)


@pytest.mark.once
def test_a_hundred_of_all_together_end_nothing_but_those_that_nobody_knows(row: Row) -> None:
    publisher, player = row.pair()
    few = {"unknown type", "unknown command with an odd value", "unknown command with a string for a number"}
    few |= {"AMF3 command", "empty messages", "media on stream 0"}
    for _ in range(100):
        for oddity, send in TOLERATED.items():
            if oddity not in few and "big" not in oddity and "event" not in oddity:
                send(publisher)
        publisher.settle(0.01)
    publisher.media(VIDEO, video(1))
    player.wait(lambda: player.received(VIDEO) == [video(1)], "the frame behind them", 5.0)
    row.stays_open(publisher)


STRICT = {
    "connect again": (command_body("connect", 9, {"app": "live"}), "connect_twice"),
    "createStream without a number": (command_body("createStream", None), "amf_malformed"),
    "publish with a string for a number": (command_body("publish", "5", None, "x"), "amf_malformed"),
    "play of a name that cannot be read": (command_body("play", 5, None, tail=b"\x0d"), "amf_malformed"),
    "command without a name": (command_body(5, 5), "amf_malformed"),
    "command with too many values": (command_body("madeUp", 5, *[None] * 4096), "amf_malformed"),
    "command too big": (command_body("madeUp", 5, tail=bytes(70_000)), "command_too_big"),
    "control of a wrong size": (raw(control(_ACK, bytes(3))), "ctrl_size"),
    "chunks of 1": (raw(control(1, struct.pack(">I", 1))), "chunk_size"),
    "header without one before": (raw(b"\xe0"), "chunk_no_header"),
    "message too big": (raw(b"\x07" + bytes(3) + b"\xff\xff\xff\x12" + bytes(4)), "message_too_big"),
}


@pytest.mark.parametrize("fault", STRICT)
def test_what_still_ends_a_connection(row: Row, fault: str) -> None:
    publisher, player = row.pair()
    send, reason = STRICT[fault]
    send(publisher)
    row.closes(publisher, reason)
    player.wait_closed(0.5)
