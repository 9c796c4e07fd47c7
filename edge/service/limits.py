"""How many may be here: of a vhost, of a stream, from one address. Nothing is counted for it but by the hub.

Looked at when a rule has nothing against a request any more, so that those who wait for an answer take no place, and
two who are answered together cannot have the same one. Nodes of ours are neither players nor publishers here: those
that prove it, and those whose address is trusted. Anybody can say that he is a node, so one that only says so takes a
place like everybody; at a merge port, where nobody else comes, it is believed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping

from edge.hub.key import StreamKey
from edge.hub.publisher import Publisher
from edge.hub.registry import Registry, VhostCount
from edge.hub.stream import Stream
from edge.service.config import LimitConfig
from edge.service.grants import Publish
from edge.service.names import StreamName
from edge.service.refusal import Reason, Refusal
from edge.service.request import Client, PlayRequest, PublishRequest
from edge.service.rules import Rulebook, Rules
from edge.service.story import host_of

_WINDOW_S = 10
_NONE = LimitConfig()


class Limits:
    """Says no where as many are here as may be.

    Attributes:
        needs_proof: whether nodes have to prove that they are ours, wherever they come.
        believes_nodes: a node that only says that it is one is taken for one, unless it has to prove it.
        trusts: whether who connects from an address is a node.
    """

    def __init__(
        self,
        registry: Registry,
        rulebook: Rulebook,
        rules_of: Callable[[StreamKey], Rules],
        publishes: Mapping[Publisher[Stream], Publish],
    ) -> None:
        self._registry = registry
        self._rulebook = rulebook
        self._rules_of = rules_of
        self._publishes = publishes
        self.needs_proof: Callable[[], bool] = lambda: False
        self.believes_nodes = False
        self.trusts: Callable[[str], bool] = lambda host: False
        #: By vhost, bytes of the last seconds; only of those whose output is limited.
        self._sent: dict[str, deque[int]] = {}

    def takes_place(self, client: Client, name: StreamName) -> bool:
        """Whether a client counts; a mark in the name, which anybody can write, alone makes nobody a node."""
        if client.is_hop:
            return not client.is_proven and (self.needs_proof() or not self.believes_nodes)
        return not (name.is_internal and self.trusts(host_of(client.peer)))

    def refuse_play(self, request: PlayRequest) -> Refusal | None:
        """Why there is no place for a player."""
        key = request.name.key
        config = self._rules_of(key).of(LimitConfig)
        if config == _NONE or not self.takes_place(request.client, request.name):
            return None
        stream, client = self._registry.find(key), request.client
        on_stream = stream.place_count if stream is not None else 0
        if 0 < config.max_players_per_stream <= on_stream:
            return _refusal("max_players_per_stream", config.max_players_per_stream, client)
        if 0 < config.max_players <= self._places(key.vhost):
            return _refusal("max_players", config.max_players, client)
        if stream is None and 0 < config.max_streams <= self._streams(key.vhost):
            return _refusal("max_streams", config.max_streams, client)
        if 0 < config.max_out_kbps < self.out_kbps(key.vhost):
            return _refusal("max_out_kbps", config.max_out_kbps, client)
        return None

    def refuse_publish(self, request: PublishRequest, key: StreamKey) -> Refusal | None:
        """Why there is no place for a publisher; ``key``: of the stream that it would feed here."""
        config = self._rules_of(key).of(LimitConfig)
        if config == _NONE or not self.takes_place(request.client, request.name):
            return None
        if self._registry.find(key) is None and 0 < config.max_streams <= self._streams(key.vhost):
            return _refusal("max_streams", config.max_streams, request.client)
        if 0 < config.max_publishers_per_ip <= self._publishers_from(host_of(request.client.peer), key):
            return _refusal("max_publishers_per_ip", config.max_publishers_per_ip, request.client)
        return None

    def out_kbps(self, vhost: str) -> int:
        """What the players of a vhost were sent over the last ten seconds, in kbit/s; 0 before these have passed."""
        sent = self._sent.get(self._group(vhost), ())
        return sum(sent) * 8 // 1000 // _WINDOW_S if len(sent) == _WINDOW_S else 0

    def tick(self) -> None:
        """Once a second: what goes out, which is what each stream brought in that second as often as it is played."""
        limited: set[str] = set()
        sums: dict[str, int] = {}
        for key, stream in self._registry.streams.items():
            if not stream.player_count or stream.rules.of(LimitConfig).max_out_kbps <= 0:
                continue
            group = self._group(key.vhost)
            limited.add(group)
            rate = stream.stats.video_bps + stream.stats.audio_bps
            sums[group] = sums.get(group, 0) + rate * stream.player_count
        for group in limited:
            self._sent.setdefault(group, deque(maxlen=_WINDOW_S)).append(sums[group])
        for group in [group for group in self._sent if group not in limited]:
            del self._sent[group]

    def _group(self, vhost: str) -> str:
        """Where there are no vhosts any name of one is all the same, and nobody gets more places by another."""
        return vhost if self._rulebook.has_vhosts else ""

    def _places(self, vhost: str) -> int:
        return sum(count.places for count in self._counts(vhost))

    def _streams(self, vhost: str) -> int:
        return sum(count.streams for count in self._counts(vhost))

    def _counts(self, vhost: str) -> Iterable[VhostCount]:
        counts = self._registry.counts
        if not self._rulebook.has_vhosts:
            return counts.values()
        found = counts.get(vhost)
        return () if found is None else (found,)

    def _publishers_from(self, host: str, key: StreamKey) -> int:
        """Those of other streams: one that comes back takes the place that it had."""
        return sum(
            publish.stream.key != key
            and self._group(publish.stream.key.vhost) == self._group(key.vhost)
            and host_of(publish.client.peer) == host
            and self.takes_place(publish.client, publish.name)
            for publish in self._publishes.values()
        )


def _refusal(flag: str, limit: int, client: Client) -> Refusal:
    hint = "; a node without proof takes a place (-node_secret_file, -trusted_nodes)" if client.is_hop else ""
    return Refusal(Reason.LIMIT, f"{flag} {limit}{hint}")
