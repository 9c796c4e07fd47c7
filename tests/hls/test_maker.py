"""What all makers of segments do alike: their faults stay with them."""

from __future__ import annotations

import pytest

from edge.hls.config import HlsConfig
from edge.hls.two_level import TwoLevelSegmenter
from tests.hls.feeding import Origin, Watched

KINDS = pytest.mark.parametrize("kind", ["ts", "m4s"])


@KINDS
def test_a_fault_of_ours_does_not_reach_the_publisher(
    kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    origin = Origin()
    first = Watched(origin.stream, kind)
    first.classic = first.low_latency = None
    origin.headers()
    origin.run(0, 3000)
    monkeypatch.setattr(type(first.it._builder), "add", lambda *_: 1 // 0)
    origin.run(3000, 4000)
    assert "internal error" in caplog.text and first.it not in origin.stream.readers
    assert not first.it.listed() and first.it.current is None
    origin.run(4000, 6000)
    assert origin.stream.timeline.last_dts_ms >= 5900


def test_a_fault_of_ours_ends_the_two_level_scheme_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    origin, told = Origin(), []
    origin.headers()
    origin.run(0, 1000)
    made = TwoLevelSegmenter(
        origin.stream, 3, HlsConfig(), "e", lambda: told.append(1), at_keyframes=False, max_bytes=1 << 20
    )
    monkeypatch.setattr(type(made._muxer), "encode", lambda *_: 1 // 0)
    origin.run(1000, 2000)
    assert "internal error" in caplog.text and made not in origin.stream.readers
    assert made.is_ended and told
    assert origin.stream.timeline.last_dts_ms >= 1900
