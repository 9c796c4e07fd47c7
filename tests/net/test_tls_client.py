"""TLS towards upstreams: who is believed, and in which words others are refused."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from edge.errors import ConfigError, UpstreamTlsError
from edge.net.certificates import CertificateStore, KeyPair
from edge.net.config import TlsConfig
from edge.net.tls import TlsBrokenError, TlsServerStream
from edge.net.tls_client import TlsClientStream, _shown_names, client_context, server_hostname
from tests.naming.certificates import Authority, Pair
from tests.net.plain_pipes import new_pipe
from tests.net.tls_pairs import Ends, authority, believing, plain_context, read_all, send_all, server_pair


def refusal(pair: Pair, host: str = "localhost", context: ssl.SSLContext | None = None) -> str:
    """Why a client does not go on with a server that shows ``pair``; "" when it does."""
    client_pipe, server_pipe = new_pipe()
    client = TlsClientStream(client_pipe, context or believing(), host)
    server = TlsServerStream(server_pipe, CertificateStore([KeyPair(str(pair.cert), str(pair.key))]))
    try:
        while not client.handshake():
            server.handshake()
    except UpstreamTlsError as error:
        assert error.reason == "upstream_tls"
        return error.detail
    return ""


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "localhost.", "127.0.0.1"])
def test_a_server_whose_certificate_is_for_the_host(host: str) -> None:
    assert refusal(server_pair(), host) == ""


@pytest.mark.parametrize("host", ["other.test", "127.0.0.2", "[::1]"])
def test_S10_a_name_that_the_certificate_has_not(host: str) -> None:
    assert refusal(server_pair(), host) == (
        f"name mismatch: certificate is for 127.0.0.1, localhost, not {host.strip('[]')}"
    )


def test_S10_names_of_a_stranger_are_shown_with_care() -> None:
    many = authority().sign("many", ", ".join(f"DNS:{number}{'x' * 60}.test" for number in range(9)))
    words = refusal(many)
    assert words.startswith(f"name mismatch: certificate is for 0{'x' * 60}.te, 1x")
    assert words.endswith("and 6 more, not localhost")
    assert _shown_names(("a\nb\x1b",)) == "a?b?"


def test_S10_where_python_does_not_show_the_certificate_the_verdict_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    expired = authority().sign_between("gone", "20200101000000Z", "20210101000000Z")
    monkeypatch.setattr(TlsClientStream, "_shown_chain", lambda _: [])
    assert refusal(expired) == "certificate has expired"
    assert refusal(server_pair(), "other.test") == "name mismatch: not for other.test"


def test_S10_certificates_out_of_date() -> None:
    expired = authority().sign_between("was", "20200101000000Z", "20210101000000Z")
    to_come = authority().sign_between("will-be", "20900101000000Z", "20910101000000Z")
    assert refusal(expired) == "certificate expired on 2021-01-01 00:00:00 UTC"
    assert refusal(to_come) == "certificate is not valid before 2090-01-01 00:00:00 UTC"


def test_S10_certificates_of_strangers(stranger: Authority) -> None:
    assert refusal(stranger.sign("member")) == "unknown CA"
    assert refusal(stranger.pair) == "self-signed certificate"


def test_S10_without_verification_anybody_will_do(stranger: Authority) -> None:
    assert refusal(stranger.sign("member"), "other.test", plain_context()) == ""


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x03" + bytes(1536)])
def test_S10_an_answer_in_plain_text(answer: bytes) -> None:
    client_pipe, server_pipe = new_pipe()
    client = TlsClientStream(client_pipe, believing(), "localhost")
    assert not client.handshake()
    server_pipe.send(answer)
    with pytest.raises(UpstreamTlsError, match="plain text answer b'") as caught:
        client.handshake()
    assert answer[:8].decode() in caught.value.detail or "\\x03" in caught.value.detail


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "closed in the handshake"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "ALERT_HANDSHAKE_FAILURE"),
        (b"\x15\x03\x03\x00\x02\x02\x70", r"the server does not know the name \(TLSV1_UNRECOGNIZED_NAME\)"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "protocol version: the server has no TLS 1.2 or later"),
        (b"\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01" + bytes(36), "protocol version: the server has no TLS 1.2"),
        (b"\x16\x03\x03\x00\x10" + bytes(16), "[A-Z_]+"),
    ],
)
def test_S10_servers_that_do_not_shake_hands(answer: bytes, words: str) -> None:
    client_pipe, server_pipe = new_pipe()
    client = TlsClientStream(client_pipe, believing(), "localhost")
    client.handshake()
    server_pipe.received.clear()
    server_pipe.send(answer)
    server_pipe.end_sending()
    with pytest.raises(UpstreamTlsError, match=words):
        client.handshake()


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("live.test", "live.test"),
        ("live.test.", "live.test"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("a_b.test", "a_b.test"),
    ],
)
def test_hosts_of_targets(host: str, name: str) -> None:
    assert server_hostname(host) == name


@pytest.mark.parametrize("host", ["", ".", ".test", "a\0b", "ü" * 70, "ü..test"])
def test_hosts_that_no_certificate_is_for(host: str) -> None:
    with pytest.raises(UpstreamTlsError):
        TlsClientStream(new_pipe()[0], believing(), host)


def mutual(pair: Pair | None) -> Ends:
    """A server that wants a certificate of our authority."""
    config = TlsConfig(
        upstream_ca_file=authority().ca_file,
        upstream_cert_file=str(pair.cert) if pair else "",
        upstream_key_file=str(pair.key) if pair else "",
    )
    ends = Ends(context=client_context(config))

    class Asking:
        def context_for(self, server_name: str | None) -> ssl.SSLContext:
            return authority().server_context(server_pair())

    ends.server = TlsServerStream(ends.server_pipe, Asking())
    return ends


def test_our_certificate_is_shown() -> None:
    ends = mutual(authority().sign("us")).shake()
    assert send_all(ends.client, ends.server, b"hello") == b"hello"


def test_a_server_that_wants_a_certificate_of_us_says_so() -> None:
    ends = mutual(None)
    with pytest.raises(Exception, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        ends.shake()
    with pytest.raises(TlsBrokenError, match="upstream_tls: the server wants a certificate of ours"):
        read_all(ends.client)


def test_a_certificate_and_its_key_may_stand_in_one_file(tmp_path: Path) -> None:
    pair, both = authority().sign("together"), tmp_path / "both.pem"
    both.write_bytes(pair.cert.read_bytes() + pair.key.read_bytes())
    client_context(TlsConfig(upstream_cert_file=str(both)))


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({"ca": "missing"}, "-upstream_ca_file={0}/missing: No such file"),
        ({"ca": "empty"}, "-upstream_ca_file={0}/empty: "),
        ({"ca": "."}, "-upstream_ca_file={0}/.: Is a directory"),
        ({"cert": "missing"}, "-upstream_cert_file: {0}/missing: No such file"),
        ({"cert": "empty"}, "-upstream_cert_file: {0}/empty: no certificate in PEM form"),
        ({"key": "empty"}, "-upstream_key_file={0}/empty: there is no -upstream_cert_file"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, files: dict[str, str], text: str) -> None:
    (tmp_path / "empty").write_text("\n")
    config = TlsConfig(**{f"upstream_{kind}_file": f"{tmp_path}/{name}" for kind, name in files.items()})
    with pytest.raises(ConfigError) as caught:
        client_context(config)
    assert text.format(tmp_path) in caught.value.detail


def test_by_default_the_systems_authorities_are_believed_and_names_compared() -> None:
    context = client_context(TlsConfig())
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert refusal(server_pair(), context=context) == "unknown CA"
