"""Manifests are in order for Kubernetes' own schemas, and their parts fit each other."""

from __future__ import annotations

import functools
from typing import Any

import kubernetes_validate
import pytest

from edge.facts.declared import METRICS
from tests.harness.deployed import Manifest, flag_lines, of_kind, plain_manifests, rendered, workloads

#: The oldest that is served by those who sell clusters, and the newest that the schemas are there for.
VERSIONS = ("1.30", kubernetes_validate.latest_version())
#: Everything that may be switched on or off, the other way round.
TURNED = {
    "fullnameOverride": "live",
    "rollOnFlagChange": False,
    "imagePullSecrets": [{"name": "registry"}],
    "origin": {
        "podDisruptionBudget": {"enabled": False},
        "podAnnotations": {"a": "b"},
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "media", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
    },
    "edge": {
        "replicas": 3,
        "autoscaling": {"enabled": False},
        "podDisruptionBudget": {"maxUnavailable": "20%"},
        "service": {"type": "ClusterIP", "annotations": {"who": "us"}},
    },
    "networkPolicy": {"enabled": True, "internalFrom": [{"podSelector": {"matchLabels": {"app": "prometheus"}}}]},
}


@functools.cache
def variants() -> dict[str, list[Manifest]]:
    return {
        "plain": plain_manifests(),
        "chart": rendered(),
        "chart turned": rendered(TURNED, release="other", namespace="elsewhere"),
    }


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("variant", variants())
def test_schemas_find_no_fault(variant: str, version: str) -> None:
    for manifest in variants()[variant]:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_schemas_would_find_a_fault() -> None:
    manifest = workloads(rendered())[0]
    manifest["spec"]["template"]["spec"]["containers"][0]["livenessprobe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, VERSIONS[0], strict=True)


def without_labels(manifest: Manifest) -> Manifest:
    """What an object does, without what only Helm adds to it."""
    found = {**manifest, "metadata": {"name": manifest["metadata"]["name"]}}
    if "template" in manifest.get("spec", {}):
        template = dict(manifest["spec"]["template"])
        metadata = template["metadata"]
        selected = manifest["spec"]["selector"]["matchLabels"]
        annotations = {key: value for key, value in metadata["annotations"].items() if key != "checksum/flags"}
        template["metadata"] = {
            "labels": {key: metadata["labels"][key] for key in selected},
            "annotations": annotations,
        }
        found["spec"] = {**manifest["spec"], "template": template}
    if "data" in manifest:
        found["data"] = {key: sorted(text.split()) for key, text in manifest["data"].items()}
    return found


def test_manifests_are_what_the_chart_makes_of_its_defaults() -> None:
    plain, made = (
        {(each["kind"], each["metadata"]["name"]): without_labels(each) for each in manifests}
        for manifests in (plain_manifests(), rendered())
    )
    assert plain.pop(("Namespace", "media"))
    assert plain == made


@pytest.mark.parametrize("variant", variants())
def test_parts_fit_each_other(variant: str) -> None:
    manifests = variants()[variant]
    configs = {
        each["metadata"]["name"]: flag_lines(each["data"]["edge.flags"]) for each in of_kind(manifests, "ConfigMap")
    }
    services = {each["metadata"]["name"]: each["spec"] for each in of_kind(manifests, "Service")}
    selected = [each["metadata"]["labels"] for each in (load["spec"]["template"] for load in workloads(manifests))]
    for load in workloads(manifests):
        pod = load["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        flags = configs[pod["volumes"][0]["configMap"]["name"]]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert ports == {"rtmp": int(flags["port"]), "internal": int(flags["internal_port"])}
        assert container["args"] == [f"-flagfile={container['volumeMounts'][0]['mountPath']}/edge.flags"]
        _assert_time_to_drain(pod, container, flags)
        assert _probes(container) == {
            "startupProbe": ("/healthz", "internal"),
            "readinessProbe": ("/readyz", "internal"),
            "livenessProbe": ("/healthz", "internal"),
        }
    for name, service in services.items():
        chosen = [labels for labels in selected if service["selector"].items() <= labels.items()]
        assert len(chosen) == 1, f"{name} chooses pods of {len(chosen)} kinds"
        is_public = service.get("type") is not None
        assert is_public != ("internal" in {port["targetPort"] for port in service["ports"]}), name


def test_edges_find_origins_by_the_records_of_their_service() -> None:
    for variant, manifests in variants().items():
        (edge,) = of_kind(manifests, "Deployment")
        (origin,) = of_kind(manifests, "StatefulSet")
        name, origin_name = edge["metadata"]["name"], origin["spec"]["serviceName"]
        (config,) = (each for each in of_kind(manifests, "ConfigMap") if each["metadata"]["name"] == name)
        (service,) = (each for each in of_kind(manifests, "Service") if each["metadata"]["name"] == origin_name)
        namespace = {"plain": "media", "chart": "media", "chart turned": "elsewhere"}[variant]
        assert service["spec"]["clusterIP"] == "None" and service["spec"]["ports"][0]["name"] == "rtmp"
        target = f"srv://_rtmp._tcp.{origin_name}.{namespace}.svc.cluster.local"
        assert flag_lines(config["data"]["edge.flags"])["proxy_to"] == target


def test_autoscaler_goes_by_a_metric_that_there_is() -> None:
    (scaler,) = of_kind(rendered(), "HorizontalPodAutoscaler")
    (deployment,) = of_kind(rendered(), "Deployment")
    assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"], "a rollout would undo what the autoscaler did"
    (metric,) = scaler["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] in {each.family for each in METRICS}


def _probes(container: dict[str, Any]) -> dict[str, tuple[str, str]]:
    probes = {key: value["httpGet"] for key, value in container.items() if key.endswith("Probe")}
    return {key: (each["path"], each["port"]) for key, each in probes.items()}


def _assert_time_to_drain(pod: dict[str, Any], container: dict[str, Any], flags: dict[str, str]) -> None:
    program, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    assert program == "sleep"
    probe = container["readinessProbe"]
    # It is off all lists by the time that it stops serving newcomers, and not killed before its drain is over.
    assert int(seconds) > probe["periodSeconds"]
    assert pod["terminationGracePeriodSeconds"] >= int(seconds) + int(flags["grace_term_s"]) + 5
