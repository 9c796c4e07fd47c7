"""Frames that say who they are, and the book-keeping of their arrival.

A frame's payload looks like AVC or AAC in an FLV tag body (FLV 10.1 §E.4.2, E.4.3)
and carries stream id, publisher generation, sequence number, send time and a
checksum, as hexadecimal text: text holds no start code, so that muxers leave it alone.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

_RECORD = struct.Struct(">IIIdI")
_RECORD_TEXT_BYTES = (_RECORD.size + 4) * 2

_SPS = bytes.fromhex("6742c00cda05067e7c0440000003004000000c83c50aa8")
_PPS = bytes.fromhex("68ce0fc8")
AVC_SEQUENCE_HEADER = (
    b"\x17\x00\x00\x00\x00\x01\x42\xc0\x0c\xff\xe1"
    + struct.pack(">H", len(_SPS))
    + _SPS
    + b"\x01"
    + struct.pack(">H", len(_PPS))
    + _PPS
)
AAC_SEQUENCE_HEADER = b"\xaf\x00\x12\x10"


class CorruptFrameError(Exception):
    """A payload that is none of ours or was changed on the way."""


class Frame(NamedTuple):
    """What one payload says about itself. ``sent_at`` is in seconds of the monotonic clock."""

    stream_id: int
    generation: int
    sequence: int
    sent_at: float
    size: int
    is_video: bool
    is_keyframe: bool


def encode_frame(frame: Frame) -> bytes:
    """The FLV tag body of ``frame``, filled up to ``frame.size`` bytes."""
    record = _RECORD.pack(frame.stream_id, frame.generation, frame.sequence, frame.sent_at, frame.size)
    if frame.is_video:
        nal_bytes = max(frame.size - 9, 1 + _RECORD_TEXT_BYTES)
        head = b"\x17\x01\x00\x00\x00" if frame.is_keyframe else b"\x27\x01\x00\x00\x00"
        head += struct.pack(">I", nal_bytes) + (b"\x65" if frame.is_keyframe else b"\x41")
        filler = nal_bytes - 1 - _RECORD_TEXT_BYTES
    else:
        head, filler = b"\xaf\x01", max(frame.size - 2 - _RECORD_TEXT_BYTES, 0)
    checksum = zlib.crc32(head + record + filler.to_bytes(4, "big"))
    text = (record + struct.pack(">I", checksum)).hex().encode()
    return head + text + b"U" * filler


def decode_frame(payload: bytes) -> Frame:
    """Read what :func:`encode_frame` wrote; raises :class:`CorruptFrameError`."""
    is_video = payload[:1] in (b"\x17", b"\x27")
    start = 10 if is_video else 2
    text = payload[start : start + _RECORD_TEXT_BYTES]
    try:
        raw = bytes.fromhex(text.decode("ascii"))
        stream_id, generation, sequence, sent_at, size = _RECORD.unpack(raw[:-4])
    except (ValueError, struct.error) as error:
        raise CorruptFrameError(payload[:16].hex()) from error
    filler = payload[start + _RECORD_TEXT_BYTES :]
    expected = zlib.crc32(payload[:start] + raw[:-4] + len(filler).to_bytes(4, "big"))
    if struct.unpack(">I", raw[-4:])[0] != expected or filler.strip(b"U"):
        raise CorruptFrameError(f"checksum of frame {generation}/{sequence}")
    return Frame(stream_id, generation, sequence, sent_at, size, is_video, payload[:1] == b"\x17")


class Delivery(NamedTuple):
    """One frame as a player got it: ``at`` in monotonic seconds, the 32-bit ``timestamp`` it bore."""

    at: float
    timestamp: int
    frame: Frame


@dataclass(slots=True)
class Account:
    """What became of a publisher's frames at one player.

    ``lost`` holds ``(generation, first, last)``; ``bad_resumes`` the first frame
    after a gap, and after a change of generation, that is no video keyframe.
    """

    frame_count: int = 0
    lost: list[tuple[int, int, int]] = field(default_factory=list)
    doubled: list[tuple[int, int]] = field(default_factory=list)
    reordered: list[tuple[int, int]] = field(default_factory=list)
    bad_resumes: list[tuple[int, int]] = field(default_factory=list)
    generations: list[int] = field(default_factory=list)
    largest_gap_s: float = 0.0
    largest_delay_s: float = 0.0

    @property
    def lost_count(self) -> int:
        return sum(last - first + 1 for _, first, last in self.lost)

    def assert_complete(self) -> None:
        """Every frame from the first to the last, once and in order."""
        assert self.frame_count, "no frame arrived"
        assert not self.lost, f"lost {self.lost_count} frames: {self.lost[:10]}"
        self.assert_in_order()

    def assert_in_order(self) -> None:
        """Gaps are allowed, but nothing twice and nothing out of order."""
        assert not self.doubled, f"doubled {len(self.doubled)}: {self.doubled[:10]}"
        assert not self.reordered, f"out of order {len(self.reordered)}: {self.reordered[:10]}"


def audit(deliveries: Iterable[Delivery]) -> Account:
    """Go through what one player received. Sequence numbers start anew with each generation."""
    account, seen, last_at = Account(), set[tuple[int, int]](), None
    generation = expected = None
    for delivery in deliveries:
        frame = delivery.frame
        place = (frame.generation, frame.sequence)
        account.frame_count += 1
        account.largest_delay_s = max(account.largest_delay_s, delivery.at - frame.sent_at)
        if last_at is not None:
            account.largest_gap_s = max(account.largest_gap_s, delivery.at - last_at)
        last_at = delivery.at
        if place in seen:
            account.doubled.append(place)
            continue
        seen.add(place)
        if generation is None or frame.generation > generation:
            account.generations.append(frame.generation)
            if not (frame.is_video and frame.is_keyframe):
                account.bad_resumes.append(place)
        elif frame.generation < generation or frame.sequence < (expected or 0):
            account.reordered.append(place)
            continue
        elif frame.sequence > (expected or 0):
            account.lost.append((frame.generation, expected or 0, frame.sequence - 1))
            if not (frame.is_video and frame.is_keyframe):
                account.bad_resumes.append(place)
        generation, expected = frame.generation, frame.sequence + 1
    return account


def unwrap(timestamps: Sequence[int]) -> list[int]:
    """Turn 32-bit times into a line without wraps: each step is the nearer way round (RTMP 1.0 §5.3.1.3)."""
    line: list[int] = []
    for timestamp in timestamps:
        if line:
            step = (timestamp - line[-1]) & 0xFFFFFFFF
            line.append(line[-1] + (step - 0x100000000 if step >= 0x80000000 else step))
        else:
            line.append(timestamp)
    return line


def back_steps(timestamps: Sequence[int]) -> list[tuple[int, int]]:
    """Neighbours of which the second is earlier; both unwrapped."""
    line = unwrap(timestamps)
    return [(before, after) for before, after in itertools.pairwise(line) if after < before]
