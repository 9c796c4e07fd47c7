"""Files by vhost as they are found on a disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.conf import grammar
from edge.conf import settings as conf_settings
from edge.conf.settings import Configuration
from edge.flags.gflags import Parsed, parse
from edge.flags.registry import value_of
from edge.runtime import vhost_files
from edge.runtime.vhost_files import Slices, with_vhosts


def read_command_line(arguments: list[str], environ: dict[str, str]) -> Parsed:
    parsed = parse(arguments, environ=environ)
    with_vhosts(parsed, environ)
    return parsed


def load(path: Path | str, *arguments: str, **environ: str) -> Parsed:
    return read_command_line([f"-c={path}", *arguments], environ)


def faults(parsed: Parsed) -> list[str]:
    return [str(problem) for problem in parsed.problems]


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    return tmp_path / "a.conf"


def test_VC6_files_that_include_many_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "empty.conf").write_text("")
    for number in range(3):
        (tmp_path / f"{number}.conf").write_text(f"include{f' {number + 1}.conf' * 30};")
    (tmp_path / "3.conf").write_text(f"include{' empty.conf' * 30};")
    parsed = load(tmp_path / "0.conf")
    assert parsed.has_errors
    assert all(fault.endswith("more than 1000 files") for fault in faults(parsed)[:-1])


@pytest.mark.parametrize("text", ["", "# nothing", "\n\n"])
def test_VC1_a_file_that_says_nothing_has_no_vhosts(conf: Path, text: str) -> None:
    conf.write_text(text)
    parsed = load(conf)
    assert faults(parsed) == []
    assert isinstance(parsed.vhosts, Configuration)
    assert parsed.vhosts.vhosts == ()
    assert parsed.vhosts.summary == "loaded 0 vhosts; 0 warnings"


def test_VC1_VC6_what_is_no_file_is_an_error_and_waits_for_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, why in (
        (tmp_path / "none", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (tmp_path / "pipe", "not a regular file"),
        ("/dev/zero", "not a regular file"),
    ):
        (fault,) = faults(load(name))
        assert fault.endswith(why)


def test_VC6_files_include_others_beside_them(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "a.conf").write_text("include d/b.conf;\nvhost v { include d/play.conf; }")
    (tmp_path / "d" / "b.conf").write_text("include c?.conf;")
    (tmp_path / "d" / "c1.conf").write_text("max_pulls 5;")
    (tmp_path / "d" / "c2.conf").write_text("vhost w { queue_length 4; }")
    (tmp_path / "d" / "play.conf").write_text("queue_length 3;")
    parsed = load(tmp_path / "a.conf")
    assert faults(parsed) == []
    assert (value_of(parsed.flags, "max_pulls"), parsed.where("max_pulls")) == (5, f"{tmp_path}/d/c1.conf:1")
    assert isinstance(parsed.vhosts, Configuration)
    assert [(each.name, dict(each.settings.items)["queue_length_s"]) for each in parsed.vhosts.vhosts] == [
        ("w", 4),
        ("v", 3),
    ]
    assert len(parsed.vhosts.files) == 5


def include(folder: Path, name: str) -> Parsed:
    path = folder / "including.conf"
    path.write_text(f"include {name};")
    return load(path)


def test_VC6_what_cannot_be_included(tmp_path: Path) -> None:
    path = tmp_path / "including.conf"
    assert faults(include(tmp_path, "including.conf")) == [f"{path}:1: {path} includes itself"]
    assert faults(include(tmp_path, "*.not")) == [f"{path}:1: warning: include *.not: there is no such file"]
    assert faults(include(tmp_path, "none")) == [f"{path}:1: -vhost_config={tmp_path}/none: No such file or directory"]
    for number in range(10):
        (tmp_path / f"{number}.conf").write_text(f"include {number + 1}.conf;")
    (tmp_path / "10.conf").write_text("")
    (fault,) = faults(load(tmp_path / "0.conf"))
    assert fault.endswith("files are included more than 8 deep")


def test_VC2_VC3_a_text_that_is_none_is_told_with_its_place(conf: Path) -> None:
    conf.write_bytes(b"listen 1;\n\xff;")
    assert faults(load(conf)) == [f"{conf}:2: byte 10: not valid UTF-8"]


def test_VC13_a_file_that_is_written_meanwhile_is_read_again(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf.write_text("max_pulls 5;")
    texts = ["max_pulls 61;", "max_pulls 722;"]
    status = os.fstat

    def write_then(descriptor: int) -> os.stat_result:
        before = status(descriptor)
        if texts:
            conf.write_text(texts.pop(0))
        return before

    monkeypatch.setattr(vhost_files.os, "fstat", write_then)
    monkeypatch.setattr(vhost_files, "_TRY_AGAIN_S", 0)
    parsed = load(conf)
    assert (faults(parsed), value_of(parsed.flags, "max_pulls")) == ([], 722)
    texts = ["#" * number for number in range(20)]
    assert faults(load(conf)) == [f"command line: -vhost_config={conf}: it is written all the time"]


def test_strict_makes_errors_of_warnings(conf: Path) -> None:
    conf.write_text("rtc_server { enabled on; }")
    assert not load(conf).has_errors
    assert load(conf, "-strict_vhost_config").has_errors


def test_VC19_a_secret_that_everybody_may_read_is_told(conf: Path) -> None:
    conf.write_text("nacos_password swordfish;\n")
    conf.chmod(0o604)
    assert faults(load(conf)) == [f"{conf}:1: warning: nacos_password is a secret, and everybody may read {conf}"]
    conf.chmod(0o600)
    assert faults(load(conf)) == []


def test_VC20_the_environment_counts_only_where_it_is_asked_for(conf: Path) -> None:
    parsed = read_command_line([], {"SRS_VHOST_HLS_ENABLED": "off"})
    (note,) = parsed.notes
    assert note.message.endswith("these are ignored: SRS_VHOST_HLS_ENABLED")
    assert value_of(parsed.flags, "hls")
    conf.write_text("")
    assert not value_of(load(conf, SRS_VHOST_HLS_ENABLED="off").flags, "hls")


def test_the_environment_alone_has_the_default_vhost(conf: Path) -> None:
    parsed = read_command_line(["-e"], {"SRS_LISTEN": "1936"})
    assert value_of(parsed.flags, "port") == 1936
    assert isinstance(parsed.vhosts, Configuration)
    assert [each.name for each in parsed.vhosts.vhosts] == ["__defaultVhost__"]
    conf.write_text("listen 1937; vhost v { }")
    parsed = read_command_line(["-e"], {"SRS_LISTEN": "1936", "SRS_CONFIG_FILE": str(conf)})
    assert value_of(parsed.flags, "port") == 1937


def test_VC7_many_vhosts_are_read_in_slices(conf: Path) -> None:
    count = 10_000
    conf.write_text("".join(f"vhost v{number} {{ queue_length {number % 7 + 1}; }}\n" for number in range(count)))
    parsed, slices = parse([f"-c={conf}"]), Slices()
    with_vhosts(parsed, {}, slices)
    assert isinstance(parsed.vhosts, Configuration)
    assert len({id(each.settings) for each in parsed.vhosts.vhosts}) == 7
    assert slices.count >= 2 * count // grammar.SLICE + count // conf_settings.SLICE
