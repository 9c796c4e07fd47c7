"""Help in its forms."""

from __future__ import annotations

import shutil
import subprocess
from xml.etree import ElementTree

import pytest

from edge.flags.gflags import parse
from edge.flags.helptext import completion, requested_help
from edge.flags.not_acted_on import NOT_ACTED_ON
from edge.flags.registry import DEFINITIONS, TOPICS


def text_for(*arguments: str) -> str:
    text = requested_help(parse(arguments).flags, "1.2.3")
    assert text is not None
    return text


def flags_in(text: str) -> set[str]:
    return {line.split()[0].lstrip("-") for line in text.splitlines() if line.startswith("  -")}


def test_no_help_is_given_unasked() -> None:
    assert requested_help(parse(["-port=1"]).flags, "1") is None


def test_version() -> None:
    assert text_for("--version") == "edge version 1.2.3\n"


def test_help_is_grouped_by_topic_and_leaves_out_what_does_nothing_yet() -> None:
    text = text_for("-help")
    assert "RTMP sessions (rtmp)\n  -rtmp_server_chunk_size  int32, default 60000\n" in text
    assert "port" in flags_in(text)
    assert "workers" not in flags_in(text)
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("argument", ["-helpfull", "-helppackage"])
def test_full_help_has_every_flag_under_every_topic(argument: str) -> None:
    text = text_for(argument)
    assert flags_in(text) == set(DEFINITIONS)
    assert all(title in text for title in TOPICS.values())
    assert " ".join(text.split()).count("Accepted and not acted on yet.") == len(NOT_ACTED_ON)


def test_short_help_fits_a_screen() -> None:
    assert flags_in(text_for("-h")) < set(DEFINITIONS)
    assert len(text_for("-h").splitlines()) < 60


def test_help_on_a_topic() -> None:
    expected = {name for name, definition in DEFINITIONS.items() if definition.topic == "tls"}
    assert flags_in(text_for("-helpon=tls")) == expected
    assert "Topics: server, rtmp" in text_for("-helpon=nothing")


def test_help_on_a_part_of_a_name() -> None:
    found = flags_in(text_for("-helpmatch=retry"))
    assert {"retry_interval_ms", "fast_retry_count", "max_retry_duration_ms"} <= found
    assert all("retry" in name for name in found)


def test_xml_has_every_flag() -> None:
    root = ElementTree.fromstring(text_for("-helpxml"))
    assert {flag.findtext("name") for flag in root.iter("flag")} == set(DEFINITIONS)
    port = next(flag for flag in root.iter("flag") if flag.findtext("name") == "port")
    assert (port.findtext("default"), port.findtext("type"), port.findtext("file")) == ("8079", "int32", "server")


def test_bash_completes_names() -> None:
    assert shutil.which("bash")
    script = (
        completion("bash") + '\nCOMP_WORDS=(edge -proxy_); COMP_CWORD=1; _edge 2>/dev/null; echo "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["-proxy_lb=", "-proxy_to=", "-proxy_vhost="]


def test_zsh_script_names_the_flags() -> None:
    script = text_for("-completion=zsh")
    assert script.startswith("#compdef edge\n")
    assert " -port= " in script
    assert " -nohttps " in script
