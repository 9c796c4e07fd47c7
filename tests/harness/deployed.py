"""What stands in ``deploy/``: its flagfiles, its manifests, and its chart as Helm renders it."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from gotpl.exts.helm import HelmTemplateEngine

from tests.harness.clock import ROOT

DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "edge"

Manifest = dict[str, Any]


def flag_lines(text: str) -> dict[str, str]:
    """The flags of a flagfile by name; of one without a value the value is ""."""
    lines = (line.strip() for line in text.splitlines())
    flags = (line.lstrip("-").partition("=") for line in lines if line.startswith("-"))
    return {name: value for name, _, value in flags}


def flagfiles() -> dict[str, str]:
    """The text of every flagfile below ``deploy/`` by its place: files, and those in ConfigMaps."""
    found = {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted(DEPLOY.rglob("*.flags"))}
    for place, manifests in (("deploy/kubernetes", plain_manifests()), ("deploy/helm/edge", rendered())):
        for manifest in manifests:
            if manifest["kind"] == "ConfigMap":
                for key, text in manifest["data"].items():
                    found[f"{place}: {manifest['metadata']['name']}/{key}"] = text
    return found


def plain_manifests() -> list[Manifest]:
    """All objects of ``deploy/kubernetes`` in the order in which kubectl applies them."""
    paths = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    return [each for path in paths for each in yaml.safe_load_all(path.read_text()) if each]


def compose() -> dict[str, Any]:
    """The compose file with its anchors resolved."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose" / "docker-compose.yml").read_text())
    return found


def flagfile_of(service: Mapping[str, Any]) -> Path:
    """The flagfile of a service of the compose file: here what the container finds at the place in its command."""
    (command,) = service["command"]
    (volume,) = service["volumes"]
    here, there, mode = volume.split(":")
    assert mode == "ro", volume
    return (DEPLOY / "compose" / here / Path(command.removeprefix("-flagfile=")).relative_to(there)).resolve()


def chart_values(given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The chart's values with ``given`` laid over them, held to the schema as Helm does.

    Raises ``jsonschema.ValidationError``.
    """
    values = _laid_over(yaml.safe_load((CHART / "values.yaml").read_text()), given or {})
    jsonschema.Draft7Validator(json.loads((CHART / "values.schema.json").read_text())).validate(values)
    return values


@functools.cache
def _engine() -> HelmTemplateEngine:
    """All templates of the chart; it takes longer to make than to use."""
    paths = (CHART / "templates").iterdir()
    return HelmTemplateEngine.from_sources({f"edge/templates/{path.name}": path.read_text() for path in paths})


def rendered_texts(
    given: Mapping[str, Any] | None = None, *, release: str = "edge", namespace: str = "media"
) -> dict[str, str]:
    """Each template of the chart, NOTES.txt included, by its file's name."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    paths = sorted((CHART / "templates").iterdir())
    engine = _engine()
    context = {
        # Helm reads every number as a float.
        "Values": _with_floats(chart_values(given)),
        "Release": {"Name": release, "Namespace": namespace, "Service": "Helm", "IsInstall": True, "Revision": 1},
        "Chart": {"Name": chart["name"], "Version": chart["version"], "AppVersion": chart["appVersion"]},
        "Capabilities": {},
        "Files": {},
        "Subcharts": {},
    }
    return {
        path.name: engine.render_template(
            f"edge/templates/{path.name}",
            {**context, "Template": {"Name": f"edge/templates/{path.name}", "BasePath": "edge/templates"}},
        )
        for path in paths
        if path.suffix != ".tpl"
    }


def rendered(given: Mapping[str, Any] | None = None, **where: str) -> list[Manifest]:
    """All objects that the chart makes."""
    texts = rendered_texts(given, **where)
    return [
        each for name, text in sorted(texts.items()) if name != "NOTES.txt" for each in yaml.safe_load_all(text) if each
    ]


def of_kind(manifests: list[Manifest], kind: str) -> Iterator[Manifest]:
    return (manifest for manifest in manifests if manifest["kind"] == kind)


def workloads(manifests: list[Manifest]) -> list[Manifest]:
    """Those that make pods."""
    return [*of_kind(manifests, "StatefulSet"), *of_kind(manifests, "Deployment")]


def _laid_over(below: Any, above: Any) -> Any:
    """Maps are merged key by key, everything else is replaced."""
    if not isinstance(below, dict) or not isinstance(above, Mapping):
        return copy.deepcopy(above)
    return {**below, **{key: _laid_over(below.get(key), value) for key, value in above.items()}}


def _with_floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_floats(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_floats(each) for each in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def places() -> list[Path]:
    """All files below ``deploy/``."""
    return sorted(path for path in DEPLOY.rglob("*") if path.is_file())
