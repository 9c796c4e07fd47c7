"""Content steering over HTTP: the tag in master playlists, the manifest at ``/-/steer``, and the state of this node."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from typing import cast
from urllib.parse import quote

from aiohttp import web

from edge.hls.playlist import ContentSteering
from edge.httpd.connection import HttpConnection
from edge.httpd.hls_answers import bad_request
from edge.httpd.hls_delivery import DeliveryWatch
from edge.httpd.routes import Route, Target
from edge.httpd.siblings import STATE_PATH, Siblings, encode_state
from edge.httpd.status import NEVER_CACHED
from edge.net.aio import now_ms, wall_ms
from edge.quality.audience import MAX_ID_CHARS, Audience
from edge.quality.cmcd import Value, text_of
from edge.quality.config import QualityConfig
from edge.quality.steering import (
    STABLE_VARIANT_ID,
    STEER_PATH,
    Pathway,
    Viewer,
    manifest,
    order,
    pathway_id,
    steer_query,
)
from edge.service.service import Service
from naming.base import NamingOptions

#: Path and query of a media playlist of ours, as they are encoded.
_VARIANT = re.compile(r"(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:@/%-]+\.media\.m3u8)(?:\?(?P<query>[!-~]*))?", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9._-]{1,300}", re.ASCII)
_JSON = "application/json"
#: A stall that was reported so many rounds ago, or less, is one of the present.
_LATELY_ROUNDS = 2
_PATHWAY = "_HLS_pathway"


class Steering:
    """Sends viewers to the other nodes, and back.

    Attributes:
        deliveries: as given.
    """

    def __init__(
        self,
        config: QualityConfig,
        services: Mapping[str, Service],
        siblings: Siblings,
        audience: Audience,
        deliveries: DeliveryWatch,
    ) -> None:
        """``audience``: who has stalled lately; ``deliveries``: told of all media that viewers are sent."""
        self._config = config
        self._services = services
        self._siblings = siblings
        self._audience = audience
        self.deliveries = deliveries
        self._away_count = 0

    def routes(self) -> list[Route]:
        """For players, and for the other nodes."""
        return [
            Route(STEER_PATH, self.steer, is_guarded=False, is_cors=True),
            Route(STATE_PATH, self.state, is_guarded=False),
        ]

    def reconfigure(self, naming: NamingOptions) -> None:
        """Ask for the others by other settings from now on."""
        self._siblings.reconfigure(naming)

    @property
    def siblings(self) -> tuple[str, ...]:
        """Base URLs of all nodes that players may be sent to."""
        return self._siblings.base_urls()

    def counters(self) -> dict[str, float]:
        """For pages and metrics."""
        own = {"hls_steered_away_count": self._away_count}
        return {**self._siblings.counters(), **self.deliveries.counters(), **own}

    async def close(self) -> None:
        """The server ends."""
        self.deliveries.close()
        await self._siblings.close()

    def tag(
        self, request: web.BaseRequest, target: Target, *, path: str, query: str, report: Mapping[str, Value] | None
    ) -> ContentSteering:
        """For a master playlist.

        Args:
            request: for it.
            target: likewise.
            path: of its media playlist, decoded.
            query: of that, encoded.
            report: what the player has said of itself, as the id of its session.
        """
        viewer = text_of(report or {}, "sid", max_chars=MAX_ID_CHARS) or secrets.token_hex(8)
        home = self._own(request).id
        variant = f"{quote(path)}{f'?{query}' if query else ''}"
        asked = steer_query(home=home, viewer=viewer, variant=variant)
        # Relative, since a proxy may have put a prefix before all paths.
        up = "../" * (target.path.count("/") - 1)
        return ContentSteering(f"{up}{STEER_PATH.removeprefix('/')}?{asked}", home, STABLE_VARIANT_ID)

    async def steer(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        """The steering manifest for one viewer."""
        home, viewer_id = target.argument("home") or "", target.argument("viewer") or ""
        variant = _VARIANT.fullmatch(target.argument("variant") or "")
        is_known = _ID.fullmatch(home) and 0 < len(viewer_id) <= MAX_ID_CHARS
        if variant is None or not is_known:
            return bad_request("home, viewer or variant make no sense")
        config, now_s = self._config, wall_ms() // 1000
        own, at = self._own(request), target.argument(_PATHWAY) or ""
        until_s = min(_seconds(target.argument("until")), now_s + config.hls_steer_hold_s)
        if own.id == home and at in (home, "") and self._has_stalled(viewer_id):
            until_s = now_s + config.hls_steer_hold_s
        is_away = until_s > now_s
        viewer = Viewer(viewer_id, home, at, is_away)
        ordered = order(viewer, [own, *(each for each in self._siblings.others() if each.id != own.id)])
        if ordered[0].id != home:
            self._away_count += 1
        body = manifest(
            viewer,
            ordered,
            path=variant["path"],
            query=variant["query"] or "",
            reload=steer_query(home=home, viewer=viewer_id, variant=variant[0], until_s=until_s if is_away else 0),
            ttl_s=config.hls_steer_ttl_s,
        )
        return web.Response(text=json.dumps(body), content_type=_JSON, headers=NEVER_CACHED)

    async def state(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        """What other nodes ask."""
        service = self._services[cast(HttpConnection, request.protocol).role]
        body = encode_state(service.service_id, self._siblings.share)
        return web.Response(body=body, content_type=_JSON, headers=NEVER_CACHED)

    def _own(self, request: web.BaseRequest) -> Pathway:
        """This node; while it does not know its base URL it is called as the viewer calls it."""
        base = self._siblings.own_base()
        name = base or f"http://{request.headers.get('Host', '')}"
        return Pathway(pathway_id(name), base, self._siblings.share)

    def _has_stalled(self, viewer_id: str) -> bool:
        session = self._audience.session(viewer_id)
        if session is None or session.stalled_at_ms is None:
            return False
        passed_ms = now_ms() - session.stalled_at_ms
        return passed_ms <= _LATELY_ROUNDS * self._config.hls_steer_ttl_s * 1000


def _seconds(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 12 else 0
