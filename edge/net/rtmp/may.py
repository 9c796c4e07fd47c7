"""Whether a client of one node may play or publish, asked of the next one: on the connection that carries streams.

The node that is asked judges the client by all its rules, as if it had come there itself, and grants nothing. What the
other node says of the client's address and login is believed of a node that has proved itself, or is trusted by its
address; any other is judged by its own address, like everybody who connects from there.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable

from edge.net.address import Address
from edge.net.rtmp.status import play_status, publish_status
from edge.rtmp.events import MayAsked
from edge.service.names import TcUrl
from edge.service.refusal import Reason, Refusal
from edge.service.request import HttpClient, PlayRequest, PublishRequest, Said
from edge.service.service import Service
from edge.service.story import host_of

#: Questions that may wait for their answer: of one connection, and of a service.
MAX_OPEN = 256
MAX_OPEN_OF_ALL = 4096
#: What another node is told where nobody can decide: it is no answer of those who would.
CANNOT_SAY = "NetConnection.Call.Failed"
_NO_ANSWER = frozenset(
    {Reason.HOOK_UNAVAILABLE, Reason.ASK_UNANSWERED, Reason.KEYS_MISSING, Reason.OVERLOADED, Reason.RULE_FAILED}
)

Reply = Callable[[str, str], None]


class MayDesk:
    """Where the questions of other nodes about their clients are answered."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._open: Counter[int] = Counter()
        self.answered_count = 0

    def answer(self, node: HttpClient, event: MayAsked, reply: Reply) -> None:
        """Judge a client of ``node``; ``reply`` is called once, with a status code, "" for yes, and words."""
        if self._open[node.number] >= MAX_OPEN or self._open.total() >= MAX_OPEN_OF_ALL:
            reply(CANNOT_SAY, "too many questions at a time")
            return
        service = self._service
        name = service.resolve(event.stream_name, node.server_url, is_play=not event.is_publish)
        if not isinstance(name, Refusal) and service.service_id in event.hops:
            name = Refusal(Reason.LOOP, f"{Reason.LOOP.value}: {name.key} is asked about in a circle")
        if isinstance(name, Refusal):
            reply(*_told(name, is_publish=event.is_publish))
            return
        self._open[node.number] += 1

        def judged(refusal: Refusal | None) -> None:
            self._open[node.number] -= 1
            if not self._open[node.number]:
                del self._open[node.number]
            self.answered_count += 1
            reply(*_told(refusal, is_publish=event.is_publish))

        client = _client_of(node, event, is_believed=node.is_proven or service.trusts(host_of(node.peer)))
        kind = PublishRequest if event.is_publish else PlayRequest
        request = kind(client, name, event.hops, suffix=event.suffix)
        service.judge(request, judged, is_elsewhere=True)


def client_of(number: int, peer: str, server_url: TcUrl, *, is_proven: bool) -> HttpClient:
    """The node at the other end of a connection."""
    return HttpClient(number, peer, "rtmp", server_url, is_proven=is_proven)


def _client_of(node: HttpClient, event: MayAsked, *, is_believed: bool) -> HttpClient:
    """Of whom a node asks; by the node's own address, where it cannot be believed."""
    peer = node.peer
    if is_believed:
        try:
            peer = str(Address(str(ipaddress.ip_address(event.address)), 0))
        except ValueError:
            peer = node.peer  # behind a socket that has no address
    return HttpClient(
        node.number,
        peer,
        event.protocol or "rtmp",
        node.server_url,
        page_url=event.page_url,
        authorization=event.authorization,
        said=Said(user_agent=event.user_agent),
    )


def _told(refusal: Refusal | None, *, is_publish: bool) -> tuple[str, str]:
    """Code and words of a refusal, as a client here would hear them."""
    if refusal is None:
        return "", ""
    code, words, _ = publish_status(refusal) if is_publish else play_status(refusal)
    return CANNOT_SAY if refusal.reason in _NO_ANSWER else code, words
