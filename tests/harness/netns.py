"""A network of namespaces that a test may break: real links, real TCP time-outs.

Every host is a network namespace with one interface, wired by a veth pair to a
bridge; the test itself stays outside and has an address on the same bridge. The
bridge lives in a namespace of its own, out of reach of the machine's firewall.

Two ways to break it. An unplugged host has no carrier. Or a host holds a false
hardware address for another one: its link stays up, and what it sends there
reaches nobody, in this direction only.

Names hold the id of the process that made them. What a crashed run has left
is removed, with the programs in it, before the next network is made.
"""

from __future__ import annotations

import functools
import ipaddress
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from tests.harness.clock import deadline

_PREFIX = "edgetest"
_NAME = re.compile(rf"{_PREFIX}-(\d+)-\d+-\w+")
_SWITCH = "switch"
_NAMES = Path("/run/netns")
# Set aside for tests of networks (RFC 2544 §C.2.2), so that nothing else has it.
_RANGE = ipaddress.ip_network("198.18.0.0/15")
_OTHER_ADDRESSES = re.compile(r"\binet (\S+)")
# Locally administered, and nobody's.
_FALSE_LINK_ADDRESS = "02:00:00:00:00:01"
_COMMAND_S = 10.0
_SERIAL = itertools.count()


class NetnsError(Exception):
    """``ip`` is not there, refused or took too long; the text is what it said."""


class Network:
    """Hosts by name, each a namespace with the interface ``eth0``. Its methods block for milliseconds.

    Args:
        hosts: their names; letters and digits, at most 15 characters.
    """

    def __init__(self, *hosts: str) -> None:
        serial = next(_SERIAL)
        self._names = {host: f"{_PREFIX}-{os.getpid()}-{serial}-{host}" for host in (_SWITCH, *hosts)}
        self._outside = f"edge{os.getpid()}.{serial}"
        self._addresses: dict[str, str] = {}

    @property
    def hosts(self) -> list[str]:
        """Their names."""
        return [host for host in self._names if host != _SWITCH]

    def address(self, host: str) -> str:
        """IPv4 address, for the other hosts and the test alike."""
        return self._addresses[host]

    def launcher(self, host: str) -> tuple[str, ...]:
        """What to put before a command to run it there. It becomes the command: the process id stays."""
        return ("nsenter", f"--net={_NAMES / self._names[host]}", "--")

    def start(self) -> None:
        """Make all of it, after what dead runs have left is removed. Raises :class:`NetnsError`."""
        remove_leftovers()
        subnet = _free_subnet()
        own, *others = itertools.islice(subnet.hosts(), len(self.hosts) + 1)
        self._addresses = dict(zip(self.hosts, map(str, others), strict=True))
        switch = self._names[_SWITCH]
        try:
            _ip(f"netns add {name}" for name in self._names.values())
            _ip([f"link add {self._outside} type veth peer name outside netns {switch}"])
            _ip(
                f"link add eth0 netns {self._names[host]} type veth peer name {host} netns {switch}"
                for host in self.hosts
            )
            ports = ("outside", *self.hosts)
            self._ip_in(_SWITCH, ["link add bridge type bridge", "link set dev bridge up"])
            self._ip_in(_SWITCH, [f"link set dev {port} master bridge up" for port in ports])
            for host, address in self._addresses.items():
                up = [
                    "link set dev lo up",
                    f"address add {address}/{subnet.prefixlen} dev eth0",
                    "link set dev eth0 up",
                ]
                self._ip_in(host, up)
            _ip([f"address add {own}/{subnet.prefixlen} dev {self._outside}", f"link set dev {self._outside} up"])
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Remove all of it, and end what still runs there. Does nothing the second time."""
        if (Path("/sys/class/net") / self._outside).exists():
            _ip([f"link del dev {self._outside}"])
        _remove(name for name in self._names.values() if (_NAMES / name).exists())

    def __enter__(self) -> Network:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def unplug(self, host: str) -> None:
        """Take its carrier away; the test does not reach it either."""
        self._ip_in(_SWITCH, [f"link set dev {host} down"])

    def plug(self, host: str) -> None:
        """Undo :meth:`unplug`."""
        self._ip_in(_SWITCH, [f"link set dev {host} up"])

    def lose(self, sender: str, receivers: Iterable[str]) -> None:
        """Lose without a sign what one host sends to others. What they send to it arrives."""
        entry = f"lladdr {_FALSE_LINK_ADDRESS} dev eth0 nud permanent"
        self._ip_in(sender, [f"neigh replace {self.address(receiver)} {entry}" for receiver in receivers])

    def deliver(self, sender: str, receivers: Iterable[str]) -> None:
        """Undo :meth:`lose`, which must have been called for just these."""
        self._ip_in(sender, [f"neigh del {self.address(receiver)} dev eth0" for receiver in receivers])

    def _ip_in(self, host: str, commands: Iterable[str]) -> None:
        _ip(commands, "-n", self._names[host])


@functools.cache
def has_namespaces() -> bool:
    """Whether networks can be made here; found out by making one. Needs root, ``ip`` and ``nsenter``."""
    try:
        with Network("probe") as network:
            _run([*network.launcher("probe"), "true"])
            return _is_refused(network.address("probe"))
    except (NetnsError, OSError):
        return False


def _is_refused(address: str) -> bool:
    """Whether a port that nobody listens on answers so: packets go there and back."""
    try:
        with socket.create_connection((address, 9), timeout=deadline(2)):
            return False
    except ConnectionRefusedError:
        return True


def remove_leftovers() -> None:
    """Remove the networks whose maker is dead. Their programs are those of a test that is dead too."""
    _remove(name for name, pid in _all_names() if not _is_alive(pid))


def _all_names() -> Iterator[tuple[str, int]]:
    if _NAMES.is_dir():
        for path in _NAMES.iterdir():
            if found := _NAME.fullmatch(path.name):
                yield path.name, int(found[1])


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").is_dir()


def _remove(names: Iterable[str]) -> None:
    """Remove each; tests that run side by side find the same leftovers, so another may be faster."""
    for name in list(names):
        try:
            for pid in _run([_program(), "netns", "pids", name]).split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            _ip([f"netns del {name}"])
        except NetnsError:
            if (_NAMES / name).exists():
                raise


def _free_subnet() -> ipaddress.IPv4Network:
    """One that no interface has; tests that run side by side begin to look at different places."""
    used = [ipaddress.ip_interface(text).network for text in _OTHER_ADDRESSES.findall(_run([_program(), "address"]))]
    assert isinstance(_RANGE, ipaddress.IPv4Network)
    subnets = list(_RANGE.subnets(new_prefix=24))
    begin = os.getpid() % len(subnets)
    for subnet in (*subnets[begin:], *subnets[:begin]):
        if not any(subnet.overlaps(other) for other in used if isinstance(other, ipaddress.IPv4Network)):
            return subnet
    raise NetnsError(f"no free subnet in {_RANGE}")


def _program() -> str:
    path = shutil.which("ip") or shutil.which("ip", path="/usr/sbin:/sbin")
    if path is None:
        raise NetnsError("ip (iproute2) is not installed")
    return path


def _ip(commands: Iterable[str], *options: str) -> None:
    """Run commands of ``ip`` in order, up to the first that fails."""
    if text := "".join(f"{command}\n" for command in commands):
        _run([_program(), *options, "-batch", "-"], text)


def _run(command: Sequence[str], text: str = "") -> str:
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=deadline(_COMMAND_S))
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NetnsError(f"{command}: {error}") from error
    if done.returncode:
        raise NetnsError(f"{command} {text}: {done.stderr.strip()}")
    return done.stdout
