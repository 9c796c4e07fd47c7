"""The two tables of a transport stream with one programme: PAT and PMT (ISO/IEC 13818-1 §2.4.4.3, §2.4.4.8)."""

from __future__ import annotations

from collections.abc import Sequence

PAT_PID, PMT_PID = 0, 0x1001
_PROGRAMME = _TRANSPORT_STREAM_ID = 1
_PAT, _PMT = 0, 2
_POLYNOMIAL = 0x04C11DB7


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 ^ _POLYNOMIAL if value & 1 << 31 else value << 1) & 0xFFFFFFFF
        table.append(value)
    return tuple(table)


_CRC_TABLE = _crc_table()


def crc32(data: bytes) -> int:
    """CRC of a section (annex A): most significant bit first, begins with ones, is not inverted."""
    value = 0xFFFFFFFF
    for byte in data:
        value = value << 8 & 0xFFFFFFFF ^ _CRC_TABLE[value >> 24 ^ byte]
    return value


def _section(table_id: int, extension: int, version: int, body: bytes) -> bytes:
    """Table id, syntax bit and length (12 bits), extension, version (5 bits) and "in force now", 0 of 0, body, CRC."""
    length = 5 + len(body) + 4
    head = bytes((table_id,)) + (0xB000 | length).to_bytes(2, "big") + extension.to_bytes(2, "big")
    data = head + bytes((0xC1 | (version & 31) << 1, 0, 0)) + body
    return data + crc32(data).to_bytes(4, "big")


def encode_pat() -> bytes:
    """The section that says where the programme's PMT is."""
    body = _PROGRAMME.to_bytes(2, "big") + (0xE000 | PMT_PID).to_bytes(2, "big")
    return _section(_PAT, _TRANSPORT_STREAM_ID, 0, body)


def encode_pmt(version: int, pcr_pid: int, streams: Sequence[tuple[int, int, bytes]]) -> bytes:
    """The section that says what the programme consists of: ``(stream type, PID, descriptors)`` of each stream."""
    body = (0xE000 | pcr_pid).to_bytes(2, "big") + b"\xf0\0"
    for stream_type, pid, descriptors in streams:
        body += bytes((stream_type,)) + (0xE000 | pid).to_bytes(2, "big")
        body += (0xF000 | len(descriptors)).to_bytes(2, "big") + descriptors
    return _section(_PMT, _PROGRAMME, version, body)


def registration(name: bytes) -> bytes:
    """Registration descriptor (§2.6.8) with a format identifier of four letters."""
    return b"\x05\x04" + name
