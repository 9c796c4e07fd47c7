"""A profile as a flame graph: SVG without scripts and without styles, for pages that allow neither.

Each function is a box as wide as what it and all that it called took, below it what it called. A box is a link
to the same graph with that function as the whole.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from html import escape

from edge.profiling.stacks import Profile
from edge.profiling.tree import Node, tree_of, walk
from edge.profiling.views import amount, percent

ROW_PX = 18
#: Narrower boxes are left out.
MIN_WIDTH_PX = 0.5
#: More boxes make no better picture.
MAX_BOXES = 5000
_CHARACTER_PX = 6.6
_ROOT_LABEL = "all"


def svg(profile: Profile, *, width_px: int, focus: int = 0, link: Callable[[int], str] | None = None) -> str:
    """Draw ``profile``.

    ``focus``: number of the function that is the whole, 0 for all; an unknown one is taken for 0. ``link``: the
    address of the graph with another focus, None for no links.
    """
    root = tree_of(profile.rows)
    nodes = list(walk(root))
    chosen = nodes[focus] if 0 <= focus < len(nodes) else root
    boxes: list[str] = []
    depth = 0
    above = []
    node: Node | None = chosen.parent
    while node is not None:
        above.append(node)
        node = node.parent
    for node in reversed(above):  # what leads to the chosen one, as wide as that
        boxes.append(_box(profile, node, 0.0, float(width_px), depth, link, is_above=True))
        depth += 1
    scale = width_px / max(chosen.value, 1)
    deepest = depth
    waiting = [(chosen, 0.0, depth)]
    while waiting and len(boxes) < MAX_BOXES:
        node, left, depth = waiting.pop()
        width = node.value * scale
        if width < MIN_WIDTH_PX:
            continue
        boxes.append(_box(profile, node, left, width, depth, link))
        deepest = max(deepest, depth)
        for frame in sorted(node.children):
            child = node.children[frame]
            waiting.append((child, left, depth + 1))
            left += child.value * scale
    height = (deepest + 1) * ROW_PX
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width_px} {height}" width="100%" '
        f'font-family="sans-serif" font-size="11" role="img" aria-label="flame graph">{"".join(boxes)}</svg>'
    )


def _box(
    profile: Profile,
    node: Node,
    left: float,
    width: float,
    depth: int,
    link: Callable[[int], str] | None,
    *,
    is_above: bool = False,
) -> str:
    label = node.frame.label if node.frame is not None else _ROOT_LABEL
    told = escape(f"{label}: {amount(profile, node.value)}, {percent(profile, node.value)}")
    top = depth * ROW_PX
    room = int((width - 6) / _CHARACTER_PX)
    short = node.frame.function if node.frame is not None and room < len(label) else label
    shown = short if len(short) <= room else f"{short[: room - 2]}.." if room > 4 else ""
    written = f'<text x="{left + 3:.1f}" y="{top + 13}" fill="#1c2430">{escape(shown)}</text>' if shown else ""
    box = (
        f"<title>{told}</title>"
        f'<rect x="{left:.2f}" y="{top}" width="{max(width - 0.5, 0.3):.2f}" height="{ROW_PX - 1}" '
        f'fill="{_colour(node, is_above)}" rx="1"/>{written}'
    )
    if link is None:
        return f"<g>{box}</g>"
    return f'<a href="{escape(link(node.number))}">{box}</a>'


def _colour(node: Node, is_above: bool) -> str:
    """The same for all functions of a file, in every profile."""
    if node.frame is None or is_above:
        return "#cfd6de"
    seed = zlib.crc32(node.frame.file.encode("utf-8", "replace"))
    return f"hsl({seed % 60}, {65 + seed // 60 % 20}%, {62 + seed // 1200 % 14}%)"
