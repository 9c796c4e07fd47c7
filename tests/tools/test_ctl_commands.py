"""What commands make of answers; against nodes that live they are tried in ``test_ctl.py``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

import pytest

from edge.tools import ctl_commands as commands
from edge.tools.ctl_client import CtlError
from proto.edge.v1 import clients_pb2, streams_pb2, upstreams_pb2, why_pb2


class Answering:
    """A node whose answers the test gives."""

    def __init__(self, *answers: Any) -> None:
        self._answers = iter(answers)
        self.requests: list[Any] = []
        self.streams = self.clients = self.upstreams = self.flags = self.node = self

    def __getattr__(self, name: str) -> str:
        return name

    def call(self, method: str, request: Any) -> Any:
        self.requests.append(type(request).FromString(request.SerializeToString()))
        return next(self._answers)

    def stream(self, method: str, request: Any, within_s: float | None = None) -> Iterator[Any]:
        yield from next(self._answers, ())


def options(**given: Any) -> argparse.Namespace:
    return argparse.Namespace(**{"json": False, "key": "", "limit": 1000, **given})


def node(*answers: Any) -> Any:
    return Answering(*answers)


def test_all_pages_are_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    one = streams_pb2.Stream(key="a", state="live", push_state="retrying", push_error="refused", service="front")
    two = streams_pb2.Stream(key="b\x1b[31m", state="waiting")
    asked = node(
        streams_pb2.ListStreamsResponse(streams=[one], next_page_token="t"),
        streams_pb2.ListStreamsResponse(streams=[two]),
    )
    assert commands.streams(asked, options()) == 0
    assert [request.page_token for request in asked.requests] == ["", "t"]
    head, first, second = capsys.readouterr().out.splitlines()
    assert "service" in head and head.endswith("why") and "push retrying" in first and first.endswith("refused")
    assert second.startswith("b\\x1b[31m")


def test_columns_that_say_nothing_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    commands.streams(node(streams_pb2.ListStreamsResponse(streams=[streams_pb2.Stream(key="a")])), options())
    head, _ = capsys.readouterr().out.splitlines()
    assert "service" not in head and "why" not in head


def test_more_players_than_are_shown_are_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    answer = clients_pb2.ListPlayersResponse(players=[clients_pb2.Player(key="a", age_ms=61_000)], has_more=True)
    commands.players(node(answer), options())
    said = capsys.readouterr().out
    assert "1 min 1 s" in said and said.endswith("... and more than these 1\n")


def test_a_stream_that_is_not_there_is_no_empty_table() -> None:
    none = streams_pb2.ListStreamsResponse()
    with pytest.raises(CtlError, match="no stream live/x") as said:
        commands.streams(node(none), options(key="live/x"))
    assert said.value.exit_code == 1
    with pytest.raises(CtlError, match="no stream live/x"):
        commands.players(node(clients_pb2.ListPlayersResponse(), none), options(key="live/x"))
    there = streams_pb2.ListStreamsResponse(streams=[streams_pb2.Stream(key="_/live/x")])
    assert commands.players(node(clients_pb2.ListPlayersResponse(), there), options(key="live/x")) == 0


def test_sources_of_upstreams_stand_below_them(capsys: pytest.CaptureFixture[str]) -> None:
    answer = upstreams_pb2.ListUpstreamsResponse(
        servers=[upstreams_pb2.UpstreamServer(endpoint="h:1", state="failing", last_error="refused")],
        sources=[upstreams_pb2.UpstreamSource(target="dns://x", state="kept in outage", last_error="no answer")],
    )
    commands.upstreams(node(answer), options())
    said = capsys.readouterr().out
    assert "refused" in said and said.index("dns://x") > said.index("h:1")


@pytest.mark.parametrize(
    ("state", "plays", "code"), [("plays", True, 0), ("does_not_play", False, 1), ("not_known", False, 3)]
)
def test_why_exits_by_what_is_so(state: str, plays: bool, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    def answer() -> Any:
        return node(streams_pb2.WhyStreamResponse(diagnosis=why_pb2.Diagnosis(stream="k", plays=plays, state=state)))

    assert commands.why(answer(), options(stream="k", client="")) == code
    assert capsys.readouterr().out.startswith("k: ")
    assert commands.why(answer(), options(stream="k", client="", json=True)) == code
    assert json.loads(capsys.readouterr().out)["state"] == state


def test_events_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    stream = streams_pb2.Stream(key="k", state="live", publisher="h:1", players=2)
    event = streams_pb2.StreamEvent(kind=streams_pb2.StreamEvent.KIND_CHANGED, stream=stream)
    answers = [streams_pb2.WatchStreamsResponse(events=[event], left_out=3)]
    commands.watch(node(answers), options(interval_ms=1000, seconds=0.001))
    first, second = capsys.readouterr().out.splitlines()
    assert first.split()[1:] == ["changed", "k", "live", "publisher", "h:1", "players", "2"] and "3 more" in second
    commands.watch(node(answers), options(interval_ms=1000, seconds=0.001, json=True))
    assert json.loads(capsys.readouterr().out)["event"] == "changed"
