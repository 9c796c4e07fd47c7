"""Who wins: command line and flagfiles, the root of the file, the environment, the default."""

from __future__ import annotations

from edge.conf.environment import from_environment
from edge.conf.findings import Findings
from edge.conf.grammar import parse_text
from edge.conf.precedence import apply
from edge.conf.settings import build
from edge.flags.gflags import Parsed, parse
from edge.flags.registry import value_of


def applied(text: str, *arguments: str, **environ: str) -> tuple[Parsed, list[str]]:
    parsed = parse(arguments)
    configuration = build(list(parse_text(text, "f")), from_environment(environ, Findings()))
    return parsed, [str(each) for each in apply(configuration, parsed)]


def test_the_root_of_the_file_gives_what_nobody_else_does() -> None:
    parsed, notes = applied("queue_length_s 5; max_connections 9;", "-max_connections=8", SRS_VHOST_QUEUE_LENGTH="4")
    assert [value_of(parsed.flags, name) for name in ("queue_length_s", "max_connections")] == [5, 8]
    assert (parsed.where("queue_length_s"), parsed.where("max_connections")) == ("f:1", "command line")
    assert notes == [
        "f:1: note: -max_connections=8 (command line) hides 9 of the file",
        "environment SRS_VHOST_QUEUE_LENGTH: note: -queue_length_s=5 (f:1) hides 4 of the environment",
    ]


def test_the_environment_is_behind_all_but_the_default() -> None:
    parsed, notes = applied("", SRS_VHOST_QUEUE_LENGTH="4")
    assert (value_of(parsed.flags, "queue_length_s"), notes) == (4, [])
    assert parsed.where("queue_length_s") == "environment SRS_VHOST_QUEUE_LENGTH"


def test_a_vhost_gives_no_flag_its_value() -> None:
    parsed, _ = applied("vhost a { queue_length 5; }")
    assert "queue_length_s" not in parsed.origins


def test_the_port_of_the_command_line_takes_the_place_of_the_first() -> None:
    parsed, notes = applied("listen 1935 8080;", "-port=8080")
    assert (value_of(parsed.flags, "port"), value_of(parsed.flags, "listen")) == (8080, ())
    assert notes == ["f:1: note: -port=8080 (command line) hides 1935 of the file"]


def test_the_same_value_hides_nothing_and_secrets_are_not_shown() -> None:
    assert applied("queue_length_s 5;", "-queue_length_s=5")[1] == []
    _, (note,) = applied("nacos_password old-word;", "-nacos_password=new-word")
    assert "word=" in note
    assert "old-word" not in note
    assert "new-word" not in note
