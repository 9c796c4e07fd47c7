from __future__ import annotations

from edge.conf.findings import MAX_OF_A_LEVEL, Finding, Findings, Level


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


def test_a_file_of_nothing_but_faults_is_told_in_part_and_counted() -> None:
    findings = Findings()
    for number in range(MAX_OF_A_LEVEL + 7):
        assert findings.may_look_for_names is (number < 20)
        findings.error(f"a:{number}", "x")
    findings.warning("a:1", "y")
    *_, warning, last = findings.finish()
    assert (warning.level, str(last)) == (Level.WARNING, "all files: error: 7 more of this kind")
    assert len(findings.items) == MAX_OF_A_LEVEL + 2
