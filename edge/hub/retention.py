"""How long a stream keeps its frames: in full for nodes that may come back for them, else what players need."""

from __future__ import annotations

#: So long after the last node has left, at least, everything is kept as for a node. What it may come back for is
#: ``log_retain_ms`` old at most; a broken connection is noticed late, and to find another way takes attempts.
RETURN_MS = 30_000


class Retention:
    """Who needs ``log_retain_ms`` of a stream: nodes that play it, pushes of it, and who of these has left lately.

    A node resumes at the frame after its last one, and that frame must still be there
    when its connection has been broken for a while. So must those that a node pushes here:
    it may bring all of an outage at once, before those come who had played it elsewhere.
    Players do not resume: whoever comes starts at a keyframe, so for them it is enough to
    keep what they stand on.
    """

    __slots__ = ("_claim_count", "_is_awaited", "_until_ms")

    def __init__(self) -> None:
        self._claim_count = 0
        self._is_awaited = False
        self._until_ms = 0

    @property
    def is_full(self) -> bool:
        """Whether somebody may ask for any frame of the last ``log_retain_ms``."""
        return self._is_awaited

    def claim(self) -> None:
        """Somebody needs it from now on; each claim is to be released once."""
        self._claim_count += 1
        self._is_awaited = True
        self._until_ms = 0

    def release(self) -> None:
        """Who claimed it has left, and may come back."""
        self._claim_count -= 1

    def tick(self, now_ms: int, retain_ms: int) -> None:
        """Once a second: forget those who did not come back."""
        if self._claim_count or not self._is_awaited:
            return
        if not self._until_ms:
            self._until_ms = now_ms + max(retain_ms, RETURN_MS)
        elif now_ms >= self._until_ms:
            self._is_awaited = False
