"""Requests for media that no honest client sends: framing, heads, targets, hosts, bodies."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.harness.clock import deadline, wait_until_sync
from tests.harness.raw_http import upgrade_lines
from tests.hostile._arena import Row
from tests.hostile._http import MEDIA, OUTPUTS, Broadcast, ask, head, play, player_count, receive
from tests.httpd.test_connection import FRAMING_ATTACKS, LARGE_HEADS

CLOSE = "Connection: close"
every_output = pytest.mark.parametrize("output", OUTPUTS)
REASONS = {
    414: "target_too_long",
    431: "header_too_large",
    413: "body_too_large",
    505: "bad_version",
    501: "unknown_method",
}


def refused(row: Row, data: bytes, status: int | tuple[int, ...], reason: str = "") -> None:
    """HTTP(status, reason): one answer, the end, and none of the stream."""
    answer = ask(row, data)
    wanted = (status,) if isinstance(status, int) else status
    assert answer.status in wanted, f"{answer.status} {answer.body!r} to {data[:80]!r}"
    assert len(answer.body) <= 2048 and b"HTTP/1.1 2" not in answer.body and b"FLV" not in answer.body
    row.fails(reason or REASONS.get(answer.status, ""))


@pytest.mark.parametrize("attack", FRAMING_ATTACKS.values(), ids=FRAMING_ATTACKS.keys())
def test_H1_framing_attacks_on_a_path_of_media(row: Row, attack: bytes) -> None:
    broadcast = Broadcast(row)
    for output in ("flv", "ts"):
        data = attack.replace(b"/hello", broadcast.path(output).encode()) + broadcast.request(output)
        answer = ask(row, data)
        assert answer.status in (400, 413), answer
        assert b"HTTP/1.1 2" not in answer.body and not MEDIA.search(b"\r\n\r\n" + answer.body)
        row.fails("bad_framing" if answer.status == 400 else "body_too_large")


@pytest.mark.parametrize(("data", "statuses"), LARGE_HEADS.values(), ids=LARGE_HEADS.keys())
def test_H2_large_heads_on_a_path_of_media(row: Row, data: bytes, statuses: tuple[int, ...]) -> None:
    refused(row, data.replace(b"/hello", Broadcast(row).path().encode()), statuses, "bad_target" * (statuses == (400,)))


@pytest.mark.parametrize(
    ("first", "rest", "status", "reason"),
    [
        ("GET {} HTTP/1.1", "", 400, "bad_framing"),
        ("GET {} HTTP/1.1", "Host: a\r\nHost: b\r\n", 400, "bad_framing"),
        ("GET {} HTTP/1.1", "Host: a b\r\n", 400, "bad_host"),
        ("GET {} HTTP/1.1", 'Host: a"b\r\n', 400, "bad_host"),
        ("GET {} HTTP/1.1", "Host: user@h\r\n", 400, "bad_host"),
        ("GET {} HTTP/1.1", "Host: h:99999\r\n", 400, "bad_host"),
        ("GET {} HTTP/0.9", "Host: h\r\n", (400, 505), "bad_version"),
        ("GET {} HTTP/2.0", "Host: h\r\n", 505, "bad_version"),
        ("GET {} HTTP/1.2", "Host: h\r\n", 400, "bad_framing"),
        ("get {} HTTP/1.1", "Host: h\r\n", 400, "bad_framing"),
    ],
)
def test_H3_odd_hosts_and_versions(row: Row, first: str, rest: str, status: int, reason: str) -> None:
    path = Broadcast(row).path()
    refused(row, f"{first.format(path)}\r\n{rest}\r\n".encode(), status, reason)


@pytest.mark.parametrize(("method", "status"), [("POST", 405), ("PUT", 405), ("DELETE", 405), ("TRACE", 405)])
@every_output
def test_H4_known_method_that_plays_nothing(row: Row, method: str, status: int, output: str) -> None:
    answer = ask(row, Broadcast(row).request(output, CLOSE, method=method))
    assert (answer.status, answer.headers["allow"]) == (status, "GET, HEAD, OPTIONS")
    assert answer.headers["access-control-allow-origin"] == "*"


def test_H4_unknown_method_and_connect(row: Row) -> None:
    broadcast = Broadcast(row)
    refused(row, broadcast.request(method="PROPFIND"), 501)
    for target in ("localhost:80", broadcast.path()):
        refused(row, head(target, method="CONNECT") + broadcast.request(), 405, "no_proxy")


@every_output
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_H5_head_and_options_begin_no_play(row: Row, method: str, output: str) -> None:
    broadcast, before = Broadcast(row), player_count(row)
    peer = row.raw()
    for origin in ((), ("Origin: http://evil",)):
        if method == "HEAD" and origin:
            continue  # it ends the connection, as GET does
        peer.send(broadcast.request(output, *origin, method=method))
        found = receive(peer, deadline(2), until=b"\r\n\r\n")
        assert found.startswith(b"HTTP/1.1 200" if method == "HEAD" else b"HTTP/1.1 204")
        assert b"Access-Control-Allow-Origin: *\r\n" in found and found.endswith(b"\r\n\r\n")
        assert b"upgrade" not in found.lower()
    assert player_count(row) == before


_TARGETS = (
    "/../{}",
    "/%2e%2e/{}",
    "/..%2f{}",
    "/..%5c{}",
    "/%252e%252e/{}",
    "//..//{}",
    "/live/%00{}",
    "/live/%c0%ae{}",
)


@pytest.mark.parametrize("target", _TARGETS)
def test_H6_targets_that_climb_or_hide(row: Row, target: str) -> None:
    for name in ("x.flv", "etc/passwd.ts"):
        answer = ask(row, head(target.format(name), CLOSE))
        assert answer.status in (400, 404), answer
        if answer.status == 400 and "x-bd-error-code" not in answer.headers:
            row.fails("bad_target")


@every_output
def test_H7_request_behind_a_stream_is_never_read(row: Row, output: str) -> None:
    broadcast = Broadcast(row)
    before = row.server.counters()["http_requests_count"]
    peer = row.raw()
    peer.send(head("/version") * 2 + broadcast.request(output) + head("/version") * 3)
    found = b""
    if output == "ws":  # what follows is no frame
        found = receive(peer, deadline(2))
        assert peer.is_closed
    else:
        limit = time.monotonic() + deadline(2)
        while found.count(b"HTTP/1.1 200") < 3 and time.monotonic() < limit:
            found += peer.receive(0.05)
        peer.send(head("/version"))
        found += receive(peer, 0.2)
    statuses = [found.count(b"HTTP/1.1 200"), found.count(b"HTTP/1.1 101")]
    assert statuses == ([2, 1] if output == "ws" else [3, 0])
    assert row.server.counters()["http_requests_count"] - before <= 4


@pytest.mark.once
def test_H7_ten_thousand_requests_behind_one_that_waits_stay_with_the_client(row: Row) -> None:
    name = row.arena.new_name()
    row.publisher(name)  # sends nothing, so a player waits
    before = player_count(row)
    peer = row.raw()
    peer.send(head(f"/live/{name}.flv"))
    wait_until_sync(lambda: player_count(row) == before + 1, deadline(2), "the play")
    rss_kb, fill = row.server.rss_kb, head("/version") * 2000
    peer.sock.settimeout(0.3)
    with suppress(TimeoutError):
        for _ in range(200):
            peer.sock.sendall(fill)
    assert row.server.rss_kb - rss_kb < 4096
    peer.reset()
    wait_until_sync(lambda: player_count(row) == before, deadline(2), "the play to be given back")


@pytest.mark.once
def test_H8_reader_that_takes_no_answers_is_dropped(custom: Callable[..., Row]) -> None:
    row = custom("-write_stall_timeout_ms=300", "-http_max_requests=1000000")
    peer = row.raw(receive_buffer=4096)
    peer.sock.settimeout(0.3)
    with suppress(TimeoutError, OSError):
        for _ in range(300):
            peer.sock.sendall(head("/version?a=" + "x" * 100) * 1000)
    row.fails("write_stall")
    wait_until_sync(lambda: row.deltas()["error_write_stall_count"] == 1, deadline(3), "the end")


@pytest.mark.parametrize(
    "value", ["bytes=0-", "bytes=9-3", "bytes=" + ",".join(f"{n}-{n}" for n in range(1000)), "bytes=0-1" + "0" * 20]
)
@pytest.mark.parametrize("output", ["flv", "ts"])
def test_H9_ranges_are_ignored(row: Row, output: str, value: str) -> None:
    broadcast = Broadcast(row)
    peer = row.raw()
    peer.send(broadcast.request(output, f"Range: {value}"))
    found = receive(peer, deadline(2), until=b"\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 200") and b"Accept-Ranges: none\r\n" in found
    assert b"multipart" not in found and b"Content-Range" not in found


@pytest.mark.parametrize(
    ("line", "body"),
    [("Content-Length: 10737418240", b"a" * 100_000), ("Transfer-Encoding: chunked", b"ffff\r\n" + b"a" * 65535)],
    ids=["10 GiB", "chunks"],
)
@every_output
def test_H11_body_is_not_read(row: Row, output: str, line: str, body: bytes) -> None:
    refused(row, Broadcast(row).request(output, line) + body, 413)


def test_H12_absolute_target_names_the_vhost(row: Row) -> None:
    name = row.arena.new_name()
    publisher = row.connected(tcUrl="rtmp://media.example/live")
    publisher.open_stream()
    publisher.publish(name)
    for target, status in (
        (f"http://media.example/live/{name}.flv", 200),
        (f"http://other.example/live/{name}.flv", 404),
    ):
        answer = ask(row, head(target, CLOSE, method="HEAD", host="media.example"))
        assert answer.status == status, target
    answer = ask(row, head(f"http://media.example:8079/live/{name}.flv", CLOSE, method="HEAD", host="other.example"))
    assert answer.status == 200
    for target in (f"http://u:p@media.example/live/{name}.flv", f"/r/%3Cb%3E/live/{name}.flv"):
        answer = ask(row, head(target, CLOSE))
        assert answer.status == 400 and b"media.example" not in answer.body


@pytest.mark.parametrize("value", ["a%0d%0aX:%20y", "%3Cscript%3E", "a/b", "a%2fb", "a%22b", "v" * 7000, "a%20b"])
@pytest.mark.parametrize("field", ["vhost", "domain"])
def test_H13_vhost_that_is_none(row: Row, field: str, value: str) -> None:
    broadcast = Broadcast(row)
    answer = ask(row, head(f"{broadcast.path()}?{field}={value}", CLOSE))
    assert (answer.status, answer.headers["x-bd-error-code"]) == (400, "1003")
    assert b"script" not in answer.body and len(answer.body) <= 2048
    answer = ask(row, head(f"{broadcast.path()}?{field}=10.0.0.9:99", CLOSE, method="HEAD"))
    assert answer.status == 200, "the port goes, and an address means the default"


@pytest.mark.parametrize("origin", ["null", "http://evil"])
def test_H14_pages_of_other_origins_may_play_and_see_no_page(row: Row, origin: str) -> None:
    asked = (f"Origin: {origin}", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: x-any", CLOSE)
    answer = ask(row, Broadcast(row).request("flv", *asked, method="OPTIONS"))
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (204, "*")
    assert (
        answer.headers["access-control-allow-headers"] == "*"
        and "access-control-allow-credentials" not in answer.headers
    )
    for method in ("GET", "OPTIONS"):
        answer = ask(row, head("/version", *asked, method=method))
        assert not [name for name in answer.headers if name.startswith("access-control")]


@every_output
def test_H16_player_that_keeps_sending(row: Row, output: str) -> None:
    broadcast, before = Broadcast(row), player_count(row)
    peer = play(row, broadcast, output)
    frame = b"\x82\xfe\xff\xff" + b"mask" + bytes(65535) if output == "ws" else bytes(65535)
    peer.send(frame + bytes(10))
    with suppress(OSError):
        peer.send(frame)
    receive(peer, deadline(2))
    assert peer.is_closed
    row.fails("idle_talk")
    wait_until_sync(lambda: player_count(row) == before, deadline(1), "the player to go")


@every_output
@pytest.mark.parametrize("is_reset", [False, True], ids=["FIN", "RST"])
def test_H16_player_that_leaves_within_a_tag(row: Row, output: str, is_reset: bool) -> None:
    broadcast, before = Broadcast(row), player_count(row)
    peers = []
    for count in (1, 20, 300, 500, 900):
        peer = row.raw(receive_buffer=4096)
        peer.send(broadcast.request(output))
        peer.receive_exactly(count)
        peers.append(peer)
    for peer in peers:
        peer.reset() if is_reset else peer.close()
    broadcast.push(5)
    wait_until_sync(lambda: player_count(row) == before, deadline(1), "the players to go")


@pytest.mark.once
def test_H17_connection_that_asks_for_ever_or_not_at_all(custom: Callable[..., Row]) -> None:
    row = custom("-http_keepalive_ms=300", "-http_max_requests=10")
    answer = ask(row, head("/live/no.flv") * 20)
    assert answer.body.count(b"HTTP/1.1 404") == 9
    assert ask(row, head("/live/no.flv")).status == 404


_H2C = ("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")


@pytest.mark.parametrize("lines", [_H2C, upgrade_lines()], ids=["h2c", "websocket"])
def test_P9_upgrade_where_there_is_none_is_ignored(row: Row, lines: tuple[str, ...]) -> None:
    broadcast = Broadcast(row)
    for path in (broadcast.path("ts"), "/version", *([broadcast.path("flv")] if lines is _H2C else [])):
        peer = row.raw()
        peer.send(head(path, *lines))
        assert receive(peer, deadline(2), until=b"\r\n\r\n").startswith(b"HTTP/1.1 200 "), path
    assert ask(row, head("/live/nowhere.flv", *lines[:1], f"{lines[1]}, close", *lines[2:])).status == 404


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("path", ["/fcs/ident2", "/open/1", "/send/1/2", "/idle/1/2", "/close/1"])
def test_P9_rtmp_over_http_makes_no_session(row: Row, method: str, path: str) -> None:
    before = row.server.counters()["stream_count"]
    assert ask(row, head(path, "Content-Length: 1", CLOSE, method=method) + b"\0").status == 404
    assert row.server.counters()["stream_count"] == before


@pytest.mark.once
def test_P6_preface_of_http_2_that_is_cut_or_wrong(hasty: Row) -> None:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    cut = hasty.raw()
    cut.send(preface[:20])
    hasty.closes(cut, "detect_timeout", is_quiet=True, within_s=0.6)
    wrong = hasty.raw()
    wrong.send(preface[:-3] + b"X\r\n")
    found = receive(wrong, deadline(2))
    assert wrong.is_closed and found.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400", b"HTTP/1.1 505"))
    hasty.fails("bad_framing")
