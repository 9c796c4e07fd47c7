"""What holds for one stream, in all rooms: the hub knows its own settings, and hands the others' on."""

from __future__ import annotations

from typing import Protocol, TypeVar

from edge.hub.config import HubConfig

Section = TypeVar("Section")


class StreamRules(Protocol):
    """Frozen settings by the type of the configuration that they are."""

    def of(self, section: type[Section]) -> Section:
        """The settings of a room."""
        ...


class HubAlone:
    """The rules of a stream of which only the hub's are told: other rooms have their defaults."""

    __slots__ = ("_config",)

    def __init__(self, config: HubConfig) -> None:
        self._config = config

    def of(self, section: type[Section]) -> Section:
        """``config``, or what another room has by default."""
        return self._config if isinstance(self._config, section) else section()
