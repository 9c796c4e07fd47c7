"""What the gates cost: the requests that are measured get the answers that they should."""

from __future__ import annotations

from bench.gates import admission_of, cases, line
from edge.service.refusal import Refusal


def test_what_is_measured_is_what_it_says() -> None:
    for name, (config, make) in cases().items():
        answers: list[Refusal | None] = []
        request = make()
        admission = admission_of(config)
        admission.ask(request, answers.append)
        assert (answers == [None]) is (name != "signed URL, wrong"), (name, answers)
        assert bool(admission.rules) is (name != "nothing is asked")
        assert name != "secret key" or request.name.key.stream_name == "hall"


def test_goal_is_for_signatures() -> None:
    assert line("signed URL, edge", 12.0, 1.0).endswith("goal 15: met")
    assert line("signed URL, edge", 17.0, 1.0).endswith("not met")
    assert "goal" not in line("page", 17.0, 1.0)
