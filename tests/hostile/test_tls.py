"""TLS on the port that also speaks everything else."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.clock import ROOT, deadline, wait_until_sync
from tests.harness.server import EdgeServer
from tests.hostile._arena import Arena, Row
from tests.hostile._tls import (
    ALERT,
    GET,
    HANDSHAKE,
    UNRECOGNIZED_NAME,
    OpensslClient,
    TlsPeer,
    authority,
    flags_of,
    pair,
)
from tests.naming.certificates import Pair
from tests.net.test_client_hello import in_records
from tests.net.test_tls import renamed
from tests.net.tls_pairs import hello_bytes, plain_context

_ABANDONED = 1000
_KB_EACH = 64


@pytest.fixture(scope="module")
def tls_arena() -> Iterator[Arena]:
    """A server that takes TLS, whose handshakes have little time."""
    made = Arena(*flags_of(pair()), "-ssl_handshake_timeout_ms=1500", "-protocol_detect_timeout_ms=1500")
    yield made
    made.close()


@pytest.fixture
def tls(tls_arena: Arena) -> Iterator[Row]:
    """A row at that server."""
    made = Row(tls_arena)
    yield made
    made.judge()


@pytest.mark.once
@pytest.mark.parametrize("size", [3, 5, 100, -1])
def test_S1_hello_that_does_not_end_or_is_the_last_word_times_out(tls: Row, size: int) -> None:
    hello = hello_bytes(plain_context())
    peer = TlsPeer(tls).send(hello if size < 0 else hello[:size])
    tls.closes(peer.raw, "tls_timeout", is_quiet=True, within_s=2.0)


def warned(row: Row) -> list[str]:
    """Lines that say that somebody should look; a stall of the loop is that of the machine."""
    return [line for line in row.new_log.splitlines() if line[:1] in "WEF" and "loop stalled" not in line]


def old_hello(version: int) -> bytes:
    """A hello of SSL 3 to TLS 1.1, without extensions."""
    body = bytes((3, version)) + os.urandom(32) + b"\x00" + b"\x00\x04\x00\x2f\x00\x35" + b"\x01\x00"
    message = b"\x01" + len(body).to_bytes(3) + body
    return b"\x16\x03" + bytes((version,)) + len(message).to_bytes(2) + message


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x00\x20" + bytes(32), b"\x16\x03\x01" + b"\xff" * 100, old_hello(0), old_hello(1), old_hello(2)],
    ids=["empty", "garbage", "ssl3", "tls1.0", "tls1.1"],
)
def test_S2_what_is_no_handshake_of_today_is_refused(tls: Row, sent: bytes) -> None:
    peer = TlsPeer(tls).send(sent)
    if sent[3:5] == b"\xff\xff":
        peer.raw.sock.shutdown(socket.SHUT_WR)  # a record of 64 KB has been announced
    tls.closes(peer.raw, "tls_error", is_quiet=True)
    assert not peer.said or peer.said[0] == ALERT


def test_S2_hello_of_ssl_2_is_no_protocol_of_ours(tls: Row) -> None:
    peer = TlsPeer(tls).send(b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(37))
    tls.closes(peer.raw, "unknown_protocol", is_quiet=True)


def test_S2_record_that_is_changed_on_the_way_ends_the_connection(tls: Row) -> None:
    for has_spoken in (False, True):
        peer = TlsPeer(tls).shake()
        if has_spoken:
            peer.gets_an_answer()
        peer.send_below(b"\x17\x03\x03\x00\x30" + bytes(48))
        with contextlib.suppress(ssl.SSLError):  # our own library reads the alert
            peer.raw.wait_closed(0.2)
        tls.fails("tls_error")
        tls.logs("tls_error", peer.raw, "I")


@pytest.mark.parametrize("by", [1, 7, 1 << 20])
def test_S3_hello_in_any_segments_and_records_is_understood(tls: Row, by: int) -> None:
    """The client's own library cannot go on with what we cut, so the server's hello has to do."""
    hello = in_records(hello_bytes(plain_context()), 50)
    peer = TlsPeer(tls)
    for at in range(0, len(hello), by):
        peer.send(hello[at : at + by])
    assert peer.wait_said(6)[0] == HANDSHAKE and peer.said[5] == 2
    peer.raw.close()
    tls.fails("tls_error")


@pytest.mark.parametrize(
    "protocols", [["spdy/3", "x" * 255], ["x" * 255] * 60, ["http/1.1"]], ids=["odd", "16k", "1.1"]
)
def test_S3_handshake_of_any_size_and_with_any_protocols_succeeds(tls: Row, protocols: list[str]) -> None:
    context = plain_context()
    context.set_alpn_protocols(protocols)
    peer = TlsPeer(tls).shake(context)
    assert peer.tls.selected_alpn_protocol() == ("http/1.1" if "http/1.1" in protocols else None)
    peer.gets_an_answer()


def test_S3_Y11_rtmp_and_first_bytes_one_by_one_are_served_inside(tls: Row) -> None:
    peer = tls.raw()
    peer.sock.settimeout(deadline(5))
    peer.sock = plain_context().wrap_socket(peer.sock, server_hostname="localhost")
    peer.shake()
    peer.connect()
    tls.stays_open(peer)
    slow = TlsPeer(tls).shake()
    for at in range(len(GET)):
        slow.send(GET[at : at + 1])
    assert slow.wait_said(15).startswith(b"HTTP/1.1 200 OK")


def test_S3_tls_inside_tls_is_refused_and_nothing_inside_is_an_end(tls: Row) -> None:
    nested = TlsPeer(tls).shake().send(hello_bytes(plain_context()))
    tls.closes(nested.raw, "unknown_protocol", is_quiet=True)
    TlsPeer(tls).shake().raw.close()


_ODD_NAMES = [b"unknown.test", b"", b"a\x00b.test", b"a." * 150, b"xn--bcher-kva.example", b"b\xc3\xbccher.example"]


@pytest.mark.parametrize("name", _ODD_NAMES, ids=["unknown", "none", "nul", "long", "idn", "utf8"])
def test_S4_odd_names_are_shown_the_default_or_refused_by_the_library(tls: Row, name: bytes) -> None:
    hello = hello_bytes(plain_context(), "short.test" if name else "127.0.0.1")
    peer = TlsPeer(tls).send(renamed(hello, b"short.test", name) if name else hello)
    said = peer.wait_said(6)
    is_bad = b"\x00" in name or len(name) > 255
    assert said[0] == (ALERT if is_bad else HANDSHAKE)
    peer.raw.close()
    tls.fails("tls_error")


@pytest.mark.once
def test_S4_strict_sni_refuses_unknown_names_and_none(custom: Callable[..., Row]) -> None:
    row = custom(*flags_of(pair()), "-strict_sni")
    for host in ("unknown.test", "127.0.0.1"):
        peer = TlsPeer(row).send(hello_bytes(plain_context(), host))
        assert peer.wait_said(7)[0] == ALERT and peer.said[5:7] == bytes((2, UNRECOGNIZED_NAME))
        row.closes(peer.raw, "tls_error", is_quiet=True)
    TlsPeer(row).shake(host="LOCALHOST").gets_an_answer()


@pytest.mark.parametrize(
    ("dates", "word", "is_expired"),
    [
        (("20200101000000Z", "20210101000000Z"), "expired on 2021-01-01", True),
        (("20990101000000Z", "21000101000000Z"), "is not valid before 2099-01-01", False),
    ],
)
def test_S5_certificate_of_the_wrong_time_is_served_and_told(
    dates: tuple[str, str], word: str, is_expired: bool
) -> None:
    shown = authority().sign_between(f"wrong-{dates[0]}", *dates)
    with EdgeServer(*flags_of(shown), has_internal_port=False) as server:
        wait_until_sync(lambda: word in server.log, deadline(1), "the warning")
        (line,) = [line for line in server.log.splitlines() if word in line]
        assert line.startswith("W") and str(shown.cert) in line
        assert (server.counters()["ssl_cert_expires_in_s"] < 0) is is_expired
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            plain_context().wrap_socket(sock).close()


def test_S5_certificate_that_is_about_to_expire_is_told() -> None:
    with EdgeServer(*flags_of(pair())) as server:  # it is for two days
        wait_until_sync(lambda: "certificate expires on " in server.log, deadline(1), "the warning")
        assert 0 < server.counters()["ssl_cert_expires_in_s"] <= 2 * 86400


@pytest.mark.parametrize("how", ["missing", "unreadable", "mismatch", "locked"])
def test_S6_unusable_certificate_at_start_exits_with_its_path(how: str, tmp_path: Path) -> None:
    files = renewable(tmp_path)
    damage(files, how)
    command = [sys.executable, "-m", "edge", "-port=0", "-bind=127.0.0.1", *flags_of(files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=deadline(10), check=False)
    assert done.returncode == 1
    assert str(files.key) in done.stderr and "Traceback" not in done.stderr
    assert done.stderr.startswith("ERROR: ") and len(done.stderr.splitlines()) == 1


def renewable(folder: Path) -> Pair:
    """Files that a test may change."""
    return Pair(Path(shutil.copy(pair().cert, folder / "cert.pem")), Path(shutil.copy(pair().key, folder / "key.pem")))


def damage(files: Pair, how: str) -> None:
    if how == "missing":
        files.key.unlink()
    elif how == "unreadable":  # by nobody: modes do not stop the superuser
        files.key.unlink()
        files.key.mkdir()
    elif how == "mismatch":
        shutil.copy(authority().pair.key, files.key)
    else:
        command = [
            "openssl",
            "ec",
            "-aes128",
            "-passout",
            "pass:secret",
            "-in",
            str(pair().key),
            "-out",
            str(files.key),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=deadline(30))


@pytest.mark.once
@pytest.mark.parametrize("way", ["SIGHUP", "files"])
def test_S6_bad_reload_keeps_the_certificate_and_a_good_one_is_shown(
    custom: Callable[..., Row], tmp_path: Path, way: str
) -> None:
    files = renewable(tmp_path)
    row = custom(*flags_of(files))
    server = row.server

    def reload() -> None:
        if way == "SIGHUP":
            server.process.send_signal(signal.SIGHUP)

    def shown() -> bytes:
        peer = TlsPeer(row).shake()
        found = peer.tls.getpeercert(binary_form=True)
        peer.gets_an_answer()
        peer.raw.close()
        return found or b""

    was = shown()
    damage(files, "mismatch")
    reload()
    wait_until_sync(lambda: "reason=reload_failed" in row.new_log, deadline(3), "the warning")
    lines = [line for line in row.new_log.splitlines() if "reload_failed" in line]
    assert all(str(files.key) in line for line in lines)
    if way == "SIGHUP":  # which is refused as a whole; and that the files have changed is seen besides
        assert lines[0].startswith("E") and "reload refused id=" in lines[0]
        wait_until_sync(lambda: "certificate kept" in row.new_log, deadline(3), "the warning")
    else:
        assert [line[0] for line in lines] == ["W"]
    row.fails("reload_failed", 2 if way == "SIGHUP" else 1)
    assert shown() == was
    new = authority().sign(f"renewed-{way}")
    shutil.copy(new.cert, files.cert)
    shutil.copy(new.key, files.key)
    reload()
    wait_until_sync(lambda: "certificate loaded" in row.new_log, deadline(3), "the new certificate")
    assert shown() == ssl.PEM_cert_to_DER_cert(new.cert.read_text()) != was
    if way == "SIGHUP":
        wait_until_sync(lambda: "certificates read again taken=1 refused=0" in row.new_log, deadline(3), "the reload")


@pytest.mark.once
def test_S7_thousand_key_updates_are_answered(tls: Row) -> None:
    with OpensslClient(tls.server.port) as client:
        client.say(GET)
        assert client.wait_said(b"200 OK")
        for _ in range(1000):
            assert client.command(b"K", b"KEYUPDATE")
        client.say(GET)
        assert client.wait_said(b"200 OK")
    tls.assert_loop_was_free()


def test_S7_renegotiation_is_refused(tls: Row) -> None:
    with OpensslClient(tls.server.port, "-tls1_2") as client:
        client.say(GET)
        assert client.wait_said(b"200 OK")
        client.command(b"R", b"RENEGOTIATING")
        with contextlib.suppress(BrokenPipeError):
            client.say(GET)
        if not client.wait_said(b"200 OK"):  # some versions give up, others go on without
            tls.fails("tls_error")
    tls.assert_loop_was_free()


@pytest.mark.parametrize("sent", [b"", GET[:10], GET], ids=["at-once", "mid-request", "answered"])
def test_S8_end_without_farewell_is_an_ordinary_one(tls: Row, sent: bytes) -> None:
    peer = TlsPeer(tls).shake().send(sent)
    if sent == GET:
        peer.wait_said()
    peer.raw.sock.close()
    tls.wait_gone()
    assert not warned(tls)


@pytest.mark.parametrize("is_reset", [False, True])
def test_S8_player_that_ends_without_farewell_is_an_ordinary_end(tls: Row, is_reset: bool) -> None:
    peer = TlsPeer(tls).shake().send(b"GET /live/canary.flv HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    peer.wait_said(2000)
    if is_reset:
        peer.raw.reset()
    tls.wait_gone()
    assert not warned(tls)


def test_T5_reset_at_any_place_leaves_nothing(tls: Row) -> None:
    hello = hello_bytes(plain_context())
    for size in (1, 3, 5, 6, 100, len(hello)):
        TlsPeer(tls).send(hello[:size]).raw.reset()
    for sent in (b"", GET[:10], GET):
        TlsPeer(tls).shake().send(sent).raw.reset()
    tls.wait_gone()
    # Whether the reset was seen before the bytes is chance.
    for name in ("error_tls_error_count", "error_detect_truncated_count"):
        tls.expected[name] = tls.deltas()[name]
    assert not warned(tls)


@pytest.mark.once
def test_S9_abandoned_handshakes_are_few_at_a_time_and_freed(tls: Row) -> None:
    hello = hello_bytes(plain_context())
    before_kb = tls.server.rss_kb
    for number in range(_ABANDONED):
        # Half of them leave the server with its part done, the others amid their hello.
        TlsPeer(tls).send(hello if number % 2 else hello[:100])
    pending = tls.server.counters()["tls_handshakes_pending"]
    grown_kb = tls.server.rss_kb - before_kb
    assert pending > 0
    assert grown_kb <= _ABANDONED * _KB_EACH
    wait_until_sync(lambda: tls.server.counters()["tls_handshakes_pending"] == 0, deadline(4), "the handshakes to go")
    tls.fails("tls_timeout", _ABANDONED)
    tls.wait_gone()
    TlsPeer(tls).shake().gets_an_answer()
    tls.assert_loop_was_free()


def test_P5_plain_is_served_beside_tls(tls: Row) -> None:
    tls.stays_open(tls.connected())
    peer = TlsPeer(tls)
    peer.gets_an_answer()


@pytest.mark.once
def test_P5_force_ssl_refuses_plain_but_on_the_internal_port(tmp_path: Path) -> None:
    with EdgeServer(*flags_of(pair()), "-force_ssl") as server:
        assert server.http("/health") == b"OK\n"  # by the internal port
        with socket.create_connection(("127.0.0.1", server.internal_port)) as sock:
            sock.sendall(b"\x03" + bytes(1536))
            sock.settimeout(deadline(3))
            assert sock.recv(1) == b"\x03"
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            sock.settimeout(deadline(3))
            sock.sendall(GET)
            answer = b"".join(iter(lambda: sock.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 400 ") and b"\r\nConnection: close\r\n" in answer
        with socket.create_connection(("127.0.0.1", server.port)) as sock, contextlib.suppress(ConnectionError):
            sock.settimeout(deadline(3))
            sock.sendall(b"\x03" + bytes(1536))
            assert sock.recv(1) == b""
        address = ("127.0.0.1", server.port)
        with socket.create_connection(address) as sock, plain_context().wrap_socket(sock) as inside:
            inside.sendall(GET)
            assert inside.recv(15) == b"HTTP/1.1 200 OK"
        assert server.counters()["error_plain_on_tls_count"] == 2
        lines = [line for line in server.log.splitlines() if "reason=plain_on_tls" in line]
        assert [line[0] for line in lines] == ["I", "I"]
        assert "publish: rtmp://" not in server.log and "publish: rtmps://" in server.log


@pytest.mark.once
@pytest.mark.parametrize("is_encrypted", [False, True])
def test_P6_preface_of_http_2_cut_short_times_out(tls: Row, is_encrypted: bool) -> None:
    peer = TlsPeer(tls)
    if is_encrypted:
        peer.shake()
    peer.send(b"PRI * HTTP/2.0\r\n\r\nSM")
    tls.closes(peer.raw, "detect_timeout", is_quiet=True, within_s=2.0)


@pytest.mark.parametrize("is_encrypted", [False, True])
def test_P6_preface_with_a_wrong_byte_is_a_bad_request(tls: Row, is_encrypted: bool) -> None:
    peer = TlsPeer(tls)
    if is_encrypted:
        peer.shake()
    peer.send(b"PRI * HTTP/2.0\r\n\r\nXM\r\n\r\n")
    assert peer.wait_said(12).startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))
    tls.closes(peer.raw, "bad_framing", is_quiet=True)
