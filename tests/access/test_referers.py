"""Lists of pages: the host decides, and its dots are borders."""

from __future__ import annotations

import pytest

from edge.access.referers import RefererList, host_of_page

GITHUB = RefererList(["github.com"])


@pytest.mark.parametrize(
    ("page", "is_in"),
    [
        ("http://evilgithub.com", False),
        ("http://github.com.evil.net", False),
        ("http://github.com@evil.net/", False),
        ("http://evil.net@github.com/", True),
        ("github.com", True),
        ("HTTP://GITHUB.COM:80/", True),
        ("https://gist.github.com/a?b=c#d", True),
        ("http://github.com.", True),
        ("http://evil.net/github.com", False),
        ("http://evil.net\\@github.com", False),
        ("http://evil.net?github.com", False),
        ("http://evil.net#github.com", False),
        ("http://github.com" + "/x" * 2000, False),
        ("http://github.com/\x07", False),
        ("http://git hub.com/", False),
        ("http://", False),
        ("//github.com/x", True),
    ],
)
def test_AU11_host_of_the_page_decides(page: str, is_in: bool) -> None:
    assert GITHUB.admits(page) is is_in


def test_AU11_names_of_other_alphabets_are_compared_as_they_are_asked_for() -> None:
    assert host_of_page("http://bücher.example/") == "xn--bcher-kva.example"
    assert RefererList(["bücher.example"]).admits("http://xn--bcher-kva.example/")


def test_AU12_no_page_is_let_in_where_the_list_says_so() -> None:
    assert not GITHUB.admits("")
    assert RefererList(["github.com", "none"]).admits("")
    assert RefererList([]).admits("") and RefererList([]).admits("http://evil.net")
    assert not RefererList(["none"]).admits("http://evil.net")


def test_entry_with_a_dot_takes_only_what_is_below() -> None:
    below = RefererList([".example.com"])
    assert below.admits("http://a.example.com") and not below.admits("http://example.com")
    assert not below.admits("http://badexample.com")


@pytest.mark.parametrize("entry", ["", "a b", "http://x/y", "x/y", "."])
def test_entry_that_is_no_host_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="no host"):
        RefererList([entry])
