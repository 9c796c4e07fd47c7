"""Names of schemes: known, built, refused."""

from __future__ import annotations

import pytest

from naming import registry
from naming.base import NamingContext, NamingError, NamingOptions
from naming.list import ListService
from naming.resolver import Resolver

CONTEXT = NamingContext(NamingOptions(), Resolver(), lambda detail: None)


def test_known_and_built() -> None:
    assert registry.known() == (
        *("list", "dlist", "file", "http", "https", "dns", "srv", "remotefile", "consul"),
        *("nacos", "discovery", "etcd", "redis", "bns"),
    )
    assert registry.built() == registry.known()[:-1]


@pytest.mark.parametrize("scheme", registry.built())
def test_each_built_scheme_is_in_the_module_that_is_named_for_it(scheme: str) -> None:
    assert type(registry.create(scheme, CONTEXT)).__module__ == registry._MODULES[scheme]


def test_names_are_told_in_any_case() -> None:
    assert registry.is_known("LIST") and registry.is_built("List")
    assert not registry.is_known("rtmp") and not registry.is_built("nothing")
    assert isinstance(registry.create("LiSt", CONTEXT), ListService)


def test_N9_unknown_scheme_names_the_valid_ones() -> None:
    with pytest.raises(NamingError, match=r'unknown naming scheme "zk" \(valid: list, dlist, .*bns\)'):
        registry.create("zk", CONTEXT)


def test_scheme_that_is_not_built() -> None:
    assert set(registry.known()) - set(registry.built()) == {"bns"}
    with pytest.raises(NamingError, match='not acted on yet: naming scheme "bns", internal to Baidu'):
        registry.create("bns", CONTEXT)


def test_registering_twice_or_unlisted_is_a_bug() -> None:
    with pytest.raises(ValueError, match="not in the list"):
        registry.register("zk")
    with pytest.raises(ValueError, match="not in the list"):
        registry.register("bns")
    with pytest.raises(ValueError, match="twice"):
        registry.register("list")(ListService)
