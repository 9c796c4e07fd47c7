"""Why somebody may not play or publish, or may not go on."""

from __future__ import annotations

from collections.abc import Mapping
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
    #: Nobody used what it published for too long.
    UNUSED = "publish_unused"
    #: It sent more than it may.
    TOO_FAST = "rate_limit"
    #: A rule of this node says no.
    FORBIDDEN = "forbidden"
    #: A rule of this node could not say anything, by a fault of ours.
    RULE_FAILED = "rule_failed"
    #: Nobody may do that from this address.
    ADDRESS = "access_denied"
    #: Nobody may do that from this page.
    PAGE = "referer_denied"
    #: It needs a token, and there is none.
    TOKEN_MISSING = "auth_missing"
    #: The token is not that of this stream.
    TOKEN_INVALID = "auth_invalid"
    #: No token could look like that.
    TOKEN_MALFORMED = "auth_malformed"
    #: It was right, and its time is over.
    TOKEN_EXPIRED = "auth_expired"
    #: What tokens are signed with is not known at present: nobody can say whether one is right.
    KEYS_MISSING = "auth_keys_missing"
    #: It needs a name and a password, and there are none.
    LOGIN_MISSING = "auth_login_missing"
    #: They are wrong, or not meant for this.
    LOGIN_INVALID = "auth_login_invalid"
    #: No stream has this secret key.
    KEY_INVALID = "auth_key_invalid"
    #: Too much was wrong from this address lately: nothing more is looked at for a while.
    GUESSING = "auth_failures"
    #: Whoever is asked outside this program says no.
    HOOK_DENIED = "hook_denied"
    #: He has not answered.
    HOOK_UNAVAILABLE = "hook_unavailable"
    #: A server up the way is asked about each client, and has not answered.
    ASK_UNANSWERED = "upstream_unavailable"
    #: As many as may be are here.
    LIMIT = "limit_reached"
    #: It was let in for a time, which is over.
    EXPIRED = "auth_ended"


#: What clients are told of a rule that has said no: this word alone, and nothing of how wrong they were.
WORDS: Mapping[Reason, str] = {
    Reason.ADDRESS: "AccessDenied",
    Reason.PAGE: "RefererDenied",
    Reason.TOKEN_MISSING: "TokenMissing",
    Reason.TOKEN_INVALID: "TokenInvalid",
    Reason.TOKEN_MALFORMED: "TokenInvalid",
    Reason.TOKEN_EXPIRED: "TokenExpired",
    Reason.KEYS_MISSING: "TokenInvalid",
    Reason.LOGIN_MISSING: "TokenMissing",
    Reason.LOGIN_INVALID: "TokenInvalid",
    Reason.KEY_INVALID: "KeyInvalid",
    Reason.GUESSING: "TooManyFailures",
    Reason.HOOK_DENIED: "HookDenied",
    Reason.HOOK_UNAVAILABLE: "HookUnavailable",
    Reason.ASK_UNANSWERED: "UpstreamUnavailable",
    Reason.LIMIT: "LimitReached",
    Reason.EXPIRED: "Expired",
}


#: Longest words of others that a client is told.
MAX_SAID = 120
#: Encoders would begin a login on these words, and come back for ever.
_LOGIN_WORDS = ("authmod", "need auth")


def clean_words(text: str) -> str:
    """What of others' words a client may be told: printable ASCII up to a question mark, ``MAX_SAID`` of it.

    Nothing of what makes encoders begin a login of old and come back for ever.
    """
    words = "".join(sign for sign in text.partition("?")[0] if " " <= sign <= "~")
    words = " ".join(words.split())[:MAX_SAID].strip()
    return "" if any(word in words.lower() for word in _LOGIN_WORDS) else words


class Refusal(NamedTuple):
    """A no.

    Attributes:
        detail: the reason in words for people; that of a loop begins with the word by which nodes know it.
        code: the status in which a server up the way said it, for clients of the same protocol; or "".
        said: words for the client behind that of ``WORDS``; printable, and cleaned by whoever gives them.
        retry_after_s: when it may be asked again, 0 where that is not known.
    """

    reason: Reason
    detail: str
    code: str = ""
    said: str = ""
    retry_after_s: int = 0

    @property
    def is_of_a_gate(self) -> bool:
        """A rule about who may do what has said no: its detail is for the log, not for the client."""
        return self.reason in WORDS

    @property
    def told(self) -> str:
        """What the client hears of it."""
        word = WORDS.get(self.reason)
        if word is None:
            return self.detail
        return f"{word}: {self.said}" if self.said else word
