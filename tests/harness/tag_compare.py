"""What became of the tags of a publisher at one player: frame by frame, whatever the media are.

Where ``accounting`` reads from a frame who it is, this recognises frames of any
codec by digest and order, so that it judges real clips too. Each track is
gone through by itself: in both lists the same payload may come many times (silence does).
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from edge.media.flv import Tag
from edge.media.frame import AUDIO, MEDIA, VIDEO, has_picture
from tests.harness.accounting import unwrap
from tests.harness.flv_file import frame_of

#: How far behind the place expected a frame is looked for before it counts as changed.
_LOOK_AHEAD = 2000
#: The clock is the pictures', where there are any.
_NAMES = {VIDEO: "video", AUDIO: "audio"}


class Place(NamedTuple):
    """A frame by its track and its number among the media of that track, in the list that is spoken of."""

    track: str
    number: int


class _Item(NamedTuple):
    digest: bytes
    time_ms: int
    is_keyframe: bool


@dataclass(slots=True)
class Comparison:
    """Places of ``missing`` are the publisher's, all others the player's.

    Attributes:
        matched_count: frames that arrived as they were sent.
        skipped: by track, frames sent before the first that arrived: the player came later.
        unsent: by track, frames sent after the last that arrived.
        missing: sent in between and not received.
        doubled: received a second time, or later than one that was sent after it.
        changed: received, and never sent so.
        retimed: ``(place, ms)`` of frames whose time is not the publisher's plus ``shift_ms``.
        bad_headers: sequence headers that were never sent, by their place in the list received.
        bad_resumes: the first picture after a gap, where it is no keyframe; and a first picture that is none.
        shift_ms: the player's clock less the publisher's, from the first frame that matched.
    """

    matched_count: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    unsent: dict[str, int] = field(default_factory=dict)
    missing: list[Place] = field(default_factory=list)
    doubled: list[Place] = field(default_factory=list)
    changed: list[Place] = field(default_factory=list)
    retimed: list[tuple[Place, int]] = field(default_factory=list)
    bad_headers: list[int] = field(default_factory=list)
    bad_resumes: list[Place] = field(default_factory=list)
    shift_ms: int | None = None

    def assert_in_order(self) -> None:
        """Gaps are allowed, up to a keyframe; but nothing twice, changed, or at another time."""
        assert self.matched_count, "no frame arrived"
        for name in ("doubled", "changed", "retimed", "bad_headers", "bad_resumes"):
            found = getattr(self, name)
            assert not found, f"{name} {len(found)}: {found[:10]}"

    def assert_exact(self, *, from_first: bool = False, to_last: bool = True, tail: int = 0) -> None:
        """All frames from the first that arrived on, once, in order, with their times.

        Args:
            from_first: the player was there before the publisher: no picture may be skipped, and
                no sound that was sent behind the first picture.
            to_last: it stayed to the end.
            tail: so many frames of each track may be wanting at the end.
        """
        self.assert_in_order()
        assert not self.missing, f"missing {len(self.missing)}: {self.missing[:10]}"
        if from_first:
            assert not any(self.skipped.values()), f"skipped at the start: {self.skipped}"
        if to_last:
            assert all(count <= tail for count in self.unsent.values()), f"wanting at the end: {self.unsent}"


def compare_tags(sent: Iterable[Tag], received: Iterable[Tag]) -> Comparison:
    """Hold what a player got against what a publisher sent; data and bodies without a picture are passed over.

    Sequence headers may come as often as they like, but must have been sent.
    """
    sent, received = list(sent), list(received)
    found = Comparison()
    headers = {tag.body for tag in sent if _is_header(tag)}
    found.bad_headers = [number for number, tag in enumerate(received) if _is_header(tag) and tag.body not in headers]
    for type_id, name in _NAMES.items():
        published, got = _media(sent, type_id), _media(received, type_id)
        if published or got:
            _compare_track(name, published, got, found)
    _forgive_sound_before_the_picture(sent, found)
    return found


def _is_header(tag: Tag) -> bool:
    return tag.type_id in _NAMES and bool(tag.body) and frame_of(tag.type_id, 0, tag.body).kind != MEDIA


def _is_media(tag: Tag) -> bool:
    return bool(tag.body) and not _is_header(tag) and (tag.type_id != VIDEO or has_picture(tag.body))


def _media(tags: Sequence[Tag], type_id: int) -> list[_Item]:
    chosen = [tag for tag in tags if tag.type_id == type_id and _is_media(tag)]
    times = unwrap([tag.timestamp_ms for tag in chosen])
    return [
        _Item(hashlib.md5(tag.body).digest(), time, frame_of(type_id, 0, tag.body).is_keyframe)
        for tag, time in zip(chosen, times, strict=True)
    ]


def _start(published: Sequence[_Item], got: Sequence[_Item]) -> int | None:
    """Where in ``published`` the longest run begins that ``got`` opens with."""

    def run(at: int) -> int:
        pairs = zip(published[at:], got, strict=False)
        return sum(1 for _ in itertools.takewhile(lambda pair: pair[0].digest == pair[1].digest, pairs))

    starts = [at for at, item in enumerate(published) if got and item.digest == got[0].digest]
    return max(starts, key=run, default=None)


def _compare_track(name: str, published: Sequence[_Item], got: Sequence[_Item], found: Comparison) -> None:
    start = _start(published, got)
    at = found.skipped[name] = start if start is not None else 0
    has_gap = name == "video"  # a player's first picture must be a keyframe, as after a gap
    changed_count = 0  # since the last that matched; each stands for one that was sent
    for number, item in enumerate(got):
        place = Place(name, number)
        ahead = published[at : at + _LOOK_AHEAD]
        step = next((step for step, candidate in enumerate(ahead) if candidate.digest == item.digest), None)
        if step is None:
            was_sent = any(candidate.digest == item.digest for candidate in published[:at])
            (found.doubled if was_sent else found.changed).append(place)
            changed_count += not was_sent
            continue
        lost = range(min(changed_count, step), step)
        found.missing += [Place(name, at + each) for each in lost]
        has_gap = has_gap or (bool(lost) and name == "video")
        if has_gap and not item.is_keyframe:
            found.bad_resumes.append(place)
        has_gap = False
        _match(found, place, published[at + step], item)
        at += step + 1
        changed_count = 0
    found.unsent[name] = max(len(published) - at - changed_count, 0)


def _match(found: Comparison, place: Place, sent: _Item, got: _Item) -> None:
    found.matched_count += 1
    shift = got.time_ms - sent.time_ms
    if found.shift_ms is None:
        found.shift_ms = shift
    if (shift - found.shift_ms) & 0xFFFFFFFF:
        found.retimed.append((place, shift - found.shift_ms))


def _forgive_sound_before_the_picture(sent: Sequence[Tag], found: Comparison) -> None:
    """Playing begins with a picture where there are any; sound sent before it is not skipped."""
    if not found.skipped.get("audio") or "video" not in found.skipped:
        return
    pictures = [number for number, tag in enumerate(sent) if tag.type_id == VIDEO and _is_media(tag)]
    first = pictures[found.skipped["video"]] if found.skipped["video"] < len(pictures) else 0
    before = sum(1 for tag in sent[:first] if tag.type_id == AUDIO and _is_media(tag))
    found.skipped["audio"] = max(found.skipped["audio"] - before, 0)
