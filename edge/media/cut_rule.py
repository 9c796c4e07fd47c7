"""Where a stream is cut into HLS segments: the rule, and what one node tells the next of it.

The origin counts the cuts; nodes behind it go on counting from what its mark
says, by the same rule, so that all of them cut the same segments with the same
numbers, wherever they began.
"""

from __future__ import annotations

from dataclasses import dataclass

#: A keyframe that comes this much too early is on time: stamps are whole milliseconds, encoders' clocks are not ours.
TOLERANCE_MS = 50
#: Segments are hardly shorter: so long ones, and longer ones after them, are numbered by the same clock.
_LEAST_USUAL_MS = 1000
#: Discontinuities of a stream are counted from a number that another one each ten seconds begins with: one that
#: follows a restart is not taken for the one before. Players keep arrays of that length, so that it is no large one.
_DISCONTINUITY_MS, _DISCONTINUITIES = 10_000, 65_536


@dataclass(frozen=True, slots=True)
class CutRule:
    """When a segment has enough.

    Attributes:
        fragment_ms: intended length.
        td_ratio: it is cut at the next keyframe once it has this part of its length (SRS: ``hls_td_ratio``).
        aof_ratio: and without a keyframe once it has this many lengths (SRS: ``hls_aof_ratio``).
        waits_for_keyframe: whether the first of the two waits for one (SRS: ``hls_wait_keyframe``).
        max_bytes: and once it has this many bytes of payload.
        part_ms: longest part of a segment (RFC 8216bis §4.4.4.9).
    """

    fragment_ms: int = 2000
    td_ratio: float = 1.0
    aof_ratio: float = 4.0
    waits_for_keyframe: bool = True
    max_bytes: int = 52428800
    part_ms: int = 300

    @property
    def due_ms(self) -> int:
        """Least length of a segment that ends at a keyframe."""
        return max(int(self.fragment_ms * self.td_ratio) - TOLERANCE_MS, 100)

    @property
    def limit_ms(self) -> int:
        """Length at which a segment ends wherever it is."""
        return max(int(self.fragment_ms * max(self.aof_ratio, self.td_ratio)), self.due_ms)

    @property
    def least_target_s(self) -> int:
        """The target duration of a stream whose segments have their intended length."""
        return rounded_s(self.fragment_ms)

    def first_number(self, wall_ms: int) -> int:
        """Number of the first segment of a stream that began at ``wall_ms``.

        It follows the wall clock, so that it is above those of the stream before, of whatever process.
        """
        return max(wall_ms, 0) // min(self.due_ms, _LEAST_USUAL_MS)


def first_discontinuity(wall_ms: int) -> int:
    """EXT-X-DISCONTINUITY-SEQUENCE of the first segment of a stream that began at ``wall_ms``."""
    return wall_ms // _DISCONTINUITY_MS % _DISCONTINUITIES


def rounded_s(duration_ms: int) -> int:
    """A duration as it counts for EXT-X-TARGETDURATION: to the nearest second, at least 1 (RFC 8216 §4.3.3.1)."""
    return max((duration_ms + 500) // 1000, 1)


@dataclass(frozen=True, slots=True)
class CutState:
    """How far the segment in progress is before a frame.

    Attributes:
        number: of the segment, EXT-X-MEDIA-SEQUENCE counts these.
        dts_ms: of its first frame, by the origin's clock.
        wall_ms: of its first frame, by the origin's wall clock.
        discontinuity: EXT-X-DISCONTINUITY-SEQUENCE of the segment.
        is_discontinuity: it begins one.
        target_s: target duration in force.
        size_bytes: payload so far.
        picture_ms: stamp of its newest picture, by the origin's clock; -1 for none so far.
        rule: the origin's.
        began_ms: first frame of the publish, by the origin's clock.
    """

    number: int
    dts_ms: int
    wall_ms: int
    discontinuity: int
    is_discontinuity: bool
    target_s: int
    size_bytes: int
    picture_ms: int
    rule: CutRule
    began_ms: int = 0

    def fields(self) -> dict[str, object]:
        """For the mark."""
        rule = self.rule
        return {
            "n": self.number,
            "dts": self.dts_ms,
            "wall": self.wall_ms,
            "disc": self.discontinuity,
            "anew": self.is_discontinuity,
            "target": self.target_s,
            "bytes": self.size_bytes,
            "video": self.picture_ms + 1,
            "fragment": rule.fragment_ms,
            "td": rule.td_ratio,
            "aof": rule.aof_ratio,
            "keyframe": rule.waits_for_keyframe,
            "max": rule.max_bytes,
            "part": rule.part_ms,
            "began": self.began_ms,
        }


_NUMBERS = ("n", "dts", "wall", "disc", "target", "bytes", "fragment", "td", "aof", "max", "part", "began", "video")
_MAX_FRAGMENT_MS = 600_000
_MAX_RATIO = 100


def state_of_fields(fields: object) -> CutState | None:
    """What ``fields()`` gave, as it came from another node; None where it makes no sense."""
    if not isinstance(fields, dict):
        return None
    values = [fields.get(name) for name in _NUMBERS]
    numbers = [n for n in values if isinstance(n, (int, float)) and not isinstance(n, bool) and 0 <= n < 2**53]
    if len(numbers) < len(values):
        return None
    number, dts_ms, wall_ms, disc, target_s, size, fragment_ms, td, aof, max_bytes, part_ms, began_ms, picture = numbers
    if not (100 <= fragment_ms <= _MAX_FRAGMENT_MS and td <= _MAX_RATIO and aof <= _MAX_RATIO):
        return None
    if not (20 <= part_ms <= fragment_ms and target_s >= 1 and max_bytes >= 1):
        return None
    rule = CutRule(
        int(fragment_ms), float(td), float(aof), fields.get("keyframe") is not False, int(max_bytes), int(part_ms)
    )
    return CutState(
        int(number),
        int(dts_ms),
        int(wall_ms),
        int(disc),
        fields.get("anew") is True,
        int(target_s),
        int(size),
        int(picture) - 1,
        rule,
        int(began_ms),
    )
