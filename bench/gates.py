"""What the gates cost a play or a publish: ``python bench/gates.py``, in CPU time of one core, without a network.

Each line is a request on its way through all rules of a service, against the same request where nothing is asked.
"""

from __future__ import annotations

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
_NETWORKS = tuple(f"10.{number}.0.0/16" for number in range(50))


def admission_of(config: AccessConfig) -> Admission:
    """The rules of a service with these gates; none where they ask nothing, as in a node."""
    admission = Admission()
    if config.asks_nothing:
        return admission
    files = Files({"keys": StreamKeys(f"live/hall {_SECRET}\n")}, {}, {"sign": (_KEY, b"another key of 16 bytes")})
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
    found["signed URL, wrong"] = AccessConfig(**_SIGN), play(signed(parse_schemes("edge")[0])[:-1] + "x")
    return found


def cost_us(config: AccessConfig, make: Callable[[], PlayRequest | PublishRequest]) -> float:
    """CPU time of one request, the median of some rounds."""
    admission, rounds = admission_of(config), list[float]()
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
    verdict = "" if not name.startswith("signed") else f", goal {GOAL_US:g}: {'met' if more <= GOAL_US else 'not met'}"
    return f"{name:22} {cost:6.2f} us, {more:5.2f} more than nothing{verdict}"


def main() -> int:
    """Measure all and print; the exit code says whether the goal is met."""
    costs = {name: cost_us(*case) for name, case in cases().items()}
    base = costs["nothing is asked"]
    for name, cost in costs.items():
        print(line(name, cost, base), flush=True)
    return int(any(cost - base > GOAL_US for name, cost in costs.items() if name.startswith("signed")))


if __name__ == "__main__":
    sys.exit(main())
