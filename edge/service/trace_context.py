"""The trace that somebody else has begun, and the span of it for whose sake a request came: W3C Trace Context.

It comes with a request and goes on with what we ask of others for its sake. Whoever wrote it is a stranger, so
what does not keep to the letter is as good as nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Longest text of either header; W3C Trace Context §3.3.1.5 asks for 512 characters of ``tracestate`` to be passed on.
MAX_HEADER = 512
#: W3C Trace Context §3.3.1.1.
MAX_STATE_MEMBERS = 32

_SAMPLED = 0x01

# W3C Trace Context §3.2.2: version, trace-id, parent-id, trace-flags, in small letters; later versions may add to it.
_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_UNUSABLE_VERSION = "ff"

# §3.3.1.3: key and value of a member; the value has no comma, no equals sign, and does not end in a space.
_KEY = r"(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
_VALUE = r"[ -+\--<>-~]{0,255}[!-+\--<>-~]"
_MEMBER = re.compile(f"({_KEY})={_VALUE}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A span of a trace, as those are told who work for its sake.

    Attributes:
        trace_id: of 128 bits, not 0.
        span_id: of 64 bits, not 0.
        is_sampled: whoever began the trace records it.
        state: what tracing systems pass on with it, else ""; nothing to us.
    """

    trace_id: int
    span_id: int
    is_sampled: bool = True
    state: str = ""

    @property
    def headers(self) -> tuple[str, str]:
        """``traceparent`` and ``tracestate``, the latter perhaps ""; of the flags, those that we know."""
        flags = _SAMPLED if self.is_sampled else 0
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{flags:02x}", self.state


def parse_trace_context(traceparent: str, tracestate: str = "") -> TraceContext | None:
    """Read both headers; None where there is no ``traceparent`` that can be used.

    A ``tracestate`` that is wrong is left out, as W3C Trace Context §3.3.1 has it, and the rest stays.
    """
    if not traceparent or len(traceparent) > MAX_HEADER:
        return None
    found = _PARENT.fullmatch(traceparent)
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == _UNUSABLE_VERSION or (version == "00" and more is not None):
        return None
    trace, span = int(trace_id, 16), int(span_id, 16)
    if not trace or not span:
        return None
    return TraceContext(trace, span, bool(int(flags, 16) & _SAMPLED), _checked_state(tracestate))


def _checked_state(text: str) -> str:
    """``tracestate`` as it came, "" where a part of it is wrong or a key comes twice."""
    if not text or len(text) > MAX_HEADER:
        return ""
    members = [member.strip(" \t") for member in text.split(",")]
    members = [member for member in members if member]
    found = [_MEMBER.fullmatch(member) for member in members]
    keys = {match[1] for match in found if match is not None}
    if len(members) > MAX_STATE_MEMBERS or len(keys) != len(members):
        return ""
    return ",".join(members)
