"""How refusals are said in RTMP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from edge.errors import ProtocolError
from edge.rtmp.commands import KICKED
from edge.service.refusal import WORDS, Reason, Refusal
from edge.service.service import Service

NOT_FOUND = "NetStream.Play.StreamNotFound"
BAD_NAME = "NetStream.Publish.BadName"


class Status(NamedTuple):
    """A status code, what stands before the detail in its description, and the word of the counter."""

    code: str
    prefix: str
    word: str


CONNECT_REJECTED = "NetConnection.Connect.Rejected"
#: Said of the server, not of the stream: a node of ours that hears it asks another one, and its players stay.
OVERLOADED = Status(CONNECT_REJECTED, "", "overloaded")
#: What OBS and all of librtmp end on for good, in place of connecting again.
_PLAY_FAILED = "NetStream.Play.Failed"
_PUBLISH_REJECTED = "NetStream.Publish.Rejected"

_OF_PLAY: Mapping[Reason, Status] = {
    Reason.BAD_NAME: Status(NOT_FOUND, "bad_name: ", "bad_name"),
    Reason.NO_VHOST: Status(NOT_FOUND, "VhostNotFound: ", "vhost_not_found"),
    Reason.NOT_FOUND: Status(NOT_FOUND, "", "not_found"),
    Reason.OVERLOAD: Status(NOT_FOUND, "", "not_found"),
    Reason.OVERLOADED: OVERLOADED,
    Reason.LOOP: Status(NOT_FOUND, "", "proxy_loop"),
    Reason.UPSTREAM: Status("NetStream.Play.Failed", "", "upstream_refused"),
    Reason.FORBIDDEN: Status("NetStream.Play.Failed", "forbidden: ", "forbidden"),
    Reason.RULE_FAILED: Status(_PLAY_FAILED, "", "rule_failed"),
    **{reason: Status(_PLAY_FAILED, "", reason.value) for reason in WORDS},
}
_OF_PUBLISH: Mapping[Reason, Status] = {
    Reason.BAD_NAME: Status(BAD_NAME, "bad_name: ", "bad_name"),
    Reason.NO_VHOST: Status(BAD_NAME, "VhostNotFound: ", "vhost_not_found"),
    Reason.OVERLOADED: OVERLOADED,
    Reason.BUSY: Status(BAD_NAME, "StreamBusy: ", "stream_busy"),
    Reason.UPSTREAM: Status(BAD_NAME, "", "upstream_refused"),
    Reason.KICKED: Status(BAD_NAME, f"{KICKED}: ", "kicked"),
    Reason.IDLE: Status("NetStream.Publish.Idle", "Idle: ", "publish_timeout"),
    Reason.UNUSED: Status("NetStream.Publish.Idle", "Idle: ", "publish_unused"),
    Reason.TOO_FAST: Status(BAD_NAME, "rate_limit: ", "rate_limit"),
    Reason.FORBIDDEN: Status(BAD_NAME, "forbidden: ", "forbidden"),
    Reason.RULE_FAILED: Status(BAD_NAME, "", "rule_failed"),
    **{reason: Status(_PUBLISH_REJECTED, "", reason.value) for reason in WORDS},
}


def connect_refusal(service: Service) -> ProtocolError | None:
    """Why nobody new is let in at present, None where they are; not the peer's fault, but told of like one."""
    if service.lets_nobody_in:
        return ProtocolError("Shutdown: server is stopping", reason="draining", is_quiet=True)
    refusal = service.refuse_newcomer()
    return ProtocolError(refusal.detail, reason=refusal.reason.value, is_quiet=True) if refusal is not None else None


def play_status(refusal: Refusal) -> tuple[str, str, str]:
    """Code, description and counter's word for a player; an upstream's own code goes on to it."""
    status = _OF_PLAY.get(refusal.reason) or Status(NOT_FOUND, "", refusal.reason.value)
    return refusal.code or status.code, status.prefix + refusal.told, status.word


def publish_status(refusal: Refusal) -> tuple[str, str, str]:
    """Code, description and counter's word for a publisher."""
    status = _OF_PUBLISH.get(refusal.reason) or Status(BAD_NAME, "", refusal.reason.value)
    return refusal.code or status.code, status.prefix + refusal.told, status.word
