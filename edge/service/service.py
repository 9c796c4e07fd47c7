"""One service: a hub and its front door. Who may play and publish what is decided here, whatever they speak.

A process has one (origin or edge), or two with a merge tier.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from edge.errors import StreamBusyError
from edge.hub.config import HubConfig
from edge.hub.events import HubObserver
from edge.hub.feed import is_younger
from edge.hub.key import LIVE_REALM, PUBLISH_REALM, StreamKey, normalise_vhost
from edge.hub.publisher import Publisher
from edge.hub.registry import Registry
from edge.hub.stream import Stream
from edge.service.admission import HIDDEN, Admission, Asking
from edge.service.chronicle import Chronicle
from edge.service.grants import Play, Publish
from edge.service.lifetimes import Lifetimes
from edge.service.limits import Limits
from edge.service.names import BadNameError, StreamName, TcUrl, parse_stream_name
from edge.service.overload import OverloadGuard
from edge.service.paths import name_of_path
from edge.service.refusal import Reason, Refusal
from edge.service.request import Client, ConnectRequest, PlayRequest, PublishRequest
from edge.service.rules import Rulebook, Rules, one_for_all
from edge.service.source import Source, Standing
from edge.service.spans import NO_SPAN, SERVER, Span, SpanRing
from edge.service.story import Stories
from edge.service.watch import GrantWatcher

logger = logging.getLogger(__name__)

_PUBLISH_SUFFIX = ".pubproxy"


def _end_span(span: Span, result: Play | Publish | Refusal) -> None:
    """What was asked has been answered."""
    if span is NO_SPAN:
        return
    if isinstance(result, Refusal):
        span.end(result.reason.value)
        return
    stream = result.stream
    span.note(f"{'runs' if stream.has_begun else 'has nothing yet'}, {stream.player_count} players")
    span.end()


class Service(HubObserver):
    """Grants plays and publishes, and takes them back.

    Attributes:
        registry: its streams.
        source: where streams are pulled from and publishes pushed to; None on an origin.
        admission: the rules that may say no.
        rulebook: the settings of each stream, and which vhosts there are.
        lifetimes: what was let in for a time.
        proves: whether what a node says to prove that it is one of ours is right; each proof counts once.
        trusts: whether who connects from an address is a node of ours that cannot prove it.
        make_proof: makes such a proof of an id, "" where nodes prove nothing.
        chronicle: writes down what is decided here; ``chronicle.stories`` are read by ``report``.
        name: ``front`` or ``merge`` in a process with both, else "".
        service_id: names this service in hop lists; a request that bears it already has come back, and is refused.
        is_closed: no new clients are let in; those who are here are served on.
        is_draining: nor those who are here, for it is over: what they are told is no end of a broadcast.
        guard: says when the process has too much to do to let them in; None for never.
        limits: how many may be here.
        publishes: those that were granted, by publisher.
        spans: hears how long answers take; None for nobody.
        watchers: hear of grants, one after the other.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        hub: HubConfig,
        service_id: str,
        hostname: str,
        now_ms: Callable[[], int],
        soon: Callable[[Callable[[], None]], object],
        name: str = "",
        rulebook: Rulebook | None = None,
    ) -> None:
        """Open the door.

        Args:
            now_ms: the clock for answers that come later.
            soon: calls what it is given when this is over.
            rulebook: without one all streams have ``hub``.
        """
        self.registry = registry
        self.hub = hub
        self.name = name
        self.service_id = service_id
        self.hostname = hostname
        self.source: Source | None = None
        self.admission = Admission(hub.max_name_bytes)
        self.lifetimes = Lifetimes()
        self.proves: Callable[[str, str], bool] = lambda proof, node_id: False
        self.trusts: Callable[[str], bool] = lambda host: False
        self.make_proof: Callable[[str], str] = lambda node_id: ""
        self.rulebook = rulebook if rulebook is not None else one_for_all(hub)
        self.is_closed = self.is_draining = False
        self.guard: OverloadGuard | None = None
        self.spans: SpanRing | None = None
        self.publishes: dict[Publisher[Stream], Publish] = {}
        self.limits = Limits(registry, self.rulebook, self.rules_of, self.publishes)
        self.limits.trusts = lambda host: self.trusts(host)
        self.limits.believes_nodes = name == "merge"
        self.watchers: list[GrantWatcher] = []
        self._now_ms = now_ms
        self._soon = soon
        stories = Stories(registry.wall_ms)
        self.chronicle = Chronicle(stories, default_vhost=hub.default_vhost, default_app=hub.default_app)
        registry.observers += [self, self.chronicle]

    def reconfigure(self, hub: HubConfig) -> None:
        """Take other settings, for its streams too, whose rules the book has by now."""
        self.hub = hub
        self.admission.max_name_bytes = hub.max_name_bytes
        self.registry.reconfigure()

    def tick(self, now_ms: int) -> None:
        """Once a second."""
        self.lifetimes.tick(now_ms)

    @property
    def log_prefix(self) -> str:
        """What log lines of a process with two services begin with: the name and a space."""
        return f"{self.name} " if self.name else ""

    @property
    def lets_nobody_in(self) -> bool:
        """Whoever is new is sent away: the server is on its way out."""
        return self.is_closed or self.is_draining

    @property
    def is_edge(self) -> bool:
        """Streams of some vhost are pulled from, and publishes pushed to, somewhere else."""
        return self.source is not None

    def source_of(self, key: StreamKey) -> Source | None:
        """What stands behind a stream; None where this node is its origin."""
        source = self.source
        return source if source is not None and source.feeds(key) else None

    def rules_of(self, key: StreamKey) -> Rules:
        """What holds for a stream; of a vhost that nobody is served at any more, what does for the process."""
        return self.rulebook.rules_of(key) or self.rulebook.root

    def refuse_newcomer(self) -> Refusal | None:
        """Why one who has come just now is not let in, whatever he wants; he is counted."""
        return self.guard.refuse() if self.guard is not None else None

    def resolve(self, name: str, server_url: TcUrl, *, is_play: bool) -> StreamName | Refusal:
        """The stream that a client means by ``name`` at ``server_url``."""
        try:
            found = parse_stream_name(
                name,
                server_url,
                is_play=is_play,
                default_vhost=self.hub.default_vhost,
                default_app=self.hub.default_app,
                hostname=self.hostname,
                max_name_bytes=self.hub.max_name_bytes,
            )
        except BadNameError as error:
            return Refusal(Reason.BAD_NAME, str(error))
        return self._at_vhost(found) if self.rulebook.has_vhosts else found

    def resolve_path(self, host: str, path: str, query: str) -> StreamName | Refusal:
        """The stream that a client means by the path and query of an HTTP URL, see ``name_of_path``."""
        hub = self.hub
        try:
            found = name_of_path(
                host,
                path,
                query,
                default_vhost=hub.default_vhost,
                hostname=self.hostname,
                max_name_bytes=hub.max_name_bytes,
            )
        except BadNameError as error:
            return Refusal(Reason.BAD_NAME, str(error))
        return self._at_vhost(found) if self.rulebook.has_vhosts else found

    def _at_vhost(self, name: StreamName) -> StreamName | Refusal:
        """The same stream by the name of its vhost, which clients may know by others."""
        said = name.key.vhost
        vhost = self.rulebook.vhost_of(said)
        if vhost is None:
            return Refusal(Reason.NO_VHOST, f"nobody is served at {said}")
        return name if vhost == said else replace(name, key=name.key._replace(vhost=vhost))

    def _refuses_vhost(self, request: PlayRequest | PublishRequest) -> Refusal | None:
        """Its vhost may have gone while a rule waited for somebody else."""
        vhost = request.name.key.vhost
        if not self.rulebook.has_vhosts or self.rulebook.vhost_of(vhost) == vhost:
            return None
        return Refusal(Reason.NO_VHOST, f"nobody is served at {vhost}")

    def _begin_span(self, method: str, request: PlayRequest | PublishRequest) -> Span:
        """Begin the span of a request; what is done for the sake of that is for the sake of the span from here on."""
        if self.spans is None or not self.spans.are_made:
            return NO_SPAN
        client = request.client
        span = self.spans.begin(
            SERVER,
            method,
            str(self.admission.key_of(request)),
            peer=client.peer,
            log_id=client.number,
            hops=request.hops,
            parent=request.trace,
        )
        request.trace = span.context
        return span

    # --- connections ---------------------------------------------------------

    def vhost_at(self, server_url: TcUrl) -> str:
        """The vhost that a server URL means, by the name that streams bear; one that nobody is served at as it is."""
        vhost = normalise_vhost(
            server_url.host, server_url.vhost, default_vhost=self.hub.default_vhost, hostname=self.hostname
        )
        return self.rulebook.vhost_of(vhost) or vhost

    def connect(
        self,
        server_url: TcUrl,
        client: Client,
        then: Callable[[Refusal | None], None],
        *,
        move_to: Callable[[str], object] = lambda app: None,
    ) -> Asking:
        """Call ``then`` with why a client that has come to ``server_url`` may not stay, or with None.

        Before that ``move_to`` with the app that a rule has given it in place of its own. Within this call, unless a
        rule waits for somebody else.
        """
        request = ConnectRequest(client, self.vhost_at(server_url), server_url.app)

        def judged(refusal: Refusal | None) -> None:
            if refusal is not None:
                self.chronicle.refused_connect(request, refusal)
            elif request.app != server_url.app:
                move_to(request.app)
            then(refusal)

        return self.admission.ask_connect(request, judged)

    def disconnected(self, client: Client, received_bytes: int, sent_bytes: int) -> None:
        """The connection of a client that has asked by ``connect`` is over."""
        for watcher in self.watchers:
            watcher.on_disconnected(client, received_bytes, sent_bytes)

    def tell_bad_name(
        self, said: str, server_url: TcUrl, refusal: Refusal, client: Client, *, is_play: bool = False
    ) -> None:
        """Write down that a name may not be used, without what may be meant for a secret."""
        hub, url = self.hub, server_url
        vhost = normalise_vhost(url.host, url.vhost, default_vhost=hub.default_vhost, hostname=self.hostname)
        key = StreamKey(vhost, url.app or hub.default_app, "/".join((url.prefix, said.partition("?")[0])))
        meant = PlayRequest(client, StreamName(key)) if is_play else PublishRequest(client, StreamName(key))
        if self.admission.may_be_secret(meant):
            said, url = HIDDEN, replace(url, prefix="")
        self.chronicle.refused_name(said, url, refusal, client.peer)

    def export_client(self, client: Client) -> bytes:
        """What is kept of its having asked by ``connect``, for another process; b"" for nothing."""
        return next((data for watcher in self.watchers if (data := watcher.export_client(client))), b"")

    def resume_client(self, client: Client, data: bytes) -> None:
        """One that has asked in the process before this one; ``data`` is what was exported there."""
        if data:
            for watcher in self.watchers:
                watcher.resume_client(client, data)

    def hand_over_client(self, client: Client) -> None:
        """Another process goes on with it."""
        for watcher in self.watchers:
            watcher.on_client_moved(client)

    def _tell_refused(self, request: PlayRequest | PublishRequest, refusal: Refusal) -> None:
        """Write it down, without a name that may be a secret."""
        if self.admission.may_be_secret(request):
            request = replace(request, name=self.admission.shown(request.name, is_secret=True))
        self.chronicle.refused(request, refusal)

    # --- plays ---------------------------------------------------------------

    def play(self, request: PlayRequest, answer: Callable[[Play | Refusal], None], now_ms: int) -> Asking:
        """Call ``answer`` with a play that has joined its stream, or with why not.

        Within this call, unless a rule waits for somebody else. A play is given back by ``end_play``.
        """

        def judged(refusal: Refusal | None) -> None:
            restore()
            at_ms = now_ms if is_now else self._now_ms()
            result = self._admit_play(request, at_ms, now_ms) if refusal is None else refusal
            if isinstance(result, Refusal):
                self._tell_refused(request, result)
            _end_span(span, result)
            answer(result)

        span = self._begin_span("service.play", request)
        restore = self._judged_by_its_stream(request)

        is_now = True  # until this call is over
        asking = self.admission.ask(request, judged)
        is_now = False
        return asking

    def judge(
        self,
        request: PlayRequest | PublishRequest,
        answer: Callable[[Refusal | None], None],
        *,
        is_elsewhere: bool = False,
    ) -> Asking:
        """Call ``answer`` with why somebody may not have what others play already, or with None; nothing begins.

        Within this call, unless a rule waits for somebody else. ``is_elsewhere``: nor for others, but at another node.
        """

        def judged(refusal: Refusal | None) -> None:
            restore()
            if refusal is not None:
                self._tell_refused(request, refusal)
            elif is_elsewhere:
                for watcher in self.watchers:
                    watcher.on_judged(request)
            answer(refusal)

        restore = self._judged_by_its_stream(request)
        return (self.admission.ask if is_elsewhere else self.admission.ask_entry)(request, judged)

    def _judged_by_its_stream(self, request: PlayRequest | PublishRequest) -> Callable[[], None]:
        """Have rules asked about the stream of which a local copy is wanted: its suffix leads past none of them.

        Returns what gives the request its own name again.
        """
        key = request.name.key
        plain = key.stream_name.removesuffix(_PUBLISH_SUFFIX)
        if plain in ("", key.stream_name) or self.source_of(key) is None:
            return lambda: None
        request.name = replace(request.name, key=key._replace(stream_name=plain))
        request.suffix = f"{_PUBLISH_SUFFIX}{request.suffix}"

        def restore() -> None:
            judged = request.name.key
            stream_name = f"{judged.stream_name}{_PUBLISH_SUFFIX}"
            request.name = replace(request.name, key=judged._replace(stream_name=stream_name))
            request.suffix = request.suffix.removeprefix(_PUBLISH_SUFFIX)

        return restore

    def _admit_play(self, request: PlayRequest, now_ms: int, asked_ms: int) -> Play | Refusal:
        found = self._refuses_vhost(request) or self.limits.refuse_play(request) or self._stream_for(request, now_ms)
        if isinstance(found, Refusal):
            return found
        play = Play(request, found, now_ms, asked_ms=asked_ms)
        if play.ends_ms:
            self.lifetimes.add(play, play.ends_ms)
        self._join(play)
        return play

    def _join(self, play: Play) -> None:
        self.chronicle.joined(play)
        play.takes_place = self.limits.takes_place(play.client, play.name)
        self.registry.add_player(play.stream, play, is_internal=play.is_internal, takes_place=play.takes_place)
        for watcher in self.watchers:
            watcher.on_play(play)

    def tell_segment(self, name: StreamName, peer: str, size_bytes: int, *, is_hop: bool = False) -> None:
        """A segment of ``name``, or a part of one, is answered with; ``is_hop``: to a node of ours."""
        for watcher in self.watchers:
            watcher.on_segment(name.key, peer, size_bytes, is_internal=name.is_internal or is_hop)

    def pause_play(self, play: Play) -> None:
        """Its client wants nothing for now, and is still sent nothing else."""
        for watcher in self.watchers:
            watcher.on_play_paused(play)

    def end_play(self, play: Play, now_ms: int) -> None:
        """Its player has left."""
        for watcher in self.watchers:
            watcher.on_play_over(play)
        self.chronicle.left(play)
        registry, stream = self.registry, play.stream
        registry.remove_player(stream, now_ms, play, is_internal=play.is_internal, takes_place=play.takes_place)

    def _stream_for(self, request: PlayRequest, now_ms: int) -> Stream | Refusal:
        """The stream to play, or why there is none.

        A node of ours may wait on an origin for a publisher that has not come
        (it is told so): a whole tree then waits without asking again and again.
        """
        key = request.name.key
        stream = self.registry.find(key)
        if stream is not None and (not stream.feed.is_vacant or stream.pull is not None):
            return self._refuses_what_runs(stream, request) or stream
        source = self.source_of(key)
        if source is None:
            if request.client.is_hop:
                return self.registry.find_or_create(key, now_ms)
            return Refusal(Reason.NOT_FOUND, f"Fail to find key={key}")
        if key.stream_name.endswith(_PUBLISH_SUFFIX):
            plain = key.stream_name.removesuffix(_PUBLISH_SUFFIX)
            local = self.registry.find(key._replace(stream_name=plain, realm=PUBLISH_REALM))
            if local is not None:
                return local
        refusal = source.refuses(request.name, is_fetched=False)
        if refusal is not None:
            return refusal
        stream = self.registry.find_or_create(key, now_ms)
        refusal = source.begin(stream, request)
        if refusal is None and stream.end_reason is not None:
            # Given up already, before anybody could count as a player.
            refusal = Refusal(Reason.NOT_FOUND, stream.end_reason)
        return refusal or stream

    def _refuses_what_runs(self, stream: Stream, request: PlayRequest) -> Refusal | None:
        source = self.source_of(stream.key)
        if source is None:
            return None
        standing = source.standing(stream)
        # Nodes that began to pull from each other at once have all joined what the next one has.
        if not set(request.hops).isdisjoint(standing.via):
            return Refusal(Reason.LOOP, f"{Reason.LOOP.value}: {stream.key} comes from a node that asks for it")
        # What runs is one stream for all; before it does the upstream judges each query.
        return source.refuses(request.name, is_fetched=True) if standing.is_waiting else None

    def standing(self, stream: Stream, *, has_run: bool = False) -> Standing:
        """What a node of ours is told of a stream that it plays.

        That there is no publisher either an edge hands on only to a node that ``has_run``
        the stream: the others may wait as long as they like.
        """
        source = self.source_of(stream.key)
        if source is None:
            if stream.feed.is_vacant:
                return Standing(is_waiting=True, is_missing=True)
            return Standing(is_lost=stream.has_lost_publisher)
        standing = source.standing(stream)
        is_missing = has_run and standing.is_missing
        return standing._replace(is_missing=is_missing, is_lost=stream.has_lost_publisher)

    # --- publishes -----------------------------------------------------------

    def publish_key(self, key: StreamKey) -> StreamKey:
        """Where a publish is stored: apart from the live stream on an edge."""
        return key._replace(realm=PUBLISH_REALM if self.source_of(key) is not None else LIVE_REALM)

    def publish(self, request: PublishRequest, answer: Callable[[Publish | Refusal], None], now_ms: int) -> Asking:
        """Call ``answer`` with a publish whose publisher takes media, or with why not.

        Within this call, unless a rule waits for somebody else. A publish is given back by ``end_publish``.
        """

        def told(result: Publish | Refusal) -> None:
            _end_span(span, result)
            answer(result)

        def judged(refusal: Refusal | None) -> None:
            if refusal is not None:
                self._tell_refused(request, refusal)
                told(refusal)
            else:
                self._admit_publish(request, told, now_ms if is_now else self._now_ms())

        span = self._begin_span("service.publish", request)

        is_now = True  # until this call is over
        asking = self.admission.ask(request, judged)
        is_now = False
        return asking

    def _admit_publish(self, request: PublishRequest, answer: Callable[[Publish | Refusal], None], now_ms: int) -> None:
        client, key = request.client, self.publish_key(request.name.key)
        refusal = self._refuses_vhost(request) or self.limits.refuse_publish(request, key)
        if refusal is not None:
            self.chronicle.refused(request, refusal)
            answer(refusal)
            return
        try:
            claim = self.registry.claim_publisher(
                key,
                client.peer,
                now_ms,
                query=request.name.query,
                hops=request.hops,
                is_hop=client.is_hop,
                is_lost=request.is_lost,
            )
        except StreamBusyError as error:
            refusal = Refusal(Reason.BUSY, error.detail)
            self.chronicle.refused(request, refusal)
            answer(refusal)
            return
        publish = self.publishes[claim.publisher] = Publish(request, claim.publisher)
        if publish.ends_ms:
            self.lifetimes.add(publish, publish.ends_ms)
        self.chronicle.published(publish)
        answer(publish)
        if claim.replaced is not None:
            self._tell_replaced(claim.replaced, claim.publisher)
        self.registry.tell_published(publish.stream)
        for watcher in self.watchers:
            watcher.on_publish(publish)

    def end_publish(self, publish: Publish, now_ms: int, *, is_loss: bool = False, why: str = "") -> None:
        """It is over, or its connection broke without a word; ``why``, if that is known."""
        for watcher in self.watchers:
            watcher.on_publish_over(publish)
        if self.publishes.pop(publish.publisher, None) is not None:
            was_seen = publish.publisher.is_active
            self.chronicle.unpublished(publish, was_seen=was_seen, is_loss=is_loss, why=why)
        reason = f"publisher on key={publish.stream.key} is gone"
        self.registry.release_publisher(publish.publisher, now_ms, reason, is_loss=is_loss)

    # --- from one process to the next ----------------------------------------

    def resume_play(self, request: PlayRequest, stream: Stream, now_ms: int) -> Play:
        """A play that the process before this one has granted, at ``now_ms``; ``go_on`` follows all of these."""
        play = Play(request, stream, now_ms)
        if play.ends_ms:
            self.lifetimes.add(play, play.ends_ms)
        self._join(play)
        return play

    def resume_publish(self, request: PublishRequest, publisher: Publisher[Stream]) -> Publish:
        """The same of a publish, whose publisher is in its place already."""
        publish = self.publishes[publisher] = Publish(request, publisher)
        if publish.ends_ms:
            self.lifetimes.add(publish, publish.ends_ms)
        self.chronicle.published(publish)
        for watcher in self.watchers:
            watcher.on_publish(publish)
        return publish

    def go_on(self) -> None:
        """All that has been granted before is in its place: begin the pulls and pushes that it needs."""
        for stream in list(self.registry.streams.values()):
            if stream.publisher is not None:
                self.registry.tell_published(stream)
            elif stream.pull is None and stream.key.realm == LIVE_REALM:
                source, play = self.source_of(stream.key), next(stream.roster.plays(), None)
                if source is not None and play is not None:
                    source.begin(stream, PlayRequest(play.client, play.name))

    def hand_over_play(self, play: Play) -> None:
        """Another process goes on with it: what is counted here is over."""
        for watcher in self.watchers:
            watcher.on_moved(play)
            watcher.on_play_over(play)

    def hand_over_publish(self, publish: Publish) -> None:
        """The same of a publish; nobody stops it here any more."""
        for watcher in self.watchers:
            watcher.on_moved(publish)
            watcher.on_publish_over(publish)
        self.publishes.pop(publish.publisher, None)

    def stop_publisher(self, publisher: Publisher[Stream], refusal: Refusal) -> None:
        """It may not go on; nothing for one that has left."""
        publish = self.publishes.get(publisher)
        if publish is not None:
            publish.stop(refusal)

    def on_seen(self, stream: Stream, old: Publisher[Stream] | None, new: Publisher[Stream]) -> None:
        """A publisher that was muted is seen now, or one that is not seen comes."""
        if old is not None and is_younger(new, old):
            self._tell_replaced(old, new)
        else:
            logger.info("%spublisher %s of key=%s is seen again", self.log_prefix, new.peer, stream.key)
        self.registry.tell_published(stream)

    def _tell_replaced(self, old: Publisher[Stream], new: Publisher[Stream]) -> None:
        """``old`` is muted; it is told where that is to end it."""
        text = "%spublisher %s of key=%s replaced by %s and %s"
        is_ended = new.stream.config.stop_kickedoff_publisher
        fate = "ended" if is_ended else "muted"
        logger.warning(text, self.log_prefix, old.peer, new.stream.key, new.peer, fate)
        self.chronicle.replaced(old, new, is_ended=is_ended)
        if is_ended:
            refusal = Refusal(Reason.KICKED, f"Replaced by publisher from {new.peer}")
            # Later: the word may have come with a message of its own.
            self._soon(partial(self.stop_publisher, old, refusal))
