"""All pulls and pushes of an edge service."""

from __future__ import annotations

import logging
import random
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from edge.errors import NoServerError
from edge.hub.events import HubObserver
from edge.hub.histogram import Histogram
from edge.hub.key import LIVE_REALM, PUBLISH_REALM, StreamKey
from edge.hub.roster import Admitted
from edge.hub.stream import Stream
from edge.net.aio import TaskOwner, spawn, wall_ms
from edge.net.config import TlsConfig
from edge.net.rtmp.client import LinkEnd, RtmpClientConnection
from edge.net.rtmp.service import RtmpService
from edge.rtmp.config import RtmpConfig
from edge.service.grants import Play
from edge.service.insight import Insight
from edge.service.names import StreamName
from edge.service.refusal import Reason, Refusal
from edge.service.request import PlayRequest
from edge.service.source import NodePlace, Standing
from edge.upstream.aims import Aims
from edge.upstream.config import UpstreamConfig
from edge.upstream.players import NOT_FOUND, PlayersLink
from edge.upstream.pool import UpstreamPool
from edge.upstream.pull import Pull
from edge.upstream.push import Push
from edge.upstream.rebalance import Rebalancer
from edge.upstream.target import Target
from edge.upstream.telling import LinkStory, insight_of
from edge.upstream.tls import UpstreamTls
from edge.upstream.words import PUBLISHER_GONE, meaning_for_player, told
from naming.base import NamingError, NamingOptions
from naming.endpoint import is_ip
from naming.node import ServerNode
from naming.resolver import Resolver
from naming.watcher import Watcher

logger = logging.getLogger(__name__)

_MAX_MISSING = 10000
_FIRST_ANSWER_MS = 5000
_AS_IT_SHOULD_BE = Standing()
_QUERY_SIGNS = frozenset("?&=#%+")
# Rounds of a naming service without an answer; empty answers not applied; answers with unusable parts.
_NAMING_COUNTS = ("failed", "empty", "skipped")


class UpstreamManager(HubObserver):
    """Starts a pull for the first player of a stream and a push for every publisher, and ends them.

    Attributes:
        aims: where streams come from and publishes go to.
        pool: connections to them.
        story: what is told of pulls and pushes.
        pulls, pushes: by stream key.
        connect_ms: from the beginning of an attempt, its connection's included, to the upstream's yes; milliseconds.
    """

    def __init__(
        self,
        rtmp: RtmpService,
        config: UpstreamConfig,
        *,
        pull_target: Target | None,
        push_target: Target | None,
        tls: UpstreamTls | None = None,
        naming: NamingOptions | None = None,
        new_target: Callable[[UpstreamConfig], Target | None] = lambda _: None,
        is_front: bool = False,
    ) -> None:
        """Feed a service.

        Args:
            pull_target, push_target: of streams of no vhost; None of an origin.
            tls: of the process, for servers that are reached over TLS; by default the CAs of the system.
            new_target, is_front: see ``Aims``.
        """
        self.service = service = rtmp.service
        self.context = rtmp.context
        self.forms = rtmp.forms_of(rtmp.config.rtmp_server_chunk_size)
        self.config = config
        self.aims = Aims(
            config, pull_target, push_target, new_target=new_target, on_new=self._begin_target, is_front=is_front
        )
        self.pool = UpstreamPool(
            rtmp.context,
            rtmp.config,
            tls or UpstreamTls(TlsConfig()),
            edge_id=service.service_id,
            prove=lambda node_id: service.make_proof(node_id),
            timeout_ms=config.timeout_ms,
            why_desk=rtmp.why_desk,
        )
        self.pool.on_leaving = self._on_leaving
        self.connect_ms = Histogram()
        self.story = LinkStory(service.chronicle.stories)
        self.pulls: dict[StreamKey, Pull] = {}
        self.pushes: dict[StreamKey, Push] = {}
        self.jitter = random.random
        self.wall_ms = wall_ms
        self._rebalancer = Rebalancer(
            after_ms=config.rebalance_after_ms,
            moves_per_call=config.max_connects_per_s,
            jitter=lambda: self.jitter(),
        )
        self._resolver = _resolver_by(naming or NamingOptions())
        self._tasks = TaskOwner("upstream")
        self._missing: OrderedDict[StreamKey, tuple[int, Refusal]] = OrderedDict()
        # Until when, by key and query: what the upstream said of that query, and of no other.
        self._refused: OrderedDict[tuple[StreamKey, str], tuple[int, Refusal]] = OrderedDict()
        # Pulls that ended without data lately, until when: a play that comes back for one may be its own echo.
        self._in_vain: OrderedDict[StreamKey, int] = OrderedDict()
        # By endpoint: the tag of a server, such as its weight, may change while it fails.
        self._failing: set[str] = set()
        self._next_connect_ms: dict[str, int] = {}
        self._rounds = (0, 0)  # the second of the last one, and how many were made in it
        self.gave_up_count = 0
        self._past_attempts = 0  # of pulls and pushes that are over
        for target in self.targets:
            target.on_found = self._on_found
        service.source = self
        service.registry.observers.append(self)

    def reconfigure(self, rtmp: RtmpConfig, config: UpstreamConfig, naming: NamingOptions) -> None:
        """Take other settings, for pulls and pushes that run too."""
        self.config = config
        self.pool.reconfigure(rtmp, config.timeout_ms)
        self._rebalancer.moves_per_call = config.max_connects_per_s
        self._resolver = _resolver_by(naming)
        self.aims.reconfigure(config)
        for target in self.targets:
            target.reconfigure(config, naming)
        for link in (*self.pulls.values(), *self.pushes.values()):
            of_vhost = self.config_of(link.key)
            link.policy.reconfigure(of_vhost)
            other = self.aims.pull_of(of_vhost) if isinstance(link, Pull) else self.aims.push_of(of_vhost)
            if other is not None:  # what has become an origin's goes on as it is
                link.aim(other)
        self.aims.keep(rules.of(UpstreamConfig) for rules in self.service.rulebook.all_rules())
        self._end_targets()

    def aim(self, other: Target, naming: NamingOptions) -> None:
        """Have the targets that follow the same flag as ``other`` follow its servers, in its way.

        Pulls and pushes stay where they run; one whose server is not among the new ones moves as when it leaves a list.
        """
        for target in self.aims.of_process:
            if target.flag == other.flag:
                spawn(self._exchange(target, target.aim(other, naming)), name="aim", owner=self._tasks)

    async def _exchange(self, target: Target, left: Watcher | None) -> None:
        if left is not None:
            await left.close()
        await target.start(within_ms=_FIRST_ANSWER_MS)

    def _begin_target(self, target: Target) -> None:
        """One of a vhost, which is followed from now on."""
        target.on_found = self._on_found
        spawn(target.start(within_ms=_FIRST_ANSWER_MS), name="follow", owner=self._tasks)

    def _end_targets(self) -> None:
        """Those of vhosts that are of no use any more are followed no longer."""
        used = (link.target for link in (*self.pulls.values(), *self.pushes.values()))
        for target in self.aims.take_unused(used):
            spawn(target.close(), name="forget", owner=self._tasks)

    def config_of(self, key: StreamKey) -> UpstreamConfig:
        """What holds for the pull or push of a stream."""
        return self.service.rules_of(key).of(UpstreamConfig)

    def feeds(self, key: StreamKey) -> bool:
        """Whether a stream comes from, and is pushed, somewhere else."""
        if not self.service.rulebook.has_vhosts:
            return self.aims.pull is not None
        return self.aims.pull_of(self.config_of(key)) is not None

    def target_of(self, key: StreamKey, *, is_play: bool) -> Target:
        """Where a stream that is fed comes from, or goes to."""
        config = self.config_of(key)
        target = self.aims.pull_of(config) if is_play else self.aims.push_of(config)
        if target is None:
            raise NoServerError(f"key={key} has no upstream")
        return target

    @property
    def has_answer(self) -> bool:
        """The naming services have answered once."""
        return all(target.has_answer or target.why_unusable for target in self.targets)

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets, each once."""
        return tuple(self.aims)

    async def start(self) -> None:
        """Follow the servers."""
        for target in self.targets:
            if not await target.start(within_ms=_FIRST_ANSWER_MS):
                shown = target.address.shown
                logger.warning("%sno servers of %s yet", self.service.log_prefix, shown, extra={"cause": shown})

    def new_id(self) -> str:
        """Id of an epoch that this node begins (a foreign upstream has none)."""
        return secrets.token_hex(8)

    # --- names ---------------------------------------------------------------

    def _may_unify(self, key: StreamKey) -> bool:
        """Whether vhost and app may travel in the query of the name: with its signs they would mean something else."""
        return self.config.unified_play_connections and _QUERY_SIGNS.isdisjoint(key.vhost + key.app)

    def tc_url_of(self, key: StreamKey, server: ServerNode, *, is_play: bool, is_tls: bool) -> tuple[str, str]:
        """The tcUrl and app to connect with; a default vhost travels as the server's address."""
        scheme = "rtmps" if is_tls else "rtmp"
        if is_play and self._may_unify(key):
            return f"{scheme}://__defaultVhost__/unified_app", "unified_app"
        vhost = self._vhost_upstream(key)
        host = server.endpoint if vhost == self.service.hub.default_vhost else vhost
        return f"{scheme}://{host}/{key.app}", key.app

    def _vhost_upstream(self, key: StreamKey) -> str:
        """By which name the servers know the vhost of a stream."""
        return self.config_of(key).proxy_vhost.replace("[vhost]", key.vhost) or key.vhost

    def name_of(self, key: StreamKey, query: str, *, is_play: bool) -> str:
        """The stream name to ask for, with what is left of the client's query."""
        parts = [query] if query else []
        if is_play and self._may_unify(key):
            vhost = self._vhost_upstream(key)
            if vhost != self.service.hub.default_vhost:
                parts.append(f"vhost={vhost}")
            parts.append(f"app={key.app}")
        return f"{key.stream_name}?{'&'.join(parts)}" if parts else key.stream_name

    def resolve(self, host: str, found: Callable[[Sequence[str]], None]) -> None:
        """Call ``found`` with the addresses of ``host``, at once for a numeric one; with none when it has none."""
        if is_ip(host):
            found((host,))
            return

        async def look_up() -> None:
            try:
                addresses = await self._resolver.resolve(host)
            except NamingError:
                addresses = ()
            found(addresses)

        spawn(look_up(), name=f"resolve {host}", owner=self._tasks)

    # --- pulls ---------------------------------------------------------------

    def refuses(self, name: StreamName, *, is_fetched: bool) -> Refusal | None:
        """What an upstream has just said of the query, or of the stream; or that there are too many already."""
        now, query, key = self.context.now_ms(), (name.key, name.query), name.key
        of_query = self._refused.get(query)
        if of_query is not None:
            if now < of_query[0]:
                return of_query[1]
            del self._refused[query]
        if is_fetched:
            return None
        of_key = self._missing.get(key)
        if of_key is not None:
            if now < of_key[0]:
                return of_key[1]
            del self._missing[key]
        if key not in self.pulls and len(self.pulls) >= self.config.max_pulls:
            self.context.counters["error_too_many_pulls_count"] += 1
            return Refusal(Reason.OVERLOAD, "this server pulls too many streams already")
        return None

    def begin(self, stream: Stream, request: PlayRequest) -> Refusal | None:
        """Pull ``stream``, with what its first player said."""
        if stream.pull is not None or stream.publisher is not None:
            return None
        pull = self.pulls[stream.key] = Pull(self, stream, request.name.query, request.hops, request.resume)
        pull.trace = request.trace
        logger.info("%spull started key=%s", self.service.log_prefix, stream.key)
        pull.is_suspect = self.context.now_ms() < self._in_vain.get(stream.key, 0)
        pull.start()
        return pull.refusal

    def standing(self, stream: Stream) -> Standing:
        """Whether its pull has data; before an upstream of ours has told the way, that is what the way is."""
        pull = stream.pull
        if not isinstance(pull, Pull):
            return _AS_IT_SHOULD_BE
        is_waiting, connection = pull.state != "live", pull.connection
        if connection is None:
            return Standing(is_waiting, pull.is_missing)
        via = pull.via or ((connection.edge_id,) if connection.edge_id else ())
        return Standing(is_waiting, pull.is_missing, via=via)

    def node_of(self, stream: Stream) -> NodePlace | None:
        """That of its pull, while it has data."""
        pull = stream.pull
        if not isinstance(pull, Pull) or pull.state != "live" or pull.connection is None or not pull.connection.edge_id:
            return None
        return pull.node_place()

    def why_nothing(self, stream: Stream, query: str) -> Refusal:
        """What its pull has come to."""
        pull = self.pulls.get(stream.key)
        if pull is None:
            return Refusal(Reason.NOT_FOUND, f"Fail to find key={stream.key}")
        return pull.why_nothing(query)

    def insight(self, key: StreamKey) -> Insight:
        """How its pull and its push stand; of one that has neither, where it was asked for last may know more."""
        stories = self.service.chronicle.stories.of_stream(key)
        last = next((entry.server for entry in stories if entry.server), "")
        others = sorted(self.pool.open_connections(), key=lambda connection: connection.endpoint != last)
        now = self.context.now_ms()
        target = self.aims.pull_of(self.config_of(key))
        return insight_of(self.pulls.get(key), self.push_of(key), target=target, now_ms=now, others=others)

    def pull_gave_up(self, pull: Pull, why: str) -> None:
        """Its players are told; the key is refused for a moment. An end that the publisher meant alarms nobody."""
        text = self.words_for(pull, why)
        self.story.gave_up(pull, why)
        pull.refusal = Refusal(Reason.LOOP if why == LinkEnd.LOOP.value else Reason.NOT_FOUND, text)
        prefix = self.service.log_prefix
        if why == PUBLISHER_GONE:
            logger.info("%spull ended key=%s why=%s", prefix, pull.key, why)
        else:
            self.gave_up_count += 1
            line = "%spull gave up key=%s why=%s last=%s"
            logger.warning(line, prefix, pull.key, why, pull.last_error, extra={"cause": why})
        if not pull.was_live and pull.is_end_of_query:
            self._remember_refusal(pull, Refusal(Reason.UPSTREAM, text, NOT_FOUND))
        elif not pull.was_live and why != "upstream_refused":
            self._missing[pull.key] = (self.context.now_ms() + pull.stream.config.missing_cache_ms, pull.refusal)
            if len(self._missing) > _MAX_MISSING:
                self._missing.popitem(last=False)
        self._end_pull(pull, text)

    def words_for(self, pull: PlayersLink, why: str) -> str:
        """What players of ``pull`` are told when it is given up."""
        meaning = meaning_for_player(why, was_live=pull.was_live, was_refused=pull.refused_count > 0)
        return told(why, meaning, pull.last_error or str(pull.key))

    def query_refused(self, pull: PlayersLink, refusal: Refusal) -> None:
        """Those who brought the query of the attempt are ended in these words, and refused for a moment."""
        text = "%spull key=%s upstream=%s refused what %d players brought code=%s"
        plays, server = pull.stream.roster.plays_of(pull.query), pull.server
        endpoint = server.endpoint if server is not None else "-"
        self.context.counters.log_limited(
            logging.WARNING,
            "query_refused",
            text,
            self.service.log_prefix,
            pull.key,
            endpoint,
            len(plays),
            refusal.code,
        )
        self._remember_refusal(pull, refusal)
        for play in plays:
            play.stop(refusal)

    def _remember_refusal(self, pull: PlayersLink, refusal: Refusal) -> None:
        mark = pull.key, pull.query
        self._refused.pop(mark, None)  # to the end: the order is that of the moments
        self._refused[mark] = self.context.now_ms() + pull.stream.config.missing_cache_ms, refusal
        if len(self._refused) > _MAX_MISSING:
            self._refused.popitem(last=False)

    def pull_in_vain(self, pull: Pull) -> None:
        """Whoever still played what it waited for has left."""
        logger.info("%spull ended key=%s why=no players", self.service.log_prefix, pull.key)
        self._end_pull(pull, "no players")

    def _end_pull(self, pull: Pull, text: str) -> None:
        if pull.state == "waiting" and self.config.first_data_timeout_ms:
            self._in_vain.pop(pull.key, None)  # to the end: the order is that of the moments
            self._in_vain[pull.key] = self.context.now_ms() + self.config.first_data_timeout_ms
            if len(self._in_vain) > _MAX_MISSING:
                self._in_vain.popitem(last=False)
        if self.pulls.pop(pull.key, None) is not None:
            self._past_attempts += pull.attempt_count
        pull.close()
        self.service.registry.end_stream(pull.stream, text)

    def on_idle(self, stream: Stream, now_ms: int) -> None:
        """A pull for nobody ends, unless it is to be kept for a while."""
        pull = stream.pull
        # What has never had data is not worth keeping, and would keep a loop through foreign servers alive.
        if isinstance(pull, Pull) and (stream.config.keep_pulling_seconds <= 0 or not pull.was_live):
            logger.info("%spull ended key=%s why=no players", self.service.log_prefix, pull.key)
            self._end_pull(pull, "no players")

    def on_joined(self, stream: Stream, play: Admitted, is_new: bool) -> None:
        """Its pull learns what the player said."""
        pull = stream.pull
        if isinstance(pull, Pull) and isinstance(play, Play):
            pull.on_joined(play, is_new)

    def on_left(self, stream: Stream) -> None:
        """It may have been our own echo."""
        pull = stream.pull
        if isinstance(pull, Pull):
            pull.watch_for_loop()

    def tick(self, now_ms: int) -> None:
        """Once a second: pulls kept for nobody, pulls that may go home, and servers that have left."""
        while self._refused and next(iter(self._refused.values()))[0] <= now_ms:
            self._refused.popitem(last=False)
        while self._in_vain and next(iter(self._in_vain.values())) <= now_ms:
            self._in_vain.popitem(last=False)
        for pull in list(self.pulls.values()):
            stream = pull.stream
            keep_ms = stream.config.keep_pulling_seconds * 1000
            if stream.player_count == 0 and now_ms - stream.idle_since_ms >= keep_ms:
                self._end_pull(pull, "no players")
        self._rebalancer.tick(self.pulls, now_ms)
        self._next_connect_ms = {endpoint: at for endpoint, at in self._next_connect_ms.items() if at > now_ms}
        self._end_targets()
        if self._failing:
            self._failing &= {server.endpoint for target in self.targets for server in target.servers}

    # --- pushes --------------------------------------------------------------

    def on_published(self, stream: Stream) -> None:
        """A publish at this node goes upstream, or takes the place of what a vhost pulled that has become an origin."""
        pull = self.pulls.get(stream.key)
        if pull is not None and stream.publisher not in (None, pull.publisher) and not self.feeds(stream.key):
            self._past_attempts += self.pulls.pop(pull.key).attempt_count
            pull.close()
        if stream.key.realm != PUBLISH_REALM or stream.publisher is None:
            return
        if stream.key in self.pushes:
            self.pushes[stream.key].on_new_publisher()
            return
        publisher = stream.publisher
        push = self.pushes[stream.key] = Push(self, stream, publisher.query, publisher.hops)
        logger.info("%spush started key=%s", self.service.log_prefix, stream.key)
        push.start()

    def _on_leaving(self, connection: RtmpClientConnection) -> None:
        """The server behind ``connection`` will stop: what is pulled from it goes on elsewhere; pushes stay on."""
        moved = [pull for pull in self.pulls.values() if pull.connection is connection]
        for link in (*moved, *(push for push in self.pushes.values() if push.connection is connection)):
            link.policy.on_server_leaving()
        text = "%supstream=%s is being stopped pulls=%d"
        logger.info(text, self.service.log_prefix, connection.endpoint, len(moved))
        for pull in moved:
            pull.leave_server()

    def push_of(self, key: StreamKey) -> Push | None:
        """The push of the live stream ``key``, if it is published here."""
        return self.pushes.get(key._replace(realm=PUBLISH_REALM))

    def push_started(self, push: Push) -> None:
        """An upstream takes the stream: players here that wait for it elsewhere need not."""
        pull = self.pulls.get(push.key._replace(realm=LIVE_REALM))
        if pull is not None:
            pull.on_pushed()

    def on_ended(self, stream: Stream) -> None:
        """So does its end."""
        push = self.pushes.get(stream.key)
        if push is not None and push.stream is stream:
            push.finish()

    def push_finished(self, push: Push) -> None:
        """The publish is over, and told upstream; one that has followed it under the same key has waited for that."""
        self._drop_push(push)
        stream = self.service.registry.find(push.key)
        pull = self.pulls.get(push.key._replace(realm=LIVE_REALM))
        if stream is not None and stream is not push.stream:
            self.on_published(stream)
        elif pull is not None:
            pull.on_publisher_left()

    def _drop_push(self, push: Push) -> None:
        if self.pushes.get(push.key) is push:
            del self.pushes[push.key]
            self._past_attempts += push.attempt_count
            logger.info("%spush ended key=%s", self.service.log_prefix, push.key)
        push.close()

    def push_gave_up(self, push: Push, why: str) -> None:
        """The publisher is told that the upstream does not want it.

        One that was replaced upstream is told together with those that are muted here: they
        are older, and would replace in turn.
        """
        self.gave_up_count += 1
        self.story.gave_up(push, why)
        prefix = self.service.log_prefix
        line = "%spush gave up key=%s why=%s last=%s"
        logger.warning(line, prefix, push.key, why, push.last_error, extra={"cause": why})
        self.push_finished(push)
        is_refused = why == "upstream_refused"
        meaning = "the upstream refused the stream" if is_refused else "no server takes the stream"
        text = told(why, meaning, push.last_error)
        feed = push.stream.feed
        for publisher in (*(feed.muted if why == LinkEnd.KICKED.value else ()), feed.current):
            if publisher is not None:
                self.service.stop_publisher(publisher, Refusal(Reason.UPSTREAM, text))

    # --- pacing --------------------------------------------------------------

    def _on_found(self) -> None:
        """A naming service has named the first servers: nobody need wait for the next retry."""
        for link in (*self.pulls.values(), *self.pushes.values()):
            link.on_servers_found()

    def failed(self, server: ServerNode) -> None:
        """A connect failed: the next ones are spread."""
        self._failing.add(server.endpoint)

    def succeeded(self, server: ServerNode) -> None:
        """The server works; those that need a connection of their own still come one after the other."""
        if server.endpoint not in self._failing:
            return
        self._failing.discard(server.endpoint)
        for link in (*self.pulls.values(), *self.pushes.values()):
            link.on_recovered(server)

    def pace(self, server: ServerNode, now_ms: int) -> int:
        """Milliseconds to wait before connecting to ``server``: 0 unless it failed lately."""
        rate = self.config.max_connects_per_s
        at_ms = self._next_connect_ms.get(server.endpoint, 0)
        if rate <= 0 or (server.endpoint not in self._failing and at_ms <= now_ms):
            return 0
        at_ms = max(at_ms, now_ms)
        self._next_connect_ms[server.endpoint] = at_ms + 1000 // rate
        return at_ms - now_ms

    def may_ask_all(self, now_ms: int) -> bool:
        """Whether a pull may ask all servers again, rather than one; it is counted as done.

        Many streams may be lost at a time, so ``max_connects_per_s`` bounds this as well.
        """
        second, count = self._rounds
        count = count + 1 if second == now_ms // 1000 else 1
        self._rounds = now_ms // 1000, count
        return count <= self.config.max_connects_per_s or self.config.max_connects_per_s <= 0

    def give_turn_back(self, server: ServerNode) -> None:
        """A turn that ``pace`` gave is not needed: those who come are not to wait for it."""
        at_ms, rate = self._next_connect_ms.get(server.endpoint), self.config.max_connects_per_s
        if at_ms is not None and rate > 0:
            self._next_connect_ms[server.endpoint] = at_ms - 1000 // rate

    # --- for the pages -------------------------------------------------------

    def state_of(self, stream: Stream) -> str:
        """State of a stream's pull."""
        pull = stream.pull
        return pull.state if isinstance(pull, Pull) else "live"

    def counters(self) -> dict[str, int]:
        """Counters of pulls, pushes, connections and naming services."""
        now = self.context.now_ms()
        snapshots = [target.snapshot(now) for target in self.targets]
        return {
            "pull_count": len(self.pulls),
            "push_count": len(self.pushes),
            "upstream_connection_count": self.pool.connection_count,
            "upstream_connect_count": self.pool.connect_count,
            "upstream_gave_up_count": self.gave_up_count,
            "upstream_move_count": self._rebalancer.move_count,
            **{f"ns_{what}_count": sum(each[f"naming_{what}_count"] for each in snapshots) for what in _NAMING_COUNTS},
            "upstream_attempt_count": self._past_attempts
            + sum(link.attempt_count for link in (*self.pulls.values(), *self.pushes.values())),
        }

    def servers(self) -> list[dict[str, Any]]:
        """One row per server."""
        now = self.context.now_ms()
        snapshots = [target.snapshot(now) for target in self.targets]
        return [{"target": snapshot["target"], **row} for snapshot in snapshots for row in snapshot["servers"]]

    async def close(self) -> None:
        """End everything; publishes are ended upstream."""
        if self in self.service.registry.observers:
            self.service.registry.observers.remove(self)
        for push in list(self.pushes.values()):
            self._drop_push(push)
        for pull in list(self.pulls.values()):
            self.pulls.pop(pull.key, None)
            pull.close()
        self.pool.close()
        await self._tasks.close()
        for target in self.targets:
            await target.close()


def _resolver_by(naming: NamingOptions) -> Resolver:
    return Resolver(timeout_ms=naming.dns_timeout_ms)
