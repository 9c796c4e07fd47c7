"""What the Dockerfile says: for hadolint, and by a parser that knows as much of it as is used here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import edge.flags.all  # noqa: F401 - defines them
from edge.flags.registry import new_flags
from tests.harness.clock import ROOT, deadline, missing
from tests.harness.deployed import DEPLOY
from tests.harness.server import EdgeServer

DOCKERFILE = DEPLOY / "docker" / "Dockerfile"

Instruction = tuple[str, str]


def stages(text: str) -> list[list[Instruction]]:
    """Instructions with their arguments, by the stage that they are in; lines that go on are one."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found: list[list[Instruction]] = []
    for line in filter(None, map(str.strip, joined.split("\n"))):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest.strip()))
    return found


def last(stage: list[Instruction], word: str) -> str:
    return [rest for each, rest in stage if each == word][-1]


BUILD, FINAL = stages(DOCKERFILE.read_text())


def linted(text: str) -> subprocess.CompletedProcess[str]:
    """What hadolint, of the environment that the tests run in, says of a Dockerfile."""
    program = Path(sys.executable).with_name("hadolint")
    if not program.exists():
        missing("hadolint is not installed")
    return subprocess.run(
        [str(program), "--no-color", "-"], input=text, capture_output=True, text=True, timeout=deadline(20)
    )


def test_linter_finds_no_fault() -> None:
    text = DOCKERFILE.read_text()
    done = linted(text)
    assert done.returncode == 0, done.stdout + done.stderr
    done = linted(text.replace("python:3.11-slim", "python:latest"))
    assert done.returncode != 0 and "DL3007" in done.stdout


def test_both_stages_have_the_python_that_is_tested() -> None:
    assert last(BUILD, "FROM") == "python:3.11-slim AS build"
    assert last(FINAL, "FROM") == "python:3.11-slim"
    assert not [rest for word, rest in FINAL if word == "RUN" and "pip" in rest], "built where it is to run"


def test_it_is_no_root_and_is_told_to_leave_itself() -> None:
    assert last(FINAL, "USER") == "10001:10001"
    assert last(FINAL, "STOPSIGNAL") == "SIGTERM"
    # The exec form: a shell would get the signal in its place.
    assert json.loads(last(FINAL, "ENTRYPOINT")) == ["edge"]
    assert json.loads(last(FINAL, "CMD")) == []
    assert new_flags()["grace_term_s"].value < 10  # which is how long Docker waits


def test_health_check_needs_nothing_but_python() -> None:
    options, _, command = last(FINAL, "HEALTHCHECK").partition(" CMD ")
    program, flag, source = json.loads(command)
    assert (program, flag) == ("python", "-c")
    compile(source, "HEALTHCHECK", "exec")
    assert "EDGE_HEALTH_URL" in source and "EDGE_HEALTH_URL=http://127.0.0.1:8079/health" in last(FINAL, "ENV")
    assert int(re.search(r"--timeout=(\d+)s", options)[1]) > int(re.search(r"timeout=(\d+)", source)[1])  # type: ignore[index]


@pytest.mark.interop
def test_health_check_tells_a_server_from_none() -> None:
    *_, source = json.loads(last(FINAL, "HEALTHCHECK").partition(" CMD ")[2])

    def is_healthy(port: int) -> bool:
        environment = {**os.environ, "EDGE_HEALTH_URL": f"http://127.0.0.1:{port}/health"}
        # What it waits for is of the loopback, and of a machine that may be busy.
        command = [sys.executable, "-c", source.replace("timeout=2", f"timeout={deadline(2)}")]
        return subprocess.run(command, env=environment, capture_output=True, timeout=deadline(10)).returncode == 0

    with EdgeServer(has_internal_port=False) as server:
        assert is_healthy(server.port)
    assert not is_healthy(server.port)


def test_all_packages_are_copied_and_let_into_the_context() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {name.partition(".")[0] for name in project["tool"]["setuptools"]["packages"]}
    copied = {rest.split()[0] for word, rest in BUILD if word == "COPY" and len(rest.split()) == 2}
    assert packages <= copied, f"not copied: {packages - copied}"
    ignore = (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text().splitlines()
    sources = {each for word, rest in BUILD if word == "COPY" for each in rest.split()[:-1]}
    assert {f"!{source}" for source in sources} <= set(ignore)
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_versions_are_those_of_the_lock() -> None:
    installs = [rest for word, rest in BUILD if word == "RUN" and "install" in rest]
    assert installs
    for each in installs:
        assert each.count(" install ") == each.count("-c requirements.lock"), each
