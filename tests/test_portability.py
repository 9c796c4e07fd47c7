"""What one system has and another lacks is used by one module."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_structure import parse, relative, sources

OWNER = "edge/net/system.py"

# Modules whose contents differ from system to system.
MODULES = frozenset({"fcntl", "ioctl", "resource", "select", "selectors", "termios"})
# Options of sockets that Linux and macOS have, by the same name and to the same effect.
OPTIONS = frozenset(
    {"SO_ERROR", "SO_KEEPALIVE", "SO_LINGER", "SO_RCVBUF", "SO_RCVLOWAT", "SO_REUSEADDR", "SO_SNDBUF"}
    | {"IPV6_V6ONLY", "TCP_NODELAY"}
)
NAMES = re.compile(
    r"epoll|epoll_\w+|EPOLL\w*|kqueue|kevent|KQ_\w+|inotify(?:_init1?|_add_watch|_rm_watch)?"
    r"|TCP_(?!NODELAY$)[A-Z]\w*|SIOC\w+|SO_(?:NWRITE|PEERCRED|PASSCRED|MARK|PRIORITY|BINDTODEVICE|INCOMING_CPU|REUSEPORT)"
    r"|MSG_(?!PEEK$)[A-Z]\w*|SOCK_(?:CLOEXEC|NONBLOCK)|AF_(?:ALG|NETLINK|PACKET|VSOCK)"
    r"|accept4|eventfd\w*|memfd_create|pidfd_\w+|pipe2|posix_fadvise|prlimit|sched_\w+|sendfile|setns|splice|unshare"
    r"|getrusage|F_(?:GET|SET)PIPE_SZ|F_ADD_SEALS|RLIMIT_\w+"
)
PLACES = re.compile(r"/(?:proc|sys|dev/shm)(?:/|$)")


def uses(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield ``(line, what)`` for all that is not the same everywhere; prose is left alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            if node.module in MODULES:
                yield node.lineno, node.module
            yield from ((node.lineno, alias.name) for alias in node.names if NAMES.fullmatch(alias.name))
        elif isinstance(node, ast.Attribute):
            name = ast.unparse(node)
            if NAMES.fullmatch(node.attr) or name in ("sys.platform", "os.uname", "platform.system"):
                yield node.lineno, name
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if NAMES.fullmatch(node.value) or PLACES.match(node.value):
                yield node.lineno, repr(node.value)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".setsockopt", ".getsockopt")):
            option = node.args[1]
            if not (isinstance(option, ast.Attribute) and option.attr in OPTIONS):
                yield node.lineno, ast.unparse(node)


@pytest.mark.parametrize(
    "text",
    [
        "import select",
        "from fcntl import ioctl",
        "select.epoll()",
        "getattr(select, 'epoll')",
        "sock.setsockopt(6, 25, 1)",
        "sock.getsockopt(socket.IPPROTO_TCP, NUMBER)",
        "socket.TCP_KEEPIDLE",
        "from socket import TCP_INFO",
        "sock.recv(1, socket.MSG_MORE)",
        "open('/proc/self/status')",
        "sys.platform",
        "os.sched_getaffinity(0)",
    ],
)
def test_each_kind_is_found(text: str) -> None:
    assert list(uses(ast.parse(text)))


def test_what_all_systems_have_is_let_through() -> None:
    text = (
        "sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1); sock.recv(1, socket.MSG_PEEK); "
        "self._poll(); '/processed'; '/system/x'"
    )
    assert list(uses(ast.parse(text))) == []


def test_one_module_knows_that_systems_differ() -> None:
    found = [(path, line, what) for path in sources() for line, what in uses(parse(path))]
    assert any(relative(path) == OWNER for path, _, _ in found)
    faults = [f"{relative(path)}:{line} {what}" for path, line, what in found if relative(path) != OWNER]
    assert not faults, "it belongs into edge/net/system.py, with what stands in for it:\n" + "\n".join(faults)


def test_the_module_knows_nothing_else() -> None:
    imported = {
        node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(parse(Path(__file__).parents[1] / OWNER))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert not [name for name in imported if name.startswith(("edge", "naming", "lb"))]
