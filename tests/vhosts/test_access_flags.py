"""Of each flag of the gates: it acts in its vhost, and not in another one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from edge.access.config import AccessConfig, GuardConfig
from edge.access.edge_scheme import EdgeScheme
from edge.access.files import Files
from edge.access.gates import Gates, Surroundings
from edge.access.jwt_keys import Keyring, parse_key_file
from edge.access.stream_keys import StreamKeys
from edge.access.users import parse_users
from edge.flags.registry import DEFINITIONS
from edge.hub.key import StreamKey
from edge.runtime.rules import rules_of, with_values
from edge.service.admission import Granted
from edge.service.names import StreamName, parse_tc_url
from edge.service.refusal import Reason, Refusal
from edge.service.request import PlayRequest, PublishRequest
from edge.service.rules import Rulebook, Vhost
from tests.access.fakes import EXPIRY, KEY, NOW, asked
from tests.access.tokens import claims, token
from tests.runtime.nodes import settings_of
from tests.service.fakes import Door, FakeClient
from tests.vhosts.world import PLAIN, SET

ADDRESS = "203.0.113.9"
SECRET = "b7Qk-9sXw2-Lm4Tz8Rv1"
_USER = f"rob:sha256:{hashlib.sha256(b'a password that is long').hexdigest()}:play:live/*\n"
FILES = Files(
    stream_keys={"keys": StreamKeys(f"live/hall {SECRET}\n"), "others": StreamKeys("live/hall another-key-of-20-ch\n")},
    users={"users": parse_users(_USER), "others": parse_users(_USER.replace("rob", "ann"))},
    sign_keys={"keys": (KEY,), "others": (KEY[::-1],)},
    jwt_keys={
        "keys": Keyring(parse_key_file(f"HS256 {KEY.decode()}")),
        "others": Keyring(parse_key_file(f"HS256 {KEY[::-1].decode()}")),
    },
)
Text = str | Callable[[str], str]


def signed(vhost: str) -> str:
    return f"s?{EdgeScheme().sign(asked(scope='live/s', vhost=vhost), KEY, EXPIRY)}"


def made_an_hour_ago(_: str) -> str:
    """A URL that says when it was made."""
    moment = f"{NOW - 3600:x}"
    digest = hashlib.md5(KEY + b"/live/s" + moment.encode(), usedforsecurity=False).hexdigest()
    return f"s?KEY1={digest}&KEY2={moment}"


@dataclass(frozen=True)
class Row:
    """What holds in both vhosts, the value in the one, who asks for what, and what is seen in either."""

    text: str
    there: Any
    elsewhere: Any
    name: Text = "s"
    action: str = "play"
    page: str = ""
    both: Mapping[str, Any] = field(default_factory=dict)
    late_s: int = 0
    seen: Callable[[Granted], Any] = lambda granted: granted.name or None


_SIGN = {"play_auth": ("sign",), "sign_keys_file": "keys"}
_BY_KEY = {"publish_auth": ("key",), "stream_keys_file": "keys"}
_TOKEN = {"play_auth": ("jwt",), "jwt_keys": "keys"}
TOKEN = f"s?token={token(claims(path='live/s'))}"
FOR_TV = f"s?token={token(claims(path='live/s', aud=['tv']))}"
_LOGIN = {"play_auth": ("user",), "users_file": "users"}
ROWS = {
    "publish_allow": Row("10.0.0.0/8", Reason.ADDRESS, None, action="publish"),
    "publish_deny": Row(ADDRESS, Reason.ADDRESS, None, action="publish"),
    "play_allow": Row("10.0.0.0/8", Reason.ADDRESS, None),
    "play_deny": Row(ADDRESS, Reason.ADDRESS, None),
    "refer_all": Row("example.com", Reason.PAGE, None, page="http://evil.net/"),
    "refer_play": Row("example.com", Reason.PAGE, None, page="http://evil.net/"),
    "refer_publish": Row("example.com", Reason.PAGE, None, action="publish"),
    "publish_auth": Row("key", Reason.KEY_INVALID, None, action="publish", both={"stream_keys_file": "keys"}),
    "play_auth": Row("sign", Reason.TOKEN_MISSING, None, both={"sign_keys_file": "keys"}),
    "stream_keys_file": Row("others", Reason.KEY_INVALID, "live/hall", SECRET, "publish", both=_BY_KEY),
    "users_file": Row("others", Reason.LOGIN_INVALID, None, "s?user=rob&pass=a password that is long", both=_LOGIN),
    "sign_keys_file": Row("others", Reason.TOKEN_INVALID, None, signed, both=_SIGN),
    "sign_scheme": Row("tencent", Reason.TOKEN_MISSING, None, signed, both=_SIGN),
    "sign_ttl_s": Row("7200", None, Reason.TOKEN_EXPIRED, made_an_hour_ago, both={**_SIGN, "sign_scheme": "aliyun-c"}),
    "sign_skew_s": Row("0", Reason.TOKEN_EXPIRED, None, signed, both=_SIGN, late_s=EXPIRY - NOW + 10),
    "jwt_keys": Row("others", Reason.TOKEN_INVALID, None, TOKEN, both=_TOKEN),
    "jwt_issuer": Row("https://issuer.example", Reason.TOKEN_INVALID, None, TOKEN, both=_TOKEN),
    "jwt_audience": Row("radio,tv", None, Reason.TOKEN_INVALID, FOR_TV, both=_TOKEN),
    "auth_end_at_expiry": Row(
        "true", float(EXPIRY - NOW), 0.0, signed, both=_SIGN, seen=lambda granted: granted.lifetime_s
    ),
    "auth_upstream": Row("off", "", None, signed, both=_SIGN, seen=lambda granted: granted.query),
}


def ask(flag: str, row: Row, vhost: str) -> Any:
    """What is said to who asks in ``vhost``."""
    root = with_values(rules_of(settings_of()), row.both)
    others = with_values(root, {flag: DEFINITIONS[flag].parser.parse(row.text)})
    book = Rulebook(root, [Vhost(SET, others), Vhost(PLAIN, root)])
    service = Door().service
    service.rulebook.replace(book)

    def config_of(key: StreamKey) -> AccessConfig | None:
        rules = service.rulebook.rules_of(key)
        return None if rules is None else rules.of(AccessConfig)

    around = Surroundings(
        wall_s=lambda: float(NOW + row.late_s),
        now_ms=lambda: 1000,
        in_thread=lambda work, answer: answer(work()),
        secret=b"secret of the process",
        is_proxy=lambda _: False,
    )
    gates = Gates(config_of, FILES, GuardConfig(), around)
    text = row.name if isinstance(row.name, str) else row.name(vhost)
    name = service.resolve(text, parse_tc_url(f"rtmp://{vhost}/live"), is_play=row.action == "play")
    assert isinstance(name, StreamName), name
    kind = PublishRequest if row.action == "publish" else PlayRequest
    client = FakeClient(1, f"{ADDRESS}:5000", page_url=row.page)
    verdict = gates.check(kind(client, name), lambda _: None)
    if isinstance(verdict, Refusal):
        return verdict.reason
    return None if verdict is None else row.seen(verdict)  # type: ignore[arg-type]


@pytest.mark.parametrize("flag", ROWS)
def test_a_flag_of_the_gates_acts_in_its_vhost_and_in_no_other(flag: str) -> None:
    row = ROWS[flag]
    assert row.there != row.elsewhere
    assert {vhost: ask(flag, row, vhost) for vhost in (SET, PLAIN)} == {SET: row.there, PLAIN: row.elsewhere}
