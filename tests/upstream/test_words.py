from __future__ import annotations

import pytest

from edge.upstream.words import PUBLISHER_GONE, meaning_for_player, told


@pytest.mark.parametrize(
    ("why", "last_error", "text"),
    [
        ("never_useful", "x NotFound no server: y", "no server: y"),
        ("never_useful", "never_useful: y", "no server: never_useful: y"),
        ("proxy_loop", "Rejected proxy_loop: seen", "proxy_loop: seen"),
        ("proxy_loop", "redirected in a circle", "proxy_loop: redirected in a circle"),
        ("Kicked", "BadName Kicked: Replaced", "Kicked: Replaced"),
    ],
)
def test_words_by_which_nodes_know_a_refusal_again_stay(why: str, last_error: str, text: str) -> None:
    assert told(why, "no server", last_error) == text


@pytest.mark.parametrize(
    ("why", "was_live", "was_refused", "text"),
    [
        (PUBLISHER_GONE, True, False, "the publisher has left"),
        ("retry_expired", True, True, "the upstream was lost"),
        ("never_useful", False, True, "no server has the stream"),
        ("never_useful", False, False, "no server could give the stream"),
    ],
)
def test_what_it_means_for_a_player(why: str, was_live: bool, was_refused: bool, text: str) -> None:
    assert meaning_for_player(why, was_live=was_live, was_refused=was_refused) == text
