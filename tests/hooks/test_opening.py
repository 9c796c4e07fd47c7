"""Sessions as they are told to another process."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.hooks.answer import Yes
from edge.hooks.config import NO_HOOKS
from edge.hooks.event import Action, Event
from edge.hooks.opening import Opening, Resumed, resumed


def test_what_is_told_is_read_again() -> None:
    asked = Event(Action.PUBLISH, client_id="7", app="live", stream="key", param="t=1")
    opening = Opening(asked, NO_HOOKS)
    opening.event = replace(asked, stream="hall")
    opening.yes = Yes(stream="hall", urls=("rtmp://h",))
    assert resumed(opening.export()) == Resumed(asked, "live", "hall", True, False, opening.yes)
    opening.question, opening.is_told = "q", False
    assert resumed(opening.export()) == Resumed(asked, "live", "hall", False, True, opening.yes)


@pytest.mark.parametrize("data", [b"", b"\x93", b"\x01", b"{}"])
def test_what_is_of_another_version_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        resumed(data)
