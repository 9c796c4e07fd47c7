"""Flags with their values and origins, and what another value or another reading of the files would change."""

from __future__ import annotations

import pytest

from edge.flags.book import MASK, Change, FlagBook, Refused, Why
from edge.flags.gflags import parse
from edge.flags.registry import value_of


def value(flags: FlagBook, name: str) -> tuple[str, str]:
    return next((facts.value, facts.origin) for facts in flags.facts() if facts.name == name)


def change_to(flags: FlagBook, name: str, text: str) -> Change:
    change = flags.with_value(name, text, "page 10.0.0.1:5")
    assert isinstance(change, Change)
    return change


def test_a_value_is_in_force_once_it_is_taken_with_all_else_as_it_was() -> None:
    flags = FlagBook(parse(["-internal_port=1935"]))
    change = change_to(flags, "v", "2")
    assert (change.changed, value(flags, "v")) == (("v",), ("0", "default"))
    flags.take(change)
    assert value(flags, "v") == ("2", "page 10.0.0.1:5")
    assert value(flags, "internal_port") == ("1935", "command line")
    assert flags.set_by_hand == {"v"}


@pytest.mark.parametrize(
    ("name", "text", "why", "said"),
    [
        ("", "1", Why.UNKNOWN, "Require gflag name"),
        ("nothing", "1", Why.UNKNOWN, "No such gflag"),
        ("internal_port", "1", Why.NOT_NOW, "A reloadable gflag must have validator"),
        ("v", "x", Why.BAD_VALUE, "Fail to set `v' to x: not an integer"),
    ],
)
def test_what_is_no_value_or_not_now_is_refused(name: str, text: str, why: Why, said: str) -> None:
    refused = FlagBook(parse([])).with_value(name, text, "page p")
    assert isinstance(refused, Refused)
    assert refused.why is why and refused.text.startswith(said)


def test_X3_nothing_is_taken_while_flags_are_immutable() -> None:
    refused = FlagBook(parse([]), is_immutable=True).with_value("v", "1", "page p")
    assert isinstance(refused, Refused) and "-immutable_flags is on" in refused.text


def test_files_change_what_is_another_in_them_and_what_was_set_by_hand_stays() -> None:
    flags = FlagBook(parse(["-v=1", "-send_timeout_ms=9000", "-internal_port=1935"]))
    flags.take(change_to(flags, "v", "5"))
    change = flags.with_files(
        parse(["-v=2", "-send_timeout_ms=8000", "-internal_port=1936", "-tcp_user_timeout_ms=40000"])
    )
    assert change.changed == ("send_timeout_ms", "tcp_user_timeout_ms")
    assert change.kept == ("v",)
    assert change.waiting == {"internal_port": 1936}
    flags.take(change)
    found = {name: value_of(flags.in_force.flags, name) for name in ("v", "send_timeout_ms", "internal_port")}
    assert found == {"v": 5, "send_timeout_ms": 8000, "internal_port": 1935}
    assert value(flags, "v")[1] == "page 10.0.0.1:5"
    port = next(facts for facts in flags.facts() if facts.name == "internal_port")
    assert (port.value, port.after_restart) == ("1935", "1936")


def test_the_same_files_again_change_nothing_and_those_of_the_start_take_a_change_back() -> None:
    start = ["-v=1", "-internal_port=1935"]
    flags = FlagBook(parse(start))
    again = flags.with_files(parse(start))
    assert (again.changed, again.kept, again.waiting) == ((), (), {})
    flags.take(flags.with_files(parse(["-internal_port=1"])))
    assert value(flags, "v") == ("0", "default")
    flags.take(flags.with_files(parse(start)))
    assert value(flags, "v") == ("1", "command line")
    assert [facts.name for facts in flags.facts() if facts.after_restart is not None] == []


def test_what_is_saved_is_of_the_files_from_then_on() -> None:
    flags = FlagBook(parse([]))
    flags.take(change_to(flags, "v", "5"))
    flags.saved(["v"], parse(["-v=5"]))
    assert (flags.set_by_hand, value(flags, "v")) == (frozenset(), ("5", "command line"))
    assert flags.with_files(parse(["-v=4"])).changed == ("v",)


def test_secrets_are_shown_nowhere() -> None:
    flags = FlagBook(parse(["-nacos_password=hunter2"]))
    assert value(flags, "nacos_password")[0] == MASK
    change = flags.with_files(parse(["-nacos_password=hunter3"]))
    flags.take(change)
    assert "hunter" not in str([facts for facts in flags.facts() if facts.name == "nacos_password"])


def test_values_of_users_are_told_on_one_line() -> None:
    flags = FlagBook(parse([]))
    (row,) = flags.told(change_to(flags, "vmodule", "b\t=1" + "x" * 1000))
    assert all(text.isprintable() and len(text) < 300 for text in row)
