"""What the gates cost a play or a publish: ``python bench/gates.py``, in CPU time of one core, without a network.

Each line is a request on its way through all rules of a service, against the same request where nothing is asked.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from edge.access.config import AccessConfig, GuardConfig
from edge.access.files import Files
from edge.access.gates import Gates, Surroundings
from edge.access.jwt_keys import JwtKey, Keyring
from edge.access.schemes import Scheme
from edge.access.signing import parse_schemes
from edge.access.stream_keys import StreamKeys
from edge.access.token import Asked
from edge.hub.key import StreamKey
from edge.service.admission import Admission
from edge.service.names import StreamName, TcUrl
from edge.service.request import HttpClient, PlayRequest, PublishRequest

GOAL_US = 15.0
_ROUNDS, _TIMES = 15, 2000
_KEY = b"0123456789abcdef0123456789abcdef"
_SECRET = "b7Qk-9sXw2-Lm4Tz8Rv1"
_NOW_S = 1_893_000_000.0
_CLIENT = HttpClient(1, "203.0.113.9:5000", "rtmp", TcUrl("", "", "live", ""), page_url="http://www.example.com/live")
_SIGN: dict[str, Any] = {"play_auth": ("sign",), "sign_keys_file": "sign"}
_TOKEN: dict[str, Any] = {"play_auth": ("jwt",), "jwt_keys": "jwt"}
_CLAIMS = {"exp": int(_NOW_S) + 3600, "edge_permissions": [{"action": "play", "path": "live/*"}]}
_ALGORITHMS = ("HS256", "RS256", "ES256", "EdDSA")
_HAS_GOAL = ("signed", "token, known")
_NETWORKS = tuple(f"10.{number}.0.0/16" for number in range(50))


@functools.cache
def signer(algorithm: str) -> Any:
    """A private key, or the secret."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    made = {
        "HS256": lambda: _KEY,
        "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
    }
    return made[algorithm]()


def ring() -> Keyring:
    """A key for each algorithm."""
    keys = [(each, signer(each)) for each in _ALGORITHMS]
    return Keyring([JwtKey(name, "", key if key is _KEY else key.public_key()) for name, key in keys])


class OtherEachTime(Keyring):
    """Keys that are others whenever somebody looks: no token is known again."""

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        return (*found,) if name == "keys" else found


def token(algorithm: str, **more: Any) -> str:
    """That lets a player of ``live/cam1`` in."""
    import jwt

    return jwt.encode({**_CLAIMS, **more}, signer(algorithm), algorithm)


def admission_of(config: AccessConfig, *, are_known: bool = True) -> Admission:
    """The rules of a service with these gates; none where they ask nothing, as in a node.

    ``are_known``: tokens that were right once are.
    """
    admission = Admission()
    if config.asks_nothing:
        return admission
    keys = ring()
    tokens = {"jwt": keys if are_known else OtherEachTime(keys.keys)}
    signed_by = {"sign": (_KEY, b"another key of 16 bytes")}
    files = Files({"keys": StreamKeys(f"live/hall {_SECRET}\n")}, {}, signed_by, jwt_keys=tokens)
    around = Surroundings(lambda: _NOW_S, lambda: 0, lambda *_: None, b"secret", lambda _: False)
    admission.rules.append(Gates(lambda _: config, files, GuardConfig(), around))
    return admission


def signed(scheme: Scheme) -> str:
    """The query that lets a player of ``live/cam1`` in."""
    asked = Asked("play", "_", "live", "cam1", "/live/cam1", "203.0.113.9", _NOW_S)
    return scheme.sign(asked, _KEY, int(_NOW_S) + 3600)


def cases() -> dict[str, tuple[AccessConfig, Callable[[], PlayRequest | PublishRequest]]]:
    """By what is measured: the settings, and who asks."""

    def play(query: str = "") -> Callable[[], PlayRequest]:
        name = StreamName(StreamKey("_", "live", "cam1"), query)
        return lambda: PlayRequest(_CLIENT, name)

    key = StreamName(StreamKey("_", "live", _SECRET))
    found: dict[str, tuple[AccessConfig, Callable[[], PlayRequest | PublishRequest]]] = {
        "nothing is asked": (AccessConfig(), play()),
        "50 networks": (AccessConfig(play_deny=_NETWORKS), play()),
        "page": (AccessConfig(refer_play=("example.com",)), play()),
        "secret key": (
            AccessConfig(publish_auth=("key",), stream_keys_file="keys"),
            lambda: PublishRequest(_CLIENT, key),
        ),
    }
    for name in ("edge", "tencent", "aliyun-a", "huawei-d"):
        (scheme,) = parse_schemes(name)
        found[f"signed URL, {name}"] = AccessConfig(**_SIGN, sign_scheme=name), play(signed(scheme))
    found["token, known"] = AccessConfig(**_TOKEN), play(f"token={token('RS256')}")
    for name in _ALGORITHMS:
        found[f"token, new, {name}"] = AccessConfig(**_TOKEN), play(f"token={token(name)}")
    found["token, wrong, RS256"] = AccessConfig(**_TOKEN), play(f"token={token('RS256')[:-4]}AAAA")
    found["token, not ours"] = (
        AccessConfig(**_TOKEN),
        play(f"token={token('HS256')}".replace("eyJhbGciOiJIUzI1Ni", "eyJhbGciOiJIUzUxMi")),
    )
    found["signed URL, wrong"] = AccessConfig(**_SIGN), play(signed(parse_schemes("edge")[0])[:-1] + "x")
    return found


def cost_us(config: AccessConfig, make: Callable[[], PlayRequest | PublishRequest], *, are_known: bool = True) -> float:
    """CPU time of one request, the median of some rounds."""
    admission, rounds = admission_of(config, are_known=are_known), list[float]()
    for _ in range(_ROUNDS):
        requests = [make() for _ in range(_TIMES)]
        began_ns = time.process_time_ns()
        for request in requests:
            admission.ask(request, _told)
        rounds.append((time.process_time_ns() - began_ns) / _TIMES / 1000)
    return median(rounds)


def _told(_: object) -> None:
    """Whatever it is."""


def line(name: str, cost: float, base: float) -> str:
    """A row of the report."""
    more = cost - base
    verdict = "" if not name.startswith(_HAS_GOAL) else f", goal {GOAL_US:g}: {'met' if more <= GOAL_US else 'not met'}"
    return f"{name:22} {cost:6.2f} us, {more:5.2f} more than nothing{verdict}"


def main() -> int:
    """Measure all and print; the exit code says whether the goal is met."""
    costs = {name: cost_us(*case, are_known=not name.startswith("token, new")) for name, case in cases().items()}
    base = costs["nothing is asked"]
    for name, cost in costs.items():
        print(line(name, cost, base), flush=True)
    return int(any(cost - base > GOAL_US for name, cost in costs.items() if name.startswith(_HAS_GOAL)))


if __name__ == "__main__":
    sys.exit(main())
