"""One RTMP service: a hub, and how connections reach it.

A process has one (origin or edge), or two with a merge tier. The service
resolves names, says what an absent stream means, and knows whether publishes
are forwarded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from edge.hub.config import HubConfig
from edge.hub.events import HubObserver
from edge.hub.feed import is_younger
from edge.hub.key import LIVE_REALM, PUBLISH_REALM, StreamKey
from edge.hub.publisher import Publisher
from edge.hub.registry import Registry
from edge.hub.roster import Refusal
from edge.hub.stream import Stream
from edge.net.context import NetContext
from edge.net.rtmp_form import RtmpForms
from edge.rtmp.commands import KICKED, PROXY_LOOP
from edge.rtmp.config import RtmpConfig
from edge.rtmp.events import ResumePoint
from edge.service.names import StreamName, TcUrl, parse_stream_name

if TYPE_CHECKING:
    from edge.net.rtmp_server import RtmpServerConnection

logger = logging.getLogger(__name__)

_PUBLISH_SUFFIX = ".pubproxy"


class RtmpService(HubObserver):
    """What a server connection needs to know of the node it is part of.

    Attributes:
        is_edge: streams are pulled from, and publishes pushed to, an upstream.
        name: ``front`` or ``merge`` in a process with both, else "".
        service_id: names this service in hop lists; a request that bears it already has come back, and is refused.
        is_draining: new connections are refused at ``connect``.
        publishers: connections that publish.
        why_missing: reason to refuse a play for now (negative cache, limits), or None to try.
        why_refused: the refusal that the upstream has just given to the query of a play, or None.
        is_waiting: whether a stream is being pulled and no data of it has come yet.
        is_missing: whether the origin up the way has said that it has no publisher of a stream, which waits there.
        via_of: ids of the services of ours that a pulled stream comes through, the nearest first.
        request_pull: begins to pull a stream for a play with these hops and this resume point; None on an origin.
    """

    def __init__(
        self,
        context: NetContext,
        registry: Registry,
        *,
        hub: HubConfig,
        rtmp: RtmpConfig,
        service_id: str,
        hostname: str,
        is_edge: bool,
        name: str = "",
    ) -> None:
        self.context = context
        self.registry = registry
        self.hub = hub
        self.rtmp = rtmp
        self.name = name
        self.service_id = service_id
        self.hostname = hostname
        self.is_edge = is_edge
        self.is_draining = False
        self.forms = RtmpForms(rtmp.rtmp_server_chunk_size)
        self.publishers: set[RtmpServerConnection] = set()
        self.why_missing: Callable[[StreamName], str | None] = lambda request: None
        self.why_refused: Callable[[StreamName], Refusal | None] = lambda request: None
        self.is_waiting: Callable[[Stream], bool] = lambda stream: False
        self.is_missing: Callable[[Stream], bool] = lambda stream: False
        self.via_of: Callable[[Stream], tuple[str, ...]] = lambda stream: ()
        registry.observers.append(self)
        self.request_pull: Callable[[Stream, StreamName, tuple[str, ...], ResumePoint | None], None] | None = None

    @property
    def log_prefix(self) -> str:
        """What log lines of a process with two services begin with: the name and a space."""
        return f"{self.name} " if self.name else ""

    def resolve(self, name: str, tc_url: TcUrl, *, is_play: bool) -> StreamName:
        """The stream that a play or publish name means.

        Raises:
            BadNameError: the name may not be used.
        """
        return parse_stream_name(
            name,
            tc_url,
            is_play=is_play,
            default_vhost=self.hub.default_vhost,
            default_app=self.hub.default_app,
            hostname=self.hostname,
            max_name_bytes=self.hub.max_name_bytes,
        )

    def waiting_info(self, stream: Stream, *, has_run: bool = False) -> dict[str, object] | None:
        """What a node of ours is told of a stream: that it has no data yet, and its way.

        ``missing``: it has no publisher either; ``lost``: the connection of its publisher broke, here or on the way.
        An edge hands on the former to a node that ``has_run`` the stream: the others may wait as long as they like.
        """
        if not self.is_edge and stream.feed.is_vacant:
            return {"waiting": True, "missing": True}
        info: dict[str, object] = {"waiting": True} if self.is_waiting(stream) else {}
        if has_run and self.is_missing(stream):
            info["missing"] = True
        if stream.has_lost_publisher:
            info["lost"] = True
        via = self.via_of(stream)
        if via:
            info["via"] = ",".join(via)
        return info or None

    def tell_replaced(self, old: Publisher, new: Publisher) -> None:
        """``old`` is muted; it is told where that is to end it."""
        text = "%spublisher %s of key=%s replaced by %s and %s"
        fate = "ended" if self.hub.stop_kickedoff_publisher else "muted"
        logger.warning(text, self.log_prefix, old.peer, new.stream.key, new.peer, fate)
        if self.hub.stop_kickedoff_publisher and old.on_stopped is not None:
            text = f"{KICKED}: Replaced by publisher from {new.peer}"
            # Later: the word may have come with a message of its own.
            self.context.loop.call_soon(old.on_stopped, "NetStream.Publish.BadName", text, "kicked")

    def on_seen(self, stream: Stream, old: Publisher | None, new: Publisher) -> None:
        """A publisher that was muted is seen now, or one that is not seen comes."""
        if old is not None and is_younger(new, old):
            self.tell_replaced(old, new)
        else:
            logger.info("%spublisher %s of key=%s is seen again", self.log_prefix, new.peer, stream.key)
        self.registry.tell_published(stream)

    def publish_key(self, key: StreamKey) -> StreamKey:
        """Where a publish is stored: apart from the live stream on an edge."""
        return key._replace(realm=PUBLISH_REALM if self.is_edge else LIVE_REALM)

    def stream_for_play(
        self,
        request: StreamName,
        hops: tuple[str, ...],
        now_ms: int,
        *,
        is_hop: bool = False,
        resume: ResumePoint | None = None,
    ) -> Stream | Refusal | str:
        """The stream to play, or why there is none.

        A node of ours may wait on an origin for a publisher that has not come
        (it is told so): a whole tree then waits without asking again and again.
        ``resume`` is where the player stopped; a new pull asks its own upstream
        for what this node does not hold.
        """
        key = request.key
        stream = self.registry.find(key)
        if stream is not None and (not stream.feed.is_vacant or stream.pull is not None):
            # Nodes that began to pull from each other at once have all joined what the next one has.
            if not set(hops).isdisjoint(self.via_of(stream)):
                return f"{PROXY_LOOP}: {key} comes from a node that asks for it"
            # What runs is one stream for all; before it does the upstream judges each query.
            return (self.why_refused(request) if self.is_waiting(stream) else None) or stream
        if not self.is_edge and is_hop:
            return self.registry.find_or_create(key, now_ms)
        if not self.is_edge:
            return f"Fail to find key={key}"
        if key.stream_name.endswith(_PUBLISH_SUFFIX):
            plain = key.stream_name.removesuffix(_PUBLISH_SUFFIX)
            local = self.registry.find(key._replace(stream_name=plain, realm=PUBLISH_REALM))
            if local is not None:
                return local
        why = self.why_refused(request) or self.why_missing(request)
        if why is not None:
            return why
        stream = self.registry.find_or_create(key, now_ms)
        if self.request_pull is not None:
            self.request_pull(stream, request, hops, resume)
        # With nobody to ask and no retries the pull has given up already, before anybody could count as a player.
        return stream if stream.end_reason is None else stream.end_reason
