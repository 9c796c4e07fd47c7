from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import pytest

from edge.errors import ConfigError
from edge.hub.key import StreamKey
from edge.service.admission import LATER
from edge.service.names import StreamName
from edge.service.refusal import Reason, Refusal
from edge.service.request import PlayRequest, PublishRequest
from edge.service.rules import Match, Rulebook, Rules, Vhost, one_for_all
from tests.service.fakes import NODE, SERVER_URL, Door
from tests.service.test_admission import Says


@dataclass(frozen=True, slots=True)
class Queue:
    length: int = 30


@dataclass(frozen=True, slots=True)
class Gate:
    is_open: bool = True


def rules(length: int = 30, is_open: bool = True) -> Rules:
    return Rules((Queue(length), Gate(is_open)))


def later_wins(settings: tuple[Hashable, ...]) -> Rules:
    """Each match says its length of queue."""
    return rules([n for n in settings if isinstance(n, int)][-1])


def vhost(name: str, length: int, *aliases: str, matches: tuple[tuple[str, int], ...] = ()) -> Vhost:
    return Vhost(name, rules(length), aliases, tuple(Match(*each) for each in matches), later_wins)


def length_of(book: Rulebook, text: str) -> int | None:
    found = book.rules_of(StreamKey(*text.split("/", 2)))
    return found.of(Queue).length if found is not None else None


def test_rules_are_asked_for_by_the_type_of_the_settings() -> None:
    both = rules(5, is_open=False)
    assert both.of(Queue) == Queue(5)
    assert both.of(Gate) == Gate(False)
    assert both.with_(Queue(7)) == rules(7, is_open=False)
    assert Rules().of(Queue) == Queue(), "a room of which nothing is said has its defaults"


def test_without_vhosts_all_have_the_same_rules_and_names_stay() -> None:
    book = one_for_all(Queue(5))
    assert not book.has_vhosts
    assert book.rules_of(StreamKey("any", "live", "cam")) is book.root
    assert book.vhost_of("any") == "any"


BOOK = [
    vhost("a.example", 1, "a2.example", "*.cdn.example", "tie.b.example"),
    vhost("b.example", 2, "*.b.example", "*.eu.cdn.example"),
    vhost("_", 9),
]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("a.example", "a.example"),
        ("a2.example", "a.example"),
        ("x.cdn.example", "a.example"),
        ("x.y.cdn.example", "a.example"),
        ("cdn.example", "_"),  # not below itself
        ("x.eu.cdn.example", "b.example"),  # the longest
        ("tie.b.example", "a.example"),  # a whole name before any star
        ("b.example", "b.example"),
        ("_", "_"),
        ("other.example", "_"),
    ],
)
def test_which_vhost_a_name_means(name: str, wanted: str) -> None:
    assert Rulebook(rules(), BOOK).vhost_of(name) == wanted


def test_who_names_no_vhost_is_refused_where_there_is_no_default_one() -> None:
    book = Rulebook(rules(), BOOK[:2])
    assert book.vhost_of("other.example") is None
    assert length_of(book, "other.example/live/cam") is None
    assert length_of(book, "a2.example/live/cam") == 1


def test_a_vhost_that_is_not_enabled_refuses_and_does_not_fall_to_the_default_one() -> None:
    book = Rulebook(rules(), [Vhost("off.example", rules(), ("o.example",), is_enabled=False), vhost("_", 9)])
    assert book.vhost_of("off.example") is None
    assert book.vhost_of("o.example") is None
    assert length_of(book, "off.example/live/cam") is None


def test_the_last_match_wins_and_is_looked_up_once() -> None:
    asked: list[tuple[Hashable, ...]] = []

    def make(settings: tuple[Hashable, ...]) -> Rules:
        asked.append(settings)
        return later_wins(settings)

    matches = (Match("live/*", 5), Match("live/vip-*", 7))
    book = Rulebook(rules(), [Vhost("_", rules(1), (), matches, make)])
    for _ in range(2):
        assert length_of(book, "_/other/cam") == 1
        assert length_of(book, "_/live/cam") == 5
        assert length_of(book, "_/live/vip-1") == length_of(book, "_/live/vip-2") == 7
    assert asked == [(5,), (7,), (5, 7)]
    assert book.rules_of(StreamKey("_", "live", "vip-1")) is book.rules_of(StreamKey("_", "live", "vip-2", "publish"))


@pytest.mark.parametrize(
    "vhosts",
    [
        [vhost("a", 1), vhost("a", 2)],
        [vhost("a", 1, "b"), vhost("b", 2)],
        [vhost("a", 1, "*.x"), vhost("b", 2, "*.x")],
        [vhost("a", 1, matches=(("nothing", 1),))],
    ],
)
def test_what_can_mean_two_things_or_nothing_is_no_book(vhosts: list[Vhost]) -> None:
    with pytest.raises(ConfigError):
        Rulebook(rules(), vhosts)


def test_what_says_the_same_is_one_object() -> None:
    book = Rulebook(rules(3), [vhost("a", 3), vhost("b", 3), Vhost("c", rules(3, is_open=False))])
    a, b, c = (book.rules_of(StreamKey(name, "live", "cam")) for name in "abc")
    assert a is b is book.root
    assert a is not None
    assert c is not None
    assert a.of(Queue) is c.of(Queue)


def test_another_book_changes_only_whose_rules_are_others() -> None:
    many = [vhost(f"v{n}", n, matches=(("live/vip", n + 1),)) for n in range(1000)]
    book = Rulebook(rules(), many)
    keys = [StreamKey(f"v{n}", "live", name) for n in range(1000) for name in ("cam", "vip")]
    before = [book.rules_of(key) for key in keys]
    again = [vhost(f"v{n}", n, matches=(("live/vip", n + 1),)) for n in range(1000)]
    again[7] = vhost("v7", 5000, matches=(("live/vip", 8),))
    new = Rulebook(rules(), again)
    book.prepare(new)
    assert [book.rules_of(key) for key in keys] == before
    assert tuple(book.replace(new)) == (set(), {"v7"}, set())
    others = {number for number, key in enumerate(keys) if book.rules_of(key) is not before[number]}
    assert {keys[number] for number in others} == {StreamKey("v7", "live", "cam")}
    assert length_of(book, "v7/live/cam") == 5000


def test_all_rules_are_those_of_vhosts_and_of_each_match() -> None:
    book = Rulebook(rules(), [vhost("a", 1, matches=(("live/x", 2),)), vhost("b", 3)])
    assert [(name, found.of(Queue).length) for name, found in book.named_rules()] == [
        *(("", 30), ("a", 1), ("a", 2), ("b", 3))
    ]


def test_vhosts_come_and_go_and_their_names_change() -> None:
    book = Rulebook(rules(), [vhost("a", 1), vhost("b", 2), vhost("c", 3), vhost("d", 4)])
    off = Vhost("c", rules(3), is_enabled=False)
    new = Rulebook(rules(), [vhost("a", 1), vhost("b", 2, "bb"), off, vhost("e", 5)])
    assert tuple(book.replace(new)) == ({"e"}, {"b"}, {"c", "d"})
    assert book.vhost_of("bb") == "b"
    assert tuple(book.replace(Rulebook(rules(), [vhost("a", 1, matches=(("live/x", 2),))]))) == (
        set(),
        {"a"},
        {"b", "e"},
    )


@pytest.mark.parametrize("wants", ["play", "publish"])
def test_who_waits_for_a_rule_while_its_vhost_goes_is_refused(wants: str) -> None:
    door, rule, answers = Door(), Says(LATER), []
    root = door.service.rulebook.root
    door.service.rulebook.replace(Rulebook(root, [Vhost("a.example", root), Vhost("b.example", root)]))
    door.service.admission.rules.append(rule)
    name = door.service.resolve("s?vhost=a.example", SERVER_URL, is_play=wants == "play")
    assert isinstance(name, StreamName)
    if wants == "play":
        door.service.play(PlayRequest(NODE, name), answers.append, door.now_ms)
    else:
        door.service.publish(PublishRequest(NODE, name), answers.append, door.now_ms)
    door.service.rulebook.replace(Rulebook(root, [Vhost("b.example", root)]))
    rule.say(None)
    assert answers == [Refusal(Reason.NO_VHOST, "nobody is served at a.example")]
    assert not door.registry.streams
