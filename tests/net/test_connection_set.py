"""Connections by their address."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from edge.net.connection_set import ConnectionSet


@dataclass(frozen=True)
class One:
    number: int
    host: str


STEPS = st.lists(
    st.tuples(st.booleans(), st.builds(One, st.integers(0, 5), st.sampled_from(["", "192.0.2.1", "::1"]))), max_size=40
)


@given(STEPS)
def test_counts_are_those_of_its_members(steps: list[tuple[bool, One]]) -> None:
    found: ConnectionSet[One] = ConnectionSet()
    wanted: set[One] = set()
    for is_added, one in steps:
        (found.add if is_added else found.discard)(one)
        (wanted.add if is_added else wanted.discard)(one)
        counts = Counter(each.host for each in wanted if each.host)
        assert (set(found), len(found)) == (wanted, len(wanted))
        assert {host: found.count_from(host) for host in ("192.0.2.1", "::1")} == {
            host: counts[host] for host in ("192.0.2.1", "::1")
        }
        assert found._counts == counts, "nothing is kept of hosts that have gone"
        assert (one in found) is is_added


def test_members_stand_in_the_order_of_their_coming() -> None:
    found: ConnectionSet[One] = ConnectionSet()
    for number in (3, 1, 2, 1):
        found.add(One(number, ""))
    found.discard(One(3, ""))
    found.add(One(3, ""))
    assert list(found) == [One(1, ""), One(2, ""), One(3, "")]
