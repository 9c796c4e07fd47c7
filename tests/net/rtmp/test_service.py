"""What a node of ours is told of a stream together with yes."""

from __future__ import annotations

import pytest

from edge.net.rtmp.service import waiting_info
from edge.service.source import Standing


@pytest.mark.parametrize(
    ("standing", "wanted"),
    [
        (Standing(), None),
        (Standing(is_waiting=True, is_missing=True), {"waiting": True, "missing": True}),
        (Standing(is_lost=True), {"lost": True}),
        (Standing(is_waiting=True, via=("a", "b")), {"waiting": True, "via": "a,b"}),
    ],
)
def test_only_what_is_amiss_is_told(standing: Standing, wanted: dict[str, object] | None) -> None:
    assert waiting_info(standing) == wanted
