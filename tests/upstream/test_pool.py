"""Which streams share a connection."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import pytest

from edge.errors import UpstreamTlsError
from edge.net.byte_stream import stream_of
from edge.net.config import TlsConfig
from edge.net.rtmp.client import LinkEnd
from edge.rtmp.config import RtmpConfig
from edge.upstream import pool as pool_module
from edge.upstream.pool import UpstreamPool
from edge.upstream.tls import UpstreamTls
from naming.node import ServerNode

SERVER = ServerNode("10.0.0.1", 1935)


class Connection:
    """An outgoing connection whose upstream answers when the test says so."""

    def __init__(self) -> None:
        self.state = "open"
        self.has_begun = True
        self.link_count = 1
        self.received_bytes = 0
        self.is_multiplexing: bool | None = None
        self.waiting: list[Link] = []
        self.on_settled = None
        self.closed = ""

    def answer(self, is_multiplexing: bool) -> None:
        self.is_multiplexing = is_multiplexing
        self.on_settled(self, True)

    def fail(self) -> None:
        self.state = "closed"
        self.on_settled(self, False)

    def close_gracefully(self, why: str) -> None:
        self.state, self.closed = "closed", why


class Link:
    """Notes where it was put."""

    def __init__(self) -> None:
        self.on: list[Connection] = []
        self.ends: list[tuple[LinkEnd, str]] = []

    def on_connected(self, connection: Connection) -> None:
        self.on.append(connection)

    def on_ended(self, end: LinkEnd, text: str) -> None:
        self.ends.append((end, text))


class Rig:
    """A pool whose connects are made here."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[Connection] = []
        self.asked: list[dict] = []
        self.error: Exception | None = None
        monkeypatch.setattr(pool_module, "start_connect", self._connect)
        self.pool = UpstreamPool(
            SimpleNamespace(),  # type: ignore[arg-type]
            RtmpConfig(rtmp_client_use_simple_handshake=False),
            UpstreamTls(TlsConfig()),
            edge_id="me",
            timeout_ms=500,
        )

    def _connect(self, context, host, port, **options) -> Connection:
        if self.error is not None:
            raise self.error
        self.asked.append({"host": host, "port": port, **options})
        self.made.append(Connection())
        return self.made[-1]

    def acquire(
        self,
        *,
        share: bool = True,
        app: str = "live",
        is_simplified: bool = False,
        is_tls: bool = False,
        server: ServerNode = SERVER,
    ) -> Link:
        link, how = Link(), {"is_simplified": is_simplified, "is_tls": is_tls, "share": share}
        self.pool.acquire(link, server, tc_url=f"rtmp://h/{app}", app=app, **how)
        return link


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(monkeypatch)


def test_further_streams_wait_for_the_first_answer_and_then_share(rig: Rig) -> None:
    first, second = rig.acquire(), rig.acquire()
    assert first.on == rig.made
    assert second.on == []
    rig.made[0].answer(True)
    assert second.on == rig.made
    third = rig.acquire()
    assert third.on == rig.made
    assert rig.pool.connect_count == len(rig.made) == rig.pool.connection_count == 1
    assert rig.asked[0]["edge_id"] == "me"


def test_upstream_that_cannot_share_gets_a_connection_per_stream(rig: Rig) -> None:
    first, second = rig.acquire(), rig.acquire()
    rig.made[0].answer(False)
    assert (first.on, second.on) == ([rig.made[0]], [rig.made[1]])
    assert rig.acquire().on == [rig.made[2]]
    assert rig.acquire(app="other").on == [rig.made[3]]


def test_what_is_known_of_an_endpoint_holds_for_its_other_apps(rig: Rig) -> None:
    rig.acquire()
    rig.made[0].answer(True)
    other, more = rig.acquire(app="other"), rig.acquire(app="other")
    assert other.on == more.on == [rig.made[1]]


@pytest.mark.parametrize(
    "difference",
    [{"app": "b"}, {"is_simplified": True}, {"server": ServerNode("10.0.0.2", 1935)}, {"is_tls": True}],
)
def test_only_streams_that_agree_share(rig: Rig, difference: dict) -> None:
    rig.acquire()
    rig.made[0].answer(True)
    assert rig.acquire(**difference).on == [rig.made[1]]


def test_sharing_may_be_switched_off(rig: Rig) -> None:
    rig.acquire(share=False)
    rig.made[0].answer(True)
    assert rig.acquire(share=False).on == [rig.made[1]]


def test_simplified_streams_do_not_wait(rig: Rig) -> None:
    rig.acquire(is_simplified=True)
    assert rig.acquire(is_simplified=True).on == rig.made


@pytest.mark.parametrize("is_simplified", [False, True])
def test_connection_that_was_answered_can_be_joined_without_a_connect(rig: Rig, is_simplified: bool) -> None:
    def may_join() -> bool:
        return rig.pool.has_shared(SERVER, "rtmp://h/live", "live", is_tls=False, is_simplified=is_simplified)

    assert not may_join()
    rig.acquire(is_simplified=is_simplified)
    assert not may_join()
    rig.made[0].answer(True)
    assert may_join()
    assert not rig.pool.has_shared(SERVER, "rtmp://h/live", "live", is_tls=False, is_simplified=not is_simplified)
    assert not rig.pool.has_shared(SERVER, "rtmp://h/live", "live", is_tls=True, is_simplified=is_simplified)


def test_upstream_that_does_not_know_the_simplified_form_is_asked_in_the_ordinary_one(rig: Rig, caplog) -> None:
    rig.acquire(is_simplified=True)
    rig.pool.distrust(rig.made[0])
    rig.made[0].fail()
    assert "-simplified_rtmp_play" in caplog.text
    rig.acquire(is_simplified=True)
    rig.made[1].answer(False)
    rig.acquire(is_simplified=True)
    assert [asked["is_simplified"] for asked in rig.asked] == [True, False, False]
    rig.made[2].fail()
    rig.acquire(is_simplified=True)
    assert rig.asked[-1]["is_simplified"], "the forms take turns while neither works"


def test_attempt_that_nobody_wants_any_more_says_nothing_of_the_form(rig: Rig) -> None:
    rig.acquire(is_simplified=True)
    rig.made[0].link_count = 0
    rig.made[0].fail()
    rig.acquire(is_simplified=True)
    assert rig.asked[-1]["is_simplified"]


@pytest.mark.parametrize(("has_begun", "forms"), [(True, [False, True, False]), (False, [False] * 3)])
def test_only_what_has_begun_tells_which_handshake_an_upstream_wants(
    rig: Rig, has_begun: bool, forms: list[bool]
) -> None:
    """TCP that is refused, and TLS that fails, say nothing of RTMP."""
    for _ in range(3):
        rig.acquire()
        rig.made[-1].has_begun = has_begun
        rig.made[-1].fail()
    assert [asked["rtmp"].rtmp_client_use_simple_handshake for asked in rig.asked] == forms


def test_simplified_form_is_not_given_up_for_a_failure_of_tls(rig: Rig) -> None:
    rig.acquire(is_simplified=True)
    rig.made[0].has_begun = False
    rig.pool.distrust(rig.made[0])
    rig.made[0].fail()
    rig.acquire(is_simplified=True)
    assert rig.asked[-1]["is_simplified"]


def test_streams_share_tls_with_those_towards_the_same_name(rig: Rig) -> None:
    """A certificate was believed for one name."""
    named = [ServerNode(SERVER.host, SERVER.port, name=name) for name in ("a.test", "b.test", "a.test")]
    for server in named:
        rig.acquire(server=server, is_tls=True)
        rig.made[-1].answer(True)
    assert len(rig.made) == 2
    rig.acquire(server=named[0])
    assert len(rig.made) == 3, "nor is what is sent in the open mixed with it"
    assert [asked["tls"] is None for asked in rig.asked] == [False, False, True]


@pytest.mark.parametrize(("name", "host"), [("a.test", "a.test"), ("", SERVER.host)])
def test_tls_is_for_the_name_of_the_server_or_else_its_address(rig: Rig, name: str, host: str) -> None:
    rig.acquire(server=ServerNode(SERVER.host, SERVER.port, name=name), is_tls=True)
    with socket.socket() as sock:
        wire = rig.asked[0]["tls"](stream_of(sock))
        assert wire._host == host
        wire.close()


def test_tls_that_cannot_be_begun_ends_the_link(rig: Rig) -> None:
    rig.error = UpstreamTlsError("-upstream_ca_file=/absent: No such file or directory")
    words = "upstream_tls: -upstream_ca_file=/absent: No such file or directory"
    assert rig.acquire(is_tls=True).ends == [(LinkEnd.LOST, words)]
    assert rig.pool.connection_count == 0


def test_connection_that_did_not_answer_takes_no_more_streams(rig: Rig) -> None:
    rig.acquire()
    rig.made[0].answer(True)
    rig.pool.distrust(rig.made[0])
    assert rig.acquire().on == [rig.made[1]]
    assert rig.made[0].state == "open"


def test_closed_connections_are_forgotten(rig: Rig) -> None:
    for number in range(500):
        rig.acquire(app=f"app{number}")
        rig.made[-1].answer(True)
        rig.made[-1].state = "closed"
    assert len(rig.pool._shared) <= 65 and len(rig.pool._open) <= 65


def test_U7_broken_connection_is_replaced_by_one(rig: Rig) -> None:
    rig.acquire()
    rig.made[0].answer(True)
    rig.made[0].state = "closed"
    links = [rig.acquire() for _ in range(5)]
    assert len(rig.made) == 2
    assert all(link.on == [rig.made[1]] for link in links)


def test_failed_connect_is_forgotten(rig: Rig) -> None:
    rig.acquire()
    rig.made[0].fail()
    assert rig.acquire().on == [rig.made[1]]


def test_socket_that_cannot_be_made_ends_the_link(rig: Rig) -> None:
    rig.error = OSError(24, "Too many open files")
    assert rig.acquire().ends == [(LinkEnd.LOST, "connect: Too many open files")]


def test_close_ends_all_connections(rig: Rig) -> None:
    rig.acquire(), rig.acquire(share=False)
    rig.pool.close()
    assert [connection.closed for connection in rig.made] == ["shutdown", "shutdown"]
    assert rig.pool.connection_count == 0
