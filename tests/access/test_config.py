"""Settings that ask nothing are known as such."""

from __future__ import annotations

import dataclasses

from edge.access.config import AccessConfig


def test_lists_and_methods_ask_something_and_the_rest_does_not() -> None:
    assert AccessConfig().asks_nothing and AccessConfig(sign_skew_s=5, users_file="x").asks_nothing
    assert AccessConfig(jwt_keys="x", jwt_issuer="y", jwt_audience=("z",)).asks_nothing
    for field in dataclasses.fields(AccessConfig):
        if isinstance(field.default, tuple) and field.name != "jwt_audience":
            assert not AccessConfig(**{field.name: ("all",)}).asks_nothing, field.name
