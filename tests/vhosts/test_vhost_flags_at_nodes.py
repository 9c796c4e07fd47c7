"""Flags of vhosts whose effect takes a node with its HTTP."""

from __future__ import annotations

AT_NODES: dict[str, object] = {}
