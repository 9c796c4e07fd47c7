"""What stands in the files that flags name, once they have been read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.access.cdn import parse_cdn_secrets
from edge.access.config import AccessConfig, GuardConfig
from edge.access.nodes import parse_secret
from edge.access.signing import parse_keys
from edge.access.stream_keys import StreamKeys
from edge.access.users import User, parse_users

if TYPE_CHECKING:
    from edge.access.jwt_keys import JwtKey, Keyring

Parser = Callable[[str], object]


def _parse_keys_of_tokens(text: str) -> tuple[JwtKey, ...]:
    from edge.access.jwt_keys import parse_key_file  # most do without

    return parse_key_file(text)


#: By the flag that names the file; each raises ValueError with a line's number and a colon before the reason.
PARSERS: Mapping[str, Parser] = {
    "stream_keys_file": StreamKeys,
    "users_file": parse_users,
    "sign_keys_file": parse_keys,
    "node_secret_file": parse_secret,
    "hls_cdn_secret_file": parse_cdn_secrets,
    "jwt_keys": _parse_keys_of_tokens,
}


@dataclass(frozen=True, slots=True)
class Files:
    """By path.

    Attributes:
        stream_keys, users, sign_keys, cdn_secrets: what files of the four kinds hold.
        jwt_keys: what their files hold and their URLs have answered.
        node_secret: that of the fleet, b"" for none.
    """

    stream_keys: Mapping[str, StreamKeys] = field(default_factory=dict)
    users: Mapping[str, Mapping[str, User]] = field(default_factory=dict)
    sign_keys: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    node_secret: bytes = b""
    cdn_secrets: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    jwt_keys: Mapping[str, Keyring] = field(default_factory=dict)


def is_url(place: str) -> bool:
    """Whether ``-jwt_keys`` names no file, but who is to be asked."""
    return place.startswith(("http://", "https://"))


def named_files(config: AccessConfig | GuardConfig) -> list[tuple[str, str]]:
    """Flags and paths of the files that ``config`` names."""
    found = [(flag, getattr(config, flag, "")) for flag in PARSERS]
    return [(flag, path) for flag, path in found if path and not is_url(path)]
