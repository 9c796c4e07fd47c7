from __future__ import annotations

import json
from dataclasses import dataclass

from edge.facts.rows import plain, row_of, rows_of
from tests.builtin import sample


@dataclass(frozen=True)
class Outer:
    inner: object
    items: tuple[object, ...]
    named: dict[str, object]


def test_rare_fields_are_left_out_where_they_say_nothing() -> None:
    row = row_of(sample.stream())
    assert "push_state" not in row and "pull_error" not in row
    pushed = row_of(sample.stream(push_state="live", push_error=""))
    assert (pushed["push_state"], pushed["push_error"]) == ("live", "")
    assert row_of(sample.server())["last_error_age_s"] is None


def test_order_is_that_of_the_fields() -> None:
    names = list(row_of(sample.stream(push_state="live")))
    assert names[:6] == ["key", "vhost", "app", "stream", "is_forwarded", "service"]
    assert names.index("push_state") < names.index("publisher")


def test_records_within_are_rows() -> None:
    server = sample.server()
    row = row_of(Outer(server, (server, 1), {"a": server}))
    assert row["inner"] == row["items"][0] == row["named"]["a"] == row_of(server)
    assert json.loads(json.dumps(row)) == row
    assert rows_of([server]) == [row_of(server)]
    assert plain("text") == "text"
