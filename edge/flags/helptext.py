"""Help in its forms: by topic, short, filtered, XML, and completion scripts."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable

from edge.flags.not_acted_on import NOT_ACTED_ON
from edge.flags.registry import DEFINITIONS, TOPICS, Definition, FlagValues, value_of

_WIDTH = 100
_USAGE = """\
edge: an edge and origin for live video.

  edge                          an origin on port 8079
  edge -proxy_to=HOST:PORT      an edge of that server
  edge -flagfile=FILE           flags from a file, one per line
  edge -c FILE                  settings by vhost, in SRS's syntax
  edge -check -flagfile=FILE    say whether that would start
  edge -h                       the most needed flags; -help has all
  edge -helpmatch=TEXT          the flags with TEXT in their name or topic
"""
_MOST_NEEDED = (
    "port",
    "listen",
    "internal_port",
    "proxy_to",
    "proxy_lb",
    "min_buffering_ms",
    "log_dir",
    "flagfile",
    "vhost_config",
    "publish_auth",
    "check",
    "version",
    "help",
    "helpmatch",
)


def requested_help(flags: FlagValues, version: str) -> str | None:
    """The text that the flags ask for instead of a start, or None."""
    if value_of(flags, "version"):
        return f"edge version {version}\n"
    if value_of(flags, "completion"):
        return completion(value_of(flags, "completion"))
    if value_of(flags, "helpxml"):
        return help_xml()
    if value_of(flags, "helpshort"):
        return help_short()
    if value_of(flags, "helpfull") or value_of(flags, "helppackage"):
        return help_for(lambda definition: True)
    if value_of(flags, "helpon"):
        return help_for(lambda definition: definition.topic == value_of(flags, "helpon"))
    if value_of(flags, "helpmatch"):
        wanted = value_of(flags, "helpmatch")
        return help_for(lambda definition: wanted in definition.name or wanted in definition.topic)
    if value_of(flags, "help"):
        hidden = len(NOT_ACTED_ON)
        more = f"\n{hidden} more flags are accepted and do nothing yet; -helpfull lists them.\n"
        return _USAGE + help_for(lambda definition: definition.name not in NOT_ACTED_ON) + more
    return None


def help_for(is_wanted: Callable[[Definition], bool]) -> str:
    """The wanted flags, under the headings of their topics."""
    parts = []
    for topic, title in TOPICS.items():
        entries = [_entry(each) for each in DEFINITIONS.values() if each.topic == topic and is_wanted(each)]
        if entries:
            parts.append(f"\n{title} ({topic})\n" + "".join(entries))
    return "".join(parts) or f"No flag matches. Topics: {', '.join(TOPICS)}.\n"


def help_short() -> str:
    """Usage and the flags that a first day needs."""
    return _USAGE + "\n" + "".join(_entry(DEFINITIONS[name]) for name in _MOST_NEEDED)


def _entry(definition: Definition) -> str:
    note = " Accepted and not acted on yet." if definition.name in NOT_ACTED_ON else ""
    default = definition.default_text or '""'
    head = f"  -{definition.name}  {definition.kind}, default {default}\n"
    body = textwrap.fill(
        definition.full_help + note, _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6, break_on_hyphens=False
    )
    return f"{head}{body}\n"


def help_xml() -> str:
    """All flags in the elements of gflags' ``AllFlags`` document."""
    from xml.etree import ElementTree  # for this form only

    def add(parent: ElementTree.Element, tag: str, text: str) -> None:
        ElementTree.SubElement(parent, tag).text = text

    root = ElementTree.Element("AllFlags")
    add(root, "program", "edge")
    add(root, "usage", "edge [flags]")
    for definition in DEFINITIONS.values():
        flag = ElementTree.SubElement(root, "flag")
        add(flag, "file", definition.topic)
        add(flag, "name", definition.name)
        add(flag, "meaning", definition.full_help)
        add(flag, "default", definition.default_text)
        add(flag, "current", definition.default_text)
        add(flag, "type", definition.kind)
    ElementTree.indent(root)
    return f'<?xml version="1.0"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def completion(shell: str) -> str:
    """A script that completes flag names in ``bash`` or ``zsh``."""
    words = " ".join(_completed_words(DEFINITIONS.values()))
    if shell == "bash":
        return (
            "# source <(edge -completion=bash)\n"
            "_edge() {\n"
            f'  local words="{words}"\n'
            '  COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))\n'
            "  if [[ ${COMPREPLY[0]} == *= ]]; then compopt -o nospace; fi\n"
            "}\n"
            "complete -o default -F _edge edge\n"
        )
    return (
        "#compdef edge\n"
        "# source <(edge -completion=zsh)\n"
        f"_edge() {{ compadd -S '' -- {words}; _files }}\n"
        "compdef _edge edge\n"
    )


def _completed_words(definitions: Iterable[Definition]) -> list[str]:
    words = []
    for definition in definitions:
        if definition.kind == "bool":
            words += [f"-{definition.name}", f"-no{definition.name}"]
        else:
            words.append(f"-{definition.name}=")
    return sorted(words)
