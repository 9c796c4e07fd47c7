"""Some schemes, some keys: any of them suffices, and of refusals the nearest is told."""

from __future__ import annotations

import pytest

from edge.access.schemes import PRESETS, Terms
from edge.access.signing import Signatures, names, parse_keys, parse_schemes, without
from edge.access.token import Admitted
from edge.service.refusal import Reason, Refusal
from tests.access.fakes import EXPIRY, KEY, asked

TEMPLATE = "md5:hex:wsSecret,wsTime:{key}{path}{t}:dec"
TENCENT = "txSecret=d11ee1e7ca4e7d06cbfc342e64371130&txTime=70dbd880"


def test_list_of_schemes_may_hold_templates() -> None:
    assert [each.name for each in parse_schemes(f"edge,{TEMPLATE},tencent")] == ["edge", TEMPLATE, "tencent"]
    assert [each.name for each in parse_schemes(TEMPLATE)] == [TEMPLATE]
    assert names() == ["edge", *PRESETS]


@pytest.mark.parametrize("text", ["", "akamai", "edge,,nms", "edge,", "md5:hex:a:b", f"{TEMPLATE},ome"])
def test_scheme_that_there_is_not_is_refused_with_those_that_there_are(text: str) -> None:
    with pytest.raises(ValueError, match=r"huawei-d|neither a preset"):
        parse_schemes(text)


def test_any_scheme_suffices_and_the_nearest_refusal_is_told() -> None:
    both = Signatures(parse_schemes("edge,tencent"), (KEY,), Terms())
    assert isinstance(both.check(asked(), TENCENT), Admitted)
    late = both.check(asked(now_s=EXPIRY + 60.0), TENCENT)
    none, wrong = both.check(asked(), "a=b"), both.check(asked(), f"{TENCENT}&txTime=1")
    reasons = [answer.reason for answer in (late, none, wrong) if isinstance(answer, Refusal)]
    assert reasons == [Reason.TOKEN_EXPIRED, Reason.TOKEN_MISSING, Reason.TOKEN_MALFORMED]


def test_AU1_long_query_is_refused_before_anything_is_hashed() -> None:
    class Untouched:
        name, parameters = "untouched", frozenset[str]()

        def check(self, *_: object) -> Admitted | Refusal:
            raise AssertionError("it was looked at")

        def sign(self, *_: object) -> str:
            return ""

    answer = Signatures((Untouched(),), (KEY,), Terms()).check(asked(), "x" * 8192)
    assert isinstance(answer, Refusal) and answer.reason is Reason.TOKEN_INVALID


def test_keys_are_read_line_by_line() -> None:
    assert parse_keys(f"# first signs\r\n{KEY.decode()}\r\n\n another key of sixteen \n") == (
        KEY,
        b"another key of sixteen",
    )


@pytest.mark.parametrize(
    ("text", "where"), [("short", "1:"), ("\n# x\n\n", "0:"), (f"{KEY.decode()}\n\n{KEY.decode()}", "3:")]
)
def test_key_that_is_none_is_named_by_its_line_and_not_by_itself(text: str, where: str) -> None:
    with pytest.raises(ValueError, match=f"^{where}") as caught:
        parse_keys(text)
    assert KEY.decode() not in str(caught.value) and "short" not in str(caught.value)


def test_parameters_of_a_scheme_are_taken_out() -> None:
    assert without("a=1&sig=x&b=2&exp=3", frozenset({"sig", "exp"})) == "a=1&b=2"
    assert without("", frozenset({"sig"})) == ""


def test_parameters_with_escapes_in_their_names_are_taken_out() -> None:
    """They count as what they mean, so that they would let somebody in at the next server too."""
    assert without("%73ig=x&b=2&to%6Ben=y&c%3D=1", frozenset({"sig", "token"})) == "b=2&c%3D=1"
