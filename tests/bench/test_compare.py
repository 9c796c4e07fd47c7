"""Two versions beside each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.compare import Checkout, chosen_plans, main, verdict
from bench.servers import Edge


def test_ratio_is_that_of_the_medians() -> None:
    line = verdict("ingest", [10.0, 30.0, 11.0], [10.0, 9.0, 10.0])
    assert line == "ingest: here 11.0 %, other 10.0 % of a core, ratio 1.100 (runs 10.0-30.0 and 9.0-10.0)"


def test_plans_are_of_one_step_without_nginx() -> None:
    plans = chosen_plans(["fanout", "churn"])
    assert [(plan.scenario, plan.steps, plan.has_nginx) for plan in plans] == [
        ("fanout", (1800,), False),
        ("churn", (), False),
    ]


def test_other_checkout_runs_in_its_own_folder_by_the_same_python(tmp_path: Path) -> None:
    here, other = Edge().command(1, ["-x"], tmp_path), Checkout(tmp_path).command(1, ["-x"], tmp_path)
    assert other == ["env", "-C", str(tmp_path), *here]


def test_unknown_scenario_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--only", "fanot"])
    assert "unknown scenario fanot" in capsys.readouterr().err
