"""Passwords are looked at elsewhere, and a right one is known again for a minute."""

from __future__ import annotations

from collections.abc import Callable

from edge.access.addresses import AddressSet
from edge.access.login import KNOWN_MS, LoginDesk
from edge.access.passwords import N, P, PasswordHash, R
from edge.access.users import Login, User


class Quick(PasswordHash):
    """As slow ones are, and quick."""

    def check(self, password: str) -> bool:
        return password == "right"


def user() -> User:
    return User("ann", Quick(b"digest", b"salt", N, R, P), frozenset({"play"}), (), AddressSet(()))


class Desk:
    def __init__(self) -> None:
        self.now_ms = 0
        self.waiting: list[tuple[Callable[[], bool], Callable[[bool | None], None]]] = []
        self.desk = LoginDesk(lambda work, answer: self.waiting.append((work, answer)), lambda: self.now_ms, b"s")
        self.answers: list[bool | None] = []

    def ask(self, password: str, who: User | None) -> bool | None:
        return self.desk.check(who, Login("ann", password), self.answers.append)

    def work(self) -> None:
        for work, answer in self.waiting:
            answer(work())
        self.waiting.clear()


def test_right_one_is_known_for_a_minute_and_a_wrong_one_never() -> None:
    rig = Desk()
    assert rig.ask("right", user()) is None and rig.ask("wrong", user()) is None
    rig.work()
    assert rig.answers == [True, False]
    rig.now_ms = KNOWN_MS - 1
    assert rig.ask("right", user()) is True
    assert rig.ask("wrong", user()) is None
    rig.now_ms = KNOWN_MS
    assert rig.ask("right", user()) is None
    assert len(rig.waiting) == 2


def test_user_that_there_is_not_is_looked_at_as_long() -> None:
    rig = Desk()
    assert rig.ask("right", None) is None
    rig.work()
    assert rig.answers == [False]


def test_one_who_cannot_wait_is_told_so() -> None:
    rig = Desk()
    rig.ask("right", user())
    rig.waiting[0][1](None)
    assert rig.answers == [None] and rig.ask("right", user()) is None
