"""What ffprobe and ffmpeg say of a file of media."""

from __future__ import annotations

import json
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

from tests.harness.clock import deadline, require_program
from tests.harness.coded import run_ffmpeg


def ffprobe(path: Path, *entries: str) -> Any:
    command = [require_program("ffprobe"), "-v", "error", *entries, "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, timeout=deadline(20), check=True)
    assert not done.stderr, done.stderr
    return json.loads(done.stdout)


def streams_of(path: Path) -> dict[str, Any]:
    """By kind of medium, with the number of frames that could be decoded."""
    found = ffprobe(path, "-count_frames", "-show_streams")["streams"]
    return {stream["codec_type"]: stream for stream in found}


def presentation_ms(path: Path) -> dict[str, list[float]]:
    """Times of all packets by kind of medium, in order of presentation, counted from the first picture or sound."""
    found: dict[str, list[float]] = {}
    for packet in ffprobe(path, "-show_packets")["packets"]:
        found.setdefault(packet["codec_type"], []).append(float(Fraction(packet["pts_time"]) * 1000))
    start = min(min(times) for times in found.values())
    return {kind: sorted(time - start for time in times) for kind, times in found.items()}


def assert_clean(path: Path) -> None:
    """A decoder has nothing to say."""
    assert run_ffmpeg("-xerror", "-i", str(path), "-f", "null", "-") == ""


def assert_same(path: Path, source: Path, within_ms: float = 2) -> None:
    """All frames of the source, decoded without complaint; sound stands to picture as there."""
    assert_clean(path)
    have, want = streams_of(path), streams_of(source)
    counts = [{kind: stream["nb_read_frames"] for kind, stream in streams.items()} for streams in (have, want)]
    assert counts[0] == counts[1]
    times, expected = presentation_ms(path), presentation_ms(source)
    for kind, wanted in expected.items():
        assert len(times[kind]) == len(wanted), kind
        furthest = max(abs(a - b) for a, b in zip(times[kind], wanted, strict=True))
        assert furthest <= within_ms, f"{kind}: {furthest} ms from where the source has it"
