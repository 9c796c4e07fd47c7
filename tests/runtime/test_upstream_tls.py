"""The flags for upstreams that are reached over TLS, before the start, and what a node makes of them."""

from __future__ import annotations

import json
import ssl
import threading
import time
from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.flags.gflags import parse
from edge.runtime.targets import check_targets
from edge.runtime.upstream_tls import check_upstream_tls
from naming.url import parse_address
from tests.harness.fault_proxy import FaultProxy
from tests.naming.certificates import Authority, Pair
from tests.net.live import eventually, pictures
from tests.net.tls_pairs import authority, server_pair
from tests.runtime.nodes import running
from tests.runtime.test_unit import units_of

_PLAIN, _TLS, _LIST = "10.0.0.1:1935", "rtmps://10.0.0.1", "list://10.0.0.1:443"


def findings(*arguments: str, target: str = _TLS) -> list[str]:
    parsed = parse(arguments)
    assert parsed.problems == []
    return [str(problem) for problem in check_upstream_tls(parsed, [parse_address(target)] if target else [], 5.0)]


@pytest.fixture(scope="module")
def us() -> Pair:
    return authority().sign("us")


def test_files_that_can_be_used_pass_and_none_are_needed(us: Pair) -> None:
    assert findings() == []
    files = (
        f"-upstream_ca_file={authority().ca_file}",
        f"-upstream_cert_file={us.cert}",
        f"-upstream_key_file={us.key}",
    )
    assert findings(*files) == findings(files[0]) == findings(*files[1:]) == []
    assert findings("-upstream_tls", *files, target=_LIST) == []


@pytest.mark.parametrize("target", [_TLS, _PLAIN, ""])
def test_S10_missing_and_bad_files_are_errors_whoever_needs_them(us: Pair, tmp_path: Path, target: str) -> None:
    (tmp_path / "garbage").write_text("hunter2")
    cases = (
        ((f"-upstream_ca_file={tmp_path}/absent",), "-upstream_ca_file", "No such file"),
        ((f"-upstream_ca_file={tmp_path}/garbage",), "-upstream_ca_file", ""),
        (
            (f"-upstream_cert_file={us.cert}", f"-upstream_key_file={server_pair().key}"),
            "-upstream_cert_file",
            "not the key of",
        ),
        ((f"-upstream_key_file={us.key}",), "-upstream_key_file", "no -upstream_cert_file"),
    )
    for arguments, flag, text in cases:
        finding, *_ = findings(*arguments, target=target)
        assert finding.startswith(f"command line: {flag}") and text in finding and "hunter2" not in finding
    parsed = parse([f"-upstream_ca_file={tmp_path}/absent", f"-proxy_to={_TLS}"])
    assert [problem.is_warning for problem in check_targets(parsed)] == [False]


def test_files_that_only_redirects_need_are_a_warning() -> None:
    file = f"-upstream_ca_file={authority().ca_file}"
    for target in (_PLAIN, _LIST, ""):
        (finding,) = findings(file, target=target)
        assert finding == (
            "command line: warning: -upstream_ca_file is for redirects only: no target is reached over TLS"
        )


def test_flag_for_naming_services_without_one_is_a_warning() -> None:
    for target in (_PLAIN, _TLS, ""):
        (finding,) = findings("-upstream_tls", target=target)
        assert finding.startswith("command line: warning: -upstream_tls has no effect")
    assert findings("-upstream_tls", target=_LIST) == []


def test_https_names_are_no_tls_without_the_flag() -> None:
    name = "https://a.test:443"
    (finding,) = findings(f"-proxy_to={name}", target=name)
    assert finding.startswith("command line: warning: -proxy_to: https:// says how servers are found")
    (finding,) = findings("-proxy_to=10.0.0.1:1935", f"-cdn_merge_to={name}", target=name)
    assert finding.startswith("command line: warning: -cdn_merge_to: ")
    assert findings("-upstream_tls", f"-proxy_to={name}", target=name) == []


@pytest.mark.parametrize(("flags", "target"), [((), _TLS), (("-upstream_tls",), _LIST)])
def test_S10_belief_in_anybody_is_a_warning(flags: tuple[str, ...], target: str) -> None:
    (finding,) = findings("-noupstream_tls_verify", *flags, target=target)
    assert finding.startswith("command line: warning: -noupstream_tls_verify: whoever answers in the place of")
    assert findings("-noupstream_tls_verify", target=_PLAIN) == []


def test_files_on_a_dead_file_system_do_not_hold_up_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    is_over = threading.Event()
    monkeypatch.setattr("edge.runtime.upstream_tls.client_context", lambda config: is_over.wait(20))
    began = time.monotonic()
    parsed = parse(["-upstream_ca_file=/x"])
    assert list(check_upstream_tls(parsed, [parse_address(_TLS)], 0.1)) == []
    assert time.monotonic() - began < 5
    is_over.set()


async def test_files_are_read_where_a_target_needs_them(tmp_path: Path) -> None:
    absent = f"-upstream_ca_file={tmp_path}/absent"
    await units_of(absent)
    await units_of(absent, f"-proxy_to={_PLAIN}")
    for flags in (
        (f"-proxy_to={_TLS}",),
        (f"-proxy_to={_LIST}", "-proxy_lb=rr", "-upstream_tls"),
        (f"-proxy_to={_PLAIN}", f"-cdn_merge_to={_TLS}:443"),
    ):
        with pytest.raises(ConfigError, match="-upstream_ca_file="):
            await units_of(absent, *flags)


async def test_services_of_a_process_share_what_they_begin_with() -> None:
    front, merge = await units_of(f"-proxy_to={_TLS}", f"-cdn_merge_to={_TLS}:443")
    assert front.upstream is not None and merge.upstream is not None
    assert front.upstream.pool._tls is merge.upstream.pool._tls


async def test_S10_pages_show_why_a_server_is_not_believed(tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(stranger.pair.cert, stranger.pair.key)
    async with running() as origin, FaultProxy(origin.port(), tls=context) as front:
        ca = f"-upstream_ca_file={authority().ca_file}"
        async with running(f"-proxy_to=rtmps://127.0.0.1:{front.port}", ca, "-retry_interval_ms=5000") as edge:
            await edge.player()
            (unit,) = edge.node.units
            pulls = unit.upstream.pulls  # type: ignore[union-attr]
            await eventually(lambda: any(pull.attempt_count >= 3 and pull.last_error for pull in pulls.values()), "why")
            _, streams = await edge.get("/api/streams")
            _, page = await edge.get("/status?format=json")
    words = "upstream_tls: self-signed certificate"
    assert [row["pull_error"] for row in json.loads(streams)["streams"]] == [words]
    status = json.loads(page)
    assert [row["last_error"] for row in status["upstreams"]] == [words]
    assert status["counters"]["error_upstream_tls_count"] >= 2


async def test_node_pulls_over_tls_from_another() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_pair().cert, server_pair().key)
    async with running() as origin, FaultProxy(origin.port(), tls=context) as front:
        await origin.publisher(pictures=3)
        ca = f"-upstream_ca_file={authority().ca_file}"
        async with running(f"-proxy_to=rtmps://localhost:{front.port}", ca) as edge:
            assert len(await pictures(await edge.player(), 2)) >= 3
