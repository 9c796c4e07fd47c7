"""Real registries: etcd and dnsmasq, on ports of the loopback."""

from __future__ import annotations

import base64
import json
import signal
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dnslib import DNSError, DNSRecord

from tests.harness.clock import deadline, require_program, wait_until_sync
from tests.harness.ports import free_port


def code(text: str) -> str:
    """Keys and values in the JSON of etcd's gateway."""
    return base64.b64encode(text.encode()).decode()


class Program:
    """One process, which may be stopped in several ways and started again."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, command: Sequence[str]) -> None:
        """Start it; the one before must have ended."""
        assert self._process is None
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        """End it at once, as a crash does. Safe to call again."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def signal(self, number: signal.Signals) -> None:
        """SIGSTOP makes it silent with all its connections open, SIGCONT ends that."""
        assert self._process is not None
        self._process.send_signal(number)


class Etcd(Program):
    """A cluster of one node, whose data outlive a crash."""

    def __init__(self, folder: Path, *options: str, tls: ssl.SSLContext | None = None) -> None:
        """``tls`` is for the questions of the test, to a server whose ``options`` ask for it."""
        super().__init__()
        self.address = f"{'https' if tls else 'http'}://127.0.0.1:{free_port()}"
        self._tls = tls
        self._folder, self._options = folder, options
        self._peer = f"http://127.0.0.1:{free_port()}"

    def start(self) -> None:
        """Run it, and wait until it answers; blocks for about a second."""
        etcd, address, peer = require_program("etcd"), self.address, self._peer
        self.run(
            [
                *(etcd, f"--data-dir={self._folder}/data", f"--listen-client-urls={address}"),
                *(f"--advertise-client-urls={address}", f"--listen-peer-urls={peer}"),
                *(f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}"),
                *("--log-level=error", "--unsafe-no-fsync", *self._options),
                *("--heartbeat-interval=10", "--election-timeout=100"),
            ]
        )
        wait_until_sync(self._is_up, deadline(20), "etcd is up")

    def ask(self, path: str, body: dict[str, Any], token: str = "") -> Any:
        """POST to the gateway; raises OSError (``HTTPError`` with a ``code``) when it is refused."""
        headers = {"Authorization": token} if token else {}
        request = urllib.request.Request(f"{self.address}{path}", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=deadline(5), context=self._tls) as answer:
            return json.load(answer)

    def put(self, key: str, value: str, token: str = "") -> None:
        self.ask("/v3/kv/put", {"key": code(key), "value": code(value)}, token)

    def replace(self, pairs: dict[str, str], absent: Iterable[str] = ()) -> None:
        """Put and delete in one transaction: nobody sees a part of it."""
        puts = [{"requestPut": {"key": code(key), "value": code(value)}} for key, value in pairs.items()]
        deletes = [{"requestDeleteRange": {"key": code(key)}} for key in absent]
        self.ask("/v3/kv/txn", {"success": [*puts, *deletes]})

    def log_in(self, user: str, password: str) -> str:
        """A token."""
        return str(self.ask("/v3/auth/authenticate", {"name": user, "password": password})["token"])

    def require_login(self, user: str, password: str, prefix: str) -> None:
        """Switch authentication on: ``root`` with the password ``root``, and a user who may read the prefix."""
        key, end = code(prefix), code(prefix[:-1] + chr(ord(prefix[-1]) + 1))
        for path, body in (
            ("user/add", {"name": "root", "password": "root"}),
            ("role/add", {"name": "root"}),
            ("user/grant", {"user": "root", "role": "root"}),
            ("user/add", {"name": user, "password": password}),
            ("role/add", {"name": "reader"}),
            ("role/grant", {"name": "reader", "perm": {"permType": "READ", "key": key, "range_end": end}}),
            ("user/grant", {"user": user, "role": "reader"}),
            ("enable", {}),
        ):
            self.ask(f"/v3/auth/{path}", body)

    def _is_up(self) -> bool:
        try:
            self.ask("/v3/kv/range", {"key": code("x")})
        except urllib.error.HTTPError as error:
            error.close()
            return error.code in (400, 401)  # nobody may read without a login
        except OSError:
            return False
        return True


class Dnsmasq(Program):
    """Answers for the names that it was told, ``NXDOMAIN`` for others below ``live.test``; time to live 0."""

    def __init__(self, folder: Path, address: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__()
        self.address, self.port = address, port or free_port()
        self._folder, self._hosts = folder, folder / "hosts"
        self._generation = 0
        self.write_hosts([])

    def start(self, *options: str) -> None:
        """Run it, and wait until it answers."""
        command = [
            *(require_program("dnsmasq"), "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null"),
            *("--bind-interfaces", f"--listen-address={self.address}", f"--port={self.port}", "--user="),
            *(f"--pid-file={self._folder}/pid", "--local=/live.test/", f"--addn-hosts={self._hosts}", *options),
        ]
        self.run(command)
        wait_until_sync(self._is_up, deadline(10), "dnsmasq is up")

    def write_hosts(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Set the ``(address, name)`` pairs; they count from the next start or :meth:`reload`."""
        self._generation += 1
        lines = [f"{address} {name}\n" for address, name in (*pairs, ("127.0.0.1", self._sign()))]
        self._hosts.write_text("".join(lines))

    def reload(self) -> None:
        """Take new hosts without a pause, and wait until they count."""
        self.signal(signal.SIGHUP)
        wait_until_sync(self._is_up, deadline(10), "dnsmasq has read the hosts")

    def _sign(self) -> str:
        """A name that shows that the newest hosts count."""
        return f"generation-{self._generation}.live.test"

    def _is_up(self) -> bool:
        try:
            answer = DNSRecord.parse(DNSRecord.question(self._sign()).send(self.address, self.port, timeout=0.05))
        except (OSError, DNSError):
            return False
        return bool(answer.rr)


def connection_count(address: str) -> int:
    """Connections of this machine to the port of a URL, established and not closed by their maker."""
    port = int(address.rpartition(":")[2])
    there = f"{socket.inet_aton('127.0.0.1')[::-1].hex().upper()}:{port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2] == there and row[3] == "01" for row in rows)
