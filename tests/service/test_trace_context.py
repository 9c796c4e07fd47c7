from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.service.trace_context import MAX_HEADER, TraceContext, parse_trace_context

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("text", "is_sampled"),
    [
        (PARENT, True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-02", False),  # a flag that we do not know
        (f"00-{TRACE}-{SPAN}-ff", True),
        (f"01-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", True),
        (f"cc-{TRACE}-{SPAN}-01-", True),
    ],
)
def test_what_can_be_used(text: str, is_sampled: bool) -> None:
    assert parse_trace_context(text) == TraceContext(int(TRACE, 16), int(SPAN, 16), is_sampled)


@pytest.mark.parametrize(
    "text",
    [
        *("", "-", "00", "junk", "\0" * 55, "0" * 55, "é" * 55),
        *(f"ff-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01-", f"00-{TRACE}-{SPAN}-01-x", f"cc-{TRACE}-{SPAN}-01.x"),
        *(f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01"),
        *(f"00-{TRACE.upper()}-{SPAN}-01", f"0X-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-0g", f"00-{TRACE}-{SPAN}-1"),
        *(f"00-{TRACE[1:]}-{SPAN}-01", f"00-{TRACE}0-{SPAN}-01", f"00-{TRACE}-{SPAN[1:]}-01", f"00-{TRACE}{SPAN}-01"),
        *(f" {PARENT}", f"{PARENT} ", f"{PARENT}\n", PARENT.replace("-", "_"), f"{PARENT},{PARENT}"),
        f"00-{'٣' * 32}-{SPAN}-01",  # digits to Python
        f"cc-{TRACE}-{SPAN}-01-{'x' * MAX_HEADER}",
    ],
)
def test_what_is_as_good_as_nothing(text: str) -> None:
    assert parse_trace_context(text, "a=1") is None


@pytest.mark.parametrize(
    ("text", "passed_on"),
    [
        *(("a=1", "a=1"), ("a=1,b=2", "a=1,b=2"), ("a=1 ,\t b=2", "a=1,b=2"), ("a=1,,b=2,", "a=1,b=2")),
        *(("fw529a3039@dt=FfpKhT5xvLs", "fw529a3039@dt=FfpKhT5xvLs"), ("1t@v=x y", "1t@v=x y"), ("a=!~", "a=!~")),
        *(("a", ""), ("a=", ""), ("=1", ""), ("A=1", ""), ("a=1=2", ""), ("1=2", ""), ("a=\x7f", ""), ("a=é", "")),
        *(("a=1,a=2", ""), ("a=1\nb=2", ""), (f"{'a' * 257}=1", ""), (f"a@{'b' * 15}=1", ""), (f"a={'x' * 257}", "")),
        (",".join(f"k{number}=1" for number in range(32)), ",".join(f"k{number}=1" for number in range(32))),
        (",".join(f"k{number}=1" for number in range(33)), ""),
        (",".join(f"k{number}={'x' * 60}" for number in range(9)), ""),  # longer than has to be passed on
    ],
)
def test_state_is_passed_on_or_left_out(text: str, passed_on: str) -> None:
    found = parse_trace_context(PARENT, text)
    assert found is not None and found.state == passed_on


@given(
    trace=st.integers(1, 2**128 - 1),
    span=st.integers(1, 2**64 - 1),
    is_sampled=st.booleans(),
    state=st.sampled_from(["", "a=1", "a=1,b@c=2"]),
)
def test_what_is_written_is_read_again(trace: int, span: int, is_sampled: bool, state: str) -> None:
    context = TraceContext(trace, span, is_sampled, state)
    assert parse_trace_context(*context.headers) == context
    assert len(context.headers[0]) == 55


@given(st.text(max_size=80), st.text(max_size=80))
def test_junk_is_no_error(parent: str, state: str) -> None:
    parse_trace_context(parent, state)
    found = parse_trace_context(PARENT, state)
    assert found is not None and found.state.isascii()
