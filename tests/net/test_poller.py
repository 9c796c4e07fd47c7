"""Readiness of many sockets by one entry in the loop."""

from __future__ import annotations

import select
import socket

import pytest

from edge.net.poller import BROKEN, END, READ, WRITE, Poller
from tests.net.fakes import ManualLoop


class Owner:
    """Counts what it is told; fails when asked to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.events: list[int] = []
        self.error = error

    def on_ready(self, events: int) -> None:
        self.events.append(events)
        if self.error is not None:
            raise self.error


class Abortable(Owner):
    """Also told to close when it fails."""

    aborted = ""

    def abort(self, why: str) -> None:
        self.aborted = why


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def poller():
    loop = ManualLoop()
    made = Poller(loop)  # type: ignore[arg-type]
    yield made
    made.close()
    assert loop.readers == {}


def dispatch(poller: Poller) -> None:
    poller._dispatch()


def test_owner_is_told_while_there_is_something(poller, pair) -> None:
    ours, theirs = pair
    owner = Owner()
    poller.add(ours.fileno(), owner)
    dispatch(poller)
    assert owner.events == []
    theirs.send(b"x")
    dispatch(poller)
    dispatch(poller)
    assert [events & READ for events in owner.events] == [READ, READ]
    poller.modify(ours.fileno(), WRITE)
    dispatch(poller)
    assert owner.events[-1] == WRITE
    poller.remove(ours.fileno())
    poller.remove(ours.fileno())
    assert len(poller) == 0
    dispatch(poller)
    assert len(owner.events) == 3


def test_hang_up_is_always_reported(poller, pair) -> None:
    ours, theirs = pair
    owner = Owner()
    poller.add(ours.fileno(), owner, 0)
    theirs.close()
    dispatch(poller)
    assert owner.events


def test_R10_a_failing_handler_ends_its_own_connection_only(poller, pair, caplog) -> None:
    ours, theirs = pair
    bad, worse = Owner(ValueError("x")), Abortable(ValueError("y"))
    poller.add(ours.fileno(), bad)
    poller.add(theirs.fileno(), worse)
    ours.send(b"x")
    theirs.send(b"x")
    dispatch(poller)
    assert poller.internal_error_count == 2
    assert worse.aborted == "internal"
    dispatch(poller)
    assert len(bad.events) == 1


def test_masks_are_those_of_the_set() -> None:
    assert (READ, WRITE, END) == (select.EPOLLIN, select.EPOLLOUT, select.EPOLLRDHUP)
    assert BROKEN == select.EPOLLHUP | select.EPOLLERR
