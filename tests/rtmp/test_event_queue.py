"""The queue of a session's events."""

from __future__ import annotations

import pytest

from edge.rtmp.event_queue import EventQueue
from edge.rtmp.events import PongReceived


def test_event_queue_is_a_queue() -> None:
    queue = EventQueue([PongReceived(1), PongReceived(2)])
    assert [queue.popleft(), queue.popleft()] == [PongReceived(1), PongReceived(2)]
    with pytest.raises(IndexError):
        queue.popleft()
