"""Parameters of a query, decoded once."""

from __future__ import annotations

import pytest

from edge.access.token import Arguments, MalformedError


def test_AU4_what_is_there_twice_means_nothing() -> None:
    arguments = Arguments("sig=a&sig=a&exp=1&s%69g2=%41%2541&SIG=x&&=y")
    with pytest.raises(MalformedError, match="2 times"):
        arguments.one("sig")
    assert (arguments.one("exp"), arguments.one("sig2"), arguments.one("none")) == ("1", "A%41", None)
    assert "SIG" in arguments and "Sig" not in arguments


def test_AU4_escapes_do_not_hide_a_second_one() -> None:
    with pytest.raises(MalformedError):
        Arguments("sig=a&%73ig=b").one("sig")
