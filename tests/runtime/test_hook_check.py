"""What is said of hooks before anybody is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.flags.gflags import parse
from edge.runtime.hook_check import check_hooks
from edge.runtime.vhost_files import with_vhosts


def found(*arguments: str) -> list[tuple[bool, str]]:
    problems = check_hooks(parse(["-port=8079", *arguments]), lambda host: host.startswith("127."))
    return [(problem.is_warning, problem.message) for problem in problems]


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("ftp://h/", "not an http:// or https:// URL"),
        ("h:80/x", "not an http:// or https:// URL"),
        ("http://", "no host or port"),
        ("http://h:0/", "no host or port"),
        ("http://h:99999/", "not a URL"),
        ("http://[::1/", "not a URL"),
        ("http://h/a b", "it has a blank in it"),
    ],
)
def test_what_is_no_url_is_an_error(url: str, fault: str) -> None:
    assert found(f"-hooks_on_play={url}") == [(False, f"-hooks_on_play={url}: {fault}")]


def test_AU20_a_password_is_not_repeated() -> None:
    ((_, message),) = found("-hooks_on_play=ftp://user:secret@h/")
    assert "secret" not in message


@pytest.mark.parametrize("url", ["http://127.0.0.1:8079/x", "http://localhost:8079/", "http://u:p@127.0.0.1:8079/"])
def test_AU19_a_hook_that_is_this_server_is_doubtful(url: str) -> None:
    ((is_warning, message),) = found(f"-hooks_on_connect={url}")
    assert is_warning and "is a port of this server, which would ask itself" in message
    assert "u:p" not in message


def test_what_is_well() -> None:
    fine = ("-hooks_on_play=http://127.0.0.1:8085/,https://u:p@hooks.example.com/x?y=[app]", "-hook_form=nginx")
    assert found() == found(*fine) == []


def test_segments_are_told_of_files_only() -> None:
    ((is_warning, message),) = found("-hooks_on_hls=http://h/")
    assert is_warning and "no effect without -hls_path" in message
    assert found("-hooks_on_hls=http://h/", "-hls_path=/srv/hls") == []


def test_settings_without_hooks_and_a_secret_that_is_none(tmp_path: Path) -> None:
    assert found("-hook_form=nginx") == [(True, "-hook_form has no effect without hooks: no -hooks_on_... names any")]
    ((is_warning, message),) = found("-hooks_on_play=http://h/", f"-hook_secret_file={tmp_path / 'none'}")
    assert not is_warning and "No such file" in message


def test_gate_that_a_crash_opens_is_doubtful(tmp_path: Path) -> None:
    ((is_warning, message),) = found("-hooks_on_play=http://h/", "-hook_failure=allow")
    assert is_warning and message.startswith("-hook_failure=allow opens what -hooks_on_play guards to anybody while")
    assert found("-hooks_on_stop=http://h/", "-hook_failure=allow") == [], "nobody is kept out by that"
    conf = tmp_path / "edge.conf"
    conf.write_text(
        "vhost a.example { hooks_on_publish http://h/; hook_failure allow; }\n"
        "vhost b.example { hooks_on_publish http://h/; }\nvhost c.example { hook_failure allow; }\n"
    )
    parsed = parse([f"-vhost_config={conf}"])
    with_vhosts(parsed, {})
    (problem,) = check_hooks(parsed)
    assert "-hooks_on_publish guards" in problem.message and problem.where.endswith("edge.conf:1"), problem
