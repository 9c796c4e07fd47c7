"""A demuxer of transport streams that accepts nothing doubtful: an ``AssertionError`` names the packet.

It shares no code with the muxer: its CRC goes bit by bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PACKET = 188
_START_CODE = b"\0\0\1"


@dataclass(slots=True)
class Pes:
    """One PES packet as it was found.

    Attributes:
        pts, dts: at 90 kHz in 33 bits; equal where only PTS is there.
        at_packet: number of the TS packet with which it begins.
        is_random_access: as its first adaptation field says.
    """

    pid: int
    stream_id: int
    pts: int
    dts: int
    data: bytes
    at_packet: int
    is_random_access: bool


@dataclass(slots=True)
class _Open:
    data: bytearray
    at_packet: int
    is_random_access: bool


@dataclass(slots=True)
class TsDemuxer:
    """Takes bytes in any cut.

    Where a packet announces a discontinuity the counter of its PID goes on from there.

    Attributes:
        found: PES packets that are whole, in the order of their ends.
        streams: ``(stream type, descriptors)`` by PID, as the newest PMT says.
        versions: of the PMTs that differ from the one before.
        tables_at: numbers of the packets that hold a PAT.
        clocks: ``(packet number, PID, value)`` of each PCR at 90 kHz.
    """

    found: list[Pes] = field(default_factory=list)
    streams: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    versions: list[int] = field(default_factory=list)
    tables_at: list[int] = field(default_factory=list)
    clocks: list[tuple[int, int, int]] = field(default_factory=list)
    pcr_pid: int = -1
    _rest: bytes = b""
    _number: int = 0
    _counters: dict[int, int] = field(default_factory=dict)
    _open: dict[int, _Open] = field(default_factory=dict)
    _pmt_pid: int = -1

    def receive_data(self, data: bytes) -> None:
        """Read all packets that are whole now."""
        self._rest += data
        whole = len(self._rest) // PACKET * PACKET
        for start in range(0, whole, PACKET):
            self._packet(self._rest[start : start + PACKET])
            self._number += 1
        self._rest = self._rest[whole:]

    def close(self) -> None:
        """The stream ends: what is open is whole."""
        assert not self._rest, f"{len(self._rest)} bytes after the last packet"
        for pid in list(self._open):
            self._end(pid)

    def of(self, pid: int) -> list[Pes]:
        """PES packets of one PID."""
        return [pes for pes in self.found if pes.pid == pid]

    def _packet(self, packet: bytes) -> None:
        where = f"packet {self._number}"
        assert packet[0] == 0x47 and not packet[1] & 0x80, f"{where} begins with {packet[:4].hex()}"
        pid, control = (packet[1] & 31) << 8 | packet[2], packet[3] >> 4
        assert control in (1, 2, 3), f"{where}: scrambled, or neither payload nor adaptation field"
        body, is_random_access = packet[4:], False
        if control & 2:
            size = body[0]
            assert size == 183 if control == 2 else size <= 182, f"{where}: adaptation field of {size} bytes"
            field = body[1 : 1 + size]
            is_random_access = self._adaptation(pid, field, where)
            if field and field[0] & 0x80:
                self._counters[pid] = packet[3] - (control & 1) & 15
            body = body[1 + size :]
        expected = self._counters.get(pid, packet[3] - 1) + (control & 1) & 15
        if pid in self._counters or control & 1:
            assert packet[3] & 15 == expected, f"{where}, PID {pid}: counter {packet[3] & 15}, not {expected}"
            self._counters[pid] = expected
        if not control & 1:
            return
        is_start = bool(packet[1] & 0x40)
        if pid in (0, self._pmt_pid):
            assert is_start, f"{where}: a table in several packets"
            self._section(pid, body, where)
        elif is_start:
            assert pid in self.streams, f"{where}: PID {pid} before a PMT that names it"
            self._end(pid)
            self._open[pid] = _Open(bytearray(body), self._number, is_random_access)
        else:
            self._open[pid].data += body
        self._end_if_whole(pid)

    def _adaptation(self, pid: int, field: bytes, where: str) -> bool:
        if not field:
            return False
        used = 1
        if field[0] & 0x10:
            used = 7
            value = int.from_bytes(field[1:7], "big")
            assert value & 0x7FFF == 0x7E00, f"{where}: PCR {field[1:7].hex()}"
            self.clocks.append((self._number, pid, value >> 15))
        assert not field[0] & 0x0F, f"{where}: adaptation flags {field[0]:02x}"
        assert field[used:] == b"\xff" * (len(field) - used), f"{where}: stuffing {field.hex()}"
        return bool(field[0] & 0x40)

    def _section(self, pid: int, body: bytes, where: str) -> None:
        assert body[0] == 0, f"{where}: pointer {body[0]}"
        size = int.from_bytes(body[2:4], "big") & 0xFFF
        section, rest = body[1 : 4 + size], body[4 + size :]
        assert rest == b"\xff" * len(rest) and crc(section) == 0, f"{where}: section {section.hex()}"
        assert section[1] & 0xF0 == 0xB0 and section[5] & 0xC1 == 0xC1 and section[6:8] == b"\0\0", where
        content = section[8:-4]
        if pid == 0:
            assert section[0] == 0 and len(content) == 4 and content[:2] == b"\0\1", f"{where}: PAT {content.hex()}"
            self._pmt_pid = int.from_bytes(content[2:], "big") & 0x1FFF
            self.tables_at.append(self._number)
            return
        assert section[0] == 2, f"{where}: table {section[0]}"
        self.pcr_pid = int.from_bytes(content[:2], "big") & 0x1FFF
        streams, offset = {}, 4 + (int.from_bytes(content[2:4], "big") & 0xFFF)
        while offset < len(content):
            length = int.from_bytes(content[offset + 3 : offset + 5], "big") & 0xFFF
            descriptors = content[offset + 5 : offset + 5 + length]
            assert len(descriptors) == length, where
            streams[int.from_bytes(content[offset + 1 : offset + 3], "big") & 0x1FFF] = content[offset], descriptors
            offset += 5 + length
        version = section[5] >> 1 & 31
        is_new = not self.versions or self.versions[-1] != version
        assert is_new or streams == self.streams, f"{where}: another PMT of the same version"
        assert self.pcr_pid in streams, f"{where}: PCR on PID {self.pcr_pid} of {sorted(streams)}"
        if is_new:
            self.versions.append(version)
        self.streams = streams

    def _end_if_whole(self, pid: int) -> None:
        pes = self._open.get(pid)
        if pes is not None and len(pes.data) >= 6:
            length = int.from_bytes(pes.data[4:6], "big")
            assert not length or len(pes.data) <= 6 + length, f"PES from packet {pes.at_packet} is too long"
            if length and len(pes.data) == 6 + length:
                self._end(pid)

    def _end(self, pid: int) -> None:
        pes = self._open.pop(pid, None)
        if pes is None:
            return
        data, where = bytes(pes.data), f"PES from packet {pes.at_packet}"
        assert data[:3] == _START_CODE and data[6] & 0xC4 == 0x84, f"{where}: {data[:9].hex()}"
        length = int.from_bytes(data[4:6], "big")
        is_video = self.streams[pid][0] in (0x1B, 0x24) or pid == 0x100
        assert length == len(data) - 6 or (not length and is_video), f"{where}: {length} of {len(data) - 6} bytes"
        flags, head = data[7] >> 6, data[8]
        assert (flags, head) in ((2, 5), (3, 10)), f"{where}: flags {flags}, header of {head} bytes"
        pts = _time(data[9:14], flags, where)
        dts = _time(data[14:19], 1, where) if flags == 3 else pts
        found = Pes(pid, data[3], pts, dts, data[9 + head :], pes.at_packet, pes.is_random_access)
        self.found.append(found)


def _time(field: bytes, mark: int, where: str) -> int:
    assert field[0] >> 4 == mark and field[0] & field[2] & field[4] & 1, f"{where}: time {field.hex()}"
    return (field[0] >> 1 & 7) << 30 | field[1] << 22 | (field[2] >> 1) << 15 | field[3] << 7 | field[4] >> 1


def crc(data: bytes) -> int:
    """CRC-32 of ISO/IEC 13818-1 annex A; 0 over a section with its own."""
    value = 0xFFFFFFFF
    for byte in data:
        for bit in range(7, -1, -1):
            is_one = (value >> 31) ^ (byte >> bit & 1)
            value = (value << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if is_one else 0)
    return value


def demux(data: bytes) -> TsDemuxer:
    """Read a whole stream."""
    demuxer = TsDemuxer()
    demuxer.receive_data(data)
    demuxer.close()
    return demuxer
