"""All that is wrong or doubtful about flags, by everybody who knows something of them."""

from __future__ import annotations

from edge.flags.check import check
from edge.flags.gflags import Parsed
from edge.flags.problem import Problem
from edge.runtime.access_check import check_access
from edge.runtime.hook_check import check_hooks
from edge.runtime.http_modules import check_http
from edge.runtime.otlp_extra import check_otlp
from edge.runtime.own_certificates import check_own_certificates
from edge.runtime.targets import LOOKUP_BUDGET_S, check_targets


def findings(parsed: Parsed) -> list[Problem]:
    """What a start finds: contradictions, files, certificates, targets, libraries; may look names up, and blocks."""
    return [
        *check(parsed),
        *check_own_certificates(parsed, LOOKUP_BUDGET_S),
        *check_targets(parsed),
        *check_access(parsed),
        *check_hooks(parsed),
        *check_http(parsed),
        *check_otlp(parsed),
        *_vhost_findings(parsed),
    ]


def _vhost_findings(parsed: Parsed) -> list[Problem]:
    if parsed.vhosts is None:
        return []
    from edge.runtime.vhosts import check_vhosts  # most do without

    return check_vhosts(parsed)
