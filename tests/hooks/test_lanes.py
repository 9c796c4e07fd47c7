"""Events are told in the order of their stream, and bounded."""

from __future__ import annotations

from edge.hooks.lanes import Lanes


def test_one_lane_keeps_its_order_and_others_go_on() -> None:
    lanes: Lanes[str] = Lanes()
    for lane, item in (("a", "a1"), ("a", "a2"), ("b", "b1")):
        lanes.put(lane, item)
    assert lanes.take() == ("a", "a1")
    assert lanes.take() == ("b", "b1")
    assert lanes.take() is None
    assert not lanes.is_idle("a")
    lanes.put("b", "b2")
    assert lanes.take() is None
    lanes.told("a")
    assert lanes.take() == ("a", "a2")
    lanes.told("b")
    assert lanes.take() == ("b", "b2")
    lanes.told("a")
    assert lanes.is_idle("a")
    assert not lanes.are_idle
    lanes.told("b")
    assert lanes.are_idle


def test_the_oldest_makes_room_and_is_counted() -> None:
    lanes: Lanes[int] = Lanes(max_events=3)
    for number in range(5):
        lanes.put(number % 2, number)
    assert (len(lanes), lanes.dropped_count) == (3, 2)
    found = []
    while (taken := lanes.take()) is not None:
        found.append(taken[1])
        lanes.told(taken[0])
    assert sorted(found) == [2, 3, 4]
    assert found.index(2) < found.index(4)


def test_what_is_left_is_dropped() -> None:
    lanes: Lanes[int] = Lanes()
    lanes.put("a", 1)
    lanes.put("a", 2)
    assert lanes.take() == ("a", 1)
    assert lanes.clear() == 1
    lanes.told("a")
    assert lanes.are_idle
    assert lanes.take() is None
