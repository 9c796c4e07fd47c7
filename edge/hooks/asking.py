"""Asks the upstream about each client before it is let in: a rule, and what is remembered of the answers.

As a hook is asked: the same question of many at once is one, a yes is taken again for a while, and stands while the
upstream does not answer; one that does not answer several times in a row is left alone.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field

from edge.hooks.answer import Answer, No, Yes
from edge.hooks.config import HookConfig
from edge.hooks.event import DEFAULT_VHOST, Action, Event
from edge.hooks.figures import Figures
from edge.hooks.judge import Questions, Verdict
from edge.hooks.places import Places
from edge.hub.key import StreamKey
from edge.service.admission import LATER, Later, StreamRequest
from edge.service.admission import Answer as RuleAnswer
from edge.service.admission import Verdict as RuleVerdict
from edge.service.grants import Play, Publish
from edge.service.refusal import Reason, Refusal
from edge.service.request import PlayRequest
from edge.service.service import Service
from edge.service.story import host_of
from edge.service.watch import SessionWatcher

#: A yes is good for so long at least: who is let in, by HLS say, asks for the same more than once.
REUSED_S = 2
#: Those who were let in, and have not begun yet; of more the first are forgotten.
_MAX_LET_IN = 8192


@dataclass(frozen=True, slots=True)
class UpstreamEvent(Event):
    """What the upstream is asked about.

    Attributes:
        key: of the stream.
        authorization, suffix: as those of a client and a request.
        hops: services that ask, the farthest first.
    """

    key: StreamKey = field(default=StreamKey("", "", ""))
    authorization: str = field(default="", repr=False)
    suffix: str = ""
    hops: tuple[str, ...] = ()

    @property
    def question(self) -> bytes:
        """As that of a hook, of what such a one does not hear as well."""
        text = repr((self.authorization, self.suffix)).encode("utf-8", "surrogatepass")
        found = hashlib.blake2b(super(UpstreamEvent, self).question, digest_size=32)
        found.update(text)
        return found.digest()


AskUpstream = Callable[[UpstreamEvent, int], Awaitable[Answer]]


class UpstreamQuestions(Questions):
    """Puts questions to the upstream of a service."""

    what = "upstream"

    def __init__(self, ask: AskUpstream, figures: Figures, places: Places, now_ms: Callable[[], int]) -> None:
        """``ask``: what the upstream says, within milliseconds."""
        super().__init__(figures, places, now_ms)
        self._ask = ask

    async def call(self, event: Event, config: HookConfig, url: str, *, within_ms: int) -> Answer:
        """What the upstream says, without regard to what is known of it."""
        assert isinstance(event, UpstreamEvent)
        return await self._ask(event, within_ms)


class UpstreamRule(SessionWatcher):
    """Lets in whom the upstream would let in."""

    def __init__(
        self,
        service: Service,
        questions: UpstreamQuestions,
        config_of: Callable[[StreamKey], HookConfig | None],
        now_ms: Callable[[], int],
    ) -> None:
        """``config_of``: whom to ask about the clients of a stream, and how long; None where nobody is asked."""
        self._service = service
        self._questions = questions
        self._config_of = config_of
        self._now_ms = now_ms
        self._let_in: OrderedDict[tuple[int, StreamKey], Hashable] = OrderedDict()
        self._sessions: dict[Play | Publish, Hashable] = {}

    def check(self, request: StreamRequest, later: RuleAnswer) -> RuleVerdict | Later:
        """See ``Rule``; clients of a node of ours are asked about there."""
        client, key = request.client, request.name.key
        if client.is_proven or self._service.trusts(host_of(client.peer)):
            return None
        config = self._config_of(key)
        if config is None:
            return None
        event = self._event(request)
        question = self._questions.question_of(event, config)

        def act_on(verdict: Verdict) -> RuleVerdict:
            answer = verdict.answer
            if isinstance(answer, Yes):
                self._let_in[client.number, key] = question
                if len(self._let_in) > _MAX_LET_IN:
                    self._let_in.popitem(last=False)
                return None
            if isinstance(answer, No):
                return answer.refusal or Refusal(Reason.TOKEN_INVALID, answer.why, said=answer.reason)
            return Refusal(Reason.ASK_UNANSWERED, f"the upstream does not say whether it may: {answer.why}")

        verdict = self._questions.ask(event, config, lambda found: later(act_on(found)))
        return LATER if verdict is None else act_on(verdict)

    def _event(self, request: StreamRequest) -> UpstreamEvent:
        client, key = request.client, request.name.key
        said = client.said
        return UpstreamEvent(
            Action.PLAY if isinstance(request, PlayRequest) else Action.PUBLISH,
            client_id=str(client.number),
            ip=host_of(client.peer),
            vhost=DEFAULT_VHOST if key.vhost == self._service.hub.default_vhost else key.vhost,
            app=key.app,
            stream=key.stream_name,
            param=request.name.query,
            page_url=client.page_url,
            user_agent=said.user_agent,
            protocol=client.protocol,
            key=key,
            authorization=client.authorization,
            suffix=request.suffix,
            hops=request.hops,
        )

    # --- for as long as somebody is here by a yes ---------------------------------

    def _begin(self, grant: Play | Publish) -> None:
        question = self._let_in.pop((grant.client.number, grant.name.key), None)
        if question is not None:
            self._sessions[grant] = question
            self._questions.memory.begun(question)

    def _end(self, grant: Play | Publish) -> None:
        question = self._sessions.pop(grant, None)
        if question is not None:
            self._questions.memory.ended(question, self._now_ms())
