"""Which certificate is shown to whom, and what happens when its files change."""

from __future__ import annotations

import logging
import os
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.net.certificates import CertificateStore, KeyPair, Reload
from edge.net.tls import TlsServerStream
from edge.net.tls_client import TlsClientStream
from tests.harness.clock import deadline, require_program
from tests.naming.certificates import Pair
from tests.net.plain_pipes import new_pipe
from tests.net.tls_pairs import authority, believing, plain_context, server_pair, store

DAY_MS = 86_400_000


def key_pair(pair: Pair) -> KeyPair:
    return KeyPair(str(pair.cert), str(pair.key))


@pytest.fixture(scope="module")
def others() -> list[Pair]:
    """Two more certificates, which share a name."""
    return [
        authority().sign("live", "DNS:live.test, DNS:*.cdn.test, DNS:both.test"),
        authority().sign("other", "DNS:Exact.CDN.test, DNS:both.test"),
    ]


@pytest.fixture
def renewable(tmp_path: Path) -> Pair:
    """Files that a test may change."""
    pair = server_pair()
    return Pair(Path(shutil.copy(pair.cert, tmp_path / "cert.pem")), Path(shutil.copy(pair.key, tmp_path / "key.pem")))


def shown_to(certificates: CertificateStore, host: str, context: ssl.SSLContext | None = None) -> bytes | None:
    """The certificate that a client gets who asks for ``host``."""
    client_pipe, server_pipe = new_pipe()
    client = TlsClientStream(client_pipe, context or plain_context(), host)
    server = TlsServerStream(server_pipe, certificates)
    while not all([client.handshake(), server.handshake()]):
        pass
    tls = client._object
    assert tls is not None
    return tls.getpeercert(binary_form=True)


def in_file(pair: Pair) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pair.cert.read_text())


@pytest.mark.parametrize(
    ("host", "number"),
    [
        ("localhost", 0),
        ("live.test", 1),
        ("LIVE.test.", 1),
        ("any.cdn.test", 1),
        ("exact.cdn.test", 2),  # before the wildcard
        ("both.test", 1),  # the first that has it
        ("a.b.cdn.test", 0),  # a wildcard stands for one label
        ("cdn.test", 0),
        ("unknown.test", 0),
        ("127.0.0.1", 0),  # nothing is asked for
    ],
)
def test_S4_the_name_decides(others: list[Pair], host: str, number: int) -> None:
    pairs = [server_pair(), *others]
    assert shown_to(CertificateStore([key_pair(pair) for pair in pairs]), host) == in_file(pairs[number])


@pytest.mark.parametrize(("name", "is_served"), [("localhost", True), ("unknown.test", False), (None, False)])
def test_S4_strict_sni_refuses_other_names(name: str | None, is_served: bool) -> None:
    certificates = CertificateStore([key_pair(server_pair())], strict_sni=True)
    assert (certificates.context_for(name) is not None) is is_served
    assert store().context_for(name) is not None


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [(["h2", "http/1.1"], "http/1.1"), (["h2"], "h2"), (["http/1.1"], "http/1.1"), (["spdy/3"], None), ([], None)],
)
def test_the_order_of_protocols_is_ours(offered: list[str], agreed: str | None) -> None:
    certificates = CertificateStore([key_pair(server_pair())], alpn=("http/1.1", "h2"))
    client_pipe, server_pipe = new_pipe()
    context = plain_context()
    if offered:
        context.set_alpn_protocols(offered)
    client = TlsClientStream(client_pipe, context, "localhost")
    server = TlsServerStream(server_pipe, certificates)
    while not all([client.handshake(), server.handshake()]):
        pass
    assert (server.alpn, client.alpn) == (agreed, agreed)


def test_what_connections_may_not_do() -> None:
    context = store().context_for(None)
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    for option in (ssl.OP_NO_COMPRESSION, ssl.OP_NO_RENEGOTIATION, ssl.OP_SINGLE_DH_USE, ssl.OP_SINGLE_ECDH_USE):
        assert not option or context.options & option


def damage(pair: Pair, how: str) -> str:
    """Make a pair useless; returns what the message must say."""
    if how == "missing":
        pair.cert.unlink()
        return f"{pair.cert}: No such file"
    if how == "folder":
        pair.key.unlink()
        pair.key.mkdir()
        return f"{pair.key}: Is a directory"
    if how == "pipe":
        pair.key.unlink()
        os.mkfifo(pair.key)
        return f"{pair.key}: not a regular file"
    if how == "large":
        pair.cert.write_bytes(bytes((1 << 20) + 1))
        return f"{pair.cert}: more than"
    if how == "garbage":
        pair.cert.write_text("no certificate")
        return f"{pair.cert}: no certificate in PEM form"
    if how == "no key":
        shutil.copy(pair.cert, pair.key)
        return f"{pair.key}: no private key in PEM form"
    if how == "swapped":
        certificate, key = pair.cert.read_bytes(), pair.key.read_bytes()
        pair.cert.write_bytes(key)
        pair.key.write_bytes(certificate)
        return f"{pair.cert}: no certificate in PEM form, but a key: the files are swapped"
    if how == "mismatch":
        shutil.copy(authority().pair.key, pair.key)
        return f"{pair.key}: not the key of the first certificate in {pair.cert}"
    if how == "other kind":
        command = [require_program("openssl"), "genpkey", "-algorithm", "ed25519", "-out", str(pair.key)]
        subprocess.run(command, check=True, capture_output=True, timeout=deadline(30))
        return f"{pair.key}: not the key of the first certificate in {pair.cert}"
    command = [require_program("openssl"), "ec", "-aes128", "-passout", "pass:secret", "-in", str(pair.key)]
    subprocess.run([*command, "-out", str(pair.key)], check=True, capture_output=True, timeout=deadline(30))
    return "protected by a passphrase"


DAMAGES = [
    *("missing", "folder", "pipe", "large", "garbage", "no key", "swapped", "mismatch", "other kind", "passphrase"),
]


@pytest.mark.parametrize("how", DAMAGES)
def test_S6_a_pair_that_cannot_be_used_at_start(renewable: Pair, how: str) -> None:
    text = damage(renewable, how)
    with pytest.raises(ConfigError) as caught:
        CertificateStore([key_pair(renewable)])
    assert text in caught.value.detail
    assert str(renewable.cert.parent) in caught.value.detail


def test_a_store_needs_a_certificate() -> None:
    with pytest.raises(ConfigError, match="no certificate"):
        CertificateStore([])


@pytest.mark.parametrize("how", DAMAGES)
def test_S6_a_bad_reload_keeps_what_was_in_force(renewable: Pair, how: str, caplog: pytest.LogCaptureFixture) -> None:
    certificates = CertificateStore([key_pair(renewable)])
    was = in_file(renewable)
    text = damage(renewable, how)
    caplog.clear()
    result = certificates.reload()
    assert (result.taken, len(result.refused)) == ((), 1)
    assert text in result.refused[0]
    (line,) = caplog.records
    assert (line.levelno, "reason=reload_failed" in line.getMessage()) == (logging.WARNING, True)
    assert shown_to(certificates, "localhost", believing()) == was


def renew(pair: Pair, name: str) -> bytes:
    new = authority().sign(name, "DNS:renewed.test, DNS:localhost")
    shutil.copy(new.cert, pair.cert)
    shutil.copy(new.key, pair.key)
    return in_file(new)


def test_changed_files_are_taken_within_2_s(renewable: Pair, others: list[Pair]) -> None:
    certificates = CertificateStore([key_pair(others[0]), key_pair(renewable)])
    now_ms, wall_ms = 10_000, 1_700_000_000_000
    assert certificates.check_files(now_ms, wall_ms) == Reload()
    new = renew(renewable, "renewed")
    taken = [certificates.check_files(now_ms + step, wall_ms).taken for step in (1000, 2000, 3000)]
    assert taken == [(), (str(renewable.cert),), ()]
    assert shown_to(certificates, "renewed.test") == new
    assert shown_to(certificates, "unknown.test") == in_file(others[0])


def test_a_renewal_of_one_file_after_the_other_is_waited_for(renewable: Pair, caplog: pytest.LogCaptureFixture) -> None:
    certificates = CertificateStore([key_pair(renewable)])
    new = authority().sign("slowly")
    shutil.copy(new.cert, renewable.cert)
    assert certificates.check_files(1000, 0) == Reload()
    shutil.copy(new.key, renewable.key)
    assert certificates.check_files(1600, 0) == Reload()
    assert certificates.check_files(2200, 0).taken == (str(renewable.cert),)
    assert "reload_failed" not in caplog.text


def test_a_bad_change_is_told_once_and_mended_by_the_next(renewable: Pair, caplog: pytest.LogCaptureFixture) -> None:
    certificates = CertificateStore([key_pair(renewable)])
    renewable.cert.unlink()
    results = [certificates.check_files(step, 0) for step in range(1000, 9000, 1000)]
    assert [bool(result.refused) for result in results] == [False, True] + [False] * 6
    assert caplog.text.count("reload_failed") == 1
    renew(renewable, "mended")
    assert [bool(certificates.check_files(step, 0).taken) for step in (9000, 10_000, 11_000)] == [False, True, False]


def test_S5_dates_are_told_once_a_day(caplog: pytest.LogCaptureFixture) -> None:
    certificates = CertificateStore([key_pair(server_pair())])
    late_ms = certificates.certificates[0][1].not_after_s * 1000 + 1000
    told = []
    for wall_ms in (
        late_ms,
        late_ms + DAY_MS - 1,
        late_ms + DAY_MS,
        late_ms + DAY_MS + 1,
        late_ms + 3 * DAY_MS,
        late_ms,
    ):
        caplog.clear()
        certificates.warn_of_dates(wall_ms)
        told.append(len(caplog.records))
    assert told == [1, 0, 1, 0, 1, 1]


def test_S5_dates_are_told_once_for_each_state(caplog: pytest.LogCaptureFixture) -> None:
    certificates = CertificateStore([key_pair(server_pair())])
    ((path, certificate),) = certificates.certificates
    end_ms = certificate.not_after_s * 1000
    states = []
    for wall_ms in (end_ms - 15 * DAY_MS, end_ms - 1000, end_ms, end_ms + 1000, end_ms + 2000):
        caplog.clear()
        certificates.warn_of_dates(wall_ms)
        states.append([line.getMessage().partition(" on ")[0] for line in caplog.records if line.levelno >= 30])
    # Made for two days, so at first it is not valid yet.
    assert [bool(state) for state in states] == [True, True, False, True, False]
    assert (states[1], states[3]) == (["certificate expires"], ["certificate expired"])
    assert str(path) in caplog.text or not caplog.text
    assert certificates.expires_in_s(end_ms - 5000) == 5
    assert certificates.expires_in_s(end_ms + 5000) == -5


def test_S5_an_expired_certificate_is_served() -> None:
    pair = authority().sign_between("expired", "20200101000000Z", "20210101000000Z")
    certificates = CertificateStore([key_pair(pair)])
    assert shown_to(certificates, "localhost") == in_file(pair)
    assert certificates.expires_in_s(1_609_459_200_000 + 1000) == -1
