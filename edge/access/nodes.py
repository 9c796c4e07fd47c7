"""Nodes prove to each other that they are of one fleet: ``TIME.HMAC`` over ``node1``, the id and the time.

The time is in seconds since 1970, with six digits behind a dot so that each proof is another one. It is
accepted for a minute around it, and once.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable

from edge.access import digest

WINDOW_S = 60
MAX_REMEMBERED = 10_000
LEAST_SECRET_BYTES = 16
_PROOF = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\.([A-Za-z0-9_-]{43})", re.ASCII)
_VERSION = "node1"


def proof_sum(secret: bytes, node_id: str, time: str) -> bytes:
    """The HMAC of a proof."""
    text = f"{_VERSION}\n{node_id}\n{time}".encode("utf-8", "surrogatepass")
    return digest.SUMS["hmac-sha256"](secret, text)


def parse_secret(text: str) -> bytes:
    """The secret of a file: its one line; raises ValueError for less, with a line's number and a colon before it."""
    lines = [line.strip() for line in text.removeprefix("\ufeff").splitlines()]
    found = [line for line in lines if line and not line.startswith("#")]
    if len(found) != 1 or len(found[0].encode()) < LEAST_SECRET_BYTES:
        raise ValueError(f"1: one line with {LEAST_SECRET_BYTES} bytes or more is the secret")
    return found[0].encode()


class NodeProofs:
    """Makes proofs, and looks at those of others."""

    def __init__(self, secret: bytes, wall_s: Callable[[], float]) -> None:
        """``wall_s``: seconds since 1970."""
        self._secret = secret
        self._wall_s = wall_s
        self._last_us = 0
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def make(self, node_id: str) -> str:
        """A proof of a node, another one each time."""
        self._last_us = max(int(self._wall_s() * 1_000_000), self._last_us + 1)
        time = f"{self._last_us // 1_000_000}.{self._last_us % 1_000_000:06d}"
        return f"{time}.{digest.write(proof_sum(self._secret, node_id, time), digest.BASE64URL)}"

    def accepts(self, proof: str, node_id: str) -> bool:
        """Whether it is that of ``node_id``, of now, and has not been used."""
        found = _PROOF.fullmatch(proof)
        if found is None or abs(float(found.group(1)) - self._wall_s()) > WINDOW_S:
            return False
        got = digest.read(found.group(2), digest.BASE64URL)
        wanted = proof_sum(self._secret, node_id, found.group(1))
        if got is None or not digest.is_equal(got, wanted) or wanted in self._seen:
            return False
        self._seen[wanted] = None
        if len(self._seen) > MAX_REMEMBERED:
            self._seen.popitem(last=False)
        return True
