"""What wakes an operator: each warning of the program is known here, and comes once a minute for each cause."""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.errors import RemoteProtocolError
from edge.net.counters import Counters
from edge.runtime.alarms import OncePerMinute, cause_of

ROOT = Path(__file__).resolve().parents[2]

# What an operator would want to be woken for, and where the program says so: file and function.
WAKES = {
    "an upstream server is down": ("edge/upstream/health_check.py", "_end"),
    "a pull or push does not get through": ("edge/upstream/link.py", "_log_end"),
    "a stream is given up": ("edge/upstream/manager.py", "pull_gave_up"),
    "a publish is given up": ("edge/upstream/manager.py", "push_gave_up"),
    "an upstream refuses what players bring": ("edge/upstream/manager.py", "query_refused"),
    "there are no servers": ("edge/upstream/manager.py", "start"),
    "servers of a list get nothing": ("edge/upstream/target.py", "_tell_left_out"),
    "a server has no usable weight": ("lb/p2c.py", "_weight"),
    "a naming service is out": ("naming/watcher.py", "note"),
    "a naming service can never work": ("naming/watcher.py", "_run"),
    "a naming service has no servers": ("naming/watcher.py", "apply"),
    "a naming service is silent at start": ("naming/watcher.py", "start"),
    "an upstream speaks another form": ("edge/upstream/pool.py", "_take_ordinary_form"),
    "certificates towards upstreams cannot be read": ("edge/upstream/tls.py", "_now"),
    "a certificate is near its end": ("edge/net/certificates.py", "warn_of_dates"),
    "a certificate cannot be read again": ("edge/net/certificates.py", "_load"),
    "the disk takes no HLS": ("edge/hls_disk/reports.py", "failed"),
    "the disk has not taken all HLS at the end": ("edge/hls_disk/writer.py", "wait_closed"),
    "HLS files have no place for a codec": ("edge/hls_disk/recorder.py", "_tell_of_codecs"),
    "descriptors are exhausted": ("edge/net/listener.py", "_pause"),
    "connections are too many": ("edge/net/listener.py", "_refuse"),
    "a connection breaks as it comes": ("edge/net/listener.py", "_take_in"),
    "there is too much to do": ("edge/runtime/overload.py", "_enter"),
    "the process stood still": ("edge/runtime/node.py", "_on_tick"),
    "fewer connections than configured": ("edge/runtime/descriptors.py", "connection_cap"),
    "a publisher was replaced": ("edge/service/service.py", "_tell_replaced"),
    "a publisher was refused": ("edge/net/rtmp/server.py", "_refuse_publish"),
    "players are too slow, and other faults of peers": ("edge/net/counters.py", "report"),
    "the loop stalls": ("edge/runtime/loop.py", "_fired"),
    "the wall clock was set": ("edge/runtime/loop.py", "look"),
    "a port is taken, or another start fails": ("edge/runtime/daemon.py", "_serve"),
    "an upgrade has failed, which changes nothing": ("edge/runtime/upgrade.py", "_tell_failed"),
    "the new process of an upgrade has failed": ("edge/runtime/taking.py", "take_over"),
    "another server has the pid file": ("edge/runtime/daemon.py", "run"),
    "the pid file cannot be written": ("edge/runtime/pid_file.py", "acquire"),
    "nor removed": ("edge/runtime/pid_file.py", "release"),
    "who orders an upgrade waits for descriptors": ("edge/runtime/upgrade_socket.py", "_accept"),
    "the next upgrade cannot be ordered": ("edge/runtime/daemon.py", "_hear_of_upgrades"),
    "the port file cannot be written": ("edge/runtime/pid_file.py", "write"),
    "neither can that be removed": ("edge/runtime/pid_file.py", "remove"),
    "the service manager has no usable address": ("edge/runtime/service_manager.py", "_address_of"),
    "the service manager cannot be told": ("edge/runtime/service_manager.py", "_tell"),
    "it is told to stop at once": ("edge/runtime/daemon.py", "on_stop"),
    "somebody kicks a client or ends a stream": ("edge/runtime/orders.py", "carry_out"),
    "somebody changes a flag": ("edge/runtime/reload.py", "_apply"),
    "a file of flags has faults": ("edge/runtime/reload.py", "_refuse"),
    "a file of flags is doubtful": ("edge/runtime/reload.py", "_warn"),
    "the naming of siblings is silent": ("naming/base_urls.py", "_tell"),
    "no viewer is sent to a sibling": ("edge/httpd/siblings.py", "_ask"),
    "flags are doubtful": ("edge/runtime/main.py", "_start"),
    "spans do not reach their collector": ("edge/runtime/otlp.py", "_warn"),
    "media of HLS go out late": ("edge/httpd/hls_delivery.py", "_look"),
    "many viewers stall": ("edge/runtime/viewers.py", "_look_for_stalls"),
    "a vhost has no upstream": ("edge/runtime/unit.py", "_new_target"),
    "another node's HLS cannot be had": ("edge/httpd/hls_fleet.py", "_fill"),
    "anybody may publish": ("edge/runtime/access.py", "tell_open_door"),
    "keys or users cannot be read again": ("edge/runtime/access.py", "read_again"),
    "a node of ours may not play here": ("edge/net/rtmp/server.py", "_on_play_answer"),
    "keys of tokens cannot be got": ("edge/runtime/jwt_fetch.py", "_warn"),
    "somebody guesses": ("edge/access/guessing.py", "failed"),
    "and comes in great number": ("edge/net/floods.py", "_drop"),
    "a hook does not answer": ("edge/hooks/figures.py", "_say"),
    "a hook is left alone": ("edge/hooks/judge.py", "_ask_one"),
    "hooks cannot be called at all": ("edge/runtime/hooks.py", "_load"),
    "secrets of hooks cannot be read again": ("edge/runtime/hooks.py", "read_again"),
    "a hook's session is not known to the next process": ("edge/hooks/desk.py", "_resume"),
    "a hook's connection is not known either": ("edge/hooks/desk.py", "resume_client"),
    "a hook wants what is not done": ("edge/hooks/desk.py", "_act_on"),
    "a hook was not told all at the end": ("edge/hooks/teller.py", "drain"),
}


def calls() -> Iterator[tuple[str, str, str]]:
    """File, function and level of all that is logged with severity WARNING or above."""
    for path in sorted(path for package in ("edge", "naming", "lb") for path in (ROOT / package).rglob("*.py")):
        if path.name in ("logs.py", "alarms.py") or "tools" in path.parts:
            continue
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in _own_nodes(function):
                    level = _level(node)
                    if level:
                        yield path.relative_to(ROOT).as_posix(), function.name, level


def _own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from _own_nodes(child)


def _level(node: ast.AST) -> str:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        receiver = ast.unparse(node.func.value)
        if node.func.attr in ("warning", "error", "critical", "exception") and receiver.lstrip("_") in (
            "logger",
            "log",
        ):
            return node.func.attr
    if isinstance(node, ast.Attribute) and ast.unparse(node) in ("logging.WARNING", "logging.ERROR"):
        return node.attr.lower()
    return ""


def test_each_warning_is_about_something_that_an_operator_sees_to() -> None:
    """An exception of ours is always one; the others stand in the table, and all of the table is there."""
    found = {(path, function) for path, function, level in calls() if level in ("warning", "error")}
    ours = {("edge/net/aio.py", "_done"), ("edge/httpd/connection.py", "handle_error")}  # exceptions, as errors
    assert found - ours == set(WAKES.values())


def record(text: str = "upstream %s is down", *, where: str = "a.py", cause: str = "") -> logging.LogRecord:
    made = logging.LogRecord("edge", logging.WARNING, where, 1, text, ("h:1",), None)
    if cause:
        made.cause = cause
    return made


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize("what", sorted(WAKES))
def test_each_of_them_wakes_once_a_minute_however_often_it_happens(what: str) -> None:
    path, function = WAKES[what]
    clock = Clock()
    once = OncePerMinute(clock)
    written = []
    for number in range(1800):  # ten a second for three minutes
        clock.now_s = 1000.0 + number / 10
        made = record(f"{function} %s", where=path)
        assert once.filter(made)
        if made.levelno >= logging.WARNING:
            written.append((number, made.getMessage()))
    assert written == [
        (0, f"{function} h:1"),
        (600, f"{function} h:1 (599 more since the last warning)"),
        (1200, f"{function} h:1 (599 more since the last warning)"),
    ]


def test_causes_do_not_keep_each_other_back() -> None:
    once = OncePerMinute(Clock())
    others = [record(cause="h:1"), record(cause="h:2"), record("another %s"), record(where="b.py")]
    assert all(map(once.filter, others))
    assert {made.levelno for made in others} == {logging.WARNING}
    again = record(cause="h:1")
    assert once.filter(again)
    assert (again.levelno, again.levelname) == (logging.INFO, "INFO")


def test_where_no_information_is_logged_the_others_are_left_out() -> None:
    once = OncePerMinute(Clock(), is_info_logged=False)
    assert [once.filter(record()) for _ in range(3)] == [True, False, False]


def test_information_is_never_kept_back() -> None:
    once = OncePerMinute(Clock(), is_info_logged=False)
    made = record()
    made.levelno = logging.INFO
    assert all(once.filter(made) for _ in range(100))


def test_exceptions_are_told_apart_by_kind_and_place() -> None:
    def fail(error: Exception) -> logging.LogRecord:
        try:
            raise error
        except Exception as caught:
            made = record("failed")
            made.args = ()
            made.exc_info = (type(caught), caught, caught.__traceback__)
            return made

    first, second, same = fail(ValueError("x")), fail(KeyError("x")), fail(ValueError("y"))
    assert cause_of(first) != cause_of(second)
    assert cause_of(first) == cause_of(same)


def test_a_percent_sign_in_a_line_that_was_kept_back_is_written_as_it_is() -> None:
    clock = Clock()
    once = OncePerMinute(clock)
    assert once.filter(record("%s is 90%% full"))
    assert once.filter(record("%s is 90%% full"))
    clock.now_s += 60
    made = record("%s is 90%% full")
    assert once.filter(made)
    assert made.getMessage() == "h:1 is 90% full (1 more since the last warning)"


def test_causes_that_a_peer_invents_do_not_pile_up() -> None:
    once = OncePerMinute(Clock())
    for number in range(5000):
        assert once.filter(record(cause=str(number)))
    assert len(once._told) <= 1024


def test_peers_faults_of_a_kind_are_one_line_and_another_kind_has_its_own(caplog: pytest.LogCaptureFixture) -> None:
    """Through what counts them: a thousand slow players, among them one that breaks a rule."""
    now_ms, clock = [0], Clock()
    counters, once = Counters(lambda: now_ms[0]), OncePerMinute(clock, is_info_logged=False)
    logger = logging.getLogger("edge.net.counters")
    logger.addFilter(once)
    try:
        for number in range(1000):
            now_ms[0] = number * 100
            clock.now_s = 1000 + number / 100
            counters.report(RemoteProtocolError("is behind", reason="slow_player"), f"[c{number}]")
            if number == 500:
                counters.report(RemoteProtocolError("is odd", reason="chunk"), "[c500]")
    finally:
        logger.removeFilter(once)
    assert caplog.messages == ["[c0] reason=slow_player is behind", "[c500] reason=chunk is odd"]
    assert counters["error_slow_player_count"] == 1000
