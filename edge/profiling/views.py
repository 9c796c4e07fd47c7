"""A profile as text: for people, for tools that draw flame graphs of collapsed stacks, and as a graph in DOT."""

from __future__ import annotations

from edge.profiling.stacks import Profile
from edge.profiling.tree import by_function, calls

#: Functions in the table at the head of the text, and in the graph.
MAX_FUNCTIONS = 30
MAX_NODES = 60


def amount(profile: Profile, value: int) -> str:
    """A value with its unit as people read it."""
    if profile.kind.unit == "nanoseconds":
        return f"{value / 1e9:.2f} s" if value >= 1e9 else f"{value / 1e6:.0f} ms"
    for unit, size in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value} B"


def percent(profile: Profile, value: int) -> str:
    """A value as a share of the whole."""
    return f"{100 * value / max(profile.total, 1):.1f}%"


def printable(text: str) -> str:
    """``text`` in one line and one column."""
    return "".join(sign if sign.isprintable() and sign not in "; " else "_" for sign in text)


def collapsed(profile: Profile) -> str:
    """A line per stack, outermost function first: ``a;b;c VALUE``."""
    return "".join(f"{';'.join(printable(frame.label) for frame in row.stack)} {row.value}\n" for row in profile.rows)


def text(profile: Profile) -> str:
    """What it is of, the functions that took most, then the collapsed stacks; all but these begin with ``#``."""
    kind = profile.kind
    lines = [f"{profile.name}: {amount(profile, profile.total)} in {len(profile.rows)} stacks, {kind.unit}"]
    lines += [f"{name}: {value}" for name, value in profile.facts.items()]
    lines += [f"{'own':>10} {'own%':>6} {'all':>10} {'all%':>6}  function"]
    for taken in by_function(profile)[:MAX_FUNCTIONS]:
        own, whole = (f"{amount(profile, value):>10} {percent(profile, value):>6}" for value in (taken.own, taken.all))
        lines.append(f"{own} {whole}  {printable(taken.frame.label)}")
    return "".join(f"# {line}\n" for line in lines) + collapsed(profile)


def dot(profile: Profile) -> str:
    """The functions that took most and the calls between them, in the language DOT of Graphviz."""
    shown = sorted(by_function(profile), key=lambda taken: -taken.all)[:MAX_NODES]
    names = {taken.frame: f"n{number}" for number, taken in enumerate(shown)}
    lines = ["digraph profile {", '  node [shape=box, fontsize=10, fontname="sans-serif"];']
    for taken in shown:
        label = f"{printable(taken.frame.label)}\\n{amount(profile, taken.own)} of {amount(profile, taken.all)}"
        lines.append(f'  {names[taken.frame]} [label="{_quoted(label)}"];')
    for (caller, called), value in sorted(calls(profile).items(), key=lambda item: -item[1]):
        if caller in names and called in names:
            lines.append(f'  {names[caller]} -> {names[called]} [label="{amount(profile, value)}"];')
    return "\n".join([*lines, "}", ""])


def _quoted(label: str) -> str:
    return label.replace('"', "'")
