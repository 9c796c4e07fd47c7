"""The chart by what its users set."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from tests.harness.deployed import flag_lines, of_kind, rendered, rendered_texts


def config(given: dict[str, Any], name: str = "edge") -> dict[str, str]:
    (found,) = (each for each in of_kind(rendered(given), "ConfigMap") if each["metadata"]["name"] == name)
    return flag_lines(found["data"]["edge.flags"])


def test_flags_come_as_they_are_written() -> None:
    flags = {
        "max_message_bytes": 104857600,
        "hls": False,
        "proxy_to": "list://a:1,b:2",
        "user_defined_data_message": "",
    }
    found = config({"edge": {"flags": flags}})
    assert found["max_message_bytes"] == "104857600"  # and not 1.048576e+08
    assert found["hls"] == "false"
    assert found["proxy_to"] == "list://a:1,b:2"
    assert found["user_defined_data_message"] == ""
    assert found["proxy_lb"] == "c_murmurhash", "those that are not named stay"


@pytest.mark.parametrize(
    "given",
    [
        {"edge": {"flags": {"port": 1935}}},
        {"edge": {"flags": {"hls_fragment_s": 0.5}}},
        {"edge": {"flags": {"proxy_to": "a\n-workers=4"}}},
        {"edge": {"autoscaling": {"targetLoadRatio": "60%"}}},
        {"origin": {"replicas": 0}},
        {"orgin": {}},
        {"ports": {"media": 0}},
    ],
)
def test_schema_refuses_what_would_go_wrong(given: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        rendered(given)


def test_drain_is_one_sum() -> None:
    given = {"drain": {"preStopSeconds": 10, "graceTermSeconds": 300}}
    assert config(given)["grace_term_s"] == config(given, "edge-origin")["grace_term_s"] == "300"
    for kind in ("Deployment", "StatefulSet"):
        (load,) = of_kind(rendered(given), kind)
        assert load["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 320


def test_changed_flags_start_pods_anew_and_only_those() -> None:
    def sums(given: dict[str, Any]) -> dict[str, str | None]:
        return {
            kind: next(of_kind(rendered(given), kind))["spec"]["template"]["metadata"]["annotations"].get(
                "checksum/flags"
            )
            for kind in ("Deployment", "StatefulSet")
        }

    before, after = sums({}), sums({"edge": {"flags": {"hls": False}}})
    assert before["Deployment"] != after["Deployment"] and before["StatefulSet"] == after["StatefulSet"]
    assert set(sums({"rollOnFlagChange": False}).values()) == {None}


def test_service_monitors_choose_the_services_of_each_kind() -> None:
    manifests = rendered({"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}})
    monitors = list(of_kind(manifests, "ServiceMonitor"))
    assert len(monitors) == 2
    for monitor in monitors:
        assert monitor["metadata"]["labels"]["release"] == "prometheus"
        (endpoint,) = monitor["spec"]["endpoints"]
        wanted = monitor["spec"]["selector"]["matchLabels"]
        chosen = [
            each["metadata"]["name"]
            for each in of_kind(manifests, "Service")
            if wanted.items() <= each["metadata"]["labels"].items()
            and endpoint["port"] in {port["name"] for port in each["spec"]["ports"]}
        ]
        assert len(chosen) == 1


def test_notes_say_where_to_publish() -> None:
    notes = rendered_texts({"edge": {"service": {"rtmpPort": 2935}}}, release="r", namespace="n")["NOTES.txt"]
    assert "rtmp://HOST:2935/live/cam1" in notes
    assert "kubectl --namespace n get service r-edge" in notes
