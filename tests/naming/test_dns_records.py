"""``dns://``: followed at the pace of the time to live, against a fake and against dnsmasq."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from naming.base import NamingContext, NamingError, NamingOptions
from naming.dns_records import DnsService
from naming.url import parse_address
from naming.watcher import Watcher
from tests.harness.clock import deadline, free_port, require_program
from tests.naming.dns_server import refusal, serving_dns
from tests.naming.fakes import FakeResolver
from tests.naming.web import following


async def test_N1_N3_followed_for_the_time_to_live_and_through_outages() -> None:
    async with serving_dns() as fake:
        fake.rules["origin.test A"] = "origin.test 60 A 10.0.0.1\norigin.test 60 A 10.0.0.2"
        text = f"dns://origin.test:1935?server=127.0.0.1:{fake.port}"
        async with following(text, NamingOptions(dns_timeout_ms=500)) as followed:
            assert followed.servers == ["10.0.0.1:1935", "10.0.0.2:1935"]
            fake.rules["origin.test A"] = refusal("SERVFAIL")
            await followed.steps.next_round()
            fake.rules["origin.test A"] = "origin.test 0 A 10.0.0.2\norigin.test 0 A 10.0.0.1"
            await followed.steps.next_round()
            await followed.steps.next_round()
            assert followed.watcher.failed_count == 1 and len(followed.updates) == 1
            # One minute as the records say, then the interval: after a failure, and for a time to live of 0.
            assert followed.steps.waits == [60, 5, 5, 5]


@pytest.mark.parametrize("name", ["", "a:0", "a:x", "a/path", "a?x=1"])
def test_bad_names(name: str) -> None:
    context = NamingContext(NamingOptions(), FakeResolver(), lambda detail: None)
    with pytest.raises(NamingError):
        DnsService(context).check_name(name)


def start_dnsmasq(port: int, folder: Path) -> subprocess.Popen[bytes]:
    """Start a server with two hosts and a service of both."""
    return subprocess.Popen(
        [
            *(require_program("dnsmasq"), "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null"),
            *("--bind-interfaces", "--listen-address=127.0.0.1", f"--port={port}", f"--pid-file={folder}/pid"),
            *("--user=", "--local-ttl=20", "--host-record=one.live.test,127.0.0.21"),
            *("--host-record=two.live.test,127.0.0.22", "--srv-host=_rtmp._tcp.live.test,one.live.test,1935,10,30"),
            "--srv-host=_rtmp._tcp.live.test,two.live.test,1936,20,10",
        ],
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.interop
async def test_real_server(tmp_path: Path) -> None:
    port = free_port()
    server = start_dnsmasq(port, tmp_path)
    try:
        for text, expected in (
            ("dns://one.live.test:80", ["127.0.0.21:80 "]),
            ("srv://_rtmp._tcp.live.test", ["127.0.0.21:1935 30"]),
        ):
            began = time.monotonic()
            while True:
                watcher = Watcher(parse_address(f"{text}?server=127.0.0.1:{port}"), lambda servers: None)
                has_answer = await watcher.start(within_ms=1000)
                await watcher.close()
                if has_answer or time.monotonic() - began > deadline(5):
                    break
            assert [f"{node.endpoint} {node.tag}" for node in watcher.servers] == expected
    finally:
        server.terminate()
        server.wait()
