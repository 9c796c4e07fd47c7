"""A CDN shows its secret in one header, or is none."""

from __future__ import annotations

import pytest

from edge.access.cdn import parse_cdn_secrets, shows_secret

OLD, NEW = "0123456789abcdef", "fedcba9876543210~+/=="
SECRETS = (OLD.encode(), NEW.encode())


@pytest.mark.parametrize("header", [f"Bearer {OLD}", f"bearer  {NEW}", f" BEARER {NEW} "])
def test_any_secret_of_the_file_is_one(header: str) -> None:
    assert shows_secret([header], SECRETS) is True


@pytest.mark.parametrize(
    "said",
    [
        ("Bearer",),
        ("Bearer ",),
        (f"Bearer {OLD[:-1]}",),
        (f"Bearer {OLD}x",),
        (f"Bearer {OLD.upper()}",),
        (f"Bearer {OLD}, Bearer {OLD}",),
        (f"Bearer {OLD}", f"Bearer {OLD}"),
        (f"Bearer {OLD}", "Basic YTpi"),
        ("Basic YTpi", f"Bearer {OLD}"),
        ("Bearer \udcff\u00e4",),
    ],
)
def test_AU32_wrong_empty_and_twice_are_wrong(said: tuple[str, ...]) -> None:
    assert shows_secret(said, SECRETS) is False
    assert shows_secret(said, ()) is False


@pytest.mark.parametrize("said", [(), ("",), ("Basic YTpi",), (OLD,), (f"Bearers {OLD}",)])
def test_who_shows_no_secret_says_nothing_of_it(said: tuple[str, ...]) -> None:
    assert shows_secret(said, SECRETS) is None


def test_file_has_a_secret_per_line() -> None:
    assert parse_cdn_secrets(f"\ufeff# of the CDN\r\n{OLD}\r\n\r\n{NEW}\r\n") == SECRETS


@pytest.mark.parametrize(
    ("text", "line"),
    [("", "0"), ("# none\n", "0"), ("short\n", "1"), (f"{OLD}\n{OLD}\n", "2"), ("#\nwith a space in it\n", "2")],
)
def test_what_no_header_can_bear_is_refused_by_its_line(text: str, line: str) -> None:
    with pytest.raises(ValueError, match=f"^{line}: ") as caught:
        parse_cdn_secrets(text)
    assert "space in it" not in str(caught.value)
