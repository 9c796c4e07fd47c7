"""What a client of content steering decides without I/O (RFC 8216bis §7): which pathway, what is asked next."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from tests.harness.m3u8_model import Multivariant, PlaylistError

_MEMBERS = {"VERSION": int, "TTL": int, "RELOAD-URI": str, "PATHWAY-PRIORITY": list, "PATHWAY-CLONES": list}


@dataclass(slots=True)
class Steering:
    """Follows the manifest of one playback.

    Attributes:
        uri: where the next one is; absolute.
        pathway: what is played from.
        variants: URI of the media playlist by pathway; absolute.
        ttl_s: after which the next one is asked for.
        moves: pathways that were moved to, in order.
    """

    uri: str
    pathway: str
    variants: dict[str, str]
    stable_ids: dict[str, str | None]
    ttl_s: int = 300
    moves: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, playlist: Multivariant, url: str) -> Steering | None:
        """For the playlist at ``url``; None for one without steering."""
        if playlist.steering is None:
            return None
        first: dict[str, Any] = {}
        for variant in playlist.variants:
            first.setdefault(variant.pathway_id, variant)
        return cls(
            urljoin(url, playlist.steering.server_uri),
            playlist.steering.pathway_id or playlist.variants[0].pathway_id,
            {name: urljoin(url, variant.uri) for name, variant in first.items()},
            {name: variant.stable_variant_id for name, variant in first.items()},
        )

    @property
    def question(self) -> str:
        """URL of the next manifest, with what the server is to be told (§7.1)."""
        parts = urlsplit(self.uri)
        said = f"_HLS_pathway={quote(self.pathway, safe='')}&_HLS_throughput=5000000"
        return urlunsplit(parts._replace(query=f"{parts.query}&{said}" if parts.query else said))

    @property
    def media_url(self) -> str:
        """The media playlist of the present pathway."""
        return self.variants[self.pathway]

    def take(self, body: bytes) -> None:
        """A manifest; raises PlaylistError for one that breaks a rule."""
        try:
            found = json.loads(body)
        except ValueError as error:
            raise PlaylistError(0, f"no steering manifest: {error}") from None
        if not isinstance(found, dict) or found.get("VERSION") != 1:
            raise PlaylistError(0, f"no steering manifest of version 1: {found!r}")
        for name, value in found.items():
            if name not in _MEMBERS or type(value) is not _MEMBERS[name]:
                raise PlaylistError(0, f"member {name} may not be {value!r}")
        self.ttl_s = found["TTL"]
        if "RELOAD-URI" in found:
            self.uri = urljoin(self.question, found["RELOAD-URI"])
        for clone in found.get("PATHWAY-CLONES", ()):
            self._clone(clone)
        priority = found["PATHWAY-PRIORITY"]
        if not priority or len(set(priority)) < len(priority):
            raise PlaylistError(0, f"PATHWAY-PRIORITY may not be {priority!r}")
        known = [name for name in priority if name in self.variants]
        if known and known[0] != self.pathway:
            self.pathway = known[0]
            self.moves.append(self.pathway)

    def _clone(self, clone: dict[str, Any]) -> None:
        if set(clone) != {"BASE-ID", "ID", "URI-REPLACEMENT"}:
            raise PlaylistError(0, f"a clone may not be {clone!r}")
        base, replacement = clone["BASE-ID"], clone["URI-REPLACEMENT"]
        if base not in self.variants:
            raise PlaylistError(0, f"a clone of {base!r}, of which there is no variant")
        stable_id = self.stable_ids[base]
        uris = replacement["PER-VARIANT-URIS"]
        if set(replacement) != {"PER-VARIANT-URIS"} or set(uris) != {stable_id}:
            raise PlaylistError(0, f"{replacement!r} does not replace the variant {stable_id!r}")
        if clone["ID"] not in self.variants:
            self.variants[clone["ID"]], self.stable_ids[clone["ID"]] = uris[stable_id], stable_id
