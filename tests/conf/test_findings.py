from __future__ import annotations

from edge.conf.findings import Finding, Findings, Level


def test_only_an_error_keeps_a_server_from_starting() -> None:
    findings = Findings()
    findings.error("a:1", "x")
    findings.warning("a:2", "y")
    findings.note("a:3", "z")
    assert [each.problem.is_warning for each in findings.finish()] == [False, True, True]
    assert [str(each) for each in findings.items] == ["a:1: error: x", "a:2: warning: y", "a:3: note: z"]


def test_what_has_no_effect_is_counted_into_a_line() -> None:
    findings = Findings()
    for where in ("a:1", "a:2"):
        findings.count(findings.host, "daemon", where)
    findings.off_count = 3
    one, other = findings.finish()
    assert str(one) == "a:1: note: about processes and hosts, without effect here: daemon x2"
    assert str(other) == "all files: note: sections that are switched off: 3"


def test_what_does_not_print_is_escaped() -> None:
    assert str(Finding(Level.ERROR, "a:1", "x\ny")) == "a:1: error: x\\ny"
