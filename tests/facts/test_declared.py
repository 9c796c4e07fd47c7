"""What is counted is declared, and what is declared is counted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge.facts.declared import METRICS, PREFIX, TOLERATED
from edge.facts.metrics import Kind
from tests.runtime.nodes import running

ROOT = Path(__file__).resolve().parents[2]
_NOTICE = re.compile(r'(?:_notice|Noticed|notices\.append)\(\(?\s*"(\w+)"')


def source_texts(*folders: str) -> dict[str, str]:
    paths = [path for folder in folders for path in (ROOT / "edge" / folder).rglob("*.py")]
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def test_what_sessions_pass_over_is_declared_and_no_more() -> None:
    text = "".join(source_texts("rtmp").values())
    assert sorted(set(_NOTICE.findall(text))) == sorted(TOLERATED)


def test_what_is_counted_by_a_fixed_name_is_declared() -> None:
    counted = re.compile(r'counters\["(\w+)"\] \+=|\b_?count\("(\w+)"\)')
    texts = source_texts("net", "httpd", "upstream", "hls_disk", "service", "runtime")
    names = {name for text in texts.values() for found in counted.findall(text) for name in found if name}
    assert len(names) >= 8
    assert [name for name in sorted(names) if METRICS.find(name) is None] == []


def test_every_declared_name_is_counted_somewhere() -> None:
    text = "".join(source_texts("net", "httpd", "upstream", "hls_disk", "runtime", "builtin").values())
    rest = [metric.name for metric in METRICS if metric.name.removesuffix("_count") not in TOLERATED]
    missing = [
        name
        for name in rest
        if f'"{name}"' not in text and f'f"{name.replace("*", "{reason}")}"' not in text and not name.startswith("ns_")
    ]
    assert missing == []


@pytest.mark.parametrize(
    "flags", [(), ("-proxy_to=127.0.0.1:1",), ("-proxy_to=127.0.0.1:1", "-cdn_merge_to=127.0.0.1:2")]
)
async def test_everything_that_a_node_shows_is_declared(tmp_path: Path, flags: tuple[str, ...]) -> None:
    merge = ("-cdn_merge_port=0",) if len(flags) > 1 else ()
    async with running(*flags, *merge, f"-hls_path={tmp_path}") as one:
        await one.publisher()
        assert (await one.get("/health"))[0] == 200
        counters = await one.facts.counters()
        assert [name for name in counters if METRICS.find(name) is None] == []
        samples = await one.facts.samples()
        for sample in samples:
            assert len(sample.labels) == (len(METRICS[sample.metric].labels)), sample
        assert len({(sample.metric, sample.labels) for sample in samples}) == len(samples)


def test_families_are_named_by_the_rules_of_prometheus() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", metric.family), metric.name
        assert metric.family.startswith((PREFIX, "process_", "srs_")), metric.name
        assert not metric.family.endswith(("_total", "_info", "_count", "_sum", "_bucket")), metric.name
        assert metric.help.endswith("."), metric.name
        if metric.base_unit and metric.kind is not Kind.INFO and not metric.family.startswith("process_"):
            assert metric.family.endswith(f"_{metric.base_unit}"), metric.name
