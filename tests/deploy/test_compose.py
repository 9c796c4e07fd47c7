"""The compose file is in order for docker-compose itself, and its parts fit each other."""

from __future__ import annotations

import subprocess
from typing import Any

import yaml

import edge.flags.all  # noqa: F401 - defines them
from edge.flags.registry import new_flags
from tests.harness.clock import ROOT, deadline, require_program
from tests.harness.deployed import DEPLOY, compose, flag_lines, flagfile_of

FILE = DEPLOY / "compose" / "docker-compose.yml"


def flags_of(service: dict[str, Any]) -> dict[str, str]:
    return flag_lines(flagfile_of(service).read_text())


def test_docker_compose_finds_no_fault() -> None:
    done = subprocess.run(
        [require_program("docker-compose"), "-f", str(FILE), "config"],
        capture_output=True,
        text=True,
        timeout=deadline(20),
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert set(yaml.safe_load(done.stdout)["services"]) == {"origin", "shield", "edge1", "edge2"}


def test_ports_are_those_of_the_flagfiles() -> None:
    published = []
    for name, service in compose()["services"].items():
        flags = flags_of(service)
        open_ports = {flags["port"], flags["internal_port"], *filter(None, flags.get("listen", "").split(","))}
        for port in service["ports"]:
            *host, outside, inside = port.split(":")
            assert inside in open_ports, f"{name}: {port}"
            assert (inside == flags["internal_port"]) == (host == ["127.0.0.1"]), f"{name}: {port} for whom?"
            published.append(outside)
    assert len(published) == len(set(published)), "two want the same port of the machine"


def test_each_waits_longer_than_the_drain() -> None:
    for name, service in compose()["services"].items():
        assert int(service["stop_grace_period"].removesuffix("s")) > new_flags()["grace_term_s"].value, name


def test_upstreams_are_services_by_their_ports() -> None:
    services = compose()["services"]
    upstreams = {}
    for name, service in services.items():
        target = flags_of(service).get("proxy_to", "")
        upstreams[name] = target.removeprefix("http://").partition(":")[0]
        if target:
            host, port = target.removeprefix("http://").split(":")
            assert port == flags_of(services[host])["port"], f"{name}: {target}"
    assert upstreams == {"origin": "", "shield": "origin", "edge1": "shield", "edge2": "shield"}
