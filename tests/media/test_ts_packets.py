"""PES packets cut into TS packets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.media.ts_packets import RANDOM_ACCESS, PidWriter, adaptation, announce_jump, pes_header, pid_of


def parsed(packets: bytes) -> list[tuple[bool, int, bytes | None, bytes]]:
    """Start flag, counter, adaptation field and payload of each packet."""
    found = []
    assert len(packets) % 188 == 0
    for at in range(0, len(packets), 188):
        packet = packets[at : at + 188]
        assert packet[0] == 0x47
        control, body, field = packet[3] >> 4, packet[4:], None
        if control & 2:
            field, body = body[1 : 1 + body[0]], body[1 + body[0] :]
        assert bool(control & 1) == bool(body)
        found.append((bool(packet[1] & 0x40), packet[3] & 15, field, body))
    return found


@settings(deadline=None)
@given(
    st.one_of(st.integers(1, 600), st.sampled_from([11_000, 11_776, 11_960, 12_144, 40_000])),
    st.sampled_from([b"", adaptation(RANDOM_ACCESS), adaptation(0, 77)]),
    st.integers(0, 15),
)
def test_payload_comes_back_and_counters_go_on(size: int, field: bytes, counter: int) -> None:
    writer = PidWriter(0x123)
    writer.counter = counter
    pes = bytes(n % 251 for n in range(size))
    packets = parsed(writer.write(pes, field))
    assert b"".join(body for _, _, _, body in packets) == pes
    assert [is_start for is_start, _, _, _ in packets] == [True] + [False] * (len(packets) - 1)
    assert [number for _, number, _, _ in packets] == [(counter + n) % 16 for n in range(len(packets))]
    assert writer.counter == (counter + len(packets)) % 16
    if field:
        first = packets[0][2]
        assert first is not None and first.startswith(field[1:]) and set(first[len(field) - 1 :]) <= {255}
    assert len(packets) == -(-(size + len(field)) // 184), "no packet more than it takes"


@pytest.mark.parametrize("size", [1, 175, 176, 177, 182, 183, 184, 185, 366, 367, 368, 369])
@pytest.mark.parametrize("field", [b"", adaptation(0, 1)])
def test_last_packets_of_each_size(size: int, field: bytes) -> None:
    """A single byte is filled up by a field of length 0, two by one with flags only."""
    packets = parsed(PidWriter(1).write(bytes(size), field))
    assert sum(len(body) for _, _, _, body in packets) == size
    assert all(body for _, _, _, body in packets)


def test_field_alone_does_not_count() -> None:
    writer = PidWriter(0x100)
    assert parsed(writer.write_clock(5))[0][1] == 15
    writer.write(b"a")
    (packet,) = parsed(writer.write_clock(5))
    assert packet[1] == 0 and packet[3] == b"" and writer.counter == 1


def test_section() -> None:
    writer = PidWriter(0)
    (packet,) = parsed(writer.write_section(b"section"))
    assert packet == (True, 0, None, b"\0section" + b"\xff" * 176)
    assert writer.counter == 1


@pytest.mark.parametrize(
    ("pcr", "field"),
    [
        (0, "0710 00000000 7e00"),
        (1, "0710 00000000 fe00"),
        (0x123456789, "0710 91a2b3c4 fe00"),
        ((1 << 33) - 1, "0710 ffffffff fe00"),
        (1 << 33, "0710 00000000 7e00"),
        (-90, "0710 ffffffd3 7e00"),
    ],
)
def test_clock(pcr: int, field: str) -> None:
    assert adaptation(0, pcr) == bytes.fromhex(field.replace(" ", ""))


def test_flags() -> None:
    assert adaptation(RANDOM_ACCESS) == b"\x01\x40"
    assert adaptation(RANDOM_ACCESS, 0)[1] == 0x50


@pytest.mark.parametrize(
    ("pts", "dts", "header"),
    [
        (0, 0, "000001e0 0012 8480 05 2100010001"),
        (1, 0, "000001e0 0017 84c0 0a 3100010003 1100010001"),
        ((1 << 33) - 1, (1 << 33) - 2, "000001e0 0017 84c0 0a 3fffffffff 1ffffffffd"),
        (1 << 33, (1 << 33) - 1, "000001e0 0017 84c0 0a 3100010001 1fffffffff"),
        (0x123456789, 0x123456789, "000001e0 0012 8480 05 29 8d15 cf13"),
    ],
)
def test_pes_header(pts: int, dts: int, header: str) -> None:
    assert pes_header(0xE0, 10, pts, dts) == bytes.fromhex(header.replace(" ", ""))


def test_length_that_does_not_fit_is_left_open() -> None:
    assert pes_header(0xE0, 0xFFFF - 8, 0, 0)[4:6] == b"\xff\xff"
    assert pes_header(0xE0, 0xFFFF - 7, 0, 0)[4:6] == b"\0\0"
    assert pes_header(0xE0, 0xFFFF - 13, 1, 0)[4:6] == b"\xff\xff"
    assert pes_header(0xE0, 0xFFFF - 12, 1, 0)[4:6] == b"\0\0"


def test_a_jump_is_announced_on_each_pid() -> None:
    """With the counter that the next packet goes on from, whether that one has payload or not."""
    first, second = PidWriter(0x100), PidWriter(0x1001)
    first.counter, second.counter = 0, 7
    packets = second.write_clock(5) + first.write(bytes(400)) + second.write(b"a")
    jump = parsed(announce_jump(packets))
    assert [(is_start, counter, body) for is_start, counter, _, body in jump] == [(False, 6, b""), (False, 15, b"")]
    assert all(field is not None and field[0] == 0x80 for _, _, field, _ in jump)
    assert announce_jump(b"") == b""


def test_a_jump_is_announced_on_pids_that_are_not_ahead_too() -> None:
    writer = PidWriter(0x100)
    jump = announce_jump(writer.write(b"a"), {0x100: 9, 0x101: 0, 0x1001: 5})
    assert [pid_of(jump, start) for start in range(0, len(jump), 188)] == [0x100, 0x101, 0x1001]
    assert [(counter, body) for _, counter, _, body in parsed(jump)] == [(15, b""), (15, b""), (4, b"")]


@pytest.mark.parametrize("field", [b"", adaptation(RANDOM_ACCESS), adaptation(0, 5)])
@pytest.mark.parametrize("size", [1, 174, 182, 183, 184, 400, 20_000])
def test_the_first_packet_of_a_jump_says_so(size: int, field: bytes) -> None:
    writer = PidWriter(0x100, is_jump=True)
    pes = bytes(n % 251 for n in range(size))
    first, *others = parsed(writer.write(pes, field))
    assert first[2] is not None and first[2][0] == (field[1] if field else 0) | 0x80
    assert first[2][1 : max(len(field) - 1, 1)] == field[2:]
    assert first[1] == 0 and not writer.is_jump
    assert all(each is None or not each or not each[0] & 0x80 for _, _, each, _ in others)
    assert b"".join(body for _, _, _, body in (first, *others)) == pes
    assert all(each is None or not each or not each[0] & 0x80 for _, _, each, _ in parsed(writer.write(pes, field)))


def test_a_jump_is_said_by_a_packet_of_tables_or_of_a_clock_alone() -> None:
    writer = PidWriter(0, is_jump=True)
    ((is_start, counter, field, body),) = parsed(writer.write_section(b"section"))
    assert (is_start, counter, field) == (True, 0, b"\x80") and body == b"\0section" + b"\xff" * 174
    assert parsed(writer.write_section(b"section"))[0] == (True, 1, None, b"\0section" + b"\xff" * 176)
    writer = PidWriter(0x100, is_jump=True)
    ((_, counter, field, body),) = parsed(writer.write_clock(5))
    assert counter == 15 and body == b"" and field is not None and field[0] == 0x90
    assert parsed(writer.write(b"a"))[0][1] == 0 and not writer.is_jump
