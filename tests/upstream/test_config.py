"""Settings of pulls and pushes."""

from __future__ import annotations

import pytest

from edge.upstream.config import UpstreamConfig


@pytest.mark.parametrize(("timeout_ms", "connect_ms", "wanted"), [(1000, -1, 333), (900, 0, 300), (1000, 50, 50)])
def test_connect_timeout_is_a_third_of_the_whole_unless_set(timeout_ms: int, connect_ms: int, wanted: int) -> None:
    config = UpstreamConfig(timeout_ms=timeout_ms, connect_timeout_ms=connect_ms)
    assert config.effective_connect_timeout_ms == wanted


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError):
        UpstreamConfig().timeout_ms = 1  # type: ignore[misc]
