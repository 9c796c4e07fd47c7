"""Our own signed URLs: vectors, and what they do not hold for."""

from __future__ import annotations

import pytest

from edge.access.edge_scheme import EdgeScheme, is_scope
from edge.access.schemes import Terms
from edge.access.token import Admitted, Arguments, Asked, MalformedError
from edge.service.refusal import Reason, Refusal
from tests.access.fakes import EXPIRY, KEY, asked

EXAMPLE = "media.example.com"
VECTORS = [
    (asked(vhost=EXAMPLE), "", False, "Fqa40BzWG60acuE04EqMG5entWqjaoP2_h-uhJrEM0w"),
    (asked(), "", False, "dx_NazkaQaLIRalFcbUM8Om9RO8JFd0CDL0Q9GdAdGE"),
    (asked(vhost=EXAMPLE), "live/*", True, "AHjjxpw_2BUpee5r6FXu7PQJbIZQ0jGsDNrK-TwqYzQ"),
    (asked("publish", vhost=EXAMPLE), "", False, "a4qA0ViGIw34ZcTYtXqIrSBbaLHz6xThSeXySktXWDQ"),
    (asked("publish"), "", True, "3VyHdVvuANGne1mG0NQA4msAEfEjvW-FdiqAvxgfF94"),
]
PLAY = f"exp={EXPIRY}&sig={VECTORS[1][3]}"
SCHEME = EdgeScheme()
CAM1 = asked()
NO_TIMES = ("-1", "0", "1e99", "70dbd880", "０", "1_000", "+1", "1" * 400)
NO_SCOPES = ("", "..", "live/..", "%2e%2e", "%252e", "*/*", "*/x", "live/a*", "/", "a//b")


def check(query: str, who: Asked = CAM1, keys: tuple[bytes, ...] = (KEY,)) -> Admitted | Refusal:
    return SCHEME.check(who, Arguments(query), keys, Terms())


def reason_of(query: str, who: Asked = CAM1) -> Reason | None:
    answer = check(query, who)
    return answer.reason if isinstance(answer, Refusal) else None


@pytest.mark.parametrize(("who", "scope", "binds", "signature"), VECTORS)
def test_vector_in_both_directions(who: Asked, scope: str, binds: bool, signature: str) -> None:
    query = SCHEME.sign(who, KEY, EXPIRY, scope=scope, binds=binds)
    assert f"sig={signature}" in query.split("&")
    assert check(query, who, (b"another key of sixteen bytes", KEY)) == Admitted(float(EXPIRY))
    assert check(query.replace(signature, f"{signature}=").replace("/*", "%2F%2A"), who) == Admitted(float(EXPIRY))


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (PLAY.replace("dx_N", "dx_M"), Reason.TOKEN_INVALID),
        (PLAY[:-1], Reason.TOKEN_INVALID),
        (f"exp={EXPIRY}&sig=", Reason.TOKEN_INVALID),
        (f"exp={EXPIRY}&sig={'A' * 8192}", Reason.TOKEN_INVALID),
        (PLAY.replace("1893456000", "1893456001"), Reason.TOKEN_INVALID),
        (PLAY.replace("sig=", "SIG="), Reason.TOKEN_MISSING),
        ("", Reason.TOKEN_MISSING),
        (f"exp={EXPIRY}", Reason.TOKEN_MISSING),
        (f"{PLAY}&scope=live/cam1", None),
        (f"{PLAY}&bind=ip", Reason.TOKEN_INVALID),
        (f"{PLAY}&unknown=1", None),
    ],
)
def test_AU1_what_is_wrong_or_missing(query: str, reason: Reason | None) -> None:
    assert reason_of(query) is reason


@pytest.mark.parametrize("late_s", [29, 31])
def test_AU2_skew_is_allowed_past_the_end(late_s: int) -> None:
    assert reason_of(PLAY, asked(now_s=float(EXPIRY + late_s))) is (None if late_s == 29 else Reason.TOKEN_EXPIRED)


@pytest.mark.parametrize(
    "query",
    [
        *(
            f"exp={text}&sig={VECTORS[1][3]}"
            for text in ("-1", "0", "1e99", "70dbd880", "０", "1_000", "+1", "1" * 400)
        ),
        f"sig={VECTORS[1][3]}",
        f"{PLAY}&sig=x",
        f"{PLAY}&exp={EXPIRY}",
        f"{PLAY}&bind=mac",
        *(
            f"{PLAY}&scope={text}"
            for text in ("", "..", "live/..", "%2e%2e", "%252e", "*/*", "*/x", "live/a*", "/", "a//b")
        ),
    ],
)
def test_AU3_AU4_AU6_what_could_be_no_token_is_malformed(query: str) -> None:
    with pytest.raises(MalformedError):
        check(query)


@pytest.mark.parametrize(
    ("who", "scope"),
    [
        (asked("publish"), ""),
        (asked(vhost=EXAMPLE), ""),
        (asked(scope="live/cam10"), ""),
        (asked(scope="live/cam2"), ""),
        (asked(scope="live2/x"), "live/*"),
        (asked(scope="live2/x"), "live/cam1"),
    ],
)
def test_AU5_token_holds_for_one_action_vhost_and_scope(who: Asked, scope: str) -> None:
    query = SCHEME.sign(asked(), KEY, EXPIRY, scope=scope)
    assert reason_of(query) is None
    assert reason_of(query, who) is Reason.TOKEN_INVALID


@pytest.mark.parametrize("scope", ["live/*", "*", "live/cam1"])
def test_scope_holds_for_all_that_it_names(scope: str) -> None:
    assert reason_of(SCHEME.sign(asked(), KEY, EXPIRY, scope=scope)) is None
    assert is_scope(scope)


def test_AU8_bound_to_an_address() -> None:
    query = SCHEME.sign(asked(), KEY, EXPIRY, binds=True)
    assert reason_of(query) is None
    assert reason_of(query, asked(address="203.0.113.10")) is Reason.TOKEN_INVALID
    assert reason_of(query.replace("&bind=ip", "")) is Reason.TOKEN_INVALID, "it is not to be unbound"
