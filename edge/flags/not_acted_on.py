"""Flags that are accepted, so that flagfiles keep working, and do nothing yet.

Whoever sets one is told so in one line at start. A flag leaves the list in the
commit that makes it work.
"""

from __future__ import annotations

from collections.abc import Iterable

NOT_ACTED_ON: frozenset[str] = frozenset(
    {
        # listening and process
        "workers",
        # hooks: nothing is recorded yet
        "hooks_on_dvr",
    }
)


def used_in_vain(names: Iterable[str]) -> tuple[str, ...]:
    """Those of ``names``, the flags that were set, that do nothing yet; sorted."""
    return tuple(sorted(NOT_ACTED_ON.intersection(names)))
