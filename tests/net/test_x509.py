"""Certificates as openssl makes them, and bytes that are none."""

from __future__ import annotations

import base64
import random
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.net.x509 import read_certificate
from tests.harness.clock import deadline, require_program
from tests.naming.certificates import Authority


def make(
    folder: Path, *options: str, key: tuple[str, ...] = ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
) -> bytes:
    """A self-signed certificate."""
    command = [require_program("openssl"), "req", "-x509", "-newkey", *key, "-nodes", *options]
    command += ["-keyout", str(folder / "key"), "-out", str(folder / "cert")]
    subprocess.run(command, check=True, capture_output=True, timeout=deadline(30))
    return (folder / "cert").read_bytes()


def test_names_are_the_alternative_ones(tmp_path: Path) -> None:
    names = "subjectAltName=DNS:Live.Example.com,DNS:*.example.org,IP:192.0.2.7,IP:2001:db8::1,email:a@b.c"
    found = read_certificate(make(tmp_path, "-subj", "/O=Some/CN=ignored.test", "-addext", names))
    assert found.names == ("live.example.com", "*.example.org", "192.0.2.7", "2001:db8::1")


def test_the_common_name_serves_where_there_is_none(tmp_path: Path) -> None:
    pem = make(tmp_path, "-subj", "/C=DE/O=Some/CN=Host.test/emailAddress=a@b.c", key=("rsa:2048",))
    assert read_certificate(pem).names == ("host.test",)
    assert read_certificate(make(tmp_path, "-subj", "/O=nobody")).names == ()


@pytest.mark.parametrize("days", [1, 30, 20_000])  # the last is past 2049, and so of another form
def test_when_it_is_valid(tmp_path: Path, days: int) -> None:
    before = int(datetime.now(UTC).timestamp())
    found = read_certificate(make(tmp_path, "-subj", "/CN=a", "-days", str(days)))
    assert before - 2 <= found.not_before_s <= before + deadline(30)
    assert found.not_after_s - found.not_before_s == days * 86400


def test_the_first_of_a_chain_counts(tmp_path: Path) -> None:
    leaf = Authority(tmp_path, "authority").sign("server").cert.read_bytes()
    other = make(tmp_path, "-subj", "/CN=other")
    text = b"subject: anything\n-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    assert read_certificate(text + leaf + other).names == ("127.0.0.1", "localhost")


@pytest.mark.parametrize("pem", [b"", b"garbage", b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate(pem: bytes) -> None:
    with pytest.raises(ValueError, match=r"certificate"):
        read_certificate(pem)


def test_damage_raises_nothing_else(tmp_path: Path) -> None:
    pem = make(tmp_path, "-subj", "/CN=a", "-addext", "subjectAltName=DNS:a.test,IP:192.0.2.7").decode()
    der = base64.b64decode("".join(pem.split("-----")[2].split()))
    generator = random.Random(5)
    for _ in range(2000):
        damaged = bytearray(der)
        for _ in range(generator.randrange(1, 4)):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        body = base64.encodebytes(damaged[: generator.randrange(1, len(damaged) + 1)])
        try:
            found = read_certificate(b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n")
        except ValueError:
            continue
        assert all(isinstance(name, str) for name in found.names)
