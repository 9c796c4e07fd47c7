"""The form of mediamtx's external authentication."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

from edge.hooks.answer import Answer, read_status
from edge.hooks.event import Action, Event
from edge.hooks.form import JSON, Call

_ACTIONS = {Action.PUBLISH: "publish", Action.PLAY: "read"}
_PROTOCOLS = ("rtmp", "hls")


class MediamtxForm:
    """Its ten fields; what it has no action for bears the event's own name."""

    def call(self, event: Event, url: str) -> Call:
        """``path`` is app and stream; credentials are taken from what the client said."""
        said = dict(reversed(parse_qsl(event.param, keep_blank_values=True)))
        protocol = next((word for word in _PROTOCOLS if event.protocol.startswith(word)), event.protocol)
        body = {
            "ip": event.ip,
            "user": said.get("user", ""),
            "password": said.get("pass", ""),
            "token": said.get("token") or said.get("jwt", ""),
            "action": _ACTIONS.get(event.action, event.action.value),
            "path": "/".join(part for part in (event.app, event.stream) if part),
            "protocol": protocol,
            "id": event.client_id,
            "query": event.param,
            "userAgent": event.user_agent,
        }
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return Call("POST", url, JSON, text.encode("utf-8", "replace"))

    def read(self, event: Event, status: int, location: str, body: bytes) -> Answer:
        """2xx is yes, 4xx no."""
        return read_status(status)
