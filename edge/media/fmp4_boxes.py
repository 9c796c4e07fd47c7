"""Boxes of fragmented MP4 (ISO/IEC 14496-12): the initialisation segment, and fragments of a moof and an mdat.

A box is its size (4 bytes, itself included), its name, and its body; a full box has a version (1 byte)
and flags (3 bytes) before the body (§4.2). What a file that is not fragmented keeps in tables stands in
each fragment; the tables in the initialisation segment are empty.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

#: Sample flags (§8.8.3.1): depends on no other; depends on others, and is no sync sample.
SYNC, NON_SYNC = 0x0200_0000, 0x0101_0000
MAX_DURATION = 0xFFFF_FFFF

_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000)
_UNDETERMINED = 0x55C4  # "und", five bits a letter
_MOVIE_TIMESCALE = 1000
_TRACK_IN_USE = 7
_SAME_FILE = 1

_BASE_IS_MOOF, _DEFAULT_DURATION, _DEFAULT_FLAGS = 0x2_0000, 0x08, 0x20
_TFHD = _BASE_IS_MOOF | _DEFAULT_DURATION | _DEFAULT_FLAGS
_DATA_OFFSET, _DURATIONS, _SIZES, _FLAGS, _OFFSETS = 0x001, 0x100, 0x200, 0x400, 0x800
_VERSION_1 = 1 << 24
#: moof and mfhd; traf up to the samples: traf, tfhd, tfdt, trun with its sample count and data offset; mdat.
_MOOF = struct.Struct(">I4sI4sII")
_TRAF = struct.Struct(">I4s I4sIIII I4sIQ I4sIIi")
_MDAT = struct.Struct(">I4s")
_TFHD_BYTES, _TFDT_BYTES = 24, 20
_TRUN_BYTES = 20
_MFHD_BYTES = 16


@dataclass(frozen=True, slots=True)
class Track:
    """A track as the initialisation segment describes it.

    Attributes:
        id: from 1 on.
        timescale: units of its times in a second.
        entry: the sample entry box.
        width, height: of video; 0 where not known.
    """

    id: int
    is_video: bool
    timescale: int
    entry: bytes
    width: int = 0
    height: int = 0


@dataclass(slots=True)
class Run:
    """Samples of one track that follow each other in a fragment; each list has an item per sample.

    Attributes:
        decode_time: of the first sample, in units of the track's timescale.
        offsets: composition offsets, of either sign; may be empty where there are none.
        flags: ``SYNC`` or ``NON_SYNC``.
    """

    track_id: int
    decode_time: int
    durations: list[int]
    data: list[bytes | memoryview]
    flags: list[int]
    offsets: list[int] = field(default_factory=list)


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box with a body of these parts."""
    return b"".join((struct.pack(">I4s", 8 + sum(map(len, parts)), kind), *parts))


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """A box whose body begins with version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def encode_init(tracks: Sequence[Track]) -> bytes:
    """The initialisation segment of a live stream: ftyp and moov, with durations of 0.

    A file of one track may be a CMAF track file (ISO/IEC 23000-19 §7.3.1), which has no more.
    """
    brands = (b"iso6", b"mp41", b"cmfc") if len(tracks) == 1 else (b"iso6", b"mp41")
    ftyp = box(b"ftyp", b"iso6", bytes(4), *brands)
    next_track_id = max((track.id for track in tracks), default=0) + 1
    mvhd = full_box(
        *(b"mvhd", 0, 0, struct.pack(">4I", 0, 0, _MOVIE_TIMESCALE, 0)),
        *(struct.pack(">IH10x", 0x10000, 0x100), _MATRIX, struct.pack(">24xI", next_track_id)),
    )
    mvex = box(b"mvex", *[_trex(track) for track in tracks])
    return ftyp + box(b"moov", mvhd, *[_trak(track) for track in tracks], mvex)


def _trex(track: Track) -> bytes:
    """What samples are unless a fragment says otherwise (§8.8.3)."""
    flags = NON_SYNC if track.is_video else SYNC
    return full_box(b"trex", 0, 0, struct.pack(">5I", track.id, 1, 0, 0, flags))


def _trak(track: Track) -> bytes:
    volume = 0 if track.is_video else 0x100
    group = 0 if track.is_video else 1
    tkhd = full_box(
        *(b"tkhd", 0, _TRACK_IN_USE, struct.pack(">5I8x", 0, 0, track.id, 0, 0)),
        *(struct.pack(">hhHxx", 0, group, volume), _MATRIX),
        struct.pack(">II", track.width << 16, track.height << 16),
    )
    mdhd = full_box(b"mdhd", 0, 0, struct.pack(">4IHxx", 0, 0, track.timescale, 0, _UNDETERMINED))
    kind, name = (b"vide", b"Video\0") if track.is_video else (b"soun", b"Sound\0")
    hdlr = full_box(b"hdlr", 0, 0, bytes(4), kind, bytes(12), name)
    header = full_box(b"vmhd", 0, 1, bytes(8)) if track.is_video else full_box(b"smhd", 0, 0, bytes(4))
    dref = full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, _SAME_FILE))
    stbl = box(
        b"stbl",
        full_box(b"stsd", 0, 0, struct.pack(">I", 1), track.entry),
        *[full_box(name, 0, 0, bytes(4)) for name in (b"stts", b"stsc")],
        full_box(b"stsz", 0, 0, bytes(8)),
        full_box(b"stco", 0, 0, bytes(4)),
    )
    minf = box(b"minf", header, box(b"dinf", dref), stbl)
    return box(b"trak", tkhd, box(b"mdia", mdhd, hdlr, minf))


def encode_fragment(sequence_number: int, runs: Sequence[Run]) -> bytes:
    """A moof with a traf for each run, and the mdat with the data of all, run by run.

    §8.8: offsets count from the beginning of the moof; what all samples of a run share
    stands once, in tfhd; tfdt has 64 bits; composition offsets are signed (trun version 1).
    """
    entries = [_entries(run) for run in runs]
    moof_bytes = 8 + _MFHD_BYTES + sum(_TRAF.size + len(table) for _, table, _ in entries)
    pieces: list[bytes | memoryview] = [
        _MOOF.pack(moof_bytes, b"moof", _MFHD_BYTES, b"mfhd", 0, sequence_number & 0xFFFF_FFFF)
    ]
    data_at = moof_bytes + _MDAT.size
    for run, (kinds, table, data_bytes) in zip(runs, entries, strict=True):
        pieces.append(
            _TRAF.pack(
                *(_TRAF.size + len(table), b"traf"),
                *(_TFHD_BYTES, b"tfhd", _TFHD, run.track_id, run.durations[0], run.flags[-1]),
                *(_TFDT_BYTES, b"tfdt", _VERSION_1, run.decode_time),
                *(_TRUN_BYTES + len(table), b"trun", _VERSION_1 | kinds, len(run.data), data_at),
            )
        )
        pieces.append(table)
        data_at += data_bytes
    pieces.append(_MDAT.pack(data_at - moof_bytes, b"mdat"))
    for run in runs:
        pieces += run.data
    return b"".join(pieces)


def _entries(run: Run) -> tuple[int, bytes, int]:
    """Flags of trun (§8.8.8), its table with what differs from sample to sample, and the bytes of all samples."""
    kinds = _DATA_OFFSET | _SIZES
    sizes = list(map(len, run.data))
    count = len(sizes)
    columns: list[list[int]] = [sizes]
    if run.durations.count(run.durations[0]) != count:
        kinds |= _DURATIONS
        columns.insert(0, run.durations)
    if run.flags.count(run.flags[-1]) != count:
        kinds |= _FLAGS
        columns.append(run.flags)
    if any(run.offsets):
        kinds |= _OFFSETS
        columns.append([offset & 0xFFFF_FFFF for offset in run.offsets])
    width = len(columns)
    if width == 1:
        return kinds, struct.pack(f">{count}I", *sizes), sum(sizes)
    fields = [0] * (width * count)
    for number, column in enumerate(columns):
        fields[number::width] = column
    return kinds, struct.pack(f">{len(fields)}I", *fields), sum(sizes)
