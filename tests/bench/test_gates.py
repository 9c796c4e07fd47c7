"""What the gates cost: the requests that are measured get the answers that they should."""

from __future__ import annotations

import pytest

from bench.gates import admission_of, cases, line
from edge.access import jwt
from edge.service.refusal import Refusal


def test_what_is_measured_is_what_it_says() -> None:
    for name, (config, make) in cases().items():
        answers: list[Refusal | None] = []
        request = make()
        admission = admission_of(config, are_known=not name.startswith("token, new"))
        admission.ask(request, answers.append)
        is_wrong = name in ("signed URL, wrong", "token, wrong, RS256", "token, not ours")
        assert (answers == [None]) is not is_wrong, (name, answers)
        assert bool(admission.rules) is (name != "nothing is asked")
        assert name != "secret key" or request.name.key.stream_name == "hall"


def test_new_token_is_looked_at_each_time_and_a_known_one_once(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    whole = jwt._verified
    monkeypatch.setattr(jwt, "_verified", lambda token, key: checked.append(token) or whole(token, key))
    for name, are_known, count in (("token, known", True, 1), ("token, new, RS256", False, 3)):
        config, make = cases()[name]
        admission = admission_of(config, are_known=are_known)
        checked.clear()
        for _ in range(3):
            admission.ask(make(), lambda _: None)
        assert len(checked) == count


def test_goal_is_for_signatures() -> None:
    assert line("signed URL, edge", 12.0, 1.0).endswith("goal 15: met")
    assert line("signed URL, edge", 17.0, 1.0).endswith("not met")
    assert line("token, known", 12.0, 1.0).endswith("goal 15: met")
    assert "goal" not in line("page", 17.0, 1.0) + line("token, new, RS256", 170.0, 1.0)
