"""What is wrong with settings is told by flag, and nothing is asked where nothing is set."""

from __future__ import annotations

from typing import Any

import pytest

from edge.access.config import AccessConfig
from edge.access.files import Files
from edge.access.gate import Gate, faults_of


@pytest.mark.parametrize(
    ("settings", "flag", "words"),
    [
        ({"publish_allow": ("10.0.0.0/99",)}, "publish_allow", "CIDR"),
        ({"play_deny": ("nobody",)}, "play_deny", "CIDR"),
        ({"refer_all": ("a b",)}, "refer_all", "host"),
        ({"publish_auth": ("key",)}, "publish_auth", "-stream_keys_file"),
        ({"play_auth": ("sign",)}, "play_auth", "-sign_keys_file"),
        ({"play_auth": ("user",)}, "play_auth", "-users_file"),
        ({"play_auth": ("key",), "stream_keys_file": "x"}, "play_auth", "none of sign, user, jwt"),
        ({"publish_auth": ("jwt",)}, "publish_auth", "-jwt_keys"),
        ({"sign_scheme": "akamai"}, "sign_scheme", "akamai"),
        ({"auth_upstream": "maybe"}, "auth_upstream", "maybe"),
    ],
)
def test_fault_names_its_flag(settings: dict[str, Any], flag: str, words: str) -> None:
    ((found, text),) = faults_of(AccessConfig(**settings))
    assert found == flag and words in text


def test_settings_that_are_well_have_no_fault_and_the_default_is_open() -> None:
    config = AccessConfig(publish_auth=("key", "sign"), stream_keys_file="k", sign_keys_file="s", play_deny=("all",))
    assert not list(faults_of(config)) and not list(faults_of(AccessConfig()))
    assert Gate(AccessConfig(), Files()).is_open
    assert not Gate(AccessConfig(play_deny=("all",)), Files()).is_open
