"""Each form can tell each event."""

from __future__ import annotations

import pytest

from edge.hooks.event import Action, Event, Segment
from edge.hooks.forms import FORMS


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("name", FORMS)
def test_any_event_in_any_form(name: str, action: Action) -> None:
    segment = Segment(1, 2.0, "f", "u", "m", "v") if action in (Action.HLS, Action.HLS_NOTIFY) else None
    call = FORMS[name].call(Event(action, of=Action.PLAY, segment=segment, stream="\ud800"), "http://h/")
    assert call.url == "http://h/"
    assert call.method == "GET" or call.body
