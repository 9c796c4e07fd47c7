"""Users with passwords: who may do what, with which streams, and from where.

A file has a line for each: ``name:hash:actions[:paths[:cidrs]]``, where paths are ``app/stream``,
``app/*`` or ``*``, and lists have commas between.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from urllib.parse import unquote

from edge.access.addresses import AddressSet
from edge.access.passwords import SHA256, PasswordHash, parse_hash
from edge.access.token import Arguments

ACTIONS = frozenset({"publish", "play", "api", "pages", "metrics"})
EVERYTHING = "*"
USER, PASSWORD = "user", "pass"
_BASIC = "basic"
_MAX_CREDENTIAL = 512


@dataclass(frozen=True, slots=True)
class User:
    """One line.

    Attributes:
        actions: of ``ACTIONS``.
        paths: ``*`` for all; empty for all too.
        addresses: from where; empty for everywhere.
    """

    name: str
    hash: PasswordHash
    actions: frozenset[str]
    paths: tuple[str, ...]
    addresses: AddressSet

    def may(self, action: str, app: str, stream: str, host: str) -> bool:
        """Whether this user may do that."""
        if action not in self.actions or (self.addresses and host not in self.addresses):
            return False
        wanted = (EVERYTHING, f"{app}/{EVERYTHING}", f"{app}/{stream}")
        return not self.paths or any(path in wanted for path in self.paths)


@dataclass(frozen=True, slots=True)
class Login:
    """A name and a password as somebody says them."""

    name: str
    password: str


def login_of(authorization: str, query: str) -> Login | None:
    """From ``Basic`` credentials, else from ``user`` and ``pass`` of the query; None without.

    Raises:
        MalformedError: one of the parameters is there twice.
    """
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == _BASIC:
        try:
            text = base64.b64decode(rest.strip(), validate=True).decode()
        except (ValueError, binascii.Error):
            return Login("", "")
        name, _, password = text.partition(":")
        return Login(name[:_MAX_CREDENTIAL], password[:_MAX_CREDENTIAL])
    if not query:
        return None
    arguments = Arguments(query)
    found, password_said = arguments.one(USER), arguments.one(PASSWORD)
    if found is None and password_said is None:
        return None
    return Login((found or "")[:_MAX_CREDENTIAL], (password_said or "")[:_MAX_CREDENTIAL])


def parse_users(text: str) -> dict[str, User]:
    """The users of a file by name; lines that are empty or begin with ``#`` are left out.

    Raises:
        ValueError: with the number of the line and a colon before the reason, which holds no hash.
    """
    users: dict[str, User] = {}
    numbers: dict[str, int] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        try:
            user = _user_of(line)
        except ValueError as error:
            raise ValueError(f"{number}: {error}") from error
        if user.name in users:
            raise ValueError(f"{number}: the user of line {numbers[user.name]} once more")
        users[user.name], numbers[user.name] = user, number
    if not users:
        raise ValueError("0: there is no user in it")
    return users


def _user_of(line: str) -> User:
    name, _, rest = line.partition(":")
    if rest.startswith(f"{SHA256}:"):
        kind, found, *more = rest.split(":", 4)
        hash_text = f"{kind}:{found}"
    else:
        hash_text, *more = rest.split(":", 3)
    if not name or not more:
        raise ValueError("a line is name:hash:actions[:paths[:addresses]]")
    actions = _list(more[0])
    if not actions or not ACTIONS.issuperset(actions):
        raise ValueError(f"actions are of {', '.join(sorted(ACTIONS))}")
    return User(
        unquote(name),
        parse_hash(hash_text),
        frozenset(actions),
        _list(more[1]) if len(more) > 1 else (),
        AddressSet(_list(more[2]) if len(more) > 2 else ()),
    )


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
