"""A client session against a scripted server."""

from __future__ import annotations

from typing import Any

from edge.rtmp.chunk import ChunkReader, Message
from tests.harness.link import CONFIG, SIMPLIFIED, Reply, command, drain, message, new_client


def of(events: list[Any], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


class Upstream:
    """A client session and its scripted server, whose connect is not answered yet."""

    def __init__(self, *, is_simplified: bool = False) -> None:
        self.session = new_client(is_simplified=is_simplified)
        self.events: list[Any] = []
        self._reader = ChunkReader(CONFIG)
        prefix = len(SIMPLIFIED)
        if not is_simplified:
            prefix = 1536
            self.session.data_to_send()
            self.say(b"\x03" + bytes(3072))
        self._reader.feed(self.session.data_to_send()[prefix:], 0, [])

    def say(self, *pieces: bytes, now_ms: int = 0) -> list[Any]:
        self.session.receive_data(b"".join(pieces), now_ms)
        found = list(drain(self.session))
        self.events += found
        return found

    def heard(self) -> Reply:
        messages: list[Message] = []
        self._reader.feed(self.session.data_to_send(), 0, messages)
        return Reply(messages)

    def accept_connect(self, **properties: Any) -> list[Any]:
        info = {"level": "status", "code": "NetConnection.Connect.Success", "description": "ok"}
        return self.say(command("_result", 1, {"fmsVer": "x", **properties}, info))


def foreign() -> Upstream:
    """An upstream that takes one stream per connection; connected, nothing asked."""
    upstream = Upstream()
    upstream.accept_connect()
    upstream.events.clear()
    return upstream


def multiplexing(**properties: Any) -> Upstream:
    """An upstream that takes many."""
    upstream = Upstream(is_simplified=True)
    upstream.accept_connect(create_stream_with_play_or_publish=True, **properties)
    upstream.events.clear()
    return upstream


def status(code: str, level: str = "status", message_stream_id: int = 1, **more: Any) -> bytes:
    info = {"level": level, "code": code, "description": "why", **more}
    return command("onStatus", 0, None, info, message_stream_id=message_stream_id)


def user_control(event_type: int, *numbers: int) -> bytes:
    body = event_type.to_bytes(2, "big") + b"".join(number.to_bytes(4, "big") for number in numbers)
    return message(4, body, 0, 2)
