"""What the RTMP connections of one service have in common."""

from __future__ import annotations

from edge.net.context import NetContext
from edge.net.rtmp.form import RtmpForms
from edge.net.rtmp.ingest import IngestTicker
from edge.rtmp.config import RtmpConfig
from edge.service.service import Service
from edge.service.source import Standing


class RtmpService:
    """A service as it is reached by RTMP.

    Attributes:
        service: who may play and publish what.
        ingest: reads the connections that publish.
        forms: how streams are sent to players.
    """

    def __init__(self, context: NetContext, service: Service, config: RtmpConfig) -> None:
        self.context = context
        self.service = service
        self.config = config
        self.forms = RtmpForms(config.rtmp_server_chunk_size)
        self.ingest = IngestTicker(context)


def waiting_info(standing: Standing) -> dict[str, object] | None:
    """What the answer to a play tells a node of ours beside yes; None where there is nothing to tell."""
    info: dict[str, object] = {"waiting": True} if standing.is_waiting else {}
    if standing.is_missing:
        info["missing"] = True
    if standing.is_lost:
        info["lost"] = True
    if standing.via:
        info["via"] = ",".join(standing.via)
    return info or None
