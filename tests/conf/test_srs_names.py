"""The table of SRS's directives against the flags that there are."""

from __future__ import annotations

from edge.conf.srs_names import CHOICES, ROOT, ROOT_TABLE, VHOST, VHOST_TABLE, Effect, Takes
from edge.flags import all as all_flags
from edge.flags.classes import VHOST as OF_VHOSTS
from edge.flags.registry import DEFINITIONS

# What a row names, and no flag is called yet; a flag that comes works by its row, and leaves this list.
NOT_BUILT = frozenset(
    {
        *("http_dir", "http_api", "http_api_raw", "http_api_auth", "heartbeat_url", "exporter", "config_watch"),
        *("hls_keys", "forward_to", "forward_backend", "transcode", "ingest", "exec"),
        *("dvr", "http_static", "bandcheck"),
    }
)


def test_each_row_stands_once() -> None:
    assert len(ROOT_TABLE) == len(ROOT)
    assert len(VHOST_TABLE) == len(VHOST)


def test_rows_name_flags_that_there_are_or_are_to_be() -> None:
    assert all_flags.AREAS
    unknown = {row.flag for row in (*ROOT, *VHOST) if row.flag} - set(DEFINITIONS) - NOT_BUILT
    assert not unknown
    assert set(DEFINITIONS) & NOT_BUILT == set(), (
        "these are built: take them out, and say in a sample what comes of them"
    )


def test_what_a_vhost_says_may_differ_by_vhost() -> None:
    wrong = {row.flag for row in VHOST if row.flag in DEFINITIONS and DEFINITIONS[row.flag].scope is not OF_VHOSTS}
    assert not wrong


def test_what_is_not_built_says_what_that_means() -> None:
    """An operator whose file asks for it reads why, and whether that opens anything."""
    silent = [
        row.path
        for row in (*ROOT, *VHOST)
        if (row.flag in NOT_BUILT or row.effect in (Effect.LESS, Effect.MORE))
        and row.effect not in (Effect.LESS, Effect.MORE)
    ]
    assert not silent
    gates = {"refer", "publish", "hooks", "auth", "dvr"}
    for row in (*ROOT, *VHOST):
        if row.flag in NOT_BUILT and row.flag.split("_")[0] in gates and row.flag != "publish_kickoff_for_idle_s":
            assert row.effect is Effect.MORE, row.path


def test_words_are_of_rows_that_take_words() -> None:
    words = {row.name for row in (*ROOT, *VHOST) if row.takes is Takes.WORD}
    assert set(CHOICES) <= words
