"""The files for ``https://`` questions of naming services, before the start."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from edge.flags.gflags import parse
from edge.runtime.registry_tls import check_tls
from edge.runtime.targets import check_targets
from naming.url import parse_address
from tests.naming.certificates import Authority, Pair


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "authority")


@pytest.fixture(scope="module")
def client(authority: Authority) -> Pair:
    return authority.sign("client")


def findings(*arguments: str, target: str = "etcd://live") -> list[str]:
    parsed = parse(["-etcd_address=https://127.0.0.1:2379", *arguments])
    assert parsed.problems == []
    return [str(problem) for problem in check_tls(parsed, [parse_address(target)], 2.0)]


def test_files_that_can_be_used_pass_and_none_are_needed(authority: Authority, client: Pair) -> None:
    assert findings() == []
    files = (f"-ns_ca_file={authority.ca_file}", f"-ns_cert_file={client.cert}", f"-ns_key_file={client.key}")
    assert findings(*files) == findings(files[0]) == findings(*files[1:]) == []


def test_missing_and_bad_files_are_errors_whoever_asks(authority: Authority, client: Pair, tmp_path: Path) -> None:
    (tmp_path / "garbage").write_text("hunter2")
    cases = (
        ((f"-ns_ca_file={tmp_path}/absent",), "-ns_ca_file", "No such file"),
        ((f"-ns_ca_file={tmp_path}/garbage",), "-ns_ca_file", ""),
        ((f"-ns_cert_file={client.cert}", f"-ns_key_file={authority.pair.key}"), "-ns_cert_file", "MISMATCH"),
        ((f"-ns_key_file={client.key}",), "-ns_key_file", "no -ns_cert_file"),
    )
    for arguments, flag, text in cases:
        for target in ("etcd://live", "10.0.0.1:1935"):
            finding, *_ = findings(*arguments, target=target)
            assert finding.startswith(f"command line: {flag}=") and text in finding and "hunter2" not in finding
    parsed = parse([f"-ns_ca_file={tmp_path}/absent"])
    assert [problem.is_warning for problem in check_targets(parsed)] == [False, True], "an origin has no targets"


def test_files_that_nobody_uses_are_a_warning(authority: Authority) -> None:
    ca = f"-ns_ca_file={authority.ca_file}"
    plain = ("-etcd_address=http://127.0.0.1:2379", ca)
    for arguments, target in ((plain, "etcd://live"), ((ca,), "remotefile://http://a/b"), ((ca,), "10.0.0.1:1935")):
        (finding,) = findings(*arguments, target=target)
        assert finding.startswith("command line: warning: -ns_ca_file has no effect")
    for target in ("remotefile://HTTPS://a/b", "discovery://live"):
        assert findings(ca, target=target) == []


def test_files_on_a_dead_file_system_do_not_hold_up_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    is_over = threading.Event()
    monkeypatch.setattr("edge.runtime.registry_tls.load_context", lambda options: is_over.wait(20))
    began = time.monotonic()
    parsed = parse(["-ns_ca_file=/x", "-etcd_address=https://127.0.0.1:2379"])
    assert list(check_tls(parsed, [parse_address("etcd://live")], 0.1)) == []
    assert time.monotonic() - began < 5
    is_over.set()
