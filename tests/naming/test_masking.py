"""What is secret in a target is not shown."""

from __future__ import annotations

import pytest

from naming.base import NamingError
from naming.masking import without_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtmp://user:pw@h:1935", "rtmp://***@h:1935"),
        ("http://token@h:1", "http://***@h:1"),
        ('bad address "user:pw@127.0.0.1:1": write', 'bad address "***@127.0.0.1:1": write'),
        ("list://a:1,user:pw@b:2", "list://a:1,***@b:2"),
        ("consul://svc?dc=eu&token=x&tag=a", "consul://svc?dc=eu&token=***&tag=a"),
        ("http://h/hook?tok=x&a=b", "http://h/hook?tok=***&a=b"),
        ("remotefile://h/list?sign=a/b==&key=c", "remotefile://h/list?sign=***&key=***"),
        ('leave "/live?token=x" out', 'leave "/live?token=***" out'),
        ("nothing at a:1 for b@c, or d: e@f", "nothing at a:1 for b@c, or d: e@f"),
        ("no@login:here", "no@login:here"),
        ("/live/s?%74oken=x&to%6Ben=y&a=z", "/live/s?%74oken=***&to%6Ben=***&a=z"),
        ("http://h/?to=http://i/?key=x", "http://h/?to=http://i/?key=***"),
    ],
)
def test_values_and_logins_are_masked(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
    assert str(NamingError(text)) == shown


@pytest.mark.parametrize("text", ["?" + "tok" * 100_000, "a:" * 200_000, "=a:" * 100_000])
def test_text_that_is_nearly_secret_costs_no_more_than_its_length(text: str) -> None:
    """It would take minutes, were it looked at again from each place where a secret could have begun."""
    assert without_secrets(text) == text
