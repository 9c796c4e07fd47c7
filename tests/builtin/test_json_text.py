"""JSON in pieces is the same JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from edge.builtin.json_text import json_pieces
from edge.facts.rows import row_of
from tests.builtin import sample


@dataclass(frozen=True)
class Held:
    """Anything."""

    value: Any
    more: dict[str, Any] = field(default_factory=dict)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"a": 1.5, "b": (sample.EVIL, None, True)},
        list(range(60)),
        [[], *([number] for number in range(60))],
        {f"{sample.EVIL}{number}": "\n\u00e9" for number in range(60)},
        [Held([sample.stream(str(number)) for number in range(60)]), Held([])],
        [sample.server(streams=tuple(map(str, range(60)))), sample.service(), sample.service(service="front")],
    ],
)
def test_pieces_together_are_what_one_call_gives(value: Any) -> None:
    data = Held(value, {"last": 1})
    expected = json.dumps(row_of(data), ensure_ascii=False, default=str, indent=1) + "\n"
    assert "".join(json_pieces(data)) == expected


def test_a_list_of_many_is_no_one_piece() -> None:
    pieces = list(json_pieces(Held([sample.stream(str(number)) for number in range(200)])))
    assert len(pieces) > 400
    assert max(map(len, pieces)) < 2000
