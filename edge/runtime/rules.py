"""Rules of streams, made of flags: those of the process, and what a vhost says otherwise."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edge.hls.config import HlsConfig
from edge.hls_disk.config import DiskConfig
from edge.hub.config import HubConfig
from edge.runtime.reload import Prepared
from edge.service.rules import Rulebook, Rules

if TYPE_CHECKING:
    from edge.runtime.settings import Settings


def rules_of(settings: Settings) -> Rules:
    """What the flags of the process say, for the streams of no vhost."""
    return Rules(
        (
            settings.net,
            settings.rtmp,
            settings.hub,
            settings.upstream,
            settings.http,
            settings.hls,
            settings.hls_disk,
        )
    )


def with_values(rules: Rules, values: Mapping[str, Any]) -> Rules:
    """``rules`` with other values of flags, by their names, in all settings that have them."""
    sections: list[Any] = []
    section: Any
    for _, section in rules.items():
        others = {field.name: values[field.name] for field in dataclasses.fields(section) if field.name in values}
        sections.append(dataclasses.replace(section, **others) if others else section)
    changed = Rules(sections)
    if "hls" in values or "hls_path" in values:
        is_cut = changed.of(HlsConfig).hls or bool(changed.of(DiskConfig).hls_path)  # files are cut as well
        changed = changed.with_(dataclasses.replace(changed.of(HubConfig), hls=is_cut))
    return changed


class RuleChange:
    """The part of a node that has the rulebook, which is changed as one before its streams are told."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook

    def prepare(self, new: Settings) -> Prepared:
        """Make the new book; raises ConfigError where names in it mean two things."""
        book = new_rulebook(new)
        self._rulebook.prepare(book)
        return Prepared(lambda: self._rulebook.replace(book))


def new_rulebook(settings: Settings) -> Rulebook:
    """The book of a process without vhosts."""
    return Rulebook(rules_of(settings))
