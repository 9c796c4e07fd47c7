"""Other ports for a node that serves: the new ones are open before the old ones are closed.

Whoever is connected through a port that closes stays; only those of whom nobody knows yet what they want are let go.
"""

from __future__ import annotations

from typing import Protocol

from edge.errors import ConfigError
from edge.flags.check import merge_port as merge_port_of
from edge.handover.keys import SocketKey
from edge.net.byte_stream import ListeningSocket
from edge.net.config import NetConfig
from edge.net.listener import Listener, open_socket
from edge.runtime.reload import Prepared
from edge.runtime.settings import Settings

PUBLIC, INTERNAL, MERGE = "public", "internal", "merge"


class Listening(Protocol):
    """A node, as far as its ports are concerned.

    Attributes:
        listeners: in use; the first public one is where clients are sent to.
    """

    settings: Settings
    listeners: list[Listener]
    is_draining: bool

    def listen_on(self, sock: ListeningSocket, role: str) -> None:
        """Serve what comes to ``sock``, and add it to ``listeners``."""
        ...


def ports_of(net: NetConfig) -> tuple[int, ...]:
    """The public ones, ``-port`` first."""
    return (net.port, *net.listen)


def wanted_sockets(settings: Settings) -> list[SocketKey]:
    """What is to be listened on, ``-port`` first."""
    net, upstream = settings.net, settings.upstream
    wanted = [(port, PUBLIC) for port in ports_of(net)]
    if net.internal_port >= 0:
        wanted.append((net.internal_port, INTERNAL))
    merge_port = merge_port_of(upstream.cdn_merge_to, upstream.cdn_merge_port)
    if merge_port is not None:
        wanted.append((merge_port, MERGE))
    return [SocketKey(host, port, role) for port, role in wanted for host in net.bind or ("",)]


class Ports:
    """The part of a node that follows ``-port`` and ``-listen``; the other ports are those of the start."""

    def __init__(self, node: Listening) -> None:
        self._node = node
        self._in_use = ports_of(node.settings.net)

    def prepare(self, new: Settings) -> Prepared:
        """Open the ports that are new; raises ConfigError, with none of them left open, where one cannot be."""
        before, after = self._in_use, ports_of(new.net)
        if before == after:
            return Prepared(lambda: None)
        if self._node.is_draining:
            raise ConfigError("-port: the server is being stopped")
        sockets: list[ListeningSocket] = []

        def give_up() -> None:
            for sock in sockets:
                sock.close()

        try:
            for port in after:
                if port not in before:
                    flag = "port" if port == new.net.port else "listen"
                    sockets += self._opened(flag, port, new.net)
        except ConfigError:
            give_up()
            raise
        return Prepared(lambda: self._take(sockets, before, after), give_up)

    def _opened(self, flag: str, port: int, net: NetConfig) -> list[ListeningSocket]:
        opened: list[ListeningSocket] = []
        try:
            for host in net.bind or ("",):
                opened.append(open_socket(host, port))
        except ConfigError as error:
            for sock in opened:
                sock.close()
            raise ConfigError(f"-{flag}={port}: {error.detail}") from error
        return opened

    def _take(self, sockets: list[ListeningSocket], before: tuple[int, ...], after: tuple[int, ...]) -> None:
        node = self._node
        known = [listener for listener in node.listeners if listener.role == PUBLIC]
        gone = [each for each in known if self._asked_for(each, before) not in after]
        for sock in sockets:
            node.listen_on(sock, PUBLIC)
        for listener in gone:
            node.listeners.remove(listener)
            listener.close()
        self._in_use = after
        # Clients are told the first one: that of -port.
        node.listeners.sort(
            key=lambda each: each.role != PUBLIC or self._asked_for(each, (*before, *after)) != after[0]
        )

    def _asked_for(self, listener: Listener, ports: tuple[int, ...]) -> int:
        """The port of the flags that a listener is there for: 0 for one that the kernel has chosen."""
        return listener.port if listener.port in ports else 0
