"""Weights of servers."""

from __future__ import annotations

import pytest

from lb.base import BalancerError
from lb.weights import WeightedServers, choosable, default_weight, parse_weight, who_is_left_out, why_nobody
from naming.node import ServerNode

A, B, C = (ServerNode("10.0.0.1", port, tag) for port, tag in ((1, "3"), (2, ""), (3, "7")))


def test_weight_is_an_unsigned_decimal_above_0() -> None:
    assert [parse_weight(tag) for tag in ("1", "007", "4294967295")] == [1, 7, 4294967295]
    for bad in ("", "0", "-1", "+1", " 1", "1x", "1.5", "4294967296", "²", "9" * 5000):
        assert parse_weight(bad) is None


def test_servers_without_a_weight_are_left_out() -> None:
    weighted = WeightedServers(0)
    first = weighted.of([A, B, C])
    assert first == {A: 3, C: 7} and list(first) == [A, C]
    assert weighted.of([A, B, C]) is first
    assert weighted.of([C]) == {C: 7} and weighted.of([]) == {}


def test_default_weight() -> None:
    assert WeightedServers(5).of([A, B]) == {A: 3, B: 5}
    assert default_weight({}, "wr") == 0 and default_weight({"default_weight": "9"}, "wr") == 9
    with pytest.raises(BalancerError, match='"wr": default_weight="0" is not in 1-4294967295'):
        default_weight({"default_weight": "0"}, "wr")


def test_servers_that_are_never_chosen_are_named_within_bounds() -> None:
    assert who_is_left_out("WRR", (A, B, C)) == (
        'load balancer "wrr" never chooses 1 of 3 servers, whose tags are no weights: 10.0.0.1:2 ""'
    )
    many = [ServerNode("10.0.0.2", port, tag) for port, tag in enumerate(("abc", "-1", "0", "x" * 500, "y"))]
    text = who_is_left_out("wr", (A, *many))
    assert text.endswith(
        '5 of 6 servers, whose tags are no weights: 10.0.0.2:0 "abc", 10.0.0.2:1 "-1", 10.0.0.2:2 "0", ...'
    )
    assert who_is_left_out("wr", (A, many[3])).endswith(f'10.0.0.2:3 "{"x" * 20}..."')
    assert who_is_left_out("wr", (B, many[0])) == why_nobody("wr", ["", "abc"]) != ""
    for spec in ("wrr:default_weight=2", "rr", "p2c"):
        assert who_is_left_out(spec, (A, B, C)) == ""
    assert who_is_left_out("wr", (A, C)) == who_is_left_out("wr", ()) == ""


def test_balancers_that_need_weights_choose_nobody_without_one() -> None:
    for spec in ("wrr", "WR", "wr:"):
        assert "none of 2 servers has a weight" in why_nobody(spec, ["", "x"])
        assert why_nobody(spec, ["", "3"]) == why_nobody(spec, []) == ""
    assert why_nobody("wrr:default_weight=2", [""]) == why_nobody("rr", [""]) == why_nobody("p2c", [""]) == ""


def test_servers_that_a_balancer_may_choose() -> None:
    assert choosable("WRR", (A, B, C)) == choosable("wr:", (A, B, C)) == (A, C)
    assert choosable("wrr:default_weight=2", (A, B, C)) == choosable("rr", (A, B, C)) == (A, B, C)
