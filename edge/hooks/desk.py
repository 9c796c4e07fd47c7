"""Where a service meets its hooks: a rule that asks, and a watcher that tells what became of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from dataclasses import replace
from math import inf

from edge.hooks.answer import No, Unusable, Yes
from edge.hooks.config import NO_HOOKS, HookConfig
from edge.hooks.event import DEFAULT_VHOST, Action, Event, Segment
from edge.hooks.judge import Ground, Judge, Verdict
from edge.hooks.opening import Opening, resumed
from edge.hooks.teller import Teller
from edge.hooks.updates import Updates
from edge.hooks.viewers import Viewers, place_of
from edge.hub.key import StreamKey
from edge.net.aio import TaskOwner, spawn
from edge.service.admission import LATER, Answer, Granted, Later, take_terms
from edge.service.admission import Verdict as RuleVerdict
from edge.service.grants import Play, Publish
from edge.service.names import StreamName
from edge.service.refusal import Reason, Refusal
from edge.service.request import Client, ConnectRequest, PlayRequest, PublishRequest
from edge.service.service import Service
from edge.service.story import host_of
from edge.service.watch import SessionWatcher

logger = logging.getLogger(__name__)

#: Protocols whose clients come to a server before they name a stream.
_CONNECTS = "rtmp"
#: What of its time a question about a publish waits for the events of its stream to be told first.
_ORDER_SHARE = 3


class EntryRule:
    """Asks for each viewer of what many viewers share, for whom no play of his own begins."""

    def __init__(self, desk: HookDesk) -> None:
        self._desk = desk

    def check(self, request: PlayRequest | PublishRequest, later: Answer) -> RuleVerdict | Later:
        """As ``HookDesk.check``; one who has been let in is not asked about again while the play goes on."""
        return self._desk.check_entry(request, later)


class HookDesk(SessionWatcher):
    """The hooks of one service."""

    def __init__(
        self,
        service: Service,
        judge: Judge,
        teller: Teller,
        *,
        server_id: str,
        now_ms: Callable[[], int],
        config_of: Callable[[StreamKey], HookConfig] | None = None,
    ) -> None:
        """``config_of``: of a stream; without it the service's rulebook says so."""
        self._service = service
        self._judge = judge
        self._teller = teller
        self._server_id = server_id
        self._now_ms = now_ms
        self.config_of = config_of or self._config_in_book
        self._sessions: dict[Play | Publish, Opening] = {}
        self._clients: dict[Client, Opening] = {}
        self._updates: Updates[Play | Publish] = Updates()
        self._viewers = Viewers(self._viewer_gone, now_ms)
        self._tasks = TaskOwner("hook-desk")

    def attach(self) -> None:
        """Be asked, as the last of the rules that are there, and hear."""
        self._service.admission.rules.append(self)
        self._service.admission.entry_rules.append(EntryRule(self))
        self._service.admission.connect_rules.append(self)
        self._service.watchers.append(self)

    async def close(self) -> None:
        """Nobody is asked any more."""
        await self._tasks.close()

    @property
    def session_count(self) -> int:
        """Plays, publishes and viewers that hooks know of."""
        return len(self._sessions) + len(self._viewers)

    def _config_in_book(self, key: StreamKey) -> HookConfig:
        rules = self._service.rulebook.rules_of(key)
        return rules.of(HookConfig) if rules is not None else NO_HOOKS

    def _is_node(self, client: Client) -> bool:
        """It is judged where its clients are: it has proved to be one of ours, or is trusted by its address."""
        return client.is_proven or self._service.trusts(host_of(client.peer))

    # --- questions -----------------------------------------------------------

    def check(self, request: PlayRequest | PublishRequest, later: Answer) -> RuleVerdict | Later:
        """Ask for a viewer or an encoder; a node of ours is judged where its clients are."""
        client = request.client
        if self._is_node(client):
            return self._check_permitted(request)
        config = self.config_of(request.name.key)
        if not config.is_on:
            return None
        if self._is_elsewhere(client, config, request.name.key):
            return self._ask_connect_first(request, config, later)
        return self._check_stream(request, config, None, later)

    def _is_elsewhere(self, client: Client, config: HookConfig, key: StreamKey) -> bool:
        """Whether a name has led a client to a vhost or an app that nobody was asked about when it came."""
        if not config.hooks_on_connect or not client.protocol.startswith(_CONNECTS):
            return False
        came = self._clients.get(client)
        if came is None or came.config.hooks_on_connect != config.hooks_on_connect:
            return True
        app = came.yes.app or came.asked.app or self._service.hub.default_app
        return (self._vhost_of(came.asked), app) != (key.vhost, key.app)

    def _ask_connect_first(
        self, request: PlayRequest | PublishRequest, config: HookConfig, later: Answer
    ) -> RuleVerdict | Later:
        """As if it had come there; that ends with what it plays or publishes there."""
        key, client = request.name.key, request.client
        name = StreamName(key._replace(stream_name=""), client.server_url.query)
        came = Opening(self._event(Action.CONNECT, client, name), config)

        def go_on(verdict: Verdict) -> RuleVerdict | Later:
            answer = verdict.answer
            if not isinstance(answer, Yes):
                return _refusal(answer)
            came.is_told, came.yes = verdict.ground is Ground.ASKED, answer
            if answer.app:
                moved = Granted(name=f"{answer.app}/{key.stream_name}", may_be_named=False)
                refusal = take_terms(request, moved, self._service.hub.max_name_bytes)
                if refusal is not None:
                    return refusal
            return self._check_stream(request, self.config_of(request.name.key), came, later)

        def then(verdict: Verdict) -> None:
            found = go_on(verdict)
            if not isinstance(found, Later):
                later(found)

        verdict = self._judge.ask(came.event, config, then)
        return LATER if verdict is None else go_on(verdict)

    def _check_stream(
        self, request: PlayRequest | PublishRequest, config: HookConfig, came: Opening | None, later: Answer
    ) -> RuleVerdict | Later:
        client = request.client
        action = Action.PLAY if isinstance(request, PlayRequest) else Action.PUBLISH
        opening = Opening(self._event(action, client, request.name), config)
        opening.came = came
        if not config.urls(action):
            request.opening = opening
            return None
        opening.question = self._judge.question_of(opening.event, config)
        if action is Action.PLAY and is_shared(client):
            entered = self._viewers.find(opening.event)
            if entered is not None:  # it is he who is the first
                return self._let_share(request, entered)

        def then(verdict: Verdict) -> None:
            later(self._act_on(request, opening, verdict))

        lane = request.name.key
        if action is Action.PUBLISH and not self._teller.lanes.is_idle(lane):
            spawn(self._ask_in_order(lane, opening, then), name="hook-order", owner=self._tasks)
            return LATER
        verdict = self._judge.ask(opening.event, config, then)
        return LATER if verdict is None else self._act_on(request, opening, verdict)

    def _check_permitted(self, request: PlayRequest | PublishRequest) -> RuleVerdict:
        """Nothing of a node; of viewers who were let in at the entry, what they share goes on as they were told."""
        config = self.config_of(request.name.key)
        if not is_shared(request.client) or not config.hooks_on_play:
            return None
        request.opening = opening = Opening(self._event(Action.PLAY, request.client, request.name), config)
        opening.is_told = False
        entered = self._viewers.first_of(place_of(opening.asked))
        if entered is None:
            return None
        return _terms(request.name.key, Yes(entered.yes.stream, entered.yes.app))

    def check_entry(self, request: PlayRequest | PublishRequest, later: Answer) -> RuleVerdict | Later:
        """See ``EntryRule``."""
        client = request.client
        config = self.config_of(request.name.key)
        if self._is_node(client) or not config.hooks_on_play:
            return None
        opening = Opening(self._event(Action.PLAY, client, request.name), config)
        entered = self._viewers.find(opening.event)
        if entered is not None:
            left_s = self._left_s(entered)
            if left_s > 0:
                return Granted(lifetime_s=left_s) if entered.yes.lifetime_s else None
            self._viewers.leave(opening.event)
        opening.question = self._judge.question_of(opening.event, config)

        def act_on(verdict: Verdict) -> RuleVerdict:
            answer = verdict.answer
            if not isinstance(answer, Yes):
                return _refusal(answer)
            opening.is_told, opening.yes = verdict.ground is Ground.ASKED, answer
            if self._viewers.find(opening.event) is None:
                self._judge.memory.begun(opening.question)
                self._viewers.let_in(opening)
            return Granted(lifetime_s=answer.lifetime_s) if answer.lifetime_s else None

        verdict = self._judge.ask(opening.event, config, lambda found: later(act_on(found)))
        return LATER if verdict is None else act_on(verdict)

    def _left_s(self, opening: Opening) -> float:
        """How long one may go on who was let in."""
        lifetime_s = opening.yes.lifetime_s
        return lifetime_s - (self._now_ms() - opening.since_ms) / 1000 if lifetime_s else inf

    def _let_share(self, request: PlayRequest | PublishRequest, entered: Opening) -> RuleVerdict:
        """The play that viewers share begins for one who has been let in; his end is told apart from its own."""
        opening = Opening(entered.asked, entered.config)
        opening.is_told = False
        request.opening = opening
        return _terms(request.name.key, entered.yes)

    def _viewer_gone(self, opening: Opening, has_begun: bool) -> None:
        """One who shared a play."""
        self._judge.memory.ended(opening.question, self._now_ms())
        if has_begun and opening.is_told:
            event = opening.asked
            lane = StreamKey(self._vhost_of(event), event.app, event.stream)
            self._teller.tell(lane, replace(event, action=Action.STOP), opening.config)

    async def _ask_in_order(self, lane: Hashable, opening: Opening, then: Callable[[Verdict], None]) -> None:
        """The end of the publish before is told first, if the server takes it in time."""
        await self._teller.wait_idle(lane, opening.config.hook_timeout_ms / 1000 / _ORDER_SHARE)
        verdict = self._judge.ask(opening.event, opening.config, then)
        if verdict is not None:
            then(verdict)

    def _act_on(self, request: PlayRequest | PublishRequest, opening: Opening, verdict: Verdict) -> RuleVerdict:
        answer = verdict.answer
        if not isinstance(answer, Yes):
            return _refusal(answer)
        opening.is_told, opening.yes = verdict.ground is Ground.ASKED, answer
        request.opening = opening
        key = request.name.key
        if answer.urls:
            text = "hook %s of key=%s names urls to forward to, which is not done"
            logger.warning(text, opening.event.action.value, key)
        return _terms(key, answer)

    def check_connect(self, request: ConnectRequest, later: Answer) -> RuleVerdict | Later:
        """The same for a client that has not said what it wants."""
        client = request.client
        if self._is_node(client):
            return None
        key = StreamKey(request.vhost, request.app, "")
        config = self.config_of(key)
        if not config.hooks_on_connect and not config.hooks_on_close:
            return None
        query = client.server_url.query
        opening = Opening(self._event(Action.CONNECT, client, StreamName(key, query)), config)
        self._clients[client] = opening
        if not config.hooks_on_connect:
            return None
        opening.is_told = False  # until it is let in

        def act_on(verdict: Verdict) -> RuleVerdict:
            if not isinstance(verdict.answer, Yes):
                self._clients.pop(client, None)
                return _refusal(verdict.answer)
            opening.is_told, opening.yes = verdict.ground is Ground.ASKED, verdict.answer
            return Granted(name=verdict.answer.app) if verdict.answer.app else None

        def then(verdict: Verdict) -> None:
            if self._clients.get(client) is opening:  # else it has gone
                later(act_on(verdict))

        verdict = self._judge.ask(opening.event, config, then)
        return LATER if verdict is None else act_on(verdict)

    # --- what became of it ---------------------------------------------------

    def on_disconnected(self, client: Client, received_bytes: int, sent_bytes: int) -> None:
        """A client that was let in has left."""
        opening = self._clients.pop(client, None)
        if opening is not None and opening.is_told:
            event = replace(opening.event, action=Action.CLOSE, recv_bytes=received_bytes, send_bytes=sent_bytes)
            self._teller.tell(("client", client.number), event, opening.config)

    def export_client(self, client: Client) -> bytes:
        """For the process that tells its end."""
        opening = self._clients.get(client)
        return opening.export() if opening is not None else b""

    def resume_client(self, client: Client, data: bytes) -> None:
        """See ``export_client``."""
        try:
            state = resumed(data)
        except ValueError as error:
            logger.error("hooks know nothing of a connection any more: %s", error)
            return
        event = state.asked
        key = StreamKey(self._vhost_of(event), event.app, "")
        opening = self._clients[client] = Opening(event, self.config_of(key))
        opening.is_told, opening.yes = state.is_told, state.yes

    def on_client_moved(self, client: Client) -> None:
        """Its end is told elsewhere."""
        self._clients.pop(client, None)

    def _begin(self, grant: Play | Publish) -> None:
        opening = grant.opening
        if isinstance(opening, bytes):
            opening = self._resume(grant, opening)
        if not isinstance(opening, Opening):
            return
        key = grant.name.key
        opening.event = replace(opening.event, app=key.app, stream=key.stream_name, stream_id=self._stream_id(grant))
        opening.since_ms = self._now_ms()
        self._sessions[grant] = opening
        if isinstance(grant, Play) and is_shared(grant.client):
            self._viewers.play_began(place_of(opening.asked))
        if opening.question is not None:
            self._judge.memory.begun(opening.question)
        if opening.config.hooks_on_update:
            self._updates.add(grant, opening.config.hook_update_s * 1000, opening.since_ms)

    def _resume(self, grant: Play | Publish, data: bytes) -> Opening | None:
        """One that the process before this one has let in; what the hooks have said goes on standing."""
        try:
            state = resumed(data)
        except ValueError as error:
            logger.error("hooks know nothing of a session of key=%s any more: %s", grant.name.key, error)
            return None
        opening = grant.opening = Opening(state.asked, self.config_of(grant.name.key))
        opening.is_told, opening.yes = state.is_told, state.yes
        if state.came:
            came = resumed(state.came)
            opening.came = Opening(came.asked, self.config_of(grant.name.key))
            opening.came.is_told = came.is_told
        if state.was_asked and opening.config.urls(state.asked.action):
            opening.question = self._judge.question_of(state.asked, opening.config)
            self._judge.memory.said_yes(opening.question, state.yes, self._now_ms())
        return opening

    def on_moved(self, grant: Play | Publish) -> None:
        """Another process tells its end."""
        if self._sessions.pop(grant, None) is not None:
            self._updates.remove(grant)

    def on_judged(self, request: PlayRequest | PublishRequest) -> None:
        """What was opened for another node's question has an end."""
        opening = request.opening
        if isinstance(opening, Opening) and opening.question is not None:
            key = request.name.key
            opening.event = replace(opening.event, app=key.app, stream=key.stream_name)
            self._tell_end(key, opening)

    def _end(self, grant: Play | Publish) -> None:
        opening = self._sessions.pop(grant, None)
        if opening is None:
            return
        self._updates.remove(grant)
        if isinstance(grant, Play) and is_shared(grant.client):
            self._viewers.play_over(place_of(opening.asked))
        if opening.question is not None:
            self._judge.memory.ended(opening.question, self._now_ms())
        self._tell_end(grant.name.key, opening)

    def _tell_end(self, key: StreamKey, opening: Opening) -> None:
        closing, came = opening.event.action.closing, opening.came
        if opening.is_told and closing is not None:
            self._teller.tell(key, replace(opening.event, action=closing), opening.config)
        if came is not None and came.is_told:
            self._teller.tell(key, replace(came.event, action=Action.CLOSE), came.config)

    # --- sessions that go on --------------------------------------------------

    def tick(self, now_ms: int) -> None:
        """Once a second: ask about those whose turn it is."""
        self._viewers.tick(now_ms)
        for grant in self._updates.due(now_ms):
            opening = self._sessions.get(grant)
            if opening is not None:
                spawn(self._update(grant, opening, now_ms), name="hook-update", owner=self._tasks)

    async def _update(self, grant: Play | Publish, opening: Opening, now_ms: int) -> None:
        age_ms = now_ms - opening.since_ms
        sent_bytes = grant.served.sent_bytes if isinstance(grant, Play) else 0
        event = replace(
            opening.event,
            action=Action.UPDATE,
            of=opening.event.action,
            age_s=age_ms // 1000,
            at_ms=age_ms,
            send_bytes=sent_bytes,
        )
        answer = await self._judge.ask_about(event, opening.config)
        if isinstance(answer, No) and grant in self._sessions and grant.stopped is None:
            grant.stop(_refusal(answer))

    # --- segments -------------------------------------------------------------

    def on_segment_listed(self, key: StreamKey, segment: Segment) -> None:
        """A segment of HLS stands in a playlist."""
        config = self.config_of(key)
        for action in (Action.HLS, Action.HLS_NOTIFY):
            if config.urls(action):
                event = replace(self._base(action, key), protocol="hls", segment=segment, stream=key.stream_name)
                self._teller.tell(key, event, config)

    # --- what is told ---------------------------------------------------------

    def _vhost_of(self, event: Event) -> str:
        """As keys bear it."""
        return self._service.hub.default_vhost if event.vhost == DEFAULT_VHOST else event.vhost

    def _base(self, action: Action, key: StreamKey) -> Event:
        vhost = DEFAULT_VHOST if key.vhost == self._service.hub.default_vhost else key.vhost
        return Event(action, vhost=vhost, app=key.app, server_id=self._server_id, service_id=self._service.service_id)

    def _event(self, action: Action, client: Client, name: StreamName) -> Event:
        said = client.said
        return replace(
            self._base(action, name.key),
            client_id=str(client.number),
            ip=host_of(client.peer),
            port=client.peer.rpartition(":")[2],
            stream=name.key.stream_name,
            param=name.query,
            tc_url=said.tc_url,
            page_url=client.page_url,
            swf_url=said.swf_url,
            flash_version=said.flash_version,
            user_agent=said.user_agent,
            protocol=client.protocol,
        )

    def _stream_id(self, grant: Play | Publish) -> str:
        epoch = grant.stream.epoch
        return epoch.id if epoch is not None else ""


def is_shared(client: Client) -> bool:
    """Whether the play of a client is that of all viewers who say the same."""
    return client.protocol.startswith("hls")


def _terms(key: StreamKey, yes: Yes) -> Granted | None:
    """What a yes says besides."""
    if yes == Yes(urls=yes.urls):
        return None
    name = f"{yes.app or key.app}/{yes.stream or key.stream_name}" if yes.app or yes.stream else ""
    return Granted(name=name, lifetime_s=yes.lifetime_s, max_kbps=yes.max_kbps)


def _refusal(answer: No | Unusable) -> Refusal:
    """How a client hears of it."""
    if isinstance(answer, No):
        why = f"{answer.why}, {answer.reason}" if answer.reason else answer.why
        return Refusal(Reason.HOOK_DENIED, f"the hook says no: {why}", said=answer.reason)
    return Refusal(Reason.HOOK_UNAVAILABLE, f"no usable answer of the hook: {answer.why}")
