from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge.access.config import AccessConfig
from edge.conf.dump import dump
from edge.hls_disk.config import DiskConfig
from edge.httpd.config import HttpConfig
from edge.hub.config import HubConfig
from edge.hub.key import StreamKey
from edge.net.config import NetConfig
from edge.runtime.command_line import read_command_line
from edge.runtime.rules import RuleChange, new_rulebook, rules_of, with_values
from edge.runtime.unit import ServiceUnit
from edge.service.rules import Rulebook
from edge.upstream.config import UpstreamConfig
from tests.runtime.nodes import settings_of


@dataclass
class Node:
    rulebook: Rulebook
    units: list[ServiceUnit]


def test_streams_have_what_the_flags_say() -> None:
    settings = settings_of("-queue_length_s=7", "-proxy_to=127.0.0.1:1")
    rules = rules_of(settings)
    assert rules.of(HubConfig) is settings.hub
    assert rules.of(UpstreamConfig).proxy_to == "127.0.0.1:1"
    assert new_rulebook(settings).root == rules


def test_what_a_vhost_says_otherwise_reaches_all_who_read_it() -> None:
    rules = rules_of(settings_of("-queue_length_s=7"))
    other = with_values(rules, {"queue_length_s": 9, "pull_nodata_timeout_ms": 5})
    assert other.of(HubConfig).queue_length_s == 9
    assert (other.of(UpstreamConfig).pull_nodata_timeout_ms, other.of(HttpConfig).pull_nodata_timeout_ms) == (5, 5)
    assert other.of(NetConfig) is rules.of(NetConfig)
    assert with_values(rules, {"queue_length_s": 7}) == rules


def test_segments_are_cut_for_files_as_well() -> None:
    rules = with_values(rules_of(settings_of()), {"hls": False})
    assert not rules.of(HubConfig).hls
    files = with_values(rules, {"hls_path": "/somewhere"})
    assert files.of(HubConfig).hls
    assert files.of(DiskConfig).hls_path == "/somewhere"


def test_a_change_of_the_rules_is_made_ready_or_given_up() -> None:
    book = new_rulebook(settings_of("-queue_length_s=7"))
    ready = RuleChange(Node(book, []), lambda *_: None).prepare(settings_of("-queue_length_s=8"))
    assert book.root.of(HubConfig).queue_length_s == 7
    ready.give_up()
    assert book.root.of(HubConfig).queue_length_s == 7
    ready.commit()
    assert book.root.of(HubConfig).queue_length_s == 8


def test_a_flag_of_other_things_leaves_the_book_alone() -> None:
    book = new_rulebook(settings_of("-queue_length_s=7"))
    change = RuleChange(Node(book, []), lambda *_: None)
    change.prepare(settings_of("-queue_length_s=7", "-v=1")).commit()
    assert change.prepared is book
    change.prepare(settings_of("-queue_length_s=8")).commit()
    assert change.prepared is not book
    assert book.root.of(HubConfig).queue_length_s == 8


def test_VC21_a_later_match_wins_over_the_vhost_that_it_shadows(tmp_path: Path) -> None:
    """All streams of a vhost that forbids publishing: the match is what counts, and the dump shows both."""
    path = tmp_path / "a.conf"
    path.write_text("vhost v {\n publish_deny all;\n alias w;\n match */* { publish_deny 10.0.0.0/8; }\n}\n")
    book = new_rulebook(settings_of(f"-c={path}"))
    for host in ("v", "w"):
        rules = book.rules_of(StreamKey(book.vhost_of(host) or "", "live", "cam"))
        assert rules is not None and rules.of(AccessConfig).publish_deny == ("10.0.0.0/8",)
    text = dump(read_command_line([f"-c={path}"]))
    assert f"    publish_deny all; # {path}:2\n" in text
    assert f"        publish_deny 10.0.0.0/8; # {path}:4\n" in text
