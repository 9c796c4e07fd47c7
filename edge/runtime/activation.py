"""Listening sockets that a service manager has opened (sd_listen_fds(3)), so that they outlive this process."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.errors import ConfigError
from edge.handover.keys import SocketKey
from edge.net import system
from edge.net.byte_stream import ListeningSocket

_FIRST_FD = 3


@dataclass(frozen=True, slots=True)
class Passed:
    """A descriptor that was passed.

    Attributes:
        name: its ``FileDescriptorName=``, by default that of the unit; "" when none was given.
    """

    fd: int
    name: str


def passed_descriptors(environ: Mapping[str, str], pid: int) -> list[Passed]:
    """Those that are meant for this process; raises ConfigError when what is said of them makes no sense."""
    count_text = environ.get("LISTEN_FDS", "")
    if not count_text or environ.get("LISTEN_PID", str(pid)) != str(pid):
        return []
    if not count_text.isdecimal():
        raise ConfigError(f"LISTEN_FDS={count_text}: not a number")
    count = int(count_text)
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    if len(names) != count:
        names = [""] * count
    return [Passed(_FIRST_FD + place, name) for place, name in enumerate(names[:count])]


def open_passed(passed: Sequence[Passed]) -> list[tuple[ListeningSocket, str]]:
    """Sockets with their names, listening and non-blocking; raises ConfigError for anything that is none of TCP."""
    opened: list[tuple[ListeningSocket, str]] = []
    try:
        for one in passed:
            opened.append((_open(one), one.name))
    except ConfigError:
        for sock, _ in opened:
            sock.close()
        raise
    return opened


def _open(one: Passed) -> ListeningSocket:
    what = f"passed descriptor {one.fd}" + (f" ({one.name})" if one.name else "")
    try:
        found = socket.socket(fileno=one.fd)
    except OSError as error:
        raise ConfigError(f"{what}: {error.strerror}") from error
    if not system.is_listening(found):
        found.close()
        raise ConfigError(f"{what} is no listening TCP socket (ListenStream= with a port)")
    sock = ListeningSocket(found.family, found.detach())
    sock.set_inheritable(False)
    sock.setblocking(False)
    return sock


def take_roles(
    passed: Sequence[tuple[ListeningSocket, str]], wanted: Sequence[SocketKey]
) -> tuple[list[tuple[ListeningSocket, SocketKey]], list[SocketKey]]:
    """Say what each passed socket is for, and what of ``wanted`` is still to be opened.

    A name that is a role decides: then none of that role is opened beside it. Else the port does: it takes the place of
    the wanted one. Raises ConfigError for a socket that is neither.
    """
    roles = {key.role for key in wanted}
    named: set[str] = set()
    left = list(wanted)
    found: list[tuple[ListeningSocket, SocketKey]] = []
    for sock, name in passed:
        host, port = sock.getsockname()[:2]
        if name in roles:
            named.add(name)
            found.append((sock, SocketKey(host, port, name, is_given=True)))
            continue
        key = next((key for key in wanted if key.port == port and port), None)
        if key is None:
            shown = f"[{host}]" if ":" in host else host
            raise ConfigError(
                f"the passed socket {shown}:{port} ({name or 'no name'}) is for nothing: name it "
                f"{' or '.join(sorted(roles))} (FileDescriptorName=), or give its port by a flag"
            )
        left = [each for each in left if each.port != port]
        found.append((sock, key))
    return found, [each for each in left if each.role not in named]
