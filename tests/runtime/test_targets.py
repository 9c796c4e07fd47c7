"""The flags that name other servers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from edge.flags.gflags import parse
from edge.runtime.targets import check_targets, is_local, values_in_vain, written_endpoints
from lb import registry as balancers
from naming.url import parse_address
from tests.harness.ports import free_port

NAMES = {"localhost": ["127.0.0.1"], "origin": ["10.0.0.1", "10.0.0.2"], "self": ["192.0.2.7"], "v6": ["::1"]}


def look_up(host: str) -> Sequence[str]:
    try:
        return NAMES[host]
    except KeyError:
        raise OSError("no such name") from None


def is_own(address: str) -> bool:
    return address in ("127.0.0.1", "192.0.2.7", "::1", "127.0.0.5")


def findings(*arguments: str, lookup: Callable[[str], Sequence[str]] = look_up) -> list[str]:
    parsed = parse(arguments)
    assert parsed.problems == []
    return [str(problem) for problem in check_targets(parsed, lookup=lookup, is_own_address=is_own, budget_s=0.5)]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-proxy_to=10.0.0.1:1935"],
        ["-proxy_to=[fd00::1]:1935"],
        ["-proxy_to=rtmp://origin"],
        ["-proxy_to=LIST://10.0.0.1:1,10.0.0.2:2", "-proxy_lb=RR"],
        ["-proxy_to=http://origin:8079", "-proxy_lb=rr"],
        ["-proxy_to=http://origin:8079", "-proxy_lb=c_murmurhash"],
        ["-proxy_to=consul://live", "-proxy_lb=rr"],
        ["-proxy_to=list://10.0.0.1:1,10.0.0.2:1 3", "-proxy_lb=wrr"],
        ["-proxy_to=list://10.0.0.1:1", "-proxy_lb=wr:default_weight=1"],
        ["-proxy_to=list://10.0.0.1:1", "-proxy_lb=p2c"],
        ["-cdn_merge_to=http://localhost:7035", "-cdn_merge_lb=c_md5"],
    ],
)
def test_good_targets(arguments: list[str]) -> None:
    assert findings(*arguments) == []


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("-proxy_to=origin", "the port is missing"),
        ("-proxy_to=origin:x", '"x" is not a port'),
        ("-proxy_to=origin:70000", "is not a port"),
        ("-proxy_to=1.2.3:80", "is not an IPv4 address"),
        ("-proxy_to=[::1", "not closed"),
        ("-proxy_to=ftp://origin", 'unknown naming scheme "ftp"'),
        ("-proxy_to=list://a:b", "is not a port"),
        ("-proxy_to=list://", "no servers in the list"),
        ("-proxy_to=rtmp://origin:1935/live", "app and stream are those of the player's"),
        ("-cdn_merge_to=zk://a:1", 'unknown naming scheme "zk"'),
        ("-proxy_lb=fastest", 'unknown load balancer "fastest"'),
        ("-cdn_merge_lb=p2c_ewma", 'unknown load balancer "p2c_ewma"'),
        ("-proxy_lb=c_murmurhash:load_facto=1.25", '"load_facto" of load balancer "c_murmurhash" (valid: replicas, '),
        ("-cdn_merge_lb=la:x=1", 'unknown parameter "x" of load balancer "la" (valid: none)'),
    ],
)
def test_N9_bad_targets_and_balancers_are_errors(argument: str, text: str) -> None:
    found = [finding for finding in findings(argument) if "warning" not in finding]
    assert len(found) == 1
    assert found[0].startswith(f"command line: {argument.partition('=')[0]}")
    assert text in found[0]


def test_N9_messages_list_the_valid_names() -> None:
    assert "list, dlist, file, http, https, dns" in findings("-proxy_to=x://a")[0]
    assert ", ".join(balancers.known()) in findings("-proxy_lb=x")[0]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["-proxy_to=list://10.0.0.1:1"], "rr is used"),
        (["-proxy_to=10.0.0.1:1", "-proxy_lb=rr"], "-proxy_lb is not used"),
        (["-proxy_lb=rr"], "no effect without -proxy_to"),
        (["-proxy_to=nowhere:1"], '"nowhere" cannot be resolved now'),
        (["-proxy_to=list://127.0.0.1:8079,10.0.0.1:1", "-proxy_lb=rr"], "one of the servers is this one"),
        (["-proxy_to=list://10.0.0.1:1,10.0.0.2:1 x", "-proxy_lb=wrr"], '-proxy_lb: load balancer "wrr" will choose'),
        (["-cdn_merge_to=dlist://origin:1", "-cdn_merge_lb=WR"], "none of 1 servers has a weight"),
    ],
)
def test_doubtful_targets_are_warned_of(arguments: list[str], text: str) -> None:
    (finding,) = findings(*arguments)
    assert "warning: " in finding
    assert text in finding


@pytest.mark.parametrize(
    "arguments",
    [
        ["-proxy_to=127.0.0.1:8079"],
        ["-proxy_to=self:8079"],
        ["-proxy_to=v6:8079"],
        ["-proxy_to=rtmp://localhost", "-listen=1935"],
        ["-proxy_to=list://127.0.0.1:8079,self:8079", "-proxy_lb=rr"],
        ["-proxy_to=http://localhost:9000", "-proxy_lb=rr", "-port=9000"],
        ["-proxy_to=127.0.0.1:9001", "-internal_port=9001"],
        ["-proxy_to=127.0.0.2:8079", "-bind=127.0.0.2"],
    ],
)
def test_O1_proxy_to_itself_is_an_error(arguments: list[str]) -> None:
    (finding,) = findings(*arguments)
    assert finding.startswith("command line: -proxy_to=")
    assert finding.endswith(": proxies to itself")


@pytest.mark.parametrize(
    "arguments",
    [
        ["-proxy_to=127.0.0.1:8080"],
        ["-proxy_to=10.0.0.1:8079"],
        ["-proxy_to=127.0.0.1:8079", "-bind=127.0.0.2"],
        ["-proxy_to=127.0.0.1:8079", "-port=0"],
        ["-port=9000", "-cdn_merge_to=127.0.0.1:7035"],
    ],
)
def test_O1_other_servers_of_this_machine_are_fine(arguments: list[str]) -> None:
    assert findings(*arguments) == []


def test_a_silent_resolver_delays_the_start_by_its_budget_only() -> None:
    is_over = threading.Event()

    def hang(host: str) -> Sequence[str]:
        is_over.wait(30)
        return []

    began = time.monotonic()
    found = findings("-proxy_to=slow:1", lookup=hang)
    took = time.monotonic() - began
    is_over.set()
    assert found == ['command line: warning: -proxy_to: "slow" cannot be resolved now']
    assert took < 5


def test_known_and_not_built_values_are_named() -> None:
    parsed = parse(["-proxy_to=bns://live", "-proxy_lb=c_ketama", "-cdn_merge_to=bns://live:7035"])
    assert values_in_vain(parsed) == ("proxy_to=bns://...", "cdn_merge_to=bns://...")
    assert values_in_vain(parse(["-proxy_to=list://a:1", "-proxy_lb=rr"])) == ()
    assert values_in_vain(parse([])) == ()


@pytest.mark.parametrize("argument", ["-proxy_to=rtmps://origin", "-cdn_merge_to=RTMPS://origin:7035"])
def test_one_server_over_tls(argument: str) -> None:
    assert findings(argument) == []


@pytest.mark.parametrize(
    ("target", "port"),
    [
        *(("consul://live:28521", 28521), ("etcd://live:28521", 28521), ("file:///servers:28521", 28521)),
        *(("remotefile://10.0.0.1:8080/list", 8080), ("srv://_rtmp._tcp.live?server=127.0.0.1:9", 9)),
        ("dns://origin:1935?server=127.0.0.1:9", 9),
    ],
)
def test_port_of_the_merge_tier_that_is_a_part_of_a_name_is_warned_of(target: str, port: int) -> None:
    found = findings(f"-cdn_merge_to={target}", "-cdn_merge_lb=rr")
    (warning,) = (each for each in found if "merge service" in each)
    name = target.partition("://")[2]
    assert warning.startswith(f"command line: warning: -cdn_merge_to: the merge service will listen on port {port} ")
    assert f'ask for "{name}", that number included; set -cdn_merge_port' in warning
    found = findings(f"-cdn_merge_to={target}", "-cdn_merge_lb=rr", "-cdn_merge_port=7035")
    assert not any("merge service" in each for each in found)


@pytest.mark.parametrize("target", ["list://10.0.0.1:7035", "dns://localhost:7035", "dns://localhost:7035?server=::1"])
def test_port_of_the_merge_tier_that_is_that_of_the_servers_is_fine(target: str) -> None:
    assert not any("merge service" in each for each in findings(f"-cdn_merge_to={target}", "-cdn_merge_lb=rr"))


def test_name_without_an_answer_at_its_own_dns_server_is_a_warning() -> None:
    (finding,) = findings(f"-proxy_to=dns://origin.live.test:1935?server=127.0.0.1:{free_port()}", "-proxy_lb=rr")
    assert finding.startswith("command line: warning: -proxy_to: ") and "origin.live.test" in finding


def test_endpoints_that_the_text_names() -> None:
    assert written_endpoints(parse_address("a:1")) == [("a", 1)]
    assert written_endpoints(parse_address("list://a:1,b:2 tag")) == [("a", 1), ("b", 2)]
    assert written_endpoints(parse_address("https://a/x")) == [("a", 443)]
    assert written_endpoints(parse_address("redis://a")) == [("a", 80)]
    assert written_endpoints(parse_address("bns://a")) == []


def test_addresses_of_this_machine() -> None:
    assert [is_local(each) for each in ("127.0.0.9", "::1", "0.0.0.0")] == [True, True, True]
    # A documentation address (RFC 5737) is nobody's.
    assert not is_local("192.0.2.1")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["-proxy_to=nacos://serviceName=a"], "default: -nacos_address is empty, and nacos:// asks there"),
        (["-proxy_to=discovery://a"], "default: -discovery_api_addr is empty, and discovery:// asks there"),
        (["-proxy_to=consul://a", "-consul_agent_addr="], "command line: -consul_agent_addr is empty"),
        (["-proxy_to=etcd://a", "-etcd_address=ftp://a"], 'command line: -etcd_address: bad address "ftp://a"'),
    ],
)
def test_registry_without_a_usable_address_is_an_error(arguments: list[str], text: str) -> None:
    (finding,) = findings(*arguments, "-proxy_lb=rr")
    assert finding.startswith(text)


def test_registries_with_an_address_and_those_that_nobody_asks_are_fine() -> None:
    assert findings("-proxy_to=nacos://serviceName=a", "-proxy_lb=rr", "-nacos_address=http://a:8848") == []
    address = "-discovery_api_addr=http://127.0.0.1:7171/discovery/nodes"
    assert findings("-proxy_to=discovery://a", "-proxy_lb=rr", address) == []
    assert findings("-proxy_to=10.0.0.1:1", "-etcd_address=") == []


def test_secrets_of_registries_must_be_there_and_are_not_told(tmp_path: Path) -> None:
    good, bad, absent = tmp_path / "good", tmp_path / "bad", tmp_path / "absent"
    good.write_text("hunter2\n")
    bad.write_text("hunter2\nhunter2\n")
    consul = ("-proxy_to=consul://a", "-proxy_lb=rr")
    etcd = ("-proxy_to=etcd://a", "-proxy_lb=rr")
    nacos = ("-proxy_to=nacos://serviceName=a", "-proxy_lb=rr", "-nacos_address=http://10.0.0.1:8848")
    assert findings(*nacos, "-nacos_username=edge", f"-nacos_password_file={good}") == []
    assert findings(*consul, f"-consul_token_file={good}") == []
    assert findings(*etcd, "-etcd_user=edge", f"-etcd_password_file={good}") == []
    assert findings(*etcd, f"-consul_token_file={absent}") == [], "nobody asks Consul"
    for arguments, text in (
        ((*consul, f"-consul_token_file={bad}"), "not one line"),
        ((*consul, f"-consul_token_file={absent}"), "cannot read"),
        ((*etcd, "-etcd_user=edge"), "need each other"),
        ((*etcd, f"-etcd_password_file={good}"), "need each other"),
        ((*etcd, "-etcd_user=edge", f"-etcd_password_file={absent}"), "cannot read"),
        ((*nacos, "-nacos_username=edge", f"-nacos_password_file={bad}"), "not one line"),
        ((*nacos, f"-nacos_password_file={good}"), "needs -nacos_username"),
    ):
        (finding,) = findings(*arguments)
        assert text in finding and "hunter2" not in finding


@pytest.mark.parametrize("balancer", ["c_ketama:replicas=30", "c_ketama"])
def test_replicas_that_are_no_multiple_of_4_are_an_error_for_ketama(balancer: str) -> None:
    found = findings("-proxy_to=list://10.0.0.1:1", f"-proxy_lb={balancer}", "-chash_num_replicas=30")
    assert [finding.rpartition(": ")[2] for finding in found] == ['replicas="30" is not a multiple of 4']
    assert findings("-proxy_to=list://10.0.0.1:1", "-proxy_lb=c_murmurhash", "-chash_num_replicas=30") == []


def test_file_without_a_list_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "servers.list"

    def found(*more: str) -> list[str]:
        return findings(f"-proxy_to=file://{path}", "-proxy_lb=rr", *more)

    assert found() == [f'command line: warning: -proxy_to: cannot read "{path}" now: No such file or directory']
    for text, why in (("# nobody\n", "names no server now"), ("<html>\n", "names no server now: bad address")):
        path.write_text(text)
        (warning,) = found()
        assert "warning: -proxy_to: " in warning and why in warning
    path.write_text("\ufeff10.0.0.1:1935 3\r\n")
    assert found() == []
    path.write_text("10.0.0.1:1935\n" * 100)
    assert "is larger than 1024 bytes" in found("-ns_max_body_bytes=1024")[0]


def test_file_on_a_dead_file_system_does_not_hold_up_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    is_over = threading.Event()
    monkeypatch.setattr("edge.runtime.targets.read_list", lambda path, limit: is_over.wait(20) and "")
    began = time.monotonic()
    assert findings(f"-proxy_to=file://{tmp_path}/x", "-proxy_lb=rr") == []
    assert time.monotonic() - began < 5
    is_over.set()
