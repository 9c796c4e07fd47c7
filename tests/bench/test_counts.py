"""What the server does for one connect, one message and one frame, as counts and bytes that no machine changes."""

from __future__ import annotations

from collections import Counter

import pytest

from bench import counts, held, traced
from tests.harness.clock import missing, require_program
from tests.harness.portable import needs_linux

pytestmark = needs_linux

# The most that may be, for each; what is measured now stands behind it. Lower the bound with the figure: a call more
# for each connect or message is what these tests are for.
#: ``(all calls, recvs, sends, options, epoll_ctls)``. A recv is a look by MSG_PEEK too, and one that finds nothing.
CALL_BOUNDS = {
    "connect to first keyframe": (14, 5, 4, 2, 1),
    "close of that player": (3, 1, 0, 0, 1),
    "connect to publish, with a header and a keyframe": (16, 7, 4, 2, 1),
    "close of that publisher": (3, 1, 0, 0, 1),
    "message in, nobody plays": (1, 1, 0, 0, 0),
    "message in, 1 play": (1, 1, 0, 0, 0),
    "message out to one of 1": (1, 0, 1, 0, 0),
    "message in, 20 play": (1, 1, 0, 0, 0),
    "message out to one of 20": (1, 0, 1, 0, 0),
}
#: Bytes of Python; a tenth of room for other versions of it.
HELD_BOUNDS = {
    "idle connection, nothing sent": 750,  # 675
    "connection after createStream": 2900,  # 2581
    "player": 3500,  # 3151
    "publisher, a header and a keyframe": 14200,  # 12740 to 13740, and 300 more once a frame of it has been timed
    "cached frame, nobody plays": 200,  # 171 to 179
    "cached frame, one plays": 370,  # 322 to 337
}


@pytest.fixture(scope="module")
def units() -> dict[str, counts.Unit]:
    require_program("strace")
    if reason := traced.why_not():
        missing(reason)
    return {unit.name: unit for unit in counts.measure()}


def test_all_is_counted(units: dict[str, counts.Unit]) -> None:
    assert list(units) == list(CALL_BOUNDS)


@pytest.mark.parametrize("name", CALL_BOUNDS)
def test_system_calls_are_bounded(units: dict[str, counts.Unit], name: str) -> None:
    unit = units[name]
    found = (unit.all, unit.recvs, unit.sends, unit.options, unit.epoll_ctls)
    words = ("calls", "recvs", "sends", "options", "epoll_ctls")
    over = [
        f"{value:g} {word}, at most {bound}"
        for value, word, bound in zip(found, words, CALL_BOUNDS[name], strict=True)
        if value > bound
    ]
    assert not over, f"{name}: {'; '.join(over)}: {unit.calls}"


def test_bytes_held_are_bounded() -> None:
    found = held.measure()
    assert list(found) == list(HELD_BOUNDS)
    over = [f"{name}: {value:.0f}, at most {HELD_BOUNDS[name]}" for name, value in found.items()]
    assert all(value <= HELD_BOUNDS[name] for name, value in found.items()), "\n".join(over)
    assert all(value > 0 for value in found.values()), "\n".join(over)


TRACE = """\
7 epoll_wait(5, [{events=EPOLLIN, data={u32=6, u64=6}}], 256, 0) = 1
7 accept4(6, {sa_family=AF_INET, sin_port=htons(4001), sin_addr=inet_addr("127.0.0.1")}, [16], SOCK_CLOEXEC) = 9
7 setsockopt(9, SOL_TCP, TCP_NODELAY, [1], 4) = 0
7 epoll_ctl(5, EPOLL_CTL_ADD, 9, {events=EPOLLIN, data={u32=9, u64=9}}) = 0
7 recvfrom(9, "\\3) "..., 24, MSG_PEEK, NULL, NULL) = 24
8 write(2, "I1130"..., 110 <unfinished ...>
7 accept4(6, 0x7ffd, [16], SOCK_CLOEXEC)  = -1 EAGAIN (Resource temporarily unavailable)
8 <... write resumed>)            = 110
7 epoll_wait(5, [{events=EPOLLIN, data={u32=9, u64=140200617443337}}], 256, 0) = 1
7 recvfrom(9,  <unfinished ...>
8 write(2, "I1130"..., 104)         = 104
7 <... recvfrom resumed>"\\3\\0"..., 65536, 0, NULL, NULL) = 1537
7 sendto(9, "\\3\\0"..., 3073, 0, NULL, 0) = 3073
7 recvfrom(9, "", 65536, 0, NULL, NULL) = 0
7 shutdown(9, SHUT_WR)             = 0
7 close(9)                         = 0
7 accept4(6, {sa_family=AF_INET, sin_port=htons(4002), sin_addr=inet_addr("127.0.0.1")}, [16], SOCK_CLOEXEC) = 9
7 recvfrom(9, 0x7f, 65536, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)
8 +++ exited with 0 +++
"""


def test_calls_are_those_of_their_connection() -> None:
    """A descriptor that is given again is another connection, and calls of other threads are of none."""
    first, second = traced.served(traced.parse(TRACE.splitlines()))
    assert (first.port, first.is_closed, first.read_bytes) == (4001, True, 1537)
    assert first.life() == {
        **{"accept4": 1, "accept4 EAGAIN": 1, "setsockopt": 1, "epoll_ctl": 1, "recvfrom(MSG_PEEK)": 1},
        **{"epoll_wait": 1, "recvfrom": 1, "sendto": 1},
    }
    assert first.end() == {"recvfrom": 1, "shutdown": 1, "close": 1}
    assert (second.port, second.is_closed) == (4002, False)
    assert second.life() == {"accept4": 1, "recvfrom EAGAIN": 1}


def test_sums_leave_out_what_depends_on_the_machine() -> None:
    unit = counts.Unit(
        "x", {"recvfrom(MSG_PEEK)": 1, "recvfrom EAGAIN": 1, "recvfrom": 2, "epoll_wait": 4, "sendto": 3}
    )
    assert (unit.recvs, unit.sends, unit.all) == (4, 3, 7)
    table = "\n".join(counts.calls_table([unit]))
    assert "| x | 7 | 4 | 3 | 0 | 0 |" in table and "4 epoll_wait *" in table


def test_units_are_averages_of_what_was_added() -> None:
    more, fewer = Counter({"recvfrom": 25, "sendto": 3, "close": 1}), Counter({"recvfrom": 5, "sendto": 3})
    assert counts._less(more, fewer, 10) == {"close": 0.1, "recvfrom": 2.0}
