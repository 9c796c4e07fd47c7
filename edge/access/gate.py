"""The settings of a vhost, made ready to be asked: lists compiled, files looked up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from edge.access.addresses import AddressRules
from edge.access.config import AccessConfig
from edge.access.files import Files
from edge.access.passwords import NOBODY, QUICK_NOBODY
from edge.access.referers import RefererList
from edge.access.schemes import Terms
from edge.access.signing import Signatures, parse_schemes
from edge.access.stream_keys import StreamKeys
from edge.access.users import PASSWORD, USER, User

if TYPE_CHECKING:
    from edge.access.jwt import Tokens

KEY, SIGN, LOGIN, JWT = "key", "sign", "user", "jwt"
PUBLISH, PLAY = "publish", "play"
#: Ways to be let in, and the flag of the file that each needs.
METHODS: Final[Mapping[str, str]] = {
    **{KEY: "stream_keys_file", SIGN: "sign_keys_file", LOGIN: "users_file"},
    JWT: "jwt_keys",
}
#: The upstream is asked about each client.
ASK = "ask"
_UPSTREAM = ("pass", "off", ASK)


class Gate:
    """Attributes:
    addresses, referers: by action.
    referers_of_all: whatever somebody wants.
    methods: by action.
    signatures, tokens, stream_keys, users: None where no file has them.
    nobody: what is looked at for a user that there is not, which takes as long as for one that there is.
    ends_at_expiry, cuts_query: as the settings say.
    is_open: it asks nothing.
    asks_players: something is asked of who plays, be it but where he comes from.
    """

    def __init__(self, config: AccessConfig, files: Files) -> None:
        """Raises ValueError as the parsers of the lists do, KeyError for a file that is not among ``files``."""
        self.addresses = {
            PUBLISH: AddressRules(config.publish_allow, config.publish_deny),
            PLAY: AddressRules(config.play_allow, config.play_deny),
        }
        self.referers_of_all = RefererList(config.refer_all)
        self.referers = {PUBLISH: RefererList(config.refer_publish), PLAY: RefererList(config.refer_play)}
        self.methods = {PUBLISH: config.publish_auth, PLAY: config.play_auth}
        used = {*config.publish_auth, *config.play_auth}
        self.stream_keys: StreamKeys | None = None
        if config.stream_keys_file:
            self.stream_keys = files.stream_keys[config.stream_keys_file]
        self.users: Mapping[str, User] = files.users[config.users_file] if LOGIN in used else {}
        self.nobody = NOBODY if any(user.hash.is_slow for user in self.users.values()) else QUICK_NOBODY
        self.signatures: Signatures | None = None
        self.parameters = frozenset({USER, PASSWORD}) if LOGIN in used else frozenset()
        if SIGN in used:
            terms = Terms(config.sign_ttl_s, config.sign_skew_s)
            schemes = parse_schemes(config.sign_scheme)
            self.signatures = Signatures(schemes, files.sign_keys[config.sign_keys_file], terms)
            self.parameters |= self.signatures.parameters
        self.tokens: Tokens | None = None
        if JWT in used:
            from edge.access.jwt import PARAMETERS, Tokens, TokenTerms  # most do without

            terms_of_tokens = TokenTerms(config.jwt_issuer, config.jwt_audience, config.sign_skew_s)
            self.tokens = Tokens(files.jwt_keys[config.jwt_keys], terms_of_tokens)
            self.parameters |= frozenset(PARAMETERS)
        self.ends_at_expiry = config.auth_end_at_expiry
        self.cuts_query = config.auth_upstream == "off" and bool(self.parameters)
        by_page = self.referers_of_all.is_set or self.referers[PLAY].is_set
        self.asks_players = bool(self.addresses[PLAY]) or by_page or bool(self.methods[PLAY])
        self.is_open = config.asks_nothing and self.stream_keys is None


def faults_of(config: AccessConfig) -> Iterator[tuple[str, str]]:
    """What is wrong with the settings of a vhost, whatever its files hold: flag and text."""
    for action in (PUBLISH, PLAY):
        yield from _faults_of_methods(config, action)
    tries: list[tuple[str, Callable[[], object]]] = [
        *((flag, _addresses(config, flag)) for flag in ("publish_allow", "publish_deny", "play_allow", "play_deny")),
        *((flag, _referers(config, flag)) for flag in ("refer_all", "refer_play", "refer_publish")),
        ("sign_scheme", lambda: parse_schemes(config.sign_scheme)),
    ]
    for flag, attempt in tries:
        try:
            attempt()
        except ValueError as error:
            yield flag, str(error)
    if config.auth_upstream not in _UPSTREAM:
        yield "auth_upstream", f"{config.auth_upstream!r} is none of {', '.join(_UPSTREAM)}"


def _faults_of_methods(config: AccessConfig, action: str) -> Iterator[tuple[str, str]]:
    flag = f"{action}_auth"
    allowed = [method for method in METHODS if method != KEY or action == PUBLISH]
    for method in getattr(config, flag):
        if method not in allowed:
            yield flag, f"{method!r} is none of {', '.join(allowed)}"
        elif not getattr(config, METHODS[method]):
            yield flag, f"{method} needs -{METHODS[method]}"


def _addresses(config: AccessConfig, flag: str) -> Callable[[], object]:
    return lambda: AddressRules(getattr(config, flag), ())


def _referers(config: AccessConfig, flag: str) -> Callable[[], object]:
    return lambda: RefererList(getattr(config, flag))
