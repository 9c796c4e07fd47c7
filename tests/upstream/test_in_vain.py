"""A server that is down for a day must not fill the log, and each thing that is new must stand in it."""

from __future__ import annotations

from edge.upstream.in_vain import InVain


def test_repeats_are_told_ever_more_rarely() -> None:
    in_vain = InVain(0)
    told = [n for n in range(1, 1001) if in_vain.add(n, "a:1", "lost", was_in_order=False)]
    assert told == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert (in_vain.since_ms, in_vain.attempt_count) == (0, 1000)


def test_each_server_and_kind_of_end_is_told_once() -> None:
    in_vain = InVain(0)
    for _ in range(4):
        in_vain.add(0, "a:1", "lost", was_in_order=False)
    assert in_vain.add(0, "b:1", "lost", was_in_order=False)
    assert in_vain.add(0, "a:1", "not_found", was_in_order=False)
    assert not in_vain.add(0, "b:1", "lost", was_in_order=False)


def test_time_counts_from_the_moment_at_which_it_went_out_of_order() -> None:
    in_vain = InVain(5)
    in_vain.succeed()
    assert (in_vain.has_run, in_vain.is_over) == (True, True)
    assert in_vain.add(100, "a:1", "lost", was_in_order=True)
    assert in_vain.add(110, "a:1", "lost", was_in_order=False)
    assert (in_vain.since_ms, in_vain.attempt_count, in_vain.is_over) == (100, 1, False)
    in_vain.succeed()
    assert in_vain.attempt_count == 0
    assert in_vain.add(200, "a:1", "lost", was_in_order=False), "all is new again"
    assert in_vain.since_ms == 200
