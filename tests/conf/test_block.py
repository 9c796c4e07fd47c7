from __future__ import annotations

import pytest

from edge.conf.block import Block, Kind
from edge.conf.findings import Findings, Level
from edge.conf.grammar import parse_text
from edge.flags.registry import DEFINITIONS


def read(text: str, kind: Kind = Kind.VHOST) -> Block:
    block = Block(kind, Findings())
    block.read(list(parse_text(text, "f")))
    return block


def values(text: str, kind: Kind = Kind.VHOST) -> dict[str, object]:
    block = read(text, kind)
    assert not [each for each in block.findings.items if each.level is Level.ERROR], block.findings.items
    return {name: each.value for name, each in block.given.items()}


def said(text: str, kind: Kind = Kind.VHOST) -> list[str]:
    return [str(each) for each in read(text, kind).findings.items]


def test_srs_names_and_plain_names_of_flags_are_both_read() -> None:
    assert values("queue_length 5; publisher_grace_ms 7; hls_td_ratio 1.25;") == {
        "queue_length_s": 5,
        "publisher_grace_ms": 7,
        "hls_td_ratio": 1.25,
    }


def test_of_two_the_first_counts_whatever_the_style() -> None:
    text = "queue_length 5;\nqueue_length 6;\nplay { queue_length 7; }\nqueue_length_s 8;\n"
    block = read(text)
    assert block.given["queue_length_s"].value == 5
    assert [(each.level, each.where) for each in block.findings.items] == [
        (Level.WARNING, f"f:{line}") for line in (2, 3, 4)
    ]


def test_a_section_that_is_there_twice_counts_once() -> None:
    assert values("play { queue_length 5; } play { mw_latency 9; }") == {"queue_length_s": 5}


def test_what_is_derived_gives_way_to_what_is_said() -> None:
    assert values("hls on;") == {"hls": True, "hls_default": "classic"}
    assert values("hls on; hls_default two-level;") == {"hls": True, "hls_default": "two-level"}
    assert values("hls { enabled off; hls_fragment 3; }") == {"hls": False}


def test_a_section_that_is_off_sets_nothing_and_its_names_are_read() -> None:
    block = read("hls { hls_fragment 3; } security { enabled off; alow play all; }")
    assert block.given == {"hls": block.given["hls"]}
    assert block.findings.off_count == 2
    (finding,) = block.findings.items
    assert str(finding) == 'f:1: error: unknown directive "alow" in security: did you mean allow?'


def test_ranges_are_those_of_the_flags() -> None:
    assert said("queue_length 0;") == ["f:1: error: queue_length 0: out of range 1..2147483647"]
    assert said("chunk_size 127;", Kind.ROOT) == ["f:1: error: chunk_size 127: out of range 128..16777215"]


def test_flags_of_the_process_stand_at_the_root_only() -> None:
    assert values("max_pulls 5;", Kind.ROOT) == {"max_pulls": 5}
    assert said("max_pulls 5;") == ["f:1: error: max_pulls 5: -max_pulls is one for all vhosts"]
    assert said("max_pulls 5;", Kind.MATCH) == said("max_pulls 5;")


@pytest.mark.parametrize("name", ["flagfile", "check", "vhost_config", "dump_config"])
def test_flags_that_say_what_is_read_stand_nowhere(name: str) -> None:
    assert said(f"{name} x;", Kind.ROOT) == [f"f:1: error: -{name} stands on the command line only"]


def test_more_is_an_error_also_in_a_section_that_is_not_offered() -> None:
    text = "http_api { enabled on; auth { enabled on; username a; password b; } }"
    levels = {str(each).split(" is ")[0] for each in read(text, Kind.ROOT).findings.items}
    if "http_api_auth" not in DEFINITIONS:
        assert "f:1: error: http_api/auth" in levels


def test_a_value_that_asks_for_what_is_so_anyway_needs_no_flag() -> None:
    assert said("cluster { protocol rtmp; follow_client off; origin_cluster off; } hls_keys off;") == []


def test_a_secret_is_in_no_message() -> None:
    for text in ("nacos_password a b;", "http_api { auth { enabled on; password a b; } }"):
        assert "a b" not in "".join(said(text, Kind.ROOT))
