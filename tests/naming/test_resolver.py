"""Lookups on threads of their own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence

import pytest

from naming.base import NamingError
from naming.resolver import Resolver, system_lookup


def test_system_knows_localhost() -> None:
    assert system_lookup("localhost")[0] in ("127.0.0.1", "::1")


@pytest.mark.parametrize(
    ("code", "expected"),
    [(socket.EAI_NONAME, ["::1"]), (-5, ["::1"]), (socket.EAI_AGAIN, None), (socket.EAI_FAIL, None)],
)
def test_N1_an_outage_of_ipv4_answers_does_not_turn_the_list_into_ipv6(
    code: int, expected: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(host: str, port: None, family: socket.AddressFamily, kind: int) -> list[tuple[object, ...]]:
        if family == socket.AF_INET:
            raise socket.gaierror(code, "no")
        return [(family, kind, 6, "", ("::1", 0, 0, 0))]

    monkeypatch.setattr("socket.getaddrinfo", answer)
    if expected is not None:
        assert system_lookup("origin") == expected
    else:
        with pytest.raises(OSError, match="no"):
            system_lookup("origin")


async def test_numeric_address_answers_itself() -> None:
    def never(host: str) -> Sequence[str]:
        raise AssertionError("looked up")

    assert await Resolver(lookup=never).resolve("::1") == ["::1"]


async def test_answers_come_from_another_thread() -> None:
    def lookup(host: str) -> Sequence[str]:
        assert threading.current_thread() is not threading.main_thread()
        return [f"10.0.0.{len(host)}"]

    resolver = Resolver(lookup=lookup)
    assert await asyncio.gather(resolver.resolve("a"), resolver.resolve("bb")) == [["10.0.0.1"], ["10.0.0.2"]]


@pytest.mark.parametrize("failure", [OSError("no such name"), UnicodeError("label too long")])
async def test_N1_failure_names_the_host(failure: Exception) -> None:
    def lookup(host: str) -> Sequence[str]:
        raise failure

    with pytest.raises(NamingError, match=f'cannot resolve "origin": {failure}'):
        await Resolver(lookup=lookup).resolve("origin")


async def test_N1_answer_without_addresses_is_a_failure() -> None:
    with pytest.raises(NamingError, match="no address"):
        await Resolver(lookup=lambda host: []).resolve("origin")


async def test_N2_silent_resolver_has_one_lookup_per_name_and_delays_no_other() -> None:
    release = threading.Event()
    asked: list[str] = []

    def lookup(host: str) -> Sequence[str]:
        asked.append(host)
        if host == "silent":
            release.wait(20)
        return ["10.0.0.1"]

    resolver = Resolver(timeout_ms=50, lookup=lookup)
    for _ in range(3):
        with pytest.raises(NamingError, match=r'no answer for "silent" within 0\.05 s'):
            await resolver.resolve("silent")
    assert asked == ["silent"]
    assert await resolver.resolve("other") == ["10.0.0.1"]
    answer = resolver._in_flight["silent"]
    release.set()
    assert await answer == ["10.0.0.1"] and not resolver._in_flight
    assert await resolver.resolve("silent") == ["10.0.0.1"]


async def test_lookups_in_flight_are_bounded() -> None:
    release, is_full, lock = threading.Event(), threading.Event(), threading.Lock()
    running = peak = 0

    def lookup(host: str) -> Sequence[str]:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
            if peak == 16:
                is_full.set()
        release.wait(20)
        with lock:
            running -= 1
        return ["10.0.0.1"]

    resolver = Resolver(lookup=lookup)
    asking = asyncio.gather(*(resolver.resolve(f"host{number}") for number in range(40)))
    assert await asyncio.to_thread(is_full.wait, 10)
    release.set()
    assert len(await asking) == 40
    assert peak == 16


async def test_name_is_looked_up_again_after_the_system_had_no_thread_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    resolver = Resolver(timeout_ms=2000, lookup=lambda host: ["10.0.0.1"])
    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", refuse)
        for _ in range(20):  # more than there are slots
            with pytest.raises(NamingError, match="can't start new thread"):
                await resolver.resolve("origin")
    assert await resolver.resolve("origin") == ["10.0.0.1"]
