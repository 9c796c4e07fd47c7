"""What is dumped is loaded again to the same, and dumped to the same text."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge.conf.dump import dump
from edge.conf.settings import Configuration
from edge.flags.gflags import Parsed, parse
from edge.flags.registry import DEFINITIONS, value_of
from edge.runtime.vhost_files import with_vhosts
from tests.conf.test_settings import SAMPLES


def load(path: Path, *arguments: str) -> Parsed:
    parsed = parse([f"-vhost_config={path}", *arguments])
    with_vhosts(parsed, {})
    return parsed


def settings(parsed: Parsed) -> list[object]:
    vhosts = parsed.vhosts
    assert isinstance(vhosts, Configuration)
    flags = {name: value_of(parsed.flags, name) for name, each in DEFINITIONS.items() if each.topic != "cli"}
    return [
        flags,
        *(
            (v.name, v.is_enabled, v.aliases, v.settings, [(m.pattern, m.settings) for m in v.matches])
            for v in vhosts.vhosts
        ),
    ]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_dump_load_dump_is_the_same_text(path: Path, tmp_path: Path) -> None:
    shutil.copy(path, tmp_path / "first.conf")
    lenient = ["-lenient_vhost_config"] if "# lenient" in path.read_text(encoding="utf-8-sig") else []
    first = load(tmp_path / "first.conf", *lenient)
    if first.has_errors:  # nothing is dumped
        return
    text = dump(first)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "second.conf").write_text(text)
    second = load(tmp_path / "other" / "second.conf")
    assert [each for each in second.problems if not each.is_warning] == []
    assert dump(second) == text
    if "secret" not in path.stem:
        assert settings(second) == settings(first)


def test_each_value_stands_there_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_text("listen 1935;\nvhost a {\n queue_length 5;\n match x/y { queue_length 6; }\n}\n")
    parsed = load(path, "-max_pulls=7", "-log_dir=/somewhere", "-hls")
    lines = dump(parsed).splitlines()
    for line in (
        f"listen 1935; # {path}:1",
        "max_pulls 7; # command line",
        "srs_log_file /somewhere/edge.log; # command line",
        "hls on; # command line",
        "hls_default two-level; # default",
        "# queue_length_s 30; # default",
        f"    queue_length_s 5; # {path}:3",
        f"        queue_length_s 6; # {path}:4",
    ):
        assert line in lines


def test_a_port_that_the_kernel_chooses_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_text("")
    text = dump(load(path, "-port=0", "-listen=81,82"))
    path.write_text(text)
    again = load(path)
    assert (value_of(again.flags, "port"), value_of(again.flags, "listen")) == (0, (81, 82))
    assert dump(again) == text


def test_VC19_secrets_are_masked(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_text("nacos_password swordfish;\n")
    text = dump(load(path))
    assert "nacos_password ***;" in text
    assert "swordfish" not in text
