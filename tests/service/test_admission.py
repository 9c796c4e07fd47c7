"""Rules are asked in order, the first refusal counts, and each may take its time."""

from __future__ import annotations

import pytest

from edge.hub.key import StreamKey
from edge.service.admission import HIDDEN, LATER, Admission, Answer, Granted, Later, Verdict
from edge.service.refusal import Reason, Refusal
from edge.service.request import ConnectRequest, PlayRequest, PublishRequest
from tests.service.fakes import VIEWER, Door

NO = Refusal(Reason.FORBIDDEN, "no")
OTHER = Refusal(Reason.FORBIDDEN, "nor this")
REQUEST = PlayRequest(VIEWER, Door().name())


class Says:
    """A rule that says what it is made with, at once or when ``later`` is called."""

    def __init__(self, verdict: Verdict | Later, *, said_within: Refusal | bool = False) -> None:
        self.verdict, self.said_within = verdict, said_within
        self.asked = 0
        self.later: Answer | None = None

    def check(self, request: PlayRequest | PublishRequest, later: Answer) -> Verdict | Later:
        self.asked += 1
        self.later = later
        if self.said_within is not False:
            later(self.said_within if isinstance(self.said_within, Refusal) else None)
        return self.verdict

    def check_connect(self, request: ConnectRequest, later: Answer) -> Verdict | Later:
        return self.check(REQUEST, later)

    def say(self, verdict: Verdict) -> None:
        assert self.later is not None
        self.later(verdict)


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


def test_yes_with_terms_names_the_stream_anew_and_of_terms_the_tightest_count() -> None:
    admission, answers = Admission(), []
    later = Says(LATER)
    admission.rules += [Says(Granted("live/hall", query="a=1", lifetime_s=60.0)), later]
    request = PublishRequest(VIEWER, Door().name("b7Qk?token=x", is_play=False))
    asking = admission.ask(request, answers.append)
    assert request.name.key == StreamKey("_", "live", "hall") and request.name.query == "a=1"
    later.say(Granted(lifetime_s=90.0, max_kbps=500))
    assert (answers, asking.is_open) == ([None], False)
    assert (request.lifetime_s, request.max_kbps, request.name.key.stream_name) == (60.0, 500, "hall")


@pytest.mark.parametrize("name", ["live", "live/../x", "../x", "live/", "a?b/c", f"live/{'x' * 600}"])
def test_name_of_a_rule_is_looked_at_like_any_other(name: str) -> None:
    admission, answers = Admission(), []
    admission.rules.append(Says(Granted(name)))
    admission.ask(PublishRequest(VIEWER, Door().name("s")), answers.append)
    assert [answer.reason for answer in answers] == [Reason.BAD_NAME]
    assert admission.refused == {("publish", "bad_name"): 1}


def test_client_that_has_not_said_what_it_wants_is_asked_about_too() -> None:
    admission, answers = Admission(), []
    request = ConnectRequest(VIEWER, "_", "live")
    assert not admission.ask_connect(request, answers.append).is_open
    rule = Says(LATER)
    admission.connect_rules.append(rule)
    assert admission.ask_connect(request, answers.append).is_open
    rule.say(NO)
    assert answers == [None, NO] and admission.refused == {("connect", "forbidden"): 1}


@pytest.mark.parametrize(("app", "reason"), [("studio", None), ("a/b", Reason.BAD_NAME), ("..", Reason.BAD_NAME)])
def test_client_may_be_given_another_app(app: str, reason: Reason | None) -> None:
    admission, answers = Admission(), list[Refusal | None]()
    request = ConnectRequest(VIEWER, "_", "live")
    admission.connect_rules.append(Says(Granted(name=app)))
    admission.ask_connect(request, answers.append)
    (answer,) = answers
    assert (answer.reason if answer is not None else None) is reason
    assert request.app == (app if reason is None else "live")


def test_name_that_may_be_a_secret_is_shown_once_a_rule_has_said_that_it_is_none() -> None:
    admission = Admission()
    request = PublishRequest(VIEWER, Door().name("b7Qk"))
    assert admission.key_of(request).stream_name == "b7Qk"
    admission.hides = lambda request: isinstance(request, PublishRequest)
    assert admission.key_of(request).stream_name == HIDDEN and admission.key_of(REQUEST).stream_name == "s"
    admission.rules.append(Says(Granted("live/hall")))
    admission.ask(request, lambda _: None)
    assert admission.key_of(request).stream_name == "hall"
