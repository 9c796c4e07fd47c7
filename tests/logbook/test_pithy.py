"""One line per stage and interval, whatever the number of its clients."""

from __future__ import annotations

from edge.logbook.pithy import Stage, StageClient

CLIENTS = ["a", "b", "c"]


class Clients:
    """Some clients whose bytes grow by 1000 a second."""

    def __init__(self, *names: str) -> None:
        self.names = list(names)
        self.stage = Stage("play", 0)

    def describe(self, name: object, now_ms: int) -> StageClient | None:
        if name not in self.names:
            return None
        return StageClient(name, f"_/live/{name}", "10.0.0.9:5", now_ms, now_ms)

    def at(self, number: int, now_ms: int) -> StageClient:
        found = self.describe(self.names[number], now_ms)
        assert found is not None
        return found

    def tick(self, now_ms: int, interval_ms: int = 10_000) -> str | None:
        return self.stage.tick(
            now_ms,
            interval_ms,
            len(self.names),
            lambda number: self.at(number, now_ms),
            lambda who: self.describe(who, now_ms),
        )


def lines(clients: Clients, until_s: int, interval_ms: int = 10_000) -> list[tuple[int, str]]:
    found = ((second, clients.tick(second * 1000, interval_ms)) for second in range(until_s))
    return [(second, line) for second, line in found if line is not None]


def test_one_line_per_interval_about_each_in_turn() -> None:
    told = lines(Clients("a", "b", "c"), 45)
    assert told == [
        (10, "stage=play clients=3 key=_/live/a peer=10.0.0.9:5 age_ms=10000 kbps=8"),
        (20, "stage=play clients=3 key=_/live/b peer=10.0.0.9:5 age_ms=20000 kbps=8"),
        (30, "stage=play clients=3 key=_/live/c peer=10.0.0.9:5 age_ms=30000 kbps=8"),
        (40, "stage=play clients=3 key=_/live/a peer=10.0.0.9:5 age_ms=40000 kbps=8"),
    ]


def test_a_thousand_clients_say_no_more_than_one() -> None:
    crowd = Clients(*(f"p{number}" for number in range(1000)))
    assert [second for second, _ in lines(crowd, 35)] == [10, 20, 30]


def test_who_has_left_is_followed_by_another() -> None:
    clients = Clients("a", "b")
    clients.tick(0)
    clients.names.remove("a")
    assert clients.tick(10_000) == "stage=play clients=1 key=_/live/b peer=10.0.0.9:5 age_ms=10000 kbps=8"


def test_nothing_without_clients_and_nothing_when_off() -> None:
    assert lines(Clients(), 30) == []
    assert lines(Clients("a"), 30, interval_ms=0) == []


def test_the_first_line_comes_an_interval_after_the_first_client() -> None:
    clients = Clients()
    for second in range(60):
        assert clients.tick(second * 1000) is None
    clients.names.append("a")
    assert [second for second, line in ((second, clients.tick(second * 1000)) for second in range(60, 75)) if line] == [
        69
    ]


def test_a_name_ends_no_field() -> None:
    clients = Clients("a b\n")
    clients.tick(0)
    line = clients.tick(10_000)
    assert line is not None
    assert "key=_/live/a\\x20b\\x0a peer=" in line
