"""Gates without files, clocks or threads of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from edge.access.config import AccessConfig, GuardConfig
from edge.access.files import Files
from edge.access.gates import Gates, Surroundings
from edge.access.jwt_keys import Keyring
from edge.access.signing import parse_keys
from edge.access.stream_keys import StreamKeys
from edge.access.token import Asked
from edge.access.users import parse_users
from edge.service.admission import Later, Verdict
from edge.service.request import PlayRequest, PublishRequest
from tests.service.fakes import Door, FakeClient

#: Of all vectors.
KEY = b"0123456789abcdef0123456789abcdef"
#: 2030-01-01T00:00:00Z.
EXPIRY = 1893456000
NOW = EXPIRY - 3600


def asked(action: str = "play", scope: str = "live/cam1", **more: Any) -> Asked:
    """A request for a stream of the default vhost."""
    app, _, stream = scope.partition("/")
    said = {"vhost": "_", "path": f"/{scope}", "address": "203.0.113.9", "now_s": float(NOW)}
    return Asked(action=action, app=app, stream=stream, **{**said, **more})


@dataclass
class Rig:
    """Gates with all that they need.

    Attributes:
        now_ms, wall_s: the two clocks.
        waiting: what was given to threads.
    """

    config: AccessConfig
    guard: GuardConfig = field(default_factory=GuardConfig)
    now_ms: int = 1000
    wall_s: float = float(NOW)
    proxies: set[str] = field(default_factory=set)
    waiting: list[tuple[Callable[[], bool], Callable[[bool | None], None]]] = field(default_factory=list)
    node_secret: bytes = b""
    keys_text: str = "live/hall b7Qk-9sXw2-Lm4Tz8Rv1\n"
    users_text: str = ""
    has_vhost: bool = True
    ring: Keyring = field(default_factory=Keyring)

    def __post_init__(self) -> None:
        self.door = Door()
        around = Surroundings(
            wall_s=lambda: self.wall_s,
            now_ms=lambda: self.now_ms,
            in_thread=lambda work, answer: self.waiting.append((work, answer)),
            secret=b"secret of the process",
            is_proxy=lambda host: host in self.proxies,
        )
        self.gates = Gates(lambda key: self.config if self.has_vhost else None, self.files, self.guard, around)

    @property
    def files(self) -> Files:
        return Files(
            stream_keys={"keys": StreamKeys(self.keys_text)},
            users={"users": parse_users(self.users_text)} if self.users_text else {},
            sign_keys={"sign": parse_keys(f"{KEY.decode()}\nanother key of 16 bytes and more\n")},
            node_secret=self.node_secret,
            cdn_secrets={"cdn": (KEY,)},
            jwt_keys={"jwt": self.ring},
        )

    def ask(self, action: str, name: str, **client: Any) -> Verdict | Later:
        """What the gates say of a stream of app ``live``; what comes later is appended to ``answers``."""
        peer = client.pop("peer", "203.0.113.9:5000")
        who = FakeClient(1, peer, **client)
        kind = PublishRequest if action == "publish" else PlayRequest
        self.request = kind(who, self.door.name(name, is_play=action == "play"))
        self.answers: list[Verdict] = []
        verdict = self.gates.check(self.request, self.answers.append)
        return verdict
