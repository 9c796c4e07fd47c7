"""``/vhosts``: what each vhost says otherwise than the root, with the place; ``/vhosts/NAME``: one of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.builtin.page import Page, PageContext, Visit, register
from edge.builtin.present import cell
from edge.facts.records import FindingFacts, VhostFacts

#: Vhosts of a page; the rest is counted, and asked for by name.
MAX_VHOSTS = 200
MAX_FINDINGS = 200


@dataclass(frozen=True, slots=True)
class VhostsData:
    """Vhosts, how many there are in all, and what is to be said of the files."""

    vhost_count: int
    finding_count: int
    vhosts: list[VhostFacts]
    findings: list[FindingFacts] = field(default_factory=list)


async def collect(context: PageContext, visit: Visit) -> VhostsData:
    """Return the first vhosts, or the one that the path names or a name of which it is."""
    vhosts, findings = await context.facts.vhosts(), await context.facts.vhost_findings()
    name = visit.path
    if name:
        shown = [each for each in vhosts if name == each.name or name in each.aliases]
        return VhostsData(len(vhosts), len(findings), shown)
    return VhostsData(len(vhosts), len(findings), vhosts[:MAX_VHOSTS], findings[:MAX_FINDINGS])


def text(data: VhostsData) -> str:
    """A paragraph each, in the words of the file."""
    lines = [f"{data.vhost_count} vhosts, {data.finding_count} findings"]
    for vhost in data.vhosts:
        state = "" if vhost.is_enabled else ", off"
        aliases = f", alias {cell(vhost.aliases)}" if vhost.aliases else ""
        older = f", {vhost.older_rules_count} let in by older rules" if vhost.older_rules_count else ""
        head = f"vhost {cell(vhost.name)} ({cell(vhost.where)}): {vhost.stream_count} streams"
        lines += ["", f"{head}{state}{older}{aliases}"]
        lines += [f"    {cell(each)}" for each in (*vhost.settings, *vhost.matches)]
    if len(data.vhosts) > 1 and data.vhost_count > len(data.vhosts):
        lines += ["", f"... and {data.vhost_count - len(data.vhosts)} more: /vhosts/NAME"]
    if data.findings:
        lines += ["", *(f"{cell(each.where)}: {each.level}: {cell(each.message)}" for each in data.findings)]
    return "".join(f"{line}\n" for line in lines)


def _status(data: VhostsData) -> int:
    """404 for a name that no vhost has."""
    return 200 if data.vhosts or not data.vhost_count or data.findings else 404


VHOSTS = register(
    Page(
        "/vhosts",
        "Vhosts",
        collect,
        text,
        template="vhosts.html",
        status=_status,
        has_paths=True,
        about="what each vhost of -vhost_config says otherwise than the root, and what is wrong with the files",
    )
)
