"""Files that may be open, and connections."""

from __future__ import annotations

import resource

import pytest

from edge.runtime.descriptors import connection_cap, raise_descriptor_limit
from tests.runtime.nodes import running


def test_T16_soft_limit_of_descriptors_is_raised(caplog: pytest.LogCaptureFixture) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    caplog.set_level("INFO")
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        assert raise_descriptor_limit() == hard
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert f"raised from 256 to the hard limit {hard}" in caplog.text


async def test_T16_more_connections_than_descriptors_are_lowered_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running("-max_connections=10", "-reserved_fds=6") as one:
        node = one.node
        assert node.limits.max_connections == 10
        assert not [record for record in caplog.records if "lowered" in record.getMessage()]
        assert connection_cap(15, node.settings.net) == 10, "never less than sixteen may be open"
        assert connection_cap(22, node.settings.net) == 10
        assert connection_cap(20, node.settings.net) == 10
    async with running("-max_connections=1000", "-reserved_fds=6") as one:
        assert connection_cap(106, one.node.settings.net) == 100
    assert "max_connections 1000 lowered to 100: 106 open files less 6 reserved" in caplog.text
