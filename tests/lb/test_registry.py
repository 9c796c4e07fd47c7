"""Names of balancers: known, built, refused."""

from __future__ import annotations

import pytest

from lb import registry
from lb.base import BalancerError, Traits
from lb.round_robin import RoundRobin


def test_names_are_told_in_any_case_and_with_parameters() -> None:
    assert registry.is_known("C_MurmurHash:replicas=3") and registry.is_known("RR")
    assert not registry.is_known("p2c_ewma") and not registry.is_known("") and not registry.is_known("_dynpart")
    assert isinstance(registry.create("Rr"), RoundRobin)
    assert isinstance(registry.create("rr:"), RoundRobin)


def test_N9_unknown_balancer_names_the_valid_ones() -> None:
    with pytest.raises(BalancerError, match=r'unknown load balancer "roundrobin" \(valid: rr, wrr, .*c_ketama\)'):
        registry.create("roundrobin")


@pytest.mark.parametrize("name", registry.known())
def test_each_known_balancer_is_in_the_module_that_is_named_for_it(name: str) -> None:
    assert type(registry.create(name)).__module__ == registry._MODULES[name]


def test_parameters() -> None:
    assert registry.parse_params(" a=1   b=x:y=z ") == {"a": "1", "b": "x:y=z"}
    for bad in ("a", "=1", "a=1 b"):
        with pytest.raises(BalancerError, match="expected name=value"):
            registry.parse_params(bad)


def test_registering_twice_or_unlisted_is_a_bug() -> None:
    with pytest.raises(ValueError, match="not in the list"):
        registry.register("nearest")
    with pytest.raises(ValueError, match="twice"):
        registry.register("rr")(RoundRobin)


@pytest.mark.parametrize("name", registry.known())
def test_every_balancer_refuses_an_unknown_parameter_and_names_the_valid_ones(name: str) -> None:
    with pytest.raises(
        BalancerError, match=rf'unknown parameter "typo" of load balancer "{name}" \(valid: [a-z_, ]+\)'
    ):
        registry.create(f"{name}:typo=1")


def test_traits_say_what_kind_of_balancer_it_is() -> None:
    assert registry.traits_of("C_MD5:replicas=200") == Traits(has_owners=True)
    assert registry.traits_of("la") == Traits(is_learning=True)
    assert registry.traits_of("rr") == Traits(may_recover=True)
    assert registry.traits_of("wrr:default_weight=1") == Traits(needs_weights=True)


def test_unknown_balancer_has_no_traits() -> None:
    with pytest.raises(BalancerError, match="unknown load balancer"):
        registry.traits_of("nobody")
