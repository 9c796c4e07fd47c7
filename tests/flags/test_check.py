"""Contradictions and unusable files, found before anything is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.flags.check import check, merge_port
from edge.flags.gflags import parse


def findings(*arguments: str) -> list[str]:
    parsed = parse(arguments)
    assert parsed.problems == []
    return [str(problem) for problem in check(parsed)]


def test_the_defaults_are_sound() -> None:
    assert findings() == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["-internal_port=0"], "-internal_port=0"),
        (
            ["-port=99", "-internal_port=99"],
            "ServerOptions.internal_port=99 is same with port=99 to Start()",
        ),
        (["-port=99", "-listen=99"], "-listen=99 is in conflict with -port or -internal_port"),
        (["-listen=98,98"], "-listen names 98 twice"),
        (["-port=7035", "-cdn_merge_to=http://a:7035"], "port=7035 in -cdn_merge_to=http://a:7035 is conflict with"),
        (["-internal_port=7035", "-cdn_merge_to=a:7035"], "is conflict with -port or -internal_port"),
        (["-listen=7035", "-cdn_merge_to=a:7035"], "is conflict with -port or -internal_port"),
        (["-port=7035", "-cdn_merge_to=file:///a", "-cdn_merge_port=7035"], "-cdn_merge_port=7035 is in conflict with"),
    ],
)
def test_T12_ports_in_conflict(arguments: list[str], text: str) -> None:
    (finding,) = findings(*arguments)
    assert finding.startswith("command line: ")
    assert text in finding


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("origin", "-cdn_merge_to=origin does not contain a port; set -cdn_merge_port"),
        ("http://origin", "-cdn_merge_to=http://origin does not contain a port; set -cdn_merge_port"),
        ("origin:-3", "Invalid port=-3 in -cdn_merge_to=origin:-3"),
        ("origin:99999", "Invalid port=99999 in -cdn_merge_to=origin:99999"),
        ("origin:0", "Invalid port=0 in -cdn_merge_to=origin:0"),
        ("origin:http", "Invalid port=http in -cdn_merge_to=origin:http"),
        ("origin:70x", "Invalid port=70x in -cdn_merge_to=origin:70x"),
        ("origin:", "-cdn_merge_to=origin: does not contain a port; set -cdn_merge_port"),
    ],
)
def test_the_merge_tier_needs_a_port(target: str, text: str) -> None:
    assert findings(f"-cdn_merge_to={target}") == [f"command line: {text}"]


@pytest.mark.parametrize(
    ("target", "port"),
    [
        *(("list://a:1,b:2", 2), ("http://a:7035/x", 7035), ("a:", None), ("a:x", None), ("", None), ("a:-7", -7)),
        *(("list://a:1 5,b:2 7", 2), ("a:2x", None), ("[::1]:7035", 7035), ("[::1]", None)),
    ],
)
def test_merge_port_is_the_number_behind_the_last_colon(target: str, port: int | None) -> None:
    assert merge_port(target, -1) == port
    assert merge_port(target, 7036) == (7036 if target else None), "one that is set goes before it"


@pytest.mark.parametrize("target", ["file:///etc/edge/merge.list", "srv://_rtmp._tcp.merge", "a"])
def test_merge_tier_of_any_naming_service_with_a_port_of_its_own(target: str) -> None:
    assert findings(f"-cdn_merge_to={target}", "-cdn_merge_port=7035") == []


def test_port_of_the_merge_service_without_a_merge_tier_is_warned_of() -> None:
    (finding,) = findings("-cdn_merge_port=7035")
    assert "warning: -cdn_merge_port=7035 does nothing without -cdn_merge_to" in finding


def test_bind_takes_numeric_addresses() -> None:
    assert findings("-bind=127.0.0.1,::1,[::1],0.0.0.0") == []
    assert findings("-bind=localhost") == ["command line: -bind=localhost: not a numeric IPv4 or IPv6 address"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["-ts_pre_generated=32"], "-ts_pre_generated=32 is not below -ts_max_stored=32"),
        (["-ts_max_stored=2"], "-ts_pre_generated=3 is not below -ts_max_stored=2"),
        (["-min_in_chunk_size=1000", "-max_in_chunk_size=999"], "-min_in_chunk_size=1000 is above"),
        (["-default_vhost="], "-default_vhost"),
        (["-default_vhost=a/b"], "-default_vhost"),
        (["-cdn_probe_file=/a"], "-cdn_probe_file"),
        (["-cdn_probe_file=*.flv"], "-cdn_probe_file"),
        (["-cdn_probe_file=.."], "-cdn_probe_file"),
        (["-vmodule=a=1,b"], '-vmodule: "b" is not of the form name=level'),
        (["-log_dir=/nonexistent/logs"], "-log_dir=/nonexistent/logs: not a directory"),
    ],
)
def test_R11_contradictory_flags(arguments: list[str], text: str) -> None:
    (finding,) = findings(*arguments)
    assert finding.startswith("command line: ")
    assert "warning" not in finding
    assert text in finding


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["-handshake_timeout_ms=0"], "-handshake_timeout_ms=0 switches this limit off"),
        (["-max_message_bytes=16777215"], "switches this limit off"),
        (["-max_partial_bytes=1000000"], "-max_message_bytes=10485760 is above -max_partial_bytes=1000000"),
        (["-send_timeout_ms=40000"], "-send_timeout_ms=40000 is above -tcp_user_timeout_ms=35000"),
        (["-reject_second_stream_when_republish", "-stop_kickedoff_publisher"], "has no effect beside"),
    ],
)
def test_doubtful_values_are_warned_of(arguments: list[str], text: str) -> None:
    (finding,) = findings(*arguments)
    assert finding.startswith("command line: warning: ")
    assert text in finding


@pytest.mark.parametrize("argument", ["-certificate=a.pem", "-private_key=a.key", "-strict_sni"])
def test_what_has_no_effect_without_https_is_warned_of(argument: str) -> None:
    name = argument.partition("=")[0]
    assert findings(argument) == [
        f"command line: warning: {name} has no effect without -https: nothing is served over TLS"
    ]
    assert findings(argument, "-https") == []


def test_force_ssl_without_https_is_refused() -> None:
    (finding,) = findings("-force_ssl")
    assert finding.endswith("-force_ssl needs -https: without it nobody could connect")
    assert findings("-force_ssl", "-https") == []


def test_L10_a_directory_or_template_of_HLS_files_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for usable in (tmp_path, tmp_path / "made" / "when" / "needed"):
        assert findings(f"-hls_path={usable}") == []
    for unusable in (tmp_path / "file", tmp_path / "file" / "below"):
        (finding,) = findings(f"-hls_path={unusable}")
        assert finding.endswith("not a directory that can be written to, or made")
    (finding,) = findings(f"-hls_path={tmp_path}", "-hls_ts_file=[app]/[stream].ts")
    assert (
        finding == "command line: -hls_ts_file=[app]/[stream].ts: [seq] is missing: files would take each other's place"
    )


def test_settings_of_HLS_files_without_a_directory_are_warned_of() -> None:
    (finding,) = findings("-hls_keep_s=60")
    assert "-hls_keep_s has no effect without -hls_path" in finding
