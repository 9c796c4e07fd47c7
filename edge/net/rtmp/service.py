"""What the RTMP connections of one service have in common."""

from __future__ import annotations

from edge.hub.stream import Stream
from edge.net.context import NetContext
from edge.net.rtmp.form import RtmpForms
from edge.net.rtmp.ingest import IngestTicker
from edge.net.rtmp.why import WhyDesk
from edge.rtmp.config import RtmpConfig
from edge.service.service import Service
from edge.service.source import Standing


class RtmpService:
    """A service as it is reached by RTMP.

    Attributes:
        service: who may play and publish what.
        ingest: reads the connections that publish.
        forms: how streams are sent to players.
        why_desk: answers why a stream plays or does not.
    """

    def __init__(self, context: NetContext, service: Service, config: RtmpConfig) -> None:
        self.context = context
        self.service = service
        self.config = config
        self.forms = RtmpForms(config.rtmp_server_chunk_size)
        self.ingest = IngestTicker(context)
        self.why_desk = WhyDesk(service, context.now_ms)


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


def resume_info(stream: Stream) -> dict[str, object]:
    """What the answer to a publish tells a node of ours beside yes: from which frame on it is wanted."""
    if stream.epoch is None:
        return {}
    info: dict[str, object] = {"epoch": stream.epoch.id, "nextIndex": stream.epoch.next_index}
    if not stream.has_begun:  # it was only announced, and we have no headers of it
        info["isFresh"] = True
    return info
