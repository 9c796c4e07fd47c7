"""The contract of a naming service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from naming.node import ServerNode


class NamingError(Exception):
    """A naming URL or its source cannot be used; the text says which part."""


class NamingService(Protocol):
    """Watches one name.

    ``watch`` yields the full list each time it has a good answer (not only when
    it changed) and never ends; it raises only ``NamingError`` and only for a
    name that can never work. Outages are retried inside and yield nothing.
    """

    def watch(self, name: str) -> AsyncIterator[Sequence[ServerNode]]:
        """Follow ``name``, the text after ``scheme://``, verbatim."""
        ...
