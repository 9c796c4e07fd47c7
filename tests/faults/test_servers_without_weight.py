"""Servers that a balancer with weights can never choose: who learns of them, and when."""

from __future__ import annotations

import pytest

from edge.upstream.config import UpstreamConfig
from edge.upstream.target import Target
from naming.node import ServerNode
from tests.harness.virtual import ScriptedChecks

CONFIG = UpstreamConfig(slow_start_ms=0)


def test_servers_that_wrr_never_chooses_are_said_when_the_list_changes(caplog: pytest.LogCaptureFixture) -> None:
    target = Target("list://10.0.0.1:1", "wrr", CONFIG, checks=ScriptedChecks())
    good, more, bad, worse = (
        ServerNode("10.0.0.1", port, tag) for port, tag in ((1, "5"), (2, "1"), (3, "abc"), (4, "-1"))
    )
    target._on_update((good,))
    assert caplog.messages == []
    target._on_update((good, bad))
    (line,) = caplog.messages
    assert line.startswith('list://10.0.0.1:1: load balancer "wrr" never chooses 1 of 2 servers')
    assert line.endswith('10.0.0.1:3 "abc"')
    assert [row["share_pct"] for row in target.snapshot(0)["servers"]] == [100, 0]
    assert target.select("_/live/a", now_ms=1) == good
    target._on_update((good, more, bad))
    assert len(caplog.messages) == 1, "a play, or another change, is no reason to say it again"
    target._on_update((good, bad, worse))
    assert "never chooses 2 of 3" in caplog.messages[1]
    target._on_update((bad, worse))
    assert "will choose nobody: none of 2 servers has a weight" in caplog.messages[2]
    assert {row["share_pct"] for row in target.snapshot(0)["servers"]} == {0}
    assert target.select("_/live/a", now_ms=2) is None and len(caplog.messages) == 3
    target._on_update(())
    target._on_update((good,))
    assert len(caplog.messages) == 3


@pytest.mark.parametrize("proxy_lb", ["rr", "wrr:default_weight=1", "p2c"])
def test_tags_that_are_no_weights_matter_only_to_balancers_that_need_them(
    proxy_lb: str, caplog: pytest.LogCaptureFixture
) -> None:
    target = Target("list://10.0.0.1:1", proxy_lb, CONFIG, checks=ScriptedChecks())
    target._on_update((ServerNode("10.0.0.1", 1, "abc"),))
    assert caplog.messages == [] and target.snapshot(0)["servers"][0]["share_pct"] == 100
