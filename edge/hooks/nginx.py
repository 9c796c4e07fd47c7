"""The form of nginx-rtmp's notify module: fields as of an HTML form, and the answer's status counts."""

from __future__ import annotations

from urllib.parse import quote, unquote_plus, urlencode

from edge.hooks.answer import Answer, No, Unusable, Yes, read_status
from edge.hooks.event import Action, Event
from edge.hooks.form import URL_ENCODED, Call

#: What of a client's query goes on as it was sent.
_AS_SENT = "%=+!$'()*,/:;?@[]~"
_CALLS = {
    Action.CONNECT: "connect",
    Action.CLOSE: "disconnect",
    Action.PUBLISH: "publish",
    Action.UNPUBLISH: "publish_done",
    Action.PLAY: "play",
    Action.STOP: "play_done",
    Action.HLS: "record_done",
    Action.HLS_NOTIFY: "record_done",
    Action.DVR: "record_done",
}


class NginxForm:
    """What ``on_connect``, ``on_publish``, ``on_play`` and the others of its directives send."""

    def call(self, event: Event, url: str) -> Call:
        """Who it is, what it does, and then what it said itself, each as a field."""
        fields = [*self._common(event), *self._of_event(event)]
        body = urlencode(fields, safe="/:", quote_via=quote, errors="replace")
        ours = {name for name, _ in fields}
        # Who reads the last of two fields of one name would take the client's word for what only we know.
        said = [part for part in event.param.split("&") if part and unquote_plus(part.partition("=")[0]) not in ours]
        text = "&".join([body, *(quote(part, safe=_AS_SENT, errors="replace") for part in said)])
        return Call("POST", url, URL_ENCODED, text.encode("ascii"))

    def _common(self, event: Event) -> list[tuple[str, str]]:
        return [
            ("app", event.app),
            ("flashver", event.flash_version),
            ("swfurl", event.swf_url),
            ("tcurl", event.tc_url),
            ("pageurl", event.page_url),
            ("addr", event.ip),
            ("clientid", event.client_id),
        ]

    def _of_event(self, event: Event) -> list[tuple[str, str]]:
        name, segment = event.stream, event.segment
        if event.action is Action.UPDATE:
            word = "update_publish" if event.of is Action.PUBLISH else "update_play"
            return [("call", word), ("time", str(event.age_s)), ("timestamp", str(event.at_ms)), ("name", name)]
        fields = [("call", _CALLS[event.action])]
        if event.action is Action.CONNECT:
            return [*fields, ("epoch", "0")]
        if event.action is Action.CLOSE:
            return fields
        if segment is not None:
            return [*fields, ("recorder", "hls"), ("name", name), ("path", segment.file)]
        fields.append(("name", name))
        if event.action is Action.PUBLISH:
            fields.append(("type", "live"))
        elif event.action is Action.PLAY:
            fields += [("start", "-2000"), ("duration", "0"), ("reset", "0")]
        return fields

    def read(self, event: Event, status: int, location: str, body: bytes) -> Answer:
        """2xx is yes, 4xx no; 3xx gives the stream, or the app at ``on_connect``, another name."""
        if not 300 <= status < 400:
            return read_status(status)
        scheme, separator, _ = location.partition("://")
        if separator and scheme.lower().startswith("rtmp"):
            # Whoever may answer could send our streams anywhere, or have us fetch from anywhere.
            return No(why=f"status {status} with an RTMP URL, which is not followed")
        if not location or separator:
            return Unusable(f"status {status} without a name in Location")
        return Yes(app=location) if event.action is Action.CONNECT else Yes(stream=location)
