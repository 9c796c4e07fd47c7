"""What docs/deploy.md tells of the files is so."""

from __future__ import annotations

import re
from typing import Any

import yaml

from tests.harness.clock import ROOT
from tests.harness.deployed import (
    DEPLOY,
    compose,
    flag_lines,
    flagfiles,
    of_kind,
    plain_manifests,
    rendered,
    workloads,
)

GUIDE = (ROOT / "docs" / "deploy.md").read_text()


def yaml_blocks() -> list[Any]:
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)]


def test_files_that_it_names_are_there() -> None:
    named = set(re.findall(r"(?<![\w/])deploy/[\w./-]*\w", GUIDE))
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_objects_that_it_names_are_made() -> None:
    made = {(each["kind"].lower(), each["metadata"]["name"]) for each in plain_manifests()}
    named = set(re.findall(r"\b(deployment|statefulset)/([\w-]+)", GUIDE))
    named |= {("service", name) for name in re.findall(r"\bget service ([\w-]+)", GUIDE)}
    assert len(named) == 3 and named <= made
    images = set(re.findall(r"set image \w+/[\w-]+ ([\w-]+)=", GUIDE))
    containers = {load["spec"]["template"]["spec"]["containers"][0]["name"] for load in workloads(plain_manifests())}
    assert images == containers


def test_values_of_the_example_act() -> None:
    (values,) = (block for block in yaml_blocks() if "edge" in block)
    manifests = rendered(values)
    assert {"ServiceMonitor", "NetworkPolicy"} <= {each["kind"] for each in manifests}
    (config,) = (each for each in of_kind(manifests, "ConfigMap") if each["metadata"]["name"] == "edge")
    flags = flag_lines(config["data"]["edge.flags"])
    assert flags["proxy_to"] == values["edge"]["flags"]["proxy_to"]
    assert flags["grace_term_s"] == str(values["drain"]["graceTermSeconds"])


def test_rule_of_the_adapter_is_for_the_metric_of_the_autoscaler() -> None:
    (rule,) = next(block for block in yaml_blocks() if "rules" in block)["rules"]
    (scaler,) = of_kind(plain_manifests(), "HorizontalPodAutoscaler")
    (metric,) = scaler["spec"]["metrics"]
    assert rule["seriesQuery"].startswith(metric["pods"]["metric"]["name"] + "{")


def test_times_of_the_drain_are_those_of_the_files() -> None:
    rows = dict(re.findall(r"^\| (systemd|compose|Kubernetes) \| `\w+` \((\d+)\b", GUIDE, re.MULTILINE))
    (unit,) = re.findall(r"^TimeoutStopSec=(\d+)$", (DEPLOY / "systemd" / "edge.service").read_text(), re.MULTILINE)
    stops = {service["stop_grace_period"].removesuffix("s") for service in compose()["services"].values()}
    pods = {load["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] for load in workloads(plain_manifests())}
    assert rows == {"systemd": unit, "compose": stops.pop(), "Kubernetes": str(pods.pop())}
    assert not stops and not pods, "not the same for all"
    (drain,) = {flag_lines(text)["grace_term_s"] for place, text in flagfiles().items() if "kubernetes" in place}
    assert f"included | `-grace_term_s` ({drain}) |" in GUIDE
