"""The gates in their order: address, page, credential. The rules of ``edge.service.admission`` that come first.

A client is judged once, by the node that it connects to: a node that has proved to be one of ours, or is
trusted by its address, passes all but the first; a CDN that answers for its viewers passes all. What is not
configured is not asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from edge.access.addresses import AddressSet, canonical
from edge.access.cdn import shows_secret
from edge.access.config import AccessConfig, GuardConfig
from edge.access.files import Files
from edge.access.gate import JWT, KEY, LOGIN, PLAY, PUBLISH, SIGN, Gate
from edge.access.guessing import Guessing
from edge.access.login import InThread, LoginDesk
from edge.access.nodes import NodeProofs
from edge.access.signing import without
from edge.access.stream_keys import LEAST_KEY, digest_of
from edge.access.token import (
    KEYS_MISSING,
    MAX_QUERY,
    NO_KEY,
    Admitted,
    Asked,
    MalformedError,
    UnknownKey,
    malformed,
)
from edge.access.users import Login, login_of
from edge.hub.key import StreamKey
from edge.service.admission import LATER, YES, Answer, Granted, Later, StreamRequest, Verdict
from edge.service.refusal import Reason, Refusal
from edge.service.request import Client, ConnectRequest, PublishRequest
from edge.service.story import host_of

#: What counts as a guess: the rest is a mistake that nobody learns from.
GUESSES = frozenset(
    {Reason.TOKEN_INVALID, Reason.TOKEN_MALFORMED, Reason.LOGIN_INVALID, Reason.KEY_INVALID, Reason.HOOK_DENIED}
)
#: Different settings of vhosts, made ready.
_MAX_MADE = 4096
#: Parts of a name that are looked at.
_MAX_WORDS = 8
_WORD = re.compile(rf"[^\s/.\\?&=]{{{LEAST_KEY},}}")
_NO_KEY = Refusal(Reason.KEY_INVALID, "no stream of this app has this key")
_KEY_ELSEWHERE = Refusal(Reason.KEY_INVALID, "a secret key where none is asked for: it would be a name")
_KEY_PLAYED = Refusal(Reason.KEY_INVALID, "a secret key is for publishing only")
_NO_LOGIN = Refusal(Reason.LOGIN_MISSING, "there are no user and password")
_BAD_LOGIN = Refusal(Reason.LOGIN_INVALID, "user or password are wrong")
_NOT_THIS = Refusal(Reason.LOGIN_INVALID, "the user is not meant for this")
_BUSY = Refusal(Reason.LIMIT, "too many passwords are waiting to be looked at", retry_after_s=5)
#: Of several refusals, the one that is told: what was wrong goes before what was not there.
_TOLD_FIRST = (
    *(Reason.TOKEN_EXPIRED, Reason.TOKEN_INVALID, Reason.TOKEN_MALFORMED, Reason.LOGIN_INVALID, Reason.KEYS_MISSING),
    *(Reason.KEY_INVALID, Reason.LOGIN_MISSING, Reason.TOKEN_MISSING),
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the gates need of the process.

    Attributes:
        wall_s: seconds since 1970.
        now_ms: a monotonic clock.
        in_thread: for what takes long.
        secret: some random bytes.
        is_proxy: whether many clients come from an address.
    """

    wall_s: Callable[[], float]
    now_ms: Callable[[], int]
    in_thread: InThread
    secret: bytes
    is_proxy: Callable[[str], bool]


class Gates:
    """A rule about connections, plays and publishes of a service.

    Attributes:
        guessing: how much was wrong lately, by address.
        proofs: of nodes; None where they prove nothing.
    """

    def __init__(
        self,
        config_of: Callable[[StreamKey], AccessConfig | None],
        files: Files,
        guard: GuardConfig,
        surroundings: Surroundings,
        *,
        default_vhost: str = "_",
    ) -> None:
        """``config_of``: the settings of a stream; None for one of a vhost that is refused."""
        self._config_of = config_of
        self._around = surroundings
        self.default_vhost = default_vhost
        self.guessing = Guessing(guard.auth_failures_per_min, surroundings.now_ms, self._is_exempt)
        self._desk = LoginDesk(surroundings.in_thread, surroundings.now_ms, surroundings.secret)
        self.proofs: NodeProofs | None = None
        self._node_secret = b""
        self._trusted_nodes = AddressSet(())
        # By identity, which is quicker: equal settings of vhosts are one object, which is held here too.
        self._made: dict[int, tuple[AccessConfig, Gate | None]] = {}
        self._files = files
        self.replace(files, guard)

    def replace(self, files: Files, guard: GuardConfig) -> None:
        """Take other settings, for those who come from now on. Raises ValueError for a list that is none."""
        trusted = AddressSet(guard.trusted_nodes)
        self._files, self._made = files, {}
        self._keys: frozenset[bytes] = frozenset().union(*(keys.digests for keys in files.stream_keys.values()))
        self._trusted_nodes = trusted
        self.guessing.limit = guard.auth_failures_per_min
        if files.node_secret != self._node_secret:
            self._node_secret = files.node_secret
            self.proofs = NodeProofs(files.node_secret, self._around.wall_s) if files.node_secret else None

    def gate_of(self, key: StreamKey) -> Gate | None:
        """What is asked about a stream; None for nothing."""
        config = self._config_of(key)
        if config is None:
            return None
        made = self._made.get(id(config))
        if made is None:
            gate = Gate(config, self._files)
            if len(self._made) >= _MAX_MADE:
                self._made.clear()
            made = self._made[id(config)] = config, None if gate.is_open else gate
        return made[1]

    def hides(self, request: StreamRequest) -> bool:
        """Whether the name of a request may be a secret, see ``Admission.hides``.

        Whatever holds a key does, at any vhost, and where publishers may mean one whatever they say.
        """
        if not self._keys:
            return False
        key = request.name.key
        if isinstance(request, PublishRequest):
            gate = self.gate_of(key)
            if KEY in gate.methods[PUBLISH] if gate is not None else self._config_of(key) is None:
                return True
        return any(digest_of(word) in self._keys for word in _words_of(key.stream_name))

    def refused(self, request: StreamRequest, refusal: Refusal) -> None:
        """A rule has refused it."""
        if refusal.reason in GUESSES and not self._is_node(request.client):
            self.guessing.failed(host_of(request.client.peer))

    def proves(self, proof: str, node_id: str) -> bool:
        """Whether a node proves by ``proof`` to be one of ours."""
        return self.proofs is not None and self.proofs.accepts(proof, node_id)

    def trusts(self, host: str) -> bool:
        """Whether nodes at an address need no proof."""
        return bool(self._trusted_nodes) and host in self._trusted_nodes

    def needs_proof(self) -> bool:
        """Whether who says that it is a node has to prove it."""
        return self.proofs is not None

    def make_proof(self, node_id: str) -> str:
        """A proof for another node; "" without a secret."""
        return self.proofs.make(node_id) if self.proofs is not None else ""

    def is_cdn(self, key: StreamKey, said: Sequence[str]) -> bool | None:
        """Whether it is a CDN that asks for HLS of a stream, by its ``Authorization`` headers.

        None where it is not said, or no CDN is known; False where what is said is wrong, which nobody gets away with.
        """
        config = self._config_of(key)
        if config is None or not config.hls_cdn_secret_file:
            return None
        return shows_secret(said, self._files.cdn_secrets.get(config.hls_cdn_secret_file, ()))

    def shuts_out(self, host: str) -> bool:
        """Whether all that comes from an address is refused at present."""
        return self.guessing.wait_s(host) > 0

    def _is_exempt(self, host: str) -> bool:
        return self._around.is_proxy(host) or host in self._trusted_nodes

    def _is_node(self, client: Client) -> bool:
        return client.is_proven or self.trusts(host_of(client.peer))

    # --- the rules ---------------------------------------------------------------

    def check_connect(self, request: ConnectRequest, later: Answer) -> Refusal | Later | None:
        """See ``ConnectRule``: from which pages clients may come, whatever they want."""
        gate = self.gate_of(StreamKey(request.vhost, request.app, ""))
        if gate is None or gate.referers_of_all.admits(request.client.page_url) or self._is_node(request.client):
            return None
        return _wrong_page(request.client)

    def check(self, request: StreamRequest, later: Answer) -> Verdict | Later:
        """See ``Rule``."""
        key, client = request.name.key, request.client
        gate = self.gate_of(key)
        if gate is None:
            return self._is_key_elsewhere(request)
        action = PUBLISH if isinstance(request, PublishRequest) else PLAY
        host = host_of(client.peer)
        if client.is_proven and client.authorization and self.is_cdn(key, (client.authorization,)):
            return YES
        if gate.addresses[action] and not gate.addresses[action].admits(host):
            return Refusal(Reason.ADDRESS, f"address {host} may not {action} here (-{action}_allow, -{action}_deny)")
        if self._is_node(client):  # one that has no keys itself would hand on its publishers'
            return self._is_key_elsewhere(request) or YES
        if not (gate.referers_of_all.admits(client.page_url) and gate.referers[action].admits(client.page_url)):
            return _wrong_page(client)
        if action == PLAY and gate.stream_keys is not None and gate.stream_keys.has(key.stream_name):
            return self._wait_of(host) or _KEY_PLAYED
        if not gate.methods[action]:
            return self._is_key_elsewhere(request) or YES
        return self._wait_of(host) or self._credential(gate, action, request, host, later)

    def _is_key_elsewhere(self, request: StreamRequest) -> Refusal | None:
        """What lets anybody publish would make a secret the name of a stream, for all to see."""
        is_key = self._keys and digest_of(request.name.key.stream_name) in self._keys
        return _KEY_ELSEWHERE if is_key and isinstance(request, PublishRequest) else None

    def _wait_of(self, host: str) -> Refusal | None:
        wait_s = self.guessing.wait_s(host)
        if not wait_s:
            return None
        return Refusal(Reason.GUESSING, f"too many wrong credentials from {host}", retry_after_s=wait_s)

    def _credential(self, gate: Gate, action: str, request: StreamRequest, host: str, later: Answer) -> Verdict | Later:
        key, methods = request.name.key, gate.methods[action]
        refusals: list[Refusal] = []
        if KEY in methods:
            stream = gate.stream_keys.stream_of(key.vhost, key.app, key.stream_name) if gate.stream_keys else None
            if stream is not None:
                return self._granted(gate, request, Admitted(), name=f"{key.app}/{stream}")
            refusals.append(_NO_KEY)
        if SIGN in methods and gate.signatures is not None:
            answer = gate.signatures.check(self._asked(action, request, host), request.name.query)
            if isinstance(answer, Admitted):
                return self._granted(gate, request, answer)
            refusals.append(answer)
        return self._credential_of_header(gate, action, request, host, refusals, later)

    def _credential_of_header(
        self,
        gate: Gate,
        action: str,
        request: StreamRequest,
        host: str,
        refusals: list[Refusal],
        later: Answer,
        *,
        may_wait: bool = True,
    ) -> Verdict | Later:
        """Those that may stand in a header too; ``may_wait``: keys that are not known may be asked for."""
        methods = gate.methods[action]
        if JWT in methods and gate.tokens is not None:
            asked, ring = self._asked(action, request, host), gate.tokens.ring
            answer = gate.tokens.check(asked, request.client.authorization, request.name.query)
            if isinstance(answer, Admitted):
                return self._granted(gate, request, answer)
            if isinstance(answer, UnknownKey):

                def asked_for() -> None:
                    verdict = self._credential_of_header(gate, action, request, host, refusals, later, may_wait=False)
                    if not isinstance(verdict, Later):
                        later(verdict)

                if may_wait and ring.wants(asked_for):
                    return LATER
                answer = NO_KEY if ring.keys else KEYS_MISSING
            refusals = [*refusals, answer]
        if LOGIN not in methods:
            return _told(refusals)
        try:
            login = login_of(request.client.authorization, request.name.query[:MAX_QUERY])
        except MalformedError as error:
            return malformed(error)
        if login is None:
            return _told([*refusals, _NO_LOGIN])
        return self._log_in(gate, action, request, host, login, refusals, later)

    def _log_in(
        self,
        gate: Gate,
        action: str,
        request: StreamRequest,
        host: str,
        login: Login,
        refusals: list[Refusal],
        later: Answer,
    ) -> Verdict | Later:
        user, key = gate.users.get(login.name), request.name.key

        def verdict(is_right: bool | None) -> Verdict:
            if is_right is None:
                return _BUSY
            if not is_right or user is None:
                return _told([*refusals, _BAD_LOGIN])
            if not user.may(action, key.app, key.stream_name, host):
                return _told([*refusals, _NOT_THIS])
            return self._granted(gate, request, Admitted())

        def answered(is_right: bool | None) -> None:
            later(verdict(is_right))

        is_right = self._desk.check(user, login, answered, gate.nobody)
        return LATER if is_right is None else verdict(is_right)

    def _asked(self, action: str, request: StreamRequest, host: str) -> Asked:
        key = request.name.key
        return Asked(
            action,
            "_" if key.vhost == self.default_vhost else key.vhost,
            key.app,
            key.stream_name,
            f"/{key.app}/{key.stream_name}{request.suffix}",
            canonical(host),
            self._around.wall_s(),
        )

    def _granted(self, gate: Gate, request: StreamRequest, admitted: Admitted, *, name: str = "") -> Granted:
        lifetime_s = 0.0
        if gate.ends_at_expiry and admitted.ends_s:
            lifetime_s = max(admitted.ends_s - self._around.wall_s(), 0.001)
        query = without(request.name.query, gate.parameters) if gate.cuts_query else None
        if not name and query is None and not lifetime_s:
            return YES
        return Granted(name, query, lifetime_s)


def _words_of(stream_name: str) -> list[str]:
    """What may be a key in the name of somebody who has got it wrong: in front of a slash or a suffix, say."""
    return [stream_name, *islice((found.group() for found in _WORD.finditer(stream_name)), _MAX_WORDS)]


def _told(refusals: Iterable[Refusal]) -> Refusal:
    """Of what each way in has said."""
    return min(refusals, key=lambda refusal: _TOLD_FIRST.index(refusal.reason))


def _wrong_page(client: Client) -> Refusal:
    page = client.page_url.partition("?")[0][:200]
    return Refusal(Reason.PAGE, f"page {page!r} is not in the list" if page else "there is no page")
