"""Networks of namespaces: what reaches whom, and that nothing of them stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import netns
from tests.harness.clock import ROOT, deadline, wait_until_sync
from tests.harness.netns import NetnsError, Network, has_namespaces, remove_leftovers

_PORT = 4000
_ECHO = """
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", int(sys.argv[1])))
print("ready", flush=True)
while True:
    data, peer = server.recvfrom(100)
    print(data.decode(), flush=True)
    server.sendto(data, peer)
"""
_ASK = """
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(float(sys.argv[4]))
client.sendto(sys.argv[3].encode(), (sys.argv[1], int(sys.argv[2])))
try:
    print(client.recv(100).decode())
except TimeoutError:
    print("no answer")
"""
_MAKE_AND_DIE = """
import os, subprocess
from tests.harness.netns import Network
network = Network("a")
network.start()
left = subprocess.Popen([*network.launcher("a"), "sleep", "1000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(network._names["a"], network._outside, left.pid, flush=True)
os._exit(1)
"""


class _Pair:
    """Two hosts, of which ``b`` answers every datagram."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.echo = subprocess.Popen(
            [*network.launcher("b"), sys.executable, "-c", _ECHO, str(_PORT)], stdout=subprocess.PIPE, text=True
        )
        assert self.next_line() == "ready"

    def next_line(self) -> str:
        assert self.echo.stdout is not None
        return self.echo.stdout.readline().strip()

    def ask(self, text: str, *, from_host: str = "a", wait_s: float = 5.0) -> str:
        """Send a datagram to ``b``; return what comes back."""
        launcher = self.network.launcher(from_host) if from_host else ()
        place = [self.network.address("b"), str(_PORT), text, str(wait_s)]
        return subprocess.check_output([*launcher, sys.executable, "-c", _ASK, *place], text=True, timeout=60).strip()

    def ask_in_vain(self, text: str, *, from_host: str = "a") -> None:
        assert self.ask(text, from_host=from_host, wait_s=0.3) == "no answer"

    def close(self) -> None:
        self.echo.kill()
        self.echo.communicate()


@pytest.fixture
def pair() -> Iterator[_Pair]:
    with Network("a", "b") as network:
        pair = _Pair(network)
        yield pair
        pair.close()


def _left(pid: int) -> list[str]:
    return [name for name, maker in netns._all_names() if maker == pid]


# Where no network can be made there is nothing to be tested but that this is noticed.
if has_namespaces():

    def test_packets_are_lost_in_one_direction_only(pair: _Pair) -> None:
        network = pair.network
        assert pair.ask("before") == "before" == pair.next_line()
        network.lose("a", ["b"])
        pair.ask_in_vain("question lost")
        network.deliver("a", ["b"])
        assert pair.ask("between") == "between" == pair.next_line()
        network.lose("b", ["a"])
        pair.ask_in_vain("answer lost")
        assert pair.next_line() == "answer lost"
        network.deliver("b", ["a"])
        assert pair.ask("after") == "after" == pair.next_line()

    def test_losses_between_hosts_are_none_for_the_test(pair: _Pair) -> None:
        pair.network.lose("a", ["b"])
        pair.network.lose("b", ["a"])
        assert pair.ask("from outside", from_host="") == "from outside"

    def test_nobody_reaches_an_unplugged_host(pair: _Pair) -> None:
        pair.network.unplug("b")
        pair.ask_in_vain("from a")
        pair.ask_in_vain("from outside", from_host="")
        pair.network.plug("b")
        wait_until_sync(lambda: pair.ask("again", wait_s=0.5) == "again", deadline(5), "an answer")
        assert pair.ask("outside", from_host="") == "outside"

    def test_a_launched_program_has_the_process_id_of_its_launcher(pair: _Pair) -> None:
        here, there = (os.readlink(f"/proc/{pid}/ns/net") for pid in ("self", pair.echo.pid))
        assert here != there
        assert Path(f"/proc/{pair.echo.pid}/exe").resolve() == Path(sys.executable).resolve()
        pair.echo.send_signal(signal.SIGSTOP)
        pair.ask_in_vain("stopped")
        pair.echo.send_signal(signal.SIGCONT)
        assert pair.next_line() == "stopped"

    def test_stop_leaves_nothing_and_ends_what_runs_there() -> None:
        network = Network("a")
        network.start()
        outside = Path("/sys/class/net") / network._outside
        assert len(_left(os.getpid())) == 2 and outside.exists()
        program = subprocess.Popen([*network.launcher("a"), "sleep", "1000"])
        here = os.readlink("/proc/self/ns/net")
        wait_until_sync(lambda: os.readlink(f"/proc/{program.pid}/ns/net") != here, deadline(5), "the program")
        network.stop()
        assert program.wait(deadline(5)) == -signal.SIGKILL
        assert not _left(os.getpid()) and not outside.exists()
        network.stop()

    def test_what_a_crashed_run_left_is_removed_and_what_a_living_one_has_is_not() -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        maker = subprocess.run(
            [sys.executable, "-c", _MAKE_AND_DIE], env=environment, capture_output=True, text=True, timeout=60
        )
        name, outside, program = maker.stdout.split()
        of_dead = int(name.split("-")[1])
        with Network("a"):
            assert not _left(of_dead)
            remove_leftovers()
            assert len(_left(os.getpid())) == 2
        wait_until_sync(lambda: not (Path("/sys/class/net") / outside).exists(), deadline(5), "interface removed")
        wait_until_sync(lambda: not _is_running(int(program)), deadline(5), "the program's end")

    def test_what_another_run_removes_at_the_same_time_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(netns, "_all_names", lambda: iter([(f"edgetest-{2**22 + 1}-0-gone", 2**22 + 1)]))
        remove_leftovers()

    def test_a_network_that_cannot_be_made_leaves_nothing() -> None:
        with pytest.raises(NetnsError, match="eth0"), Network("a", "longer-than-any-interface"):
            pass
        assert not _left(os.getpid())


def _is_running(pid: int) -> bool:
    """A zombie, which waits for a parent, does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("program", ["ip-is-not-here", "false"])
def test_without_a_working_ip_there_are_no_namespaces(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setattr(netns, "_program", lambda: program)
    assert has_namespaces.__wrapped__() is False
