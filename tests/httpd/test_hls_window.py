"""What nodes tell each other of their segments."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edge.hls.segment import Segment
from edge.httpd.hls_window import decode_window, encode_window
from tests.hls.test_segmenter import Origin, Watched


def window(kind: str) -> tuple[Watched, bytes]:
    origin = Origin()
    watched = Watched(origin.stream, kind)
    origin.headers()
    origin.run(0, 9000)
    return watched, encode_window(watched.it)


@pytest.mark.parametrize("kind", ["ts", "m4s"])
def test_a_window_comes_back_without_the_bytes(kind: str) -> None:
    watched, data = window(kind)
    found = decode_window(data)
    assert [each.name for each in found] == [each.name for each in watched.it.segments] and len(found) == 4

    def facts(each: Segment) -> tuple[object, ...]:
        parts = [(part.duration_ms, part.start, part.size, part.is_independent) for part in each.parts]
        return (
            each.wall_ms,
            each.duration_ms,
            each.discontinuity,
            each.is_discontinuity,
            each.target_s,
            each.init,
            parts,
        )

    assert [facts(each) for each in found] == [facts(each) for each in watched.it.segments]
    assert all(each.is_elsewhere and each.data is None for each in found)


ROW = {
    "epoch": "e1",
    "n": 1,
    "dts": 0,
    "wall": 1,
    "ms": 2000,
    "disc": 0,
    "anew": False,
    "target": 2,
    "init": "",
    "parts": [],
}


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": "a/b"},
        {"epoch": ""},
        {"epoch": 1},
        {"n": -1},
        {"n": True},
        {"n": 1.5},
        {"n": 2**60},
        {"ms": 0},
        {"target": 0},
        {"init": "x\n#EXT-X-ENDLIST"},
        {"init": 'a"b'},
        {"init": None},
        {"parts": 5},
        {"parts": [[1]]},
        {"parts": [[1, -1, True]]},
        {"wall": "now"},
    ],
)
def test_rows_that_make_no_sense_are_refused(change: dict[str, Any]) -> None:
    assert decode_window(json.dumps({"segments": [ROW]}).encode())
    with pytest.raises(ValueError):
        decode_window(json.dumps({"segments": [{**ROW, **change}]}).encode())


@pytest.mark.parametrize(
    "data", [b"", b"null", b"[]", b"{}", b'{"segments":5}', b'{"segments":[5]}', b"\xff", b"[" * 100_000]
)
def test_what_is_no_window_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode_window(data)
