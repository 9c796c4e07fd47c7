"""Whom a TLS client asks for, from hellos whole, cut, split over records and broken."""

from __future__ import annotations

import random
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.net.client_hello import MAX_HELLO_BYTES, ClientHello
from tests.net.tls_pairs import hello_bytes, plain_context


def read(*pieces: bytes) -> ClientHello:
    hello = ClientHello()
    answers = [hello.receive(piece) for piece in pieces]
    assert answers == [False] * (len(pieces) - 1) + [True]
    return hello


def in_records(hello: bytes, size: int) -> bytes:
    """The same message in records of ``size`` bytes."""
    message = hello[5:]
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2) + piece for piece in pieces)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("live.Example.COM", "live.example.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("a_b.test", "a_b.test"),
        ("127.0.0.1", None),  # an address is no name, so it is not sent
    ],
)
def test_the_name_in_a_hello(version: ssl.TLSVersion, asked: str, name: str | None) -> None:
    data = hello_bytes(plain_context(version), asked)
    assert read(data).server_name == name
    assert read(*(data[at : at + 1] for at in range(len(data)))).server_name == name
    for size in (1, 3, 200):
        split = in_records(data, size)
        hello = read(split)
        assert (hello.server_name, bytes(hello.data)) == (name, split)


@pytest.mark.parametrize("name", [b"aa\xff.t", b"a\x00.te", b"a b.te", b"a\n.tes", b"......"])
def test_what_is_no_name(name: bytes) -> None:
    data = hello_bytes(plain_context(), "x" * len(name))
    assert read(data.replace(b"x" * len(name), name)).server_name is None


@pytest.mark.parametrize("size", [255, 256, 5000])
def test_a_name_that_is_too_long_is_none(size: int) -> None:
    name = b"a" * size
    names = b"\x00" + size.to_bytes(2) + name
    body = (len(names) + 2).to_bytes(2) + len(names).to_bytes(2) + names
    extension = b"\x00\x00" + body
    message = bytes(2 + 32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00" + len(extension).to_bytes(2) + extension
    message = b"\x01" + len(message).to_bytes(3) + message
    found = read(b"\x16\x03\x01" + len(message).to_bytes(2) + message).server_name
    assert found == (name.decode() if size == 255 else None)


def test_a_dot_at_the_end_is_left_out() -> None:
    assert read(hello_bytes(plain_context(), "xxxxxx").replace(b"xxxxxx", b"a.test"[:5] + b".")).server_name == "a.tes"


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n", b"\x03", b"\x16\x03\x01\x00\x00", b"\x16\x03\x01\x00\x01\x02", b"\x80\x2e\x01\x03\x01"],
)
def test_what_is_no_hello_is_not_waited_for(data: bytes) -> None:
    assert read(data).server_name is None


def test_a_hello_without_end_is_not_gathered() -> None:
    hello = ClientHello()
    record = b"\x16\x03\x01\x10\x00\x01\xff\xff\xff" + bytes(4092)
    answers = []
    while not answers or not answers[-1]:
        answers.append(hello.receive(record if not answers else record[:5] + bytes(4096)))
    assert len(hello.data) < MAX_HELLO_BYTES + len(record)
    assert hello.server_name is None


@given(at=st.integers(0, 10_000), value=st.integers(0, 255), end=st.integers(0, 10_000))
def test_a_broken_hello_has_some_name_or_none(at: int, value: int, end: int) -> None:
    data = bytearray(hello_bytes(plain_context(), "live.example.com"))
    data[at % len(data)] = value
    hello = ClientHello()
    hello.receive(data[: 1 + end % len(data)])
    name = hello.server_name
    assert name is None or (name.isascii() and name.isprintable() and name == name.lower())


def test_random_bytes_have_no_name() -> None:
    generator = random.Random(3)
    for _ in range(300):
        hello = ClientHello()
        size = generator.randrange(1, 300)
        hello.receive(b"\x16\x03\x01" + size.to_bytes(2) + b"\x01\x00" + generator.randbytes(size))
        assert hello.server_name is None or hello.server_name.isascii()
