"""Whatever a query holds, it is let in or refused with a word; no fault of ours comes of it."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from edge.access.referers import RefererList
from edge.access.schemes import PRESETS, Terms
from edge.access.signing import Signatures, parse_schemes
from edge.access.token import Admitted, MalformedError
from edge.access.users import login_of
from edge.service.refusal import WORDS, Refusal
from tests.access.fakes import KEY, asked

ALL = Signatures(parse_schemes(",".join(["edge", *PRESETS])), (KEY,), Terms(ttl_s=60))
NAMES = sorted({name for preset in PRESETS.values() for name in preset.parameters} | {"exp", "sig", "scope", "bind"})
VALUES = st.one_of(
    st.text(alphabet="0123456789abcdefABCDEF-_=%/*.+~", max_size=80),
    st.text(max_size=30),
    st.sampled_from(
        ["1893456000", "70dbd880", "1893456000-0-0-f4e0e487e1356f38a3d8404a715d4d66", "live/*", "ip", "\udc80"]
    ),
)
QUERIES = st.lists(st.tuples(st.sampled_from([*NAMES, "user", "pass"]), VALUES), max_size=6).map(
    lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
)


@given(query=QUERIES)
def test_any_query_is_judged(query: str) -> None:
    answer = ALL.check(asked(), query)
    assert isinstance(answer, Admitted) or (isinstance(answer, Refusal) and answer.reason in WORDS)


@given(authorization=st.text(max_size=60), query=QUERIES)
def test_any_credentials_are_read(authorization: str, query: str) -> None:
    for said in (authorization, f"Basic {authorization}"):
        with contextlib.suppress(MalformedError):
            login_of(said, query)


@given(host=st.from_regex(r"[a-z]{1,8}\.example", fullmatch=True), page=st.text(max_size=80))
def test_only_pages_of_the_host_are_let_in(host: str, page: str) -> None:
    listed = RefererList([host])
    assert listed.admits(f"https://{host}/{page}") is all(sign > " " and sign not in "\x7f\\" for sign in page)
    if listed.admits(page):
        assert host in page.lower()
