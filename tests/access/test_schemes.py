"""Templates of signed URLs: vectors that vendors have published, and our own, in both directions."""

from __future__ import annotations

import pytest

from edge.access.schemes import PRESETS, Template, Terms, parse_template
from edge.access.token import Admitted, Arguments, Asked, MalformedError
from edge.service.refusal import Reason, Refusal
from tests.access.fakes import EXPIRY, KEY, NOW, asked

HUAWEI = b"GCTbw44s6MPLh4GqgDpnfuFHgy25Enly"
CAM1, TERMS = asked(), Terms()
OTHER = b"another key of sixteen bytes"
FLV = asked(scope="livetest/huawei1", path="/livetest/huawei1.flv", now_s=float(0x5EED5888))
LINK = asked(scope="s/link", path="/s/link", address="127.0.0.1")
TEST = asked(scope="x/test", path="/test.flv", now_s=float(0x55CE8000))
PHOTO = asked(scope="x/foo", path="/foo.jpg", now_s=float(0x6694D300))
CDN_C = "md5:hex:sign,t:{key}{path}{t}:hex"

RAND = "477b3bbc253f467b8def6711128c7bec"
SUM_D = "ce201856a0957413319e883c8ccae13602f01d3d91e21daf5161964cf708a6a8"
PUBLISHED = [
    (
        "aliyun-a",
        HUAWEI,
        FLV,
        f"auth_key=1592639100-{RAND}-0-dd1b5ffa00cf26acec0c169ae1cfabea",
    ),
    ("tencent", HUAWEI, FLV, "txSecret=5cdc845362c332a4ec3e09ac5d5571d6&txTime=5eed5888"),
    (
        "huawei-d",
        HUAWEI,
        FLV,
        f"hwSecret={SUM_D}&hwTime=5eed5888",
    ),
    ("aliyun-c", b"aliyuncdnexp1234", TEST, "KEY1=a37fa50a5fb8f71214b1e7c95ec7a1bd&KEY2=55CE8100"),
    (CDN_C, b"DvYmqE81E1F9R791H6lmht", PHOTO, "sign=6688749e8906a726c12fe1be3aacd016&t=6694d30a"),
    ("lal", b"q191201771", asked(scope="live/test110"), "lal_secret=700997e1595a06c9ffa60ebef79105b0"),
    ("nginx", b"secret", LINK, "md5=_e4Nc3iduzkWRm01TBBNYw&expires=2147483647"),
]
OWN = [
    ("tencent", "txSecret=d11ee1e7ca4e7d06cbfc342e64371130&txTime=70dbd880"),
    ("tencent", "txSecret=86370fcdf0343bf299bbb7095663679c&txTime=70DBD880"),
    ("wangsu", "wsSecret=0b746120549153795b048b085fe802bc&wsTime=70dbd880"),
    ("aliyun-c", "KEY1=0b746120549153795b048b085fe802bc&KEY2=70dbd880"),
    ("wangsu", "wsSecret=c89a42cb8a59c54bc431bfa6d4fef369&wsTime=1893456000"),
    ("aliyun-a", "auth_key=1893456000-0-0-f4e0e487e1356f38a3d8404a715d4d66"),
    ("huawei-d", "hwSecret=cc12d84cf4d556187b9dadcb204f96c27189254dd1efba346fbaab3db7110a2c&hwTime=70dbd880"),
    ("nginx", "md5=N1A2Ce8TqOJKKTZ8i5fPnQ&expires=1893456000"),
    ("nms", "sign=1893456000-5ee98534a0de867425110f58e4ad9567"),
    ("lal", "lal_secret=aa6da2d59776298fbba7499839f8287f"),
    ("md5:hex:wsSecret,wsTime:{key}{path}{t}:hex", "wsSecret=0b746120549153795b048b085fe802bc&wsTime=70dbd880"),
]
VECTORS = [*PUBLISHED, *((name, KEY, asked(), query) for name, query in OWN)]


def scheme(name: str) -> Template:
    return PRESETS[name] if name in PRESETS else parse_template(name)


def check(
    name: str, query: str, who: Asked = CAM1, keys: tuple[bytes, ...] = (KEY,), terms: Terms = TERMS
) -> Admitted | Refusal:
    return scheme(name).check(who, Arguments(query), keys, terms)


@pytest.mark.parametrize(("name", "key", "who", "query"), VECTORS)
def test_vector_lets_in_under_either_key_of_a_rotation(name: str, key: bytes, who: Asked, query: str) -> None:
    for keys in ((key,), (OTHER, key), (key, OTHER)):
        assert isinstance(check(name, query, who, keys), Admitted)
    refusal = check(name, query, who, (OTHER,))
    assert isinstance(refusal, Refusal) and refusal.reason is Reason.TOKEN_INVALID


@pytest.mark.parametrize(("name", "key", "who", "query"), VECTORS)
def test_vector_with_one_sign_changed_lets_nobody_in(name: str, key: bytes, who: Asked, query: str) -> None:
    for place in range(query.index("=") + 1, len(query)):
        other = "1" if query[place] == "0" else "0"
        try:
            answer = check(name, query[:place] + other + query[place + 1 :], who, (key,))
        except MalformedError:
            continue
        # The last sign of base64url has bits that mean nothing.
        assert isinstance(answer, Refusal) or (name == "nginx" and query[place] in "wQAg"), place


@pytest.mark.parametrize(("name", "query"), [row for row in OWN if "70DB" not in row[1] and "wsTime=1" not in row[1]])
def test_signer_writes_the_vector(name: str, query: str) -> None:
    who = asked(address="") if name == "nginx" else asked()
    assert scheme(name).sign(who, KEY, EXPIRY) == query


@pytest.mark.parametrize("late_s", [29, 31])
def test_AU2_skew_is_allowed_past_the_end(late_s: int) -> None:
    answer = check("tencent", OWN[0][1], asked(now_s=float(EXPIRY + late_s)))
    assert isinstance(answer, Admitted) if late_s == 29 else answer.reason is Reason.TOKEN_EXPIRED


@pytest.mark.parametrize(
    ("now_s", "reason"),
    [(EXPIRY, None), (EXPIRY + 3629, None), (EXPIRY + 3631, Reason.TOKEN_EXPIRED), (EXPIRY - 31, Reason.TOKEN_INVALID)],
)
def test_time_may_be_that_at_which_it_was_made(now_s: int, reason: Reason | None) -> None:
    answer = check("wangsu", OWN[2][1], asked(now_s=float(now_s)), terms=Terms(ttl_s=3600))
    assert (answer.reason if isinstance(answer, Refusal) else None) is reason
    of_tencent = check("tencent", OWN[0][1], asked(now_s=float(EXPIRY + 31)), terms=Terms(ttl_s=3600))
    assert isinstance(of_tencent, Refusal), "its time is an end in any case"


@pytest.mark.parametrize(
    "query",
    [
        "txSecret=d11ee1e7ca4e7d06cbfc342e64371130",
        "txTime=70dbd880",
        "txSecret=&txTime=70dbd880",
        "txSecret=zz&txTime=70dbd880",
        f"txSecret={'0' * 400}&txTime=70dbd880",
        "txSecret=d11ee1e7ca4e7d06cbfc342e64371130&txTime=0",
        "txSecret=d11ee1e7ca4e7d06cbfc342e64371130&txTime=+70dbd880",
        "txSecret=d11ee1e7ca4e7d06cbfc342e64371130&txTime=７0dbd880",
        f"txSecret=d11ee1e7ca4e7d06cbfc342e64371130&txTime={'9' * 400}",
        "txSecret=a&txSecret=b&txTime=70dbd880",
    ],
)
def test_AU3_AU4_what_could_be_no_token_is_malformed(query: str) -> None:
    with pytest.raises(MalformedError):
        check("tencent", query)


def test_parameters_of_others_are_none_of_ours() -> None:
    answer = check("tencent", "TXSECRET=d11ee1e7ca4e7d06cbfc342e64371130&txtime=70dbd880")
    assert isinstance(answer, Refusal) and answer.reason is Reason.TOKEN_MISSING


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("md5:hex", "neither a preset"),
        ("md4:hex:s,t:{key}{path}{t}:dec", "hash"),
        ("md5:base64:s,t:{key}{path}{t}:dec", "encoding"),
        ("md5:hex:s,t:{key}{path}{t}:iso", "time"),
        ("md5:hex:s,t:{key}{file}{t}:dec", "file"),
        ("md5:hex:s:{key}{path}{t}:dec", "lack"),
        ("md5:hex:s,t:{path}{t}:dec", "HMAC"),
        ("md5:hex:s,t:{key}{path}:dec", "prolong"),
        ("md5:hex:s,t:{key}{t}:dec", "names no stream"),
        ("md5:hex:a={sum}-{sum},t:{key}{path}{t}:dec", "twice"),
    ],
)
def test_template_that_would_let_too_many_in_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_template(text)


def test_template_may_have_an_address_and_milliseconds() -> None:
    found = parse_template("hmac-sha512:base64url:s,t:{stream}|{ip}|{t}:ms")
    query = found.sign(asked(), KEY, EXPIRY)
    assert f"t={EXPIRY * 1000}" in query
    assert found.check(asked(), Arguments(query), (KEY,), Terms()) == Admitted(float(EXPIRY))
    assert isinstance(found.check(asked(address="203.0.113.10"), Arguments(query), (KEY,), Terms()), Refusal)
    assert NOW < EXPIRY
