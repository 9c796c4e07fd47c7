"""Weights of servers."""

from __future__ import annotations

import pytest

from lb.base import BalancerError
from lb.weights import WeightedServers, choosable, default_weight, parse_weight, why_nobody
from naming.node import ServerNode

A, B, C = (ServerNode("10.0.0.1", port, tag) for port, tag in ((1, "3"), (2, ""), (3, "7")))


def test_weight_is_an_unsigned_decimal_above_0() -> None:
    assert [parse_weight(tag) for tag in ("1", "007", "4294967295")] == [1, 7, 4294967295]
    for bad in ("", "0", "-1", "+1", " 1", "1x", "1.5", "4294967296", "²", "9" * 5000):
        assert parse_weight(bad) is None


def test_servers_without_a_weight_are_left_out_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    weighted = WeightedServers(0, "wr")
    first = weighted.of([A, B, C])
    assert first == {A: 3, C: 7} and list(first) == [A, C]
    assert weighted.of([A, B, C]) is first
    assert caplog.messages == ['server 10.0.0.1:2 is not used: its tag "" is no weight']
    assert weighted.of([C]) == {C: 7} and weighted.of([]) == {}


def test_default_weight() -> None:
    assert WeightedServers(5, "wr").of([A, B]) == {A: 3, B: 5}
    assert default_weight({}, "wr") == 0 and default_weight({"default_weight": "9"}, "wr") == 9
    with pytest.raises(BalancerError, match='"wr": default_weight="0" is not in 1-4294967295'):
        default_weight({"default_weight": "0"}, "wr")


def test_a_list_from_which_nobody_can_be_chosen_is_said_once_per_list(caplog: pytest.LogCaptureFixture) -> None:
    weighted = WeightedServers(0, "wrr")
    for _ in range(3):
        assert weighted.of([B, ServerNode("10.0.0.1", 9, "blue")]) == {}
    (text,) = caplog.messages
    assert text.startswith('load balancer "wrr" will choose nobody: none of 2 servers has a weight; ')
    assert "default_weight=1" in text and caplog.records[0].levelname == "WARNING"
    weighted.of([B])
    assert len(caplog.messages) == 2
    weighted.of([])
    assert len(caplog.messages) == 2


def test_balancers_that_need_weights_choose_nobody_without_one() -> None:
    for spec in ("wrr", "WR", "wr:"):
        assert "none of 2 servers has a weight" in why_nobody(spec, ["", "x"])
        assert why_nobody(spec, ["", "3"]) == why_nobody(spec, []) == ""
    assert why_nobody("wrr:default_weight=2", [""]) == why_nobody("rr", [""]) == why_nobody("p2c", [""]) == ""


def test_servers_that_a_balancer_may_choose() -> None:
    assert choosable("WRR", (A, B, C)) == choosable("wr:", (A, B, C)) == (A, C)
    assert choosable("wrr:default_weight=2", (A, B, C)) == choosable("rr", (A, B, C)) == (A, B, C)
