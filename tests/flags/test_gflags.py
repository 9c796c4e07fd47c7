"""The command line as gflags reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge.flags.gflags import Parsed, parse
from edge.flags.registry import value_of
from edge.runtime.settings import build_settings

ROOT = Path(__file__).resolve().parents[2]


def read(*arguments: str, environ: dict[str, str] | None = None) -> Parsed:
    return parse(arguments, environ=environ or {})


def get(parsed: Parsed, name: str) -> Any:
    return value_of(parsed.flags, name)


def messages(parsed: Parsed) -> list[str]:
    return [str(problem) for problem in parsed.problems]


@pytest.mark.parametrize(
    "arguments", [("-port=1935",), ("--port=1935",), ("-port", "1935"), ("--port", "1935"), ("-port=0x78F",)]
)
def test_one_or_two_dashes_equals_sign_or_blank(arguments: tuple[str, ...]) -> None:
    parsed = read(*arguments)
    assert (get(parsed, "port"), parsed.problems, parsed.where("port")) == (1935, [], "command line")


def test_the_last_one_wins() -> None:
    assert get(read("-port=1", "-port=2"), "port") == 2


def test_dashes_in_a_name_are_underscores() -> None:
    assert get(read("--proxy-to=a:1"), "proxy_to") == "a:1"


@pytest.mark.parametrize(
    ("argument", "value"),
    [("-https", True), ("-nohttps", False), ("-https=yes", True), ("-https=N", False), ("--https=t", True)],
)
def test_bools(argument: str, value: bool) -> None:
    parsed = read("-https=false" if value else "-https", argument)
    assert (get(parsed, "https"), parsed.problems) == (value, [])


def test_a_bool_takes_no_following_word() -> None:
    parsed = read("-https", "false")
    assert get(parsed, "https") is True
    assert messages(parsed) == ['command line: warning: "false" is no flag and is ignored']


def test_a_negated_bool_with_a_value_is_a_clean_error() -> None:
    assert messages(read("--nohttps=true")) == [
        "command line: flag -nohttps takes no value; write -nohttps or -https=true"
    ]


def test_a_negative_number_may_follow_as_a_word() -> None:
    assert get(read("-max_retry_duration_ms", "-1"), "max_retry_duration_ms") == -1


def test_two_dashes_end_the_flags_and_other_words_are_ignored() -> None:
    parsed = read("a", "-port=1", "--", "-port=2")
    assert get(parsed, "port") == 1
    assert [problem.is_warning for problem in parsed.problems] == [True, True]
    assert not parsed.has_errors


def test_a_missing_value_is_an_error() -> None:
    assert messages(read("-port")) == ["command line: flag -port is missing its value"]


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("-port=", "flag -port=: not an integer"),
        ("-port=80a", "flag -port=80a: not an integer"),
        ("-port=99999", "flag -port=99999: out of range 0..65535"),
        ("-timestamp_offset=2147483648", "out of range -2147483648..2147483647"),
        ("-https=maybe", "flag -https=maybe: not a bool"),
        ("-completion=fish", "not one of (empty), bash, zsh"),
        ("-listen=1935,x", "'x' is not a port"),
        ("-proxy_to=a\nb", "control character"),
        ("-loop_stall_warn_ms=fast", "not a number"),
    ],
)
def test_bad_values_of_each_type_name_the_flag(argument: str, text: str) -> None:
    (message,) = messages(read(argument))
    assert text in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("argument", "nearest"),
    [("-prot=1", "-port"), ("--prox_to=a", "-proxy_to"), ("-nohtps", "-https"), ("--log-hostnam", "-log_hostname")],
)
def test_an_unknown_flag_is_an_error_with_the_nearest_name(argument: str, nearest: str) -> None:
    parsed = read(argument)
    assert parsed.has_errors
    assert messages(parsed)[0].endswith(f"did you mean {nearest}?")


def test_an_unknown_flag_like_no_other_has_no_suggestion() -> None:
    assert messages(read("-xyzzyxyzzy")) == ["command line: unknown flag -xyzzyxyzzy"]


def test_undefok_excuses_names_wherever_it_stands() -> None:
    assert read("-fancy=1", "-nofancier", "--undefok=fancy,fancier").problems == []
    assert read("--undefok", "fancy", "-other").has_errors


def test_flags_come_from_the_environment() -> None:
    parsed = read("-fromenv=port,https", environ={"FLAGS_port": "1935", "FLAGS_https": "yes"})
    assert (get(parsed, "port"), get(parsed, "https")) == (1935, True)
    assert parsed.where("port") == "environment FLAGS_port"


def test_a_missing_variable_is_an_error_only_for_fromenv() -> None:
    assert messages(read("-fromenv=port")) == ["command line: FLAGS_port is not set in the environment"]
    assert read("-tryfromenv=port").problems == []
    assert read("-tryfromenv=prot").has_errors
    assert read("-fromenv=flagfile", environ={"FLAGS_flagfile": "x"}).has_errors


def test_a_bad_value_of_the_environment_names_the_variable() -> None:
    parsed = read("-fromenv=port", environ={"FLAGS_port": "x"})
    assert messages(parsed)[0].startswith("environment FLAGS_port: flag -port=x")


def write(directory: Path, name: str, text: str) -> str:
    path = directory / name
    path.write_text(text)
    return str(path)


def test_flagfiles_are_read_at_their_place(tmp_path: Path) -> None:
    path = write(tmp_path, "a.flags", "-port=1\n-https\n")
    assert get(read("-port=2", f"-flagfile={path}"), "port") == 1
    parsed = read("-flagfile", path, "-port=2")
    assert (get(parsed, "port"), parsed.where("port"), parsed.where("https")) == (2, "command line", f"{path}:2")
    assert parsed.where("bind") == "default"


def test_flagfiles_nest_and_come_as_lists(tmp_path: Path) -> None:
    inner = write(tmp_path, "inner", "-port=1\n")
    outer = write(tmp_path, "outer", f"-flagfile={inner}\n-https\n")
    other = write(tmp_path, "other", "-log_pid\n")
    parsed = read(f"-flagfile={outer},{other}")
    assert (get(parsed, "port"), get(parsed, "https"), get(parsed, "log_pid")) == (1, True, True)
    assert parsed.flagfiles == [outer, inner, other]


def test_R11_flagfile_that_includes_itself_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a", "")
    other = write(tmp_path, "b", f"-flagfile={path}\n")
    Path(path).write_text(f"-https\n-flagfile={other}\n")
    parsed = read(f"-flagfile={path}")
    assert messages(parsed) == [f"{other}:1: flagfile {path} includes itself"]


def test_R11_flagfiles_that_multiply_are_refused(tmp_path: Path) -> None:
    inner = write(tmp_path, "f0", "")
    for level in range(1, 10):
        inner = write(tmp_path, f"f{level}", f"-flagfile={inner}\n" * 2)
    assert "more than 100 flagfiles" in messages(read(f"-flagfile={inner}"))[0]


def test_R11_value_with_a_trailing_blank_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a", "-proxy_to=a:1 \n")
    assert messages(read(f"-flagfile={path}")) == [f"{path}:1: flag -proxy_to: the value ends with a blank"]


def test_R11_unknown_line_is_one_warning_and_strictly_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, "a", "-prot=1\n-https\n")
    parsed = read(f"-flagfile={path}")
    assert messages(parsed) == [f"{path}:1: warning: unknown flag -prot; did you mean -port?"]
    assert (get(parsed, "https"), parsed.has_errors) == (True, False)
    strict = read(f"-flagfile={path}", "-strict_flagfile")
    assert messages(strict) == [f"{path}:1: unknown flag -prot; did you mean -port?"]
    assert strict.has_errors


def test_a_value_behind_a_blank_in_a_flagfile_is_hinted_at(tmp_path: Path) -> None:
    path = write(tmp_path, "a", "-port 1\n-fancy 1\n")
    parsed = read(f"-flagfile={path}", "-undefok=fancy")
    assert messages(parsed) == [f'{path}:1: warning: unknown flag -port 1; write "=" before the value']


def test_a_missing_value_in_a_flagfile_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, "a", "-port\n")
    assert messages(read(f"-flagfile={path}")) == [f"{path}:1: flag -port is missing its value"]


def test_a_forgotten_dash_does_not_silently_drop_the_rest(tmp_path: Path) -> None:
    path = write(tmp_path, "a", "port=1\n-https\nother_program\n-log_pid\n")
    parsed = read(f"-flagfile={path}")
    (message,) = messages(parsed)
    assert message.startswith(f'{path}:1: warning: "port=1" is no flag')
    assert (get(parsed, "https"), get(parsed, "log_pid")) == (False, False)


def test_unreadable_flagfiles_are_errors(tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    assert messages(read(f"-flagfile={missing}")) == [f"command line: flagfile {missing}: No such file or directory"]
    assert "Is a directory" in messages(read(f"-flagfile={tmp_path}"))[0]


@pytest.mark.parametrize(
    ("word", "name"), [("-h", "helpshort"), ("-?", "helpshort"), ("-V", "version"), ("--help", "help")]
)
def test_short_names(word: str, name: str) -> None:
    assert get(read(word), name) is True


def test_flags_that_do_nothing_yet_are_named_when_set() -> None:
    assert read("-workers=2", "-port=1").not_acted_on == ("workers",)
    assert read().not_acted_on == ()


@pytest.mark.parametrize("path", sorted((ROOT / "flagfiles").glob("*.[cf]*")), ids=lambda path: path.name)
def test_sample_flagfiles_have_only_known_lines(path: Path) -> None:
    parsed = read("-strict_flagfile", f"-flagfile={path}")
    assert parsed.problems == []
    assert len(parsed.origins) > 3


def test_the_edge_configuration_of_the_reference_has_its_values() -> None:
    parsed = read(f"-flagfile={ROOT / 'flagfiles' / 'ms-edge.conf'}")
    expected = {
        "port": 8955,
        "internal_port": 8954,
        "log_hostname": True,
        "default_vhost": "__defaultVhost__",
        "timeout_ms": 10000,
        "proxy_to": "http://127.0.0.1:8079",
        "proxy_lb": "rr",
        "min_buffering_ms": 1000,
        "ts_pre_generated": 2,
        "cdn_merge_to": "http://127.0.0.1:7035",
        "cdn_merge_lb": "c_murmurhash",
        "share_play_connection": False,
        "share_publish_connection": False,
        "fast_retry_count": 5,
        "server_idle_timeout": 20,
        "simplified_rtmp_play": True,
        "log_stats": True,
        "dump_stats_interval": 5,
        "max_retry_duration_ms": 20000,
        "use_host_in_m3u8": True,
    }
    assert {name: get(parsed, name) for name in expected} == expected


def test_secrets_are_quoted_in_no_message(tmp_path: Path) -> None:
    path = tmp_path / "secret.flags"
    path.write_text("-nacos_password hunter2\nnacos_password=hunter2\n")
    words = ["-nacos-password=hunter2\x01", "nacos_password=hunter2", "-nacos-password hunter2", f"-flagfile={path}"]
    found = messages(read(*words))
    assert len(found) == 5
    assert all("***" in message and "hunter2" not in message for message in found)
    parsed = read("-nacos_password=hunter2")
    assert value_of(parsed.flags, "nacos_password") == "hunter2"
    assert "hunter2" not in repr(build_settings(parsed))
