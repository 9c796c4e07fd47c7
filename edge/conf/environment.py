"""SRS's environment variables as values of flags: ``SRS_`` and the path of a directive in capitals.

``SRS_VHOST_HLS_ENABLED`` and the like are for every vhost, so they give the flags of the process their values. SRS
lets a variable win over its file; here it is behind the root of the file, since it would win over each vhost else.
"""

from __future__ import annotations

from collections.abc import Mapping

from edge.conf.block import Block, Given, Kind
from edge.conf.findings import Findings
from edge.conf.grammar import Directive
from edge.conf.srs_names import ROOT, VHOST, Name, Takes

PREFIX = "SRS_"
#: Names the file, and is no directive.
CONFIG_FILE = "SRS_CONFIG_FILE"
_VHOST = "SRS_VHOST_"


def _variables(names: tuple[Name, ...], prefix: str) -> dict[str, str]:
    """Paths by variable."""
    found: dict[str, str] = {}
    for each in names:
        if each.takes is not Takes.BLOCK:
            found.setdefault(prefix + each.path.replace("/", "_").upper(), each.path)
        elif each.default:
            found.setdefault(f"{prefix}{each.path.replace('/', '_').upper()}_ENABLED", f"{each.path}/enabled")
    return found


_ROOT_VARIABLES = _variables(ROOT, PREFIX)
_VHOST_VARIABLES = _variables(VHOST, _VHOST)


def variables_in(environ: Mapping[str, str]) -> list[str]:
    """The variables that SRS would read, sorted."""
    return sorted(name for name in environ if name.startswith(PREFIX) and name != CONFIG_FILE)


def from_environment(environ: Mapping[str, str], findings: Findings) -> dict[str, Given]:
    """Values of flags; what is wrong is said with the name of the variable as its place."""
    trees: dict[Kind, _Tree] = {Kind.ROOT: _Tree(), Kind.VHOST: _Tree()}
    for name in variables_in(environ):
        if name in _ROOT_VARIABLES:
            trees[Kind.ROOT].add(_ROOT_VARIABLES[name], name, environ[name])
        elif name in _VHOST_VARIABLES:
            trees[Kind.VHOST].add(_VHOST_VARIABLES[name], name, environ[name])
        else:
            findings.note(f"environment {name}", "no directive of SRS has this name; it is ignored")
    given: dict[str, Given] = {}
    for kind, tree in trees.items():
        block = Block(Kind.ROOT if kind is Kind.ROOT else Kind.VHOST, findings)
        block.read(tree.directives())
        for flag, value in block.given.items():
            given.setdefault(flag, value)
    return given


class _Tree:
    """Sections with what variables say of them."""

    def __init__(self) -> None:
        self._inside: dict[str, _Tree] = {}
        self._values: list[tuple[str, str, str]] = []

    def add(self, path: str, variable: str, value: str) -> None:
        section, slash, rest = path.partition("/")
        if slash:
            self._inside.setdefault(section, _Tree()).add(rest, variable, value)
        else:
            self._values.append((path, variable, value))

    def directives(self) -> list[Directive]:
        """The same as a file would have made them."""
        found = [
            Directive(name, tuple(value.split()), f"environment {variable}", 0)
            for name, variable, value in self._values
        ]
        for section, tree in self._inside.items():
            inside = tuple(tree.directives())
            found.append(Directive(section, (), inside[0].file, 0, inside))
        return found
