"""TCP and the first bytes, as far as they concern RTMP."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from tests.harness.clock import ROOT, deadline, wait_until_sync
from tests.hostile._arena import Row
from tests.hostile._wire import AUDIO, COMMAND, VIDEO, RawPeer, audio, chunk, encode_amf, message, video


@pytest.mark.once
def test_T2_dripped_handshake_times_out(hasty: Row) -> None:
    peer = hasty.raw()
    began = time.monotonic()
    peer.send(b"\x03")
    while time.monotonic() - began < 0.2:
        peer.send(b"x")
        time.sleep(0.03)
    hasty.closes(peer, "handshake_timeout", is_quiet=True, within_s=0.5)


@pytest.mark.once
def test_T2_withheld_c2_times_out(hasty: Row) -> None:
    peer = hasty.raw()
    peer.send(b"\x03" + bytes(1536))
    peer.receive_exactly(3073)
    hasty.closes(peer, "handshake_timeout", is_quiet=True, within_s=0.7)


@pytest.mark.once
@pytest.mark.parametrize("does_connect", [False, True], ids=["no-connect", "no-play"])
def test_T2_withheld_commands_time_out(hasty: Row, does_connect: bool) -> None:
    peer = hasty.connected() if does_connect else hasty.shaken()
    hasty.closes(peer, "setup_timeout", is_quiet=True, within_s=0.9)


@pytest.mark.once
def test_T3_silent_connection_times_out(hasty: Row) -> None:
    hasty.closes(hasty.raw(), "detect_timeout", is_quiet=True, within_s=0.6)


def test_T3_probe_that_closes_at_once_is_only_counted(row: Row) -> None:
    peer = row.raw()
    peer.sock.shutdown(socket.SHUT_WR)
    peer.wait_closed(0.2)
    row.notes("conn_empty")
    assert peer.name not in row.new_log


def recorded_session(name: str) -> list[bytes]:
    """The structural pieces of a publisher's side: handshake, commands, media."""
    pieces = [b"\x03", bytes(1536), bytes(1536)]
    pieces.append(message(COMMAND, encode_amf("connect", 1, {"app": "live", "tcUrl": "rtmp://localhost/live"})))
    pieces.append(message(COMMAND, encode_amf("createStream", 2, None)))
    pieces.append(message(COMMAND, encode_amf("publish", 3, None, name, "live"), stream=1))
    for number in range(3):
        frame = message(VIDEO, video(number, size=300), csid=6, stream=1, at=number * 40)
        pieces += [frame[:12], frame[12:100], frame[100:]]
    return pieces


def test_T5_reset_at_every_boundary_leaves_nothing(row: Row) -> None:
    name = row.arena.new_name()
    count = len(recorded_session(name))
    for cut in range(1, count + 1):
        peer = row.raw()
        # A stream each: whether the last one's reset has been seen by now is chance, too.
        peer.send(b"".join(recorded_session(f"{name}-{cut}")[:cut]))
        peer.sock.settimeout(0.005)
        peer.reset()
    row.notes("rtmp_c2_mismatch", count - 2)

    def is_gone() -> bool:
        return not [each for each in row.server.streams() if each["stream"].startswith(f"{name}-")]

    wait_until_sync(is_gone, deadline(1), "the streams to go")
    # Whether the reset was seen before the bytes is chance.
    row.notices.pop("rtmp_c2_mismatch_count")
    # A stall of the loop is that of the machine.
    warned = [line for line in row.new_log.splitlines() if line[:1] in "WEF" and "loop stalled" not in line]
    assert not warned, row.new_log


def test_T6_half_closed_player_is_gone_within_a_second(row: Row) -> None:
    _, player = row.pair()
    before = row.server.counters()["player_count"]
    player.sock.shutdown(socket.SHUT_WR)
    player.wait_closed(1.0)
    wait_until_sync(lambda: row.server.counters()["player_count"] == before - 1, deadline(1), "the player to go")


def test_T8_burst_of_connects_and_closes_leaves_no_descriptor(row: Row) -> None:
    before = row.server.fds
    for _ in range(300):
        row.raw().close()
    wait_until_sync(lambda: row.server.fds <= before + 1, deadline(1), f"fds back to {before}")
    wait_until_sync(lambda: row.server.counters()["connection_count"] <= 3, deadline(1), "connections to go")


@pytest.mark.once
@pytest.mark.parametrize("flag", ["max_connections", "max_connections_per_ip"])
def test_T10_T11_connections_over_the_cap_are_closed_at_once(custom: Callable[..., Row], flag: str) -> None:
    # The canary has two.
    row = custom(f"-{flag}=5")
    time.sleep(0.1)  # the page that was asked last counts as well, until its connection is gone
    kept = [row.connected() for _ in range(3)]
    extra = [row.raw() for _ in range(3)]
    for peer in extra:
        peer.wait_closed(0.2)
    row.notes("conn_rejected", 3)
    for peer in kept:
        row.stays_open(peer)
    kept[0].close()
    wait_until_sync(lambda: row.server.counters()["connection_count"] <= 5, deadline(1), "a place to be free")
    time.sleep(0.1)
    row.connected()


def test_T12_second_instance_on_the_port_exits(row: Row) -> None:
    command = [sys.executable, "-m", "edge", f"-port={row.server.port}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=deadline(4), check=False)
    assert done.returncode == 75
    assert "Fail to listen" in done.stdout + done.stderr


def session_replies(peer: RawPeer) -> list[object]:
    return [each[0] if each[0] != "onStatus" else each[3]["code"] for each in peer.commands]


@pytest.mark.parametrize("size", [1, 1 << 20], ids=["byte-by-byte", "at-once"])
def test_T13_T14_session_in_any_segments_is_honoured_in_order(row: Row, size: int) -> None:
    name = row.arena.new_name()
    data = b"".join(recorded_session(name))
    data += b"".join(message(AUDIO, audio(n), csid=4, stream=1, at=n * 20) for n in range(50))
    peer = row.raw()
    for at in range(0, len(data), size):
        peer.send(data[at : at + size])
    assert len(peer.receive_exactly(3073)) == 3073
    peer.wait(lambda: "NetStream.Publish.Start" in peer.statuses, "Publish.Start", 5.0)
    assert session_replies(peer) == ["_result", "onBWDone", "_result", "NetStream.Publish.Start"]

    def has_all() -> bool:
        return any(each["stream"] == name and each["next_index"] == 53 for each in row.server.streams())

    wait_until_sync(has_all, deadline(2), "3 pictures and 50 sounds")
    row.notes("rtmp_c2_mismatch")


def test_T15_urgent_byte_and_writes_after_a_reset_do_no_harm(row: Row) -> None:
    publisher, player = row.pair()
    player.sock.send(b"!", socket.MSG_OOB)
    publisher.media(VIDEO, video(1))
    player.wait(lambda: player.received(VIDEO) == [video(1)], "the next frame")
    player.reset()
    for number in range(20):
        publisher.media(VIDEO, video(number), at=number * 40)
    row.stays_open(publisher)


_UNKNOWN = {
    "random": bytes.fromhex("9f1ce0558ab1") * 4,
    "ssh": b"SSH-2.0-x\r\n",
    "proxy": b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n\x03",
    "smb": b"\x00\x00\x00\x85\xffSMBr" + bytes(20),
    "mqtt": b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02id",
    "redis": b"*1\r\n$4\r\nPING\r\n",
}


@pytest.mark.parametrize("kind", _UNKNOWN)
def test_P1_unknown_protocol_is_quiet(row: Row, kind: str) -> None:
    peer = row.raw()
    peer.send(_UNKNOWN[kind])
    row.closes(peer, "unknown_protocol", is_quiet=True)
    if peer.name in row.new_log:  # otherwise there were too many lines of this reason
        assert _UNKNOWN[kind][:16].hex() in row.new_log
    assert not peer.messages


@pytest.mark.once
@pytest.mark.parametrize("rest", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["silence", "http"])
def test_P2_first_byte_of_rtmp_claims_the_connection(hasty: Row, rest: bytes) -> None:
    peer = hasty.raw()
    peer.send(b"\x03" + rest)
    hasty.closes(peer, "handshake_timeout", is_quiet=True, within_s=0.7)


@pytest.mark.parametrize("cut", [1, 3, 5])
def test_P3_request_line_in_two_pieces_is_served(row: Row, cut: int) -> None:
    text = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    peer = row.raw()
    peer.send(text[:cut])
    time.sleep(0.05)
    peer.send(text[cut:])
    assert peer.receive_exactly(12)[:9] == b"HTTP/1.1 "


@pytest.mark.once
@pytest.mark.parametrize("prefix", [b"G", b"P", b"PR", b"PRI ", b"\x16"], ids=ascii)
def test_P3_prefix_that_stays_undecided_times_out(hasty: Row, prefix: bytes) -> None:
    peer = hasty.raw()
    peer.send(prefix)
    hasty.closes(peer, "detect_timeout", is_quiet=True, within_s=0.6)


def test_P4_client_hello_without_tls_is_quiet(row: Row) -> None:
    peer = row.raw()
    peer.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100))
    row.closes(peer, "tls_not_enabled", is_quiet=True)


@pytest.mark.parametrize("first", [0x06, 0x08, 0x00, 0x01, 0x02, 0x04, 0x05, 0x07, 0x1F])
def test_P7_other_versions_get_no_reply(row: Row, first: int) -> None:
    peer = row.raw()
    peer.send(bytes((first,)) + bytes(1536))
    reason = "rtmp_version" if first in (6, 8) else "unknown_protocol"
    row.closes(peer, reason, is_quiet=True)
    assert not peer.messages


def test_P8_simplified_start_is_judged_like_the_long_one(row: Row) -> None:
    peer = row.raw()
    peer.send(b"\x03BDMS" + chunk(2, 9) + b"garbage")
    row.closes(peer, "chunk_no_header")


@pytest.mark.once
def test_P8_simplified_start_and_then_nothing_times_out(hasty: Row) -> None:
    peer = hasty.raw()
    peer.send(b"\x03BDMS")
    hasty.closes(peer, "setup_timeout", is_quiet=True, within_s=0.9)


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/fcs/ident2", {}, 404),
        ("POST", "/open/1", {}, 404),
        ("GET", "/version", {"Upgrade": "h2c", "Connection": "Upgrade"}, 200),
        ("GET", "/version", {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "x"}, 200),
        ("TRACE", "/", {}, 405),
    ],
)
def test_P9_probes_of_other_transports_make_no_session(
    row: Row, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    asked = http.client.HTTPConnection("127.0.0.1", row.server.internal_port, timeout=deadline(2))
    try:
        asked.request(method, path, headers=headers)
        assert asked.getresponse().status == status
    finally:
        asked.close()
