"""Readiness of many sockets: what each poller promises, by real sockets in a real loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from edge.net import poller as poller_module
from edge.net import system
from edge.net.poller import BROKEN, END, READ, WRITE, LoopPoller, Poller, SetPoller, new_poller
from tests.harness.clock import deadline, missing, wait_until
from tests.harness.portable import needs_linux

HAS_SET = hasattr(select, "epoll")
#: Turns of the loop, and looks, after which what has not been told will not be.
_TURNS = 20
_LOOK_S = 0.01


class Owner:
    """Keeps what it is told; calls ``act`` then, which may fail."""

    def __init__(self, act: Callable[[], object] = lambda: None) -> None:
        self.told: list[int] = []
        self.act = act

    @property
    def mask(self) -> int:
        """All that it was ever told."""
        return sum({bit for bit in (READ, WRITE, END, BROKEN) if any(told & bit for told in self.told)})

    def on_ready(self, events: int) -> None:
        self.told.append(events)
        self.act()


class Abortable(Owner):
    """Also told to close when it fails."""

    aborted = ""

    def abort(self, why: str) -> None:
        self.aborted = why


def failing() -> None:
    raise ValueError("x")


def joined() -> tuple[socket.socket, socket.socket]:
    """Both ends of a connection, the first not blocking."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    ours.setblocking(False)
    return ours, theirs


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def fill(sock: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.send(bytes(65536))


async def turns() -> None:
    """Let the loop go round, and the poller look at what the loop does not watch."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    await asyncio.sleep(3 * _LOOK_S)


async def told(owner: Owner, wanted: int) -> None:
    await wait_until(lambda: owner.mask & wanted, deadline(1), f"{wanted:#x} to be told, not {owner.mask:#x}")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = joined()
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture(params=["set", "loop"] if HAS_SET else ["loop"])
async def poller(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, pair: tuple[socket.socket, socket.socket]
) -> AsyncIterator[Poller]:
    monkeypatch.setattr(poller_module, "_LOOK_S", _LOOK_S)
    loop = asyncio.get_running_loop()
    ready_set = system.new_ready_set() if request.param == "set" else None
    made = SetPoller(loop, ready_set) if ready_set is not None else LoopPoller(loop)
    yield made
    made.close()
    made.close()
    assert len(made) == 0


def nothing(ours: socket.socket, theirs: socket.socket) -> None:
    pass


def data(ours: socket.socket, theirs: socket.socket) -> None:
    theirs.send(b"x")


def full(ours: socket.socket, theirs: socket.socket) -> None:
    fill(ours)


def half_closed(ours: socket.socket, theirs: socket.socket) -> None:
    theirs.shutdown(socket.SHUT_WR)


def half_closed_behind_data(ours: socket.socket, theirs: socket.socket) -> None:
    theirs.send(b"x")
    theirs.shutdown(socket.SHUT_WR)


def closed_by_both(ours: socket.socket, theirs: socket.socket) -> None:
    ours.shutdown(socket.SHUT_WR)
    theirs.shutdown(socket.SHUT_WR)


def broken(ours: socket.socket, theirs: socket.socket) -> None:
    reset(theirs)


def broken_behind_data(ours: socket.socket, theirs: socket.socket) -> None:
    theirs.send(b"x")
    reset(theirs)


def broken_while_full(ours: socket.socket, theirs: socket.socket) -> None:
    fill(ours)
    reset(theirs)


ANY = READ | WRITE | END | BROKEN


# Watched for, what happens: one of these is told, and none but these and those.
SITUATIONS = [
    (READ, nothing, 0, 0),
    (READ, full, 0, 0),
    (READ, data, READ, 0),
    (WRITE, nothing, WRITE, 0),
    (WRITE, data, WRITE, 0),
    (WRITE, full, 0, 0),
    (READ | WRITE, nothing, WRITE, 0),
    (READ | WRITE, full, 0, 0),
    (0, nothing, 0, 0),
    (0, data, 0, 0),
    (END, nothing, 0, 0),
    (END, data, 0, 0),
    (END | WRITE, data, WRITE, 0),
    (READ, half_closed, READ, 0),
    (WRITE, half_closed, WRITE, 0),
    (0, half_closed, 0, 0),
    (END, half_closed, END, 0),
    (END | WRITE, half_closed, END, WRITE),
    (END, half_closed_behind_data, 0, END),  # a look sees the data alone
    (READ, closed_by_both, READ, BROKEN),
    (0, closed_by_both, BROKEN, 0),
    (END, closed_by_both, BROKEN, END),
    (READ, broken, READ, BROKEN),
    (WRITE, broken, WRITE, BROKEN),
    (0, broken, BROKEN, 0),
    (END, broken, BROKEN, END),
    (READ, broken_behind_data, READ, BROKEN),
    (0, broken_behind_data, BROKEN, 0),
    (END, broken_behind_data, BROKEN, END),
    (WRITE, broken_while_full, WRITE, BROKEN),
    (END | WRITE, broken_while_full, WRITE, BROKEN | END),
]


async def check(poller: Poller, pair, mask: int, happens, one_of: int, else_only: int) -> None:
    ours, theirs = pair
    owner = Owner()
    poller.add(ours.fileno(), owner, mask)
    happens(ours, theirs)
    if one_of:
        await told(owner, one_of)
    await turns()
    assert owner.mask & ~(one_of | else_only) == 0
    poller.remove(ours.fileno())


@pytest.mark.parametrize(("mask", "happens", "one_of", "else_only"), SITUATIONS)
async def test_what_is_told(poller, pair, mask, happens, one_of, else_only) -> None:
    await check(poller, pair, mask, happens, one_of, else_only)


@needs_linux  # a portable run has no uvloop
def test_uvloop_watches_each_to_the_same_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no set it may be the loop."""
    try:
        import uvloop
    except ImportError:
        missing("uvloop is not installed")
    monkeypatch.setattr(poller_module, "_LOOK_S", _LOOK_S)

    async def check_all() -> None:
        poller = LoopPoller(asyncio.get_running_loop())
        for situation in SITUATIONS:
            pair = joined()
            await check(poller, pair, *situation)
            for sock in pair:
                sock.close()
        poller.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(check_all())


async def test_both_are_told_and_as_long_as_they_last(poller, pair) -> None:
    ours, theirs = pair
    owner = Owner()
    poller.add(ours.fileno(), owner, READ | WRITE)
    theirs.send(b"x")
    await told(owner, READ)
    await told(owner, WRITE)
    before = len(owner.told)
    await turns()
    assert len(owner.told) > before
    ours.recv(1)
    await turns()
    owner.told.clear()
    await turns()
    assert owner.mask == WRITE


async def test_room_is_told_once_the_peer_reads(poller, pair) -> None:
    ours, theirs = pair
    owner = Owner()
    fill(ours)
    poller.add(ours.fileno(), owner, WRITE)
    await turns()
    assert owner.told == []
    theirs.setblocking(False)

    def has_room() -> bool:
        with contextlib.suppress(BlockingIOError):
            theirs.recv(1 << 20)
        return bool(owner.told)

    await wait_until(has_room, deadline(1), "room")


async def test_mask_is_changed_to_nothing_and_back(poller, pair) -> None:
    ours, theirs = pair
    owner = Owner()
    poller.add(ours.fileno(), owner)
    theirs.send(b"x")
    await told(owner, READ)
    for mask in (READ, WRITE, END):
        poller.modify(ours.fileno(), 0)
        owner.told.clear()
        await turns()
        assert owner.told == []
        poller.modify(ours.fileno(), mask)
        if mask == END:
            ours.recv(1)
            theirs.shutdown(socket.SHUT_WR)
        await told(owner, mask)


async def test_end_is_told_when_reading_is_given_up_behind_it(poller, pair) -> None:
    ours, theirs = pair
    owner = Owner()
    theirs.shutdown(socket.SHUT_WR)
    poller.add(ours.fileno(), owner)
    await told(owner, READ)
    poller.modify(ours.fileno(), END)
    await told(owner, END)


async def test_only_what_is_watched_can_be_changed_and_nothing_is_watched_twice(poller, pair) -> None:
    ours, _ = pair
    poller.remove(ours.fileno())
    with pytest.raises(OSError):
        poller.modify(ours.fileno(), READ)
    poller.add(ours.fileno(), Owner())
    with pytest.raises(OSError):
        poller.add(ours.fileno(), Owner())
    with pytest.raises((OSError, ValueError)):
        poller.add(-1, Owner())
    assert len(poller) == 1
    poller.remove(ours.fileno())
    poller.remove(ours.fileno())
    assert len(poller) == 0


async def test_one_may_be_removed_by_itself_and_by_another(poller) -> None:
    pairs = [joined() for _ in range(3)]
    owners = [Owner() for _ in pairs]

    def remove_all() -> None:
        for ours, _ in pairs:
            poller.remove(ours.fileno())

    for (ours, theirs), owner in zip(pairs, owners, strict=True):
        owner.act = remove_all
        poller.add(ours.fileno(), owner)
        theirs.send(b"x")
    await wait_until(lambda: not len(poller), deadline(1), "one to be told")
    await turns()
    assert sum(len(owner.told) for owner in owners) == 1
    for ours, theirs in pairs:
        ours.close()
        theirs.close()


@pytest.mark.parametrize("mask", [0, END])
async def test_one_that_is_not_read_may_be_removed_by_another_that_has_ended_as_well(poller, mask) -> None:
    pairs = [joined() for _ in range(3)]
    owners = [Owner() for _ in pairs]

    def remove_all() -> None:
        for ours, _ in pairs:
            poller.remove(ours.fileno())

    for (ours, theirs), owner in zip(pairs, owners, strict=True):
        owner.act = remove_all
        poller.add(ours.fileno(), owner, mask)
        reset(theirs)
    await wait_until(lambda: not len(poller), deadline(1), "one to be told")
    await turns()
    assert sum(len(owner.told) for owner in owners) == 1
    for ours, _ in pairs:
        ours.close()


async def test_R10_a_failing_handler_ends_its_own_connection_only(poller, pair, caplog) -> None:
    ours, theirs = pair
    bad, worse = Owner(failing), Abortable(failing)
    poller.add(ours.fileno(), bad)
    poller.add(theirs.fileno(), worse)
    ours.send(b"x")
    theirs.send(b"x")
    await wait_until(lambda: bad.told and worse.aborted, deadline(1), "both to fail")
    await turns()
    assert worse.aborted == "internal"
    assert len(bad.told) == 1
    assert poller.internal_error_count == 1 + len(worse.told)


async def test_a_failing_handler_of_one_that_is_not_read_ends_it_alone(poller, pair, caplog) -> None:
    ours, theirs = pair
    other, peer_of_other = joined()
    bad, good = Owner(failing), Owner()
    poller.add(ours.fileno(), bad, END)
    poller.add(other.fileno(), good, END)
    reset(theirs)
    peer_of_other.shutdown(socket.SHUT_WR)
    await told(good, END)
    await wait_until(lambda: len(poller) == 1, deadline(1), "the other to be removed")
    assert len(bad.told) == 1
    poller.remove(other.fileno())
    other.close()
    peer_of_other.close()


async def test_many_that_are_ready_take_turns_and_leave_the_loop_theirs(poller) -> None:
    pairs = [socket.socketpair() for _ in range(400)]
    owners = [Owner() for _ in pairs]
    for (ours, theirs), owner in zip(pairs, owners, strict=True):
        poller.add(ours.fileno(), owner)
        theirs.send(b"x")
    await asyncio.sleep(0)
    while sum(len(owner.told) for owner in owners) < 4 * len(owners):
        before = sum(len(owner.told) for owner in owners)
        await asyncio.sleep(0)
        assert sum(len(owner.told) for owner in owners) - before <= len(owners), "at most once in a turn"
        counts = [len(owner.told) for owner in owners]
        assert max(counts) - min(counts) <= 1
    for ours, theirs in pairs:
        poller.remove(ours.fileno())
        ours.close()
        theirs.close()


async def test_next_owner_of_a_number_is_told_nothing_of_the_one_before(poller) -> None:
    """A connection ends within a turn in which it is ready, and another gets its descriptor's number at once."""
    (first, first_peer), (second, second_peer), (fresh, fresh_peer) = (joined() for _ in range(3))
    numbers = {first.fileno(), second.fileno()}
    newcomer = Owner()

    def replace_other(mine: socket.socket, other: socket.socket) -> None:
        poller.remove(mine.fileno())
        poller.remove(other.fileno())
        os.dup2(fresh.fileno(), other.fileno())  # closes what was there, and takes its number
        poller.add(other.fileno(), newcomer)

    for mine, other in ((first, second), (second, first)):
        poller.add(mine.fileno(), Owner(lambda mine=mine, other=other: replace_other(mine, other)))
    first_peer.send(b"x")
    second_peer.send(b"x")
    await wait_until(lambda: len(poller) == 1, deadline(1), "one to be told")
    await turns()
    assert newcomer.told == []
    fresh_peer.send(b"y")
    await told(newcomer, READ)
    for number in numbers:
        poller.remove(number)
    for sock in (first, second, fresh, first_peer, second_peer, fresh_peer):
        sock.close()


@pytest.mark.parametrize("is_listening", [True, False])
async def test_connect_is_told_when_it_is_decided(poller, is_listening) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    if not is_listening:
        listener.close()
    with socket.socket() as sock:
        sock.setblocking(False)
        owner = Owner()
        sock.connect_ex(address)
        poller.add(sock.fileno(), owner)
        poller.modify(sock.fileno(), WRITE)
        await told(owner, WRITE)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        assert bool(code) is not is_listening
        poller.remove(sock.fileno())
    listener.close()


async def test_listener_that_pauses_is_told_nothing(poller) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        owner = Owner()
        poller.add(listener.fileno(), owner)
        poller.modify(listener.fileno(), 0)
        with socket.create_connection(listener.getsockname()):
            await turns()
            assert owner.told == []
            poller.modify(listener.fileno(), READ)
            await told(owner, READ)
        poller.remove(listener.fileno())


async def test_after_the_end_nobody_is_told(poller, pair) -> None:
    ours, theirs = pair
    owner, held = Owner(), Owner()
    poller.add(ours.fileno(), owner)
    poller.add(theirs.fileno(), held, 0)
    theirs.send(b"x")
    poller.close()
    await turns()
    assert owner.told == held.told == []
    poller.remove(ours.fileno())


@needs_linux
def test_masks_are_those_of_the_set() -> None:
    assert (READ, WRITE, END) == (select.EPOLLIN, select.EPOLLOUT, select.EPOLLRDHUP)
    assert BROKEN == select.EPOLLHUP | select.EPOLLERR


@pytest.mark.parametrize(("ready_set", "kind"), [(True, SetPoller), (False, LoopPoller)][not HAS_SET :])
async def test_set_is_used_where_there_is_one(monkeypatch: pytest.MonkeyPatch, ready_set: bool, kind: type) -> None:
    if not ready_set:
        monkeypatch.setattr(system, "new_ready_set", lambda: None)
    made = new_poller(asyncio.get_running_loop())
    assert type(made) is kind
    made.close()
