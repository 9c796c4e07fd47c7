"""Where a viewer of HLS is to play: content steering (RFC 8216bis §7) without a memory of viewers.

Each node is a pathway. A viewer's *home* is the node that it began at; it is there whenever the home is well for it. A
node tells which share of viewers it does not want: 1 while it drains, a part while it is loaded. Whether a viewer is of
that part its id decides, so that all nodes say the same of it without asking each other; which of the others takes it
too, so that those of one node spread over all.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

#: Of the one variant of our playlists, by which a pathway's URI is given.
STABLE_VARIANT_ID = "1"
STEER_PATH = "/-/steer"
_NOT_IN_ID = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class Pathway:
    """A node that viewers may play from.

    Attributes:
        id: the same on all nodes.
        base: its base URL; "" of the node that answers, where that does not know its own.
        share: the part of viewers that it does not want.
    """

    id: str
    base: str
    share: float = 0.0

    def is_well_for(self, viewer: str) -> bool:
        """Whether the viewer is not of that part."""
        return self.share <= 0 or (self.share < 1 and place_of(viewer) >= self.share)


def pathway_id(base: str) -> str:
    """The id of a node by its base URL: what may stand in one (RFC 8216bis §4.4.6.2) of host, port and prefix."""
    parts = urlsplit(base)
    return _NOT_IN_ID.sub("_", f"{parts.netloc}{parts.path}".strip("[]/")) or "_"


def place_of(viewer: str) -> float:
    """Where an id stands among all, from 0 up to 1."""
    return _hash(viewer) / 2**64


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks.

    Attributes:
        id: of the session.
        home: pathway that it began at.
        at: pathway that it plays from; "" where it does not say.
        is_away: its home has not done it well lately, so that it is to be elsewhere for a while.
    """

    id: str
    home: str
    at: str = ""
    is_away: bool = False


def order(viewer: Viewer, pathways: Sequence[Pathway]) -> list[Pathway]:
    """The pathways, the one to play from first; the others for when that fails."""

    def rank(pathway: Pathway) -> tuple[bool, int, int]:
        is_home = pathway.id == viewer.home
        if is_home:
            group = 4 if viewer.is_away else 0
        elif pathway.id == viewer.at:
            group = 1
        else:
            group = 2 if pathway.share <= 0 else 3
        return not pathway.is_well_for(viewer.id), group, _hash(f"{viewer.id} {pathway.id}")

    return sorted(pathways, key=rank)


def manifest(
    viewer: Viewer, ordered: Sequence[Pathway], *, path: str, query: str, reload: str, ttl_s: int
) -> dict[str, Any]:
    """The steering manifest (RFC 8216bis §7.1).

    Args:
        viewer: who asks.
        ordered: as ``order`` has them.
        path, query: of the media playlist, the same on all nodes; encoded.
        reload: query with which the manifest is asked for next, at the node that comes first.
        ttl_s: after how long.
    """
    variant = f"{path}{f'?{query}' if query else ''}"
    first = ordered[0]
    return {
        "VERSION": 1,
        "TTL": ttl_s,
        "RELOAD-URI": f"{first.base}{STEER_PATH if first.base else ''}?{reload}",
        "PATHWAY-PRIORITY": [pathway.id for pathway in ordered],
        "PATHWAY-CLONES": [
            {
                "BASE-ID": viewer.home,
                "ID": pathway.id,
                "URI-REPLACEMENT": {"PER-VARIANT-URIS": {STABLE_VARIANT_ID: f"{pathway.base}{variant}"}},
            }
            for pathway in ordered
            if pathway.base and pathway.id != viewer.home
        ],
    }


def steer_query(*, home: str, viewer: str, variant: str, until_s: int = 0) -> str:
    """The query of a steering request, with what its answer depends on.

    Args:
        home: pathway that the viewer began at.
        viewer: id of the session.
        variant: path and query of the media playlist, encoded.
        until_s: Unix time until which the viewer is to be away from its home; 0 for not at all.
    """
    words = {"home": home, "viewer": viewer, "variant": variant}
    words |= {"until": str(until_s)} if until_s else {}
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in words.items())
