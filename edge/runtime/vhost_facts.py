"""What pages are told of vhosts and of the files that they are from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from edge.facts.records import FindingFacts, VhostFacts
from edge.flags.gflags import Parsed
from edge.flags.registry import DEFINITIONS, value_of
from naming.url import without_secrets

if TYPE_CHECKING:
    from edge.conf.block import Given
    from edge.conf.settings import Configuration

_MASK = "***"


def vhost_facts(
    parsed: Parsed, vhosts_of_streams: Iterable[str], older: Mapping[str, int] = MappingProxyType({})
) -> list[VhostFacts]:
    """The vhosts in their order, each with what it says otherwise than the flags of the process.

    ``older``: by vhost, see ``older_rules``.
    """
    if parsed.vhosts is None:
        return []
    from edge.conf.settings import DEFAULT_VHOST, Configuration  # most do without

    assert isinstance(parsed.vhosts, Configuration)
    streams, default = Counter(vhosts_of_streams), value_of(parsed.flags, "default_vhost")

    def key_of(name: str) -> str:
        return default if name == DEFAULT_VHOST else name

    return [
        VhostFacts(
            name=each.name,
            where=each.where,
            is_enabled=each.is_enabled,
            aliases=each.aliases,
            stream_count=streams[key_of(each.name)],
            older_rules_count=older.get(key_of(each.name), 0),
            settings=tuple(_lines(parsed, each.given)),
            matches=tuple(
                f"match {match.pattern} {line}" for match in each.matches for line in _lines(parsed, match.given)
            ),
        )
        for each in parsed.vhosts.vhosts
    ]


def finding_facts(parsed: Parsed) -> list[FindingFacts]:
    """What was said of the files when they were taken."""
    if parsed.vhosts is None:
        return []
    said: Configuration = parsed.vhosts  # type: ignore[assignment]
    return [
        FindingFacts(level=each.level.value, where=each.where, message=without_secrets(each.message))
        for each in said.findings
    ]


def _lines(parsed: Parsed, given: Mapping[str, Given]) -> list[str]:
    from edge.conf.values import words_of

    lines = []
    for name, each in sorted(given.items()):
        root = value_of(parsed.flags, name)
        if DEFINITIONS[name].is_secret:
            shown = other = _MASK
        else:
            shown, other = (without_secrets(words_of(value)) for value in (each.value, root))
        beside = "as the root" if root == each.value else f"root: {other}"
        lines.append(f"{name} {shown} ({each.where}; {beside})")
    return lines
