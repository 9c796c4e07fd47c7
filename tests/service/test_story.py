from __future__ import annotations

import tracemalloc

import pytest

from edge.hub.key import PUBLISH_REALM, StreamKey
from edge.service.story import MAX_ADDRESSES, MAX_ENTRIES, MAX_NAME, MAX_TEXT, Kind, Stories, host_of

KEY = StreamKey("_", "live", "s")


class Clock:
    def __init__(self) -> None:
        self.ms = 1000

    def __call__(self) -> int:
        self.ms += 1
        return self.ms


def test_what_happens_again_is_counted_and_becomes_the_newest() -> None:
    stories = Stories(Clock())
    stories.tell(Kind.DOWN, "connect: Connection refused", key=KEY, server="10.0.0.1:1935")
    stories.tell(Kind.ASKED, "asked", key=KEY, server="10.0.0.1:1935")
    stories.tell(Kind.DOWN, "connect: Connection refused", key=KEY, server="10.0.0.1:1935")
    newest, older = stories.of_stream(KEY)
    assert (newest.kind, newest.count, newest.first_ms, newest.at_ms) == (Kind.DOWN, 2, 1001, 1003)
    assert (older.kind, older.count) == (Kind.ASKED, 1)


def test_another_server_is_another_entry() -> None:
    stories = Stories(Clock())
    for server in ("a:1", "b:1"):
        stories.tell(Kind.DOWN, "refused", key=KEY, server=server)
    assert [entry.server for entry in stories.of_stream(KEY)] == ["b:1", "a:1"]


def test_publish_and_play_of_a_key_have_one_story() -> None:
    stories = Stories(Clock())
    stories.tell(Kind.PUBLISHED, "published", key=KEY._replace(realm=PUBLISH_REALM))
    stories.tell(Kind.JOINED, "joined", key=KEY)
    assert [entry.kind for entry in stories.of_stream("_/live/s")] == [Kind.JOINED, Kind.PUBLISHED]


def test_entry_of_a_client_is_found_by_its_stream_and_by_its_address() -> None:
    stories = Stories(Clock())
    stories.tell(Kind.FORBIDDEN, "no", key=KEY, peer="10.0.0.9:51234")
    (of_stream,), (of_address,) = stories.of_stream(KEY), stories.of_address("10.0.0.9")
    assert (of_stream.client, of_address.client) == ("10.0.0.9:51234", "_/live/s")
    assert stories.of_address("10.0.0.9:7") == [of_address] and stories.of_address("10.0.0.8") == []


def test_amounts_are_summed_up() -> None:
    stories = Stories(Clock())
    for frames in (10, 32):
        stories.tell(Kind.JUMPED, "fell behind", key=KEY, amount=frames)
    assert [(entry.count, entry.amount) for entry in stories.of_stream(KEY)] == [(2, 42)]


def test_ring_keeps_the_newest_entries() -> None:
    stories = Stories(Clock())
    for number in range(MAX_ENTRIES + 5):
        stories.tell(Kind.PROTOCOL, f"fault {number}", key=KEY)
    entries = stories.of_stream(KEY)
    assert (
        len(entries) == MAX_ENTRIES and entries[0].text == f"fault {MAX_ENTRIES + 4}" and entries[-1].text == "fault 5"
    )


def test_streams_and_addresses_are_bounded_and_who_was_heard_of_last_stays() -> None:
    stories = Stories(Clock(), max_streams=3)
    for name in "abca":
        stories.tell(Kind.ABSENT, "nobody", key=name)
    stories.tell(Kind.ABSENT, "nobody", key="d")
    assert list(stories.names()) == ["d", "a", "c"]
    for number in range(MAX_ADDRESSES + 1):
        stories.tell(Kind.PROTOCOL, "odd", peer=f"10.0.{number // 256}.{number % 256}:1")
    assert stories.of_address("10.0.0.0") == [] and stories.of_address("10.0.0.1")


def test_bytes_are_bounded_and_given_back() -> None:
    stories = Stories(Clock(), max_bytes=50_000)
    for number in range(2000):
        stories.tell(Kind.PROTOCOL, f"{number:0200}", key=f"s{number % 500}", peer=f"10.0.0.{number % 250}:1")
        assert stories.size_bytes <= 50_000 + 2000
    assert stories.of_stream("s499")


def test_long_names_of_many_streams_take_no_more_memory_than_short_ones() -> None:
    stories, taken = Stories(Clock(), max_bytes=500_000), 0
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(3000):
            stories.note(
                Kind.JOINED, "a player came", name=chr(0x1F600) * 300 + str(number), peer=f"10.0.0.{number % 9}:1"
            )
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 300_000 < taken < 700_000 and stories.size_bytes <= 500_000


def test_client_of_an_entry_that_changes_is_counted_once() -> None:
    stories = Stories(Clock())
    for name in ("a", "b" * 1000, "a"):
        stories.note(Kind.JOINED, "a player came", name=name, peer="10.0.0.9:1")
    size_bytes = stories.size_bytes
    stories.note(Kind.JOINED, "a player came", name="b" * 1000, peer="10.0.0.9:1")
    assert stories.size_bytes == size_bytes + 999


def test_stream_with_a_long_name_has_a_story() -> None:
    stories, key = Stories(Clock()), StreamKey("_", "live", "n" * 400)
    stories.tell(Kind.PUBLISHED, "published by rtmp", key=key)
    assert [entry.kind for entry in stories.of_stream(key)] == [Kind.PUBLISHED]


@pytest.mark.parametrize("query", ["token=abc123", "token=xy"])
def test_no_value_of_a_query_is_in_a_story(query: str) -> None:
    stories = Stories(Clock())
    value = query.partition("=")[2]
    text = f"no {value}: rtmp://h/live/s?{query} is wrong, {query}"
    stories.tell(Kind.FORBIDDEN, text, key=f"_/live/s?{query}", query=query)
    (entry,) = stories.of_stream("_/live/s")
    assert value not in entry.text


def test_long_texts_and_names_are_cut() -> None:
    stories = Stories(Clock())
    stories.tell(Kind.BAD_NAME, "x" * 1000, key="n" * 1000)
    (name,) = stories.names()
    assert len(name) == MAX_NAME and len(stories.of_stream(name)[0].text) == MAX_TEXT


@pytest.mark.parametrize(
    ("peer", "host"),
    [("10.0.0.1:5", "10.0.0.1"), ("10.0.0.1", "10.0.0.1"), ("[::1]:5", "::1"), ("::1", "::1"), ("[::1]", "::1")],
)
def test_address_without_its_port(peer: str, host: str) -> None:
    assert host_of(peer) == host
