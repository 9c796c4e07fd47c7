"""SRS's form: JSON, its fields in its order (7.0), and the few of its first versions (0.8 to 1.0)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from edge.hooks.answer import Answer, read_srs
from edge.hooks.event import Action, Event
from edge.hooks.form import JSON, Call

_BASE = ("server_id", "service_id", "action", "client_id", "ip", "vhost", "app")
_STREAM = ("tcUrl", "stream", "param", "stream_url", "stream_id")
_FIELDS: dict[Action, tuple[str, ...]] = {
    Action.CONNECT: ("stream", "param", "tcUrl", "pageUrl"),
    Action.CLOSE: ("send_bytes", "recv_bytes"),
    Action.PUBLISH: _STREAM,
    Action.UNPUBLISH: _STREAM,
    Action.PLAY: ("stream", "tcUrl", "param", "pageUrl", "stream_url", "stream_id"),
    Action.STOP: ("stream", "tcUrl", "param", "stream_url", "stream_id"),
    Action.UPDATE: (*_STREAM, "of", "age", "send_bytes", "recv_bytes"),
    Action.HLS: (
        *("tcUrl", "stream", "param", "duration", "cwd", "file", "url", "m3u8", "m3u8_url", "seq_no"),
        *("stream_url", "stream_id"),
    ),
    Action.DVR: ("tcUrl", "stream", "param", "cwd", "file", "stream_url", "stream_id"),
}
_BASE_OF_OLD = ("action", "client_id", "ip", "vhost", "app")
_FIELDS_OF_OLD: dict[Action, tuple[str, ...]] = {Action.CONNECT: ("pageUrl",), Action.CLOSE: ()}


def _values(event: Event) -> dict[str, Any]:
    values: dict[str, Any] = {
        "server_id": event.server_id,
        "service_id": event.service_id,
        "action": event.action.value,
        "client_id": event.client_id,
        "ip": event.ip,
        "vhost": event.vhost,
        "app": event.app,
        "tcUrl": event.tc_url,
        "stream": event.stream,
        "param": f"?{event.param}" if event.param else "",
        "pageUrl": event.page_url,
        "stream_url": event.stream_url,
        "send_bytes": event.send_bytes,
        "recv_bytes": event.recv_bytes,
        "of": event.of.value if event.of is not None else "",
        "age": event.age_s,
    }
    if event.stream_id:  # left out where the statistics do not know the stream
        values["stream_id"] = event.stream_id
    segment = event.segment
    if segment is not None:
        values |= {
            "duration": segment.duration_s,
            "cwd": segment.cwd,
            "file": segment.file,
            "url": segment.url,
            "m3u8": segment.m3u8,
            "m3u8_url": segment.m3u8_url,
            "seq_no": segment.seq_no,
        }
    return values


def _encode(event: Event, names: tuple[str, ...], *, is_number: bool) -> bytes:
    values = _values(event)
    if is_number and event.client_id.isdecimal():
        values["client_id"] = int(event.client_id)
    body = {name: values[name] for name in names if name in values}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


class SrsForm:
    """SRS 3.0 and later."""

    def call(self, event: Event, url: str) -> Call:
        """JSON by POST; what tells of a segment to be fetched is a GET of a URL with fields to fill in."""
        if event.action is Action.HLS_NOTIFY:
            return Call("GET", fill_in(url, event))
        return Call("POST", url, JSON, _encode(event, (*_BASE, *_FIELDS[event.action]), is_number=False))

    def read(self, event: Event, status: int, location: str, body: bytes) -> Answer:
        """The same for all events."""
        return read_srs(status, body)


class OldSrsForm(SrsForm):
    """SRS 0.8 to 1.0: what it has no fields for is told as later versions do."""

    def call(self, event: Event, url: str) -> Call:
        """Five fields and one; the client's id is a number."""
        if event.action in (Action.HLS, Action.HLS_NOTIFY, Action.DVR, Action.UPDATE):
            return super().call(event, url)
        names = (*_BASE_OF_OLD, *_FIELDS_OF_OLD.get(event.action, ("stream",)))
        return Call("POST", url, JSON, _encode(event, names, is_number=True))


def fill_in(url: str, event: Event) -> str:
    """``url`` with what stands for ``[server_id] [service_id] [app] [stream] [ts_url] [param]`` in it."""
    segment = event.segment
    fields = {
        "[server_id]": event.server_id,
        "[service_id]": event.service_id,
        "[app]": event.app,
        "[stream]": event.stream,
        "[ts_url]": segment.url if segment is not None else "",
    }
    for field, value in fields.items():
        url = url.replace(field, quote(value, safe="/", errors="replace"))
    return url.replace("[param]", quote(f"?{event.param}" if event.param else "", safe="?&=/", errors="replace"))
