"""Why somebody may not play or publish, or may not go on."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Reason(Enum):
    """What a refusal is about; each protocol has one table of how it says so. The values are words for logs."""

    BAD_NAME = "bad_name"
    #: Nobody is served under that name of a host.
    NO_VHOST = "vhost_not_found"
    #: Nobody has the stream.
    NOT_FOUND = "not_found"
    #: It may be there, and this node has not room for another one.
    OVERLOAD = "overload"
    #: This node takes nobody new at present, whatever he wants.
    OVERLOADED = "overloaded"
    #: The stream would come from, or go to, a node that asks for it.
    LOOP = "proxy_loop"
    #: Somebody else publishes it.
    BUSY = "stream_busy"
    #: No server up the way could be reached.
    UNREACHABLE = "unreachable"
    #: A server up the way took the request and has sent nothing.
    SILENT = "silent"
    #: A server up the way said no.
    UPSTREAM = "upstream_refused"
    #: Another publisher has taken its place.
    KICKED = "kicked"
    #: It published nothing for too long.
    IDLE = "publish_timeout"
    #: It sent more than it may.
    TOO_FAST = "rate_limit"
    #: A rule of this node says no.
    FORBIDDEN = "forbidden"
    #: A rule of this node could not say anything, by a fault of ours.
    RULE_FAILED = "rule_failed"


class Refusal(NamedTuple):
    """A no.

    Attributes:
        detail: the reason in words for people; that of a loop begins with the word by which nodes know it.
        code: the status in which a server up the way said it, for clients of the same protocol; or "".
    """

    reason: Reason
    detail: str
    code: str = ""
