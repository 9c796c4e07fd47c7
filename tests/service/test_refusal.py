"""What is said of a no: of a gate its word alone, of all others the reason."""

from __future__ import annotations

import pytest

from edge.service.refusal import WORDS, Reason, Refusal


@pytest.mark.parametrize("reason", list(Reason))
def test_client_of_a_gate_hears_nothing_of_how_wrong_it_was(reason: Reason) -> None:
    refusal = Refusal(reason, "expected 70dbd880, got 70dbd881")
    assert refusal.is_of_a_gate is (reason in WORDS)
    assert refusal.told == (WORDS[reason] if refusal.is_of_a_gate else refusal.detail)


def test_words_meant_for_the_client_follow() -> None:
    assert Refusal(Reason.HOOK_DENIED, "code 3", said="no credit left").told == "HookDenied: no credit left"


def test_values_differ_and_are_words_for_counters() -> None:
    assert all(reason.value.replace("_", "").isalpha() for reason in Reason)
