"""Reads fragmented MP4 from ISO/IEC 14496-12 alone: any box that does not fit its parent is an error."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

_CONTAINERS = frozenset({"moov", "trak", "mdia", "minf", "dinf", "stbl", "mvex", "moof", "traf"})
_DATA_OFFSET, _FIRST_FLAGS, _DURATION, _SIZE, _FLAGS, _OFFSET = 0x1, 0x4, 0x100, 0x200, 0x400, 0x800


@dataclass
class Box:
    """``body`` is what follows size and name; ``at`` is where the box begins."""

    kind: str
    at: int
    body: bytes
    children: list[Box] = field(default_factory=list)

    def all(self, path: str) -> list[Box]:
        """Boxes at a path of names, e.g. ``trak/mdia``."""
        found = [self]
        for kind in path.split("/"):
            found = [child for one in found for child in one.children if child.kind == kind]
        return found

    def one(self, path: str) -> Box:
        (found,) = self.all(path)
        return found

    @property
    def version_and_flags(self) -> tuple[int, int]:
        return self.body[0], int.from_bytes(self.body[1:4], "big")


@dataclass
class Sample:
    """Times in units of the track."""

    dts: int
    duration: int
    flags: int
    offset: int
    data: bytes

    @property
    def is_sync(self) -> bool:
        return not self.flags & 0x1_0000


def boxes(data: bytes, start: int = 0) -> list[Box]:
    """All boxes of data that begin at ``start`` of the file; they fill it."""
    found = []
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        assert 8 <= size <= len(data) - at, f"box {kind} of {size} bytes at {start + at}"
        box = Box(kind.decode("ascii"), start + at, data[at + 8 : at + size])
        if box.kind in _CONTAINERS:
            box.children = boxes(box.body, start + at + 8)
        found.append(box)
        at += size
    return found


def root(data: bytes) -> Box:
    """A file as a box that has its boxes."""
    return Box("", 0, data, boxes(data))


def read_fragments(data: bytes) -> dict[int, list[Sample]]:
    """Samples of a whole file, by track id: an initialisation segment, then fragments."""
    file = root(data)
    found: dict[int, list[Sample]] = {}
    for moof in file.all("moof"):
        mdat = file.children[file.children.index(moof) + 1]
        for track_id, samples in read_fragment(data[moof.at : mdat.at + 8 + len(mdat.body)]).items():
            found.setdefault(track_id, []).extend(samples)
    return found


def _fields(box: Box) -> Iterator[int]:
    """Numbers of 32 bits behind version and flags."""
    return iter(struct.unpack(f">{(len(box.body) - 4) // 4}I", box.body[4:]))


def sequence_number(fragment: bytes) -> int:
    return next(_fields(root(fragment).one("moof/mfhd")))


def read_fragment(fragment: bytes) -> dict[int, list[Sample]]:
    """Samples by track id; the data of all of them fill the mdat without a gap, in order of the trafs."""
    file = root(fragment)
    assert [box.kind for box in file.children] == ["moof", "mdat"]
    moof, mdat = file.children
    expected = mdat.at + 8
    found: dict[int, list[Sample]] = {}
    for traf in moof.all("traf"):
        tfhd, tfdt, trun = traf.one("tfhd"), traf.one("tfdt"), traf.one("trun")
        assert tfhd.version_and_flags == (0, 0x20028), "base is moof; default duration and flags"
        track_id, default_duration, default_flags = _fields(tfhd)
        assert tfdt.version_and_flags == (1, 0)
        dts = int.from_bytes(tfdt.body[4:], "big")
        assert len(tfdt.body) == 12 and track_id not in found
        version, flags = trun.version_and_flags
        assert version == 1 and flags & _DATA_OFFSET and flags & _SIZE and not flags & _FIRST_FLAGS
        fields = _fields(trun)
        count, position = next(fields), next(fields) + moof.at
        assert count and position == expected
        samples = found[track_id] = []
        for _ in range(count):
            duration = next(fields) if flags & _DURATION else default_duration
            size = next(fields)
            sample_flags = next(fields) if flags & _FLAGS else default_flags
            offset = next(fields) if flags & _OFFSET else 0
            offset -= (offset >> 31) << 32
            data = fragment[position : position + size]
            assert len(data) == size
            samples.append(Sample(dts, duration, sample_flags, offset, data))
            dts += duration
            position += size
        assert next(fields, None) is None
        expected = position
    assert expected == len(fragment)
    return found
