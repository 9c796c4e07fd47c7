"""From the making of a picture to its showing in Chromium, by output: ``python bench/browser_delay.py --help``."""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):  # started as a script, from any directory
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.command import machine
from bench.report import table
from tests.browser.delay import OUTPUTS, Measured, Output, chain, measure
from tests.browser.player import BrowserPlayer


def rows(found: Sequence[tuple[Output, Sequence[Measured]]]) -> list[str]:
    """A table of what was measured, as ``docs/playback.md`` has it."""
    head = ["output", "first viewer, s", "next viewers, s", "target, s", "the page says, s", "first picture, s"]
    lines = []
    for output, seen in found:
        said = [each.said.removesuffix(" s") for each in seen]
        first, later = seen[0], seen[1:]
        line = [f"{first.median_s:.2f}", spread([each.median_s for each in later]), f"{output.most_s:.1f}"]
        lines.append([output.label, *line, ", ".join(said), spread([each.first_s for each in seen])])
    return table(head, lines)


def spread(values: Sequence[float]) -> str:
    """The median, and from the least to the most."""
    if not values:
        return "-"
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


def main(arguments: list[str] | None = None) -> int:
    """Publish a clock to an origin, play it at the third node by each output, and print the delay as a table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--only", default="", help="outputs, with commas between: " + ",".join(o.name for o in OUTPUTS))
    parser.add_argument("--settle_s", type=float, default=8.0, help="wait so long after the first picture")
    parser.add_argument("--seconds", type=float, default=10.0, help="look so long at each output")
    parser.add_argument("--joins", type=int, default=4, help="open the page so often for each")
    parser.add_argument("--keyframe_s", type=float, default=0, help="of the stream, not those of the target")
    parser.add_argument("--flags", default="", help="of all nodes")
    asked = parser.parse_args(arguments)
    wanted = [output for output in OUTPUTS if not asked.only or output.name in asked.only.split(",")]
    found = []
    with BrowserPlayer() as browser:
        for keyframe_s, group in itertools.groupby(wanted, key=lambda output: output.keyframe_s):
            with chain(asked.keyframe_s or keyframe_s, *asked.flags.split()) as nodes:
                for output in group:
                    seen = []
                    for _ in range(asked.joins):
                        time.sleep(random.random())  # so that it begins anywhere between two keyframes
                        node = nodes.far_edge
                        seen.append(measure(browser, node, output.name, settle_s=asked.settle_s, seconds=asked.seconds))
                        print(f"{output.name}: {seen[-1]}", file=sys.stderr, flush=True)
                    found.append((output, seen))
    loads = [each.load for _, seen in found for each in seen]
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    print(f"{when}, {machine(None)['edge']}, load {min(loads):.1f} to {max(loads):.1f}\n")
    print("\n".join(rows(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
