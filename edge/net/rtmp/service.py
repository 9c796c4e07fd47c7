"""What the RTMP connections of one service have in common."""

from __future__ import annotations

from edge.hub.stream import Stream
from edge.net.context import NetContext
from edge.net.rtmp.form import RtmpForms
from edge.net.rtmp.ingest import IngestTicker
from edge.net.rtmp.may import MayDesk
from edge.net.rtmp.why import WhyDesk
from edge.rtmp.config import RtmpConfig
from edge.service.names import TcUrl
from edge.service.service import Service
from edge.service.source import Standing


class RtmpService:
    """A service as it is reached by RTMP.

    Attributes:
        service: who may play and publish what.
        ingest: reads the connections that publish.
        why_desk: answers why a stream plays or does not.
        may_desk: answers other nodes whether clients of theirs may.
    """

    def __init__(self, context: NetContext, service: Service, config: RtmpConfig) -> None:
        self.context = context
        self.service = service
        self.config = config
        self._forms: dict[int, RtmpForms] = {}
        self.ingest = IngestTicker(context)
        self.why_desk = WhyDesk(service, context.now_ms)
        self.may_desk = MayDesk(service)

    def config_at(self, server_url: TcUrl) -> RtmpConfig:
        """What is announced to a client that has come to ``server_url``."""
        if not self.service.rulebook.has_vhosts:
            return self.config
        rules = self.service.rulebook.rules_at(self.service.vhost_at(server_url))
        return rules.of(RtmpConfig) if rules is not None else self.config

    def forms_of(self, chunk_size: int) -> RtmpForms:
        """How streams are sent to players with chunks of this size; made once, so that they share their logs."""
        forms = self._forms.get(chunk_size)
        if forms is None:
            forms = self._forms[chunk_size] = RtmpForms(chunk_size)
        return forms


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
