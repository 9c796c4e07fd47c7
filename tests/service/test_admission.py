"""Rules are asked in order, the first refusal counts, and each may take its time."""

from __future__ import annotations

import pytest

from edge.service.admission import LATER, Admission, Answer, Later
from edge.service.refusal import Reason, Refusal
from edge.service.request import PlayRequest, PublishRequest
from tests.service.fakes import VIEWER, Door

NO = Refusal(Reason.FORBIDDEN, "no")
OTHER = Refusal(Reason.FORBIDDEN, "nor this")
REQUEST = PlayRequest(VIEWER, Door().name())


class Says:
    """A rule that says what it is made with, at once or when ``later`` is called."""

    def __init__(self, verdict: Refusal | Later | None, *, said_within: Refusal | bool = False) -> None:
        self.verdict, self.said_within = verdict, said_within
        self.asked = 0
        self.later: Answer | None = None

    def check(self, request: PlayRequest | PublishRequest, later: Answer) -> Refusal | Later | None:
        self.asked += 1
        self.later = later
        if self.said_within is not False:
            later(self.said_within if isinstance(self.said_within, Refusal) else None)
        return self.verdict

    def say(self, refusal: Refusal | None) -> None:
        assert self.later is not None
        self.later(refusal)


def ask(*rules: Says):
    admission, answers = Admission(), []
    admission.rules += rules
    return admission.ask(REQUEST, answers.append), answers


@pytest.mark.parametrize(
    ("verdicts", "wanted"), [((), None), ((None, None), None), ((None, NO, OTHER), NO), ((OTHER, LATER), OTHER)]
)
def test_first_refusal_counts_and_nobody_is_asked_after_it(verdicts: tuple, wanted: Refusal | None) -> None:
    rules = [Says(verdict) for verdict in verdicts]
    asking, answers = ask(*rules)
    assert (answers, asking.is_open) == ([wanted], False)
    assert sum(rule.asked for rule in rules) == (verdicts.index(wanted) + 1 if wanted else len(rules))


@pytest.mark.parametrize("refusal", [None, NO])
def test_rule_that_waits_is_answered_once_and_the_next_is_asked_then(refusal: Refusal | None) -> None:
    first, second = Says(LATER), Says(LATER)
    asking, answers = ask(first, second)
    assert (answers, asking.is_open, second.asked) == ([], True, 0)
    first.say(refusal)
    assert second.asked == (refusal is None)
    first.say(OTHER)
    if refusal is None:
        assert answers == []
        second.say(None)
    assert (answers, asking.is_open) == ([refusal], False)
    for rule in (first, second) if refusal is None else (first,):
        rule.say(OTHER)
    assert answers == [refusal]


@pytest.mark.parametrize("said", [True, NO])
def test_rule_may_call_within_the_question(said: Refusal | bool) -> None:
    second = Says(None)
    asking, answers = ask(Says(LATER, said_within=said), second)
    assert (answers, asking.is_open) == ([NO if said is NO else None], False)
    assert second.asked == (said is not NO)


@pytest.mark.parametrize("is_late", [False, True])
def test_rule_that_fails_lets_nobody_in_and_harms_nobody_else(is_late: bool) -> None:
    class Fails(Says):
        def check(self, request: PlayRequest | PublishRequest, later: Answer) -> Refusal | Later | None:
            raise ValueError("a fault of ours")

    first, last = Says(LATER if is_late else None), Says(None)
    asking, answers = ask(first, Fails(None), last)
    if is_late:
        first.say(None)
    assert [answer.reason for answer in answers] == [Reason.RULE_FAILED]
    assert (last.asked, asking.is_open) == (0, False)


def test_what_is_said_after_it_was_withdrawn_is_of_no_interest() -> None:
    first, second = Says(LATER), Says(None)
    asking, answers = ask(first, second)
    asking.cancel()
    first.say(None)
    assert (answers, second.asked) == ([], 0)
