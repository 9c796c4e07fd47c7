"""When a new value of a flag acts, and for whom it may differ."""

from __future__ import annotations

from edge.flags import all as all_flags
from edge.flags.classes import LIVE, NEW, RESTART, VHOST, Reload
from edge.flags.registry import DEFINITIONS

# What is one for the whole process: ports, files, the log, pages.
OF_THE_PROCESS = ("server", "logging", "cli", "grpc", "builtin", "tls")
# A rate or time of the network that is one for some streams and another for others all the same.
FOR_STREAMS = {"flush_interval_ms", "ingest_tick_ms", "max_publish_kbps"}


def test_each_class_says_in_its_own_words_when_it_acts() -> None:
    assert all_flags.AREAS
    assert len({each.note for each in Reload}) == len(Reload)
    assert [each.note.startswith("reloadable") for each in (LIVE, NEW, RESTART)] == [True, True, False]


def test_what_steers_the_start_is_read_at_the_start() -> None:
    assert [each.name for each in DEFINITIONS.values() if each.topic == "cli" and each.is_reloadable] == []


def test_only_what_concerns_streams_may_differ_by_vhost() -> None:
    found = {each.name for each in DEFINITIONS.values() if each.scope is VHOST and each.topic in OF_THE_PROCESS}
    assert found == FOR_STREAMS
