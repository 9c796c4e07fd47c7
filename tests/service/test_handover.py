"""Grants in another process."""

from __future__ import annotations

import msgspec

from edge.hub.key import StreamKey
from edge.service.handover import GrantState, grant_state
from edge.service.names import StreamName


class Granted:
    def __init__(self, name: StreamName, stream: StreamKey) -> None:
        self.name = name
        self.stream = type("S", (), {"key": stream})
        self.since_ms = 77
        self.ends_ms = 0
        self.opening = b"kept"


def test_what_was_granted_is_known_again() -> None:
    name = StreamName(StreamKey("_", "live", "s"), "token=1", only_audio=True, is_internal=True)
    stream = StreamKey("_", "live", "s", "publish")
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(grant_state(Granted(name, stream))), type=GrantState)  # type: ignore[arg-type]
    assert (state.name, state.stream_key, state.since_ms) == (name, stream, 77)
    client = object()
    request = state.play_request(client)  # type: ignore[arg-type]
    assert (request.client, request.name, request.hops, request.resume) == (client, name, (), None)
    assert request.opening == b"kept"
    assert state.publish_request(client).name == name  # type: ignore[arg-type]
    assert state.publish_request(client).opening == b"kept"  # type: ignore[arg-type]
