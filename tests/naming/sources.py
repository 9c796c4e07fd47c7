"""One live source per naming scheme, which tests fill, break and mend.

Lists are written as ``127.0.7.1:1935 5``: address, then weight. The fakes of
registries answer in the forms of their documentation, named beside each.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from aiohttp import web

import naming.consul
import naming.file
from naming.resolver import Resolver
from tests.harness.ports import free_port
from tests.naming.dns_server import FakeDns, serving_dns
from tests.naming.programs import Dnsmasq, Etcd, connection_count
from tests.naming.system_names import SystemNames, unused_loopback

_DNS_PORT = 53
_SERVICE = "_rtmp._tcp.live.test"


class Source:
    """A source; ``async with`` starts and ends it.

    Attributes:
        text: the target that names it.
        options: fields of ``NamingOptions`` that it needs.
        is_atomic: nobody sees a list that is half the old one.
        is_whole: no part of its answers is left out.
        is_up_during_changes: it can be asked while its list is changed.
    """

    text = ""
    is_atomic = True
    is_whole = True
    is_up_during_changes = True

    def __init__(self, scheme: str, folder: Path) -> None:
        self.scheme, self.folder = scheme, folder
        self.options: dict[str, Any] = {}
        self.fault = ""

    async def __aenter__(self) -> Source:
        try:
            await self.start()
        except BaseException:
            with contextlib.suppress(AttributeError):  # what had not been made yet
                await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Serve an empty list."""

    async def stop(self) -> None:
        """End all that runs."""

    async def publish(self, servers: Sequence[str]) -> None:
        """Set the list."""
        raise NotImplementedError

    async def fail(self, fault: str) -> None:
        """Break it: ``gone``, ``garbage`` (answers that are none) or ``slow`` (asked and silent)."""
        raise NotImplementedError

    async def mend(self) -> None:
        """Undo :meth:`fail`."""
        raise NotImplementedError

    def seen(self, servers: Sequence[str]) -> list[str]:
        """What of a list arrives, sorted."""
        return sorted(set(servers))

    def resolver(self, timeout_ms: int) -> Resolver | None:
        """What looks up names; None: the default."""
        return None

    def check_one_at_a_time(self, failed_count: int) -> None:
        """Fail when there was more than one question at a time, while ``failed_count`` had no answer in time."""
        raise NotImplementedError


class FileSource(Source):
    """A file; while it is slow, looking at it blocks, as on a file system whose server is gone."""

    async def start(self) -> None:
        self._path = self.folder / "servers"
        self.text = f"file://{self._path}"
        self._is_answering = threading.Event()
        self._is_answering.set()
        self._running = self._peak = 0
        look_at = naming.file.look_at

        def look_when_allowed(path: str) -> naming.file.Signature:
            self._running += 1
            self._peak = max(self._peak, self._running)
            self._is_answering.wait(60)
            self._running -= 1
            return look_at(path)

        self._patch = mock.patch("naming.file.look_at", look_when_allowed)
        self._patch.start()
        await self.publish([])

    async def stop(self) -> None:
        self._is_answering.set()
        self._patch.stop()

    async def publish(self, servers: Sequence[str]) -> None:
        self._text = "".join(f"{server}\n" for server in servers)
        self._write(self._text)

    def _write(self, text: str) -> None:
        (self.folder / "next").write_text(text)
        os.replace(self.folder / "next", self._path)

    async def fail(self, fault: str) -> None:
        self.fault = fault
        if fault == "gone":
            self._path.unlink()
        elif fault == "garbage":
            self._write("\u2620 this is no list\n<html>\n")
        else:
            self._is_answering.clear()

    async def mend(self) -> None:
        self._is_answering.set()
        self._write(self._text)

    def check_one_at_a_time(self, failed_count: int) -> None:
        assert self._running == self._peak == 1


class HttpSource(Source):
    """A server on one port, which is closed while it is gone."""

    garbage = "<html>sorry</html>"

    async def start(self) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.servers: list[str] = []
        self.index = 1
        self.changed = asyncio.Event()
        self._mended = asyncio.Event()
        self._open_count = self._peak = 0
        self._runner: web.AppRunner | None = None
        await self._listen()

    async def _listen(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        # Who gives up ends its question here too, so that those that are open can be counted.
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.05)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        self._mended.set()
        await self._close()

    async def _close(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def publish(self, servers: Sequence[str]) -> None:
        self.servers = list(servers)
        self.index += 1
        self._ring()

    async def fail(self, fault: str) -> None:
        self.fault = fault
        self._mended.clear()
        if fault == "gone":
            await self._close()
        elif fault == "garbage":
            self.index += 1
            self._ring()

    async def mend(self) -> None:
        fault, self.fault = self.fault, ""
        self._mended.set()
        if fault == "gone":
            await self._listen()

    def check_one_at_a_time(self, failed_count: int) -> None:
        assert self._peak == 1 and self._open_count <= 1

    def answer(self, request: web.Request) -> str:
        """The body of a good answer."""
        raise NotImplementedError

    async def until_due(self, request: web.Request) -> None:
        """Hold the question back, if its kind asks for that."""

    def _ring(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    async def _handle(self, request: web.Request) -> web.Response:
        if not self.fault:
            await self.until_due(request)
        if self.fault == "slow":
            self._open_count += 1
            self._peak = max(self._peak, self._open_count)
            try:
                await self._mended.wait()
            finally:
                self._open_count -= 1
        text = self.garbage if self.fault == "garbage" else self.answer(request)
        return web.Response(text=text, headers={"X-Consul-Index": str(self.index)})


class RemoteFileSource(HttpSource):
    """The list in the form of files."""

    async def start(self) -> None:
        await super().start()
        self.text = f"remotefile://127.0.0.1:{self.port}/list"

    def answer(self, request: web.Request) -> str:
        return "# servers\n" + "".join(f"{server}\n" for server in self.servers)


class ConsulSource(HttpSource):
    """``GET /v1/health/service/:service`` with blocking queries (Consul's HTTP API, "Health", "Blocking Queries")."""

    garbage = '[{"Service":'

    async def start(self) -> None:
        await super().start()
        self.text = "consul://live"
        self.options = {"consul_agent_addr": self.address, "consul_blocking_query_wait_secs": 0.2}
        self._patch = mock.patch.object(naming.consul, "_GRACE_S", 0.2)
        self._patch.start()

    async def stop(self) -> None:
        await super().stop()
        self._patch.stop()

    async def until_due(self, request: web.Request) -> None:
        if int(request.query.get("index", "0")) == self.index:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.changed.wait(), float(request.query["wait"].rstrip("s")))

    def answer(self, request: web.Request) -> str:
        entries = []
        for server in self.servers:
            address, _, tag = server.partition(" ")
            host, port = address.split(":")
            service = {"Service": "live", "Tags": [tag, "other"], "Address": host, "Port": int(port)}
            entries.append({"Node": {"Node": "n1"}, "Service": service, "Checks": []})
        return json.dumps(entries)


class NacosSource(HttpSource):
    """``GET /nacos/v1/ns/instance/list`` (the Nacos manual, "Open API guide")."""

    async def start(self) -> None:
        await super().start()
        self.text = "nacos://serviceName=live"
        self.options = {"nacos_address": self.address}

    def answer(self, request: web.Request) -> str:
        hosts = []
        for server in self.servers:
            address, _, weight = server.partition(" ")
            host, port = address.split(":")
            hosts.append({"ip": host, "port": int(port), "weight": float(weight), "healthy": True, "enabled": True})
        return json.dumps({"name": "DEFAULT_GROUP@@live", "cacheMillis": 1000, "hosts": hosts})


class DiscoverySource(HttpSource):
    """``/discovery/fetchs`` and the nodes of the cluster (API documentation of bilibili discovery)."""

    async def start(self) -> None:
        await super().start()
        self.text = "discovery://live"
        self.options = {"discovery_api_addr": f"{self.address}/nodes"}

    def seen(self, servers: Sequence[str]) -> list[str]:
        pairs = [server.split() for server in set(servers)]
        return sorted(f'{address} {{"weight":"{weight}"}}' for address, weight in pairs)

    def answer(self, request: web.Request) -> str:
        if request.path == "/nodes":
            return json.dumps({"code": 0, "data": [{"addr": f"127.0.0.1:{self.port}", "status": 0}]})
        pairs = [server.split() for server in self.servers]
        instances = [
            {"addrs": [f"grpc://{address}", f"http://{address}"], "metadata": {"weight": weight}}
            for address, weight in pairs
        ]
        return json.dumps({"code": 0, "data": {"live": {"instances": instances}}})


class EtcdSource(Source):
    """A real etcd, one key per server."""

    async def start(self) -> None:
        self._etcd = Etcd(self.folder)
        self._servers: list[str] = []
        self.text = "etcd://live/"
        self.options = {"etcd_address": self._etcd.address}
        await asyncio.to_thread(self._etcd.start)

    async def stop(self) -> None:
        self._etcd.kill()

    async def publish(self, servers: Sequence[str]) -> None:
        await self._put(servers)
        self._servers = list(servers)

    async def _put(self, values: Sequence[str]) -> None:
        pairs = {f"live/{number}": value for number, value in enumerate(values)}
        absent = [f"live/{number}" for number in range(len(values), len(self._servers))]
        await asyncio.to_thread(self._etcd.replace, pairs, absent)

    async def fail(self, fault: str) -> None:
        self.fault = fault
        if fault == "gone":
            self._etcd.kill()
        elif fault == "garbage":
            await self._put(["<html>" for _ in self._servers])
        else:
            self._etcd.signal(signal.SIGSTOP)

    async def mend(self) -> None:
        if self.fault == "gone":
            await asyncio.to_thread(self._etcd.start)
        elif self.fault == "garbage":
            await self._put(self._servers)
        else:
            self._etcd.signal(signal.SIGCONT)

    def check_one_at_a_time(self, failed_count: int) -> None:
        assert connection_count(self._etcd.address) <= 2, "more than a question and the watch"


class DnsSource(Source):
    """A real dnsmasq; in its place a fake that sends garbage, or nothing, while it is broken so."""

    def place(self) -> tuple[str, int]:
        """Where dnsmasq listens."""
        return "127.0.0.1", 0

    async def start(self) -> None:
        self.dnsmasq = Dnsmasq(self.folder, *self.place())
        where = f"{self.dnsmasq.address}:{self.dnsmasq.port}"
        self.text = f"dns://origin.live.test:1935?server={where}"
        self._fake: FakeDns | None = None
        self._fakes = contextlib.AsyncExitStack()
        await self.run()

    async def run(self) -> None:
        """Start dnsmasq with the newest list."""
        await asyncio.to_thread(self.dnsmasq.start)

    async def stop(self) -> None:
        self.dnsmasq.kill()
        await self._fakes.aclose()

    async def publish(self, servers: Sequence[str]) -> None:
        self.dnsmasq.write_hosts((server.partition(":")[0], "origin.live.test") for server in servers)
        await asyncio.to_thread(self.dnsmasq.reload)

    def seen(self, servers: Sequence[str]) -> list[str]:
        return sorted({server.split()[0] for server in servers})

    async def fail(self, fault: str) -> None:
        self.dnsmasq.kill()
        if fault == "gone":
            return
        self._fake = await self._fakes.enter_async_context(serving_dns(self.dnsmasq.address, self.dnsmasq.port))
        if fault == "slow":
            self._fake.rules["*"] = lambda query: b""
        else:  # the header of an answer, and nothing that makes sense behind it
            self._fake.rules["*"] = lambda query: query.pack()[:2] + b"\x81\x80" + b"\xff" * 40

    async def mend(self) -> None:
        await self._fakes.aclose()
        await self.run()

    def check_one_at_a_time(self, failed_count: int) -> None:
        assert self._fake is not None and 1 <= len(self._fake.asked) <= failed_count + 1


class SrvSource(DnsSource):
    """SRV records of dnsmasq, which reads them only at its start."""

    is_atomic = False
    is_up_during_changes = False
    is_whole = False  # a name may be asked for while dnsmasq is started

    async def start(self) -> None:
        self._records: list[str] = []
        await super().start()
        self.text = f"srv://{_SERVICE}?server={self.dnsmasq.address}:{self.dnsmasq.port}"

    def seen(self, servers: Sequence[str]) -> list[str]:
        return sorted(set(servers))

    async def run(self) -> None:
        await asyncio.to_thread(self.dnsmasq.start, *self._records)

    async def publish(self, servers: Sequence[str]) -> None:
        hosts, self._records = {}, []
        for server in servers:
            address, weight = server.split()
            host, _, port = address.partition(":")
            hosts[host] = f"host-{host.replace('.', '-')}.live.test"
            self._records.append(f"--srv-host={_SERVICE},{hosts[host]},{port},10,{weight}")
        if not servers:  # no target: the record says that there is no such service
            self._records.append(f"--srv-host={_SERVICE}")
        self.dnsmasq.write_hosts(hosts.items())
        self.dnsmasq.kill()
        await self.run()


class NamesSource(DnsSource):
    """``http://`` and ``https://``: dnsmasq behind the system's resolver."""

    def place(self) -> tuple[str, int]:
        return unused_loopback(), _DNS_PORT

    async def start(self) -> None:
        self._names: SystemNames | None = None
        await super().start()
        self.text = f"{self.scheme}://origin.live.test:1935"
        self._names = SystemNames(self.dnsmasq.address, self.folder)

    async def stop(self) -> None:
        await super().stop()
        if self._names is not None:
            await asyncio.to_thread(self._names.close)

    def resolver(self, timeout_ms: int) -> Resolver | None:
        assert self._names is not None
        return Resolver(timeout_ms=timeout_ms, lookup=self._names.lookup)

    def check_one_at_a_time(self, failed_count: int) -> None:
        assert self._names is not None and self._names.peak == 1


class DynamicListSource(NamesSource):
    """``dlist://``: three names, of which those have an address that the list has a server for."""

    is_atomic = False
    is_whole = False

    async def start(self) -> None:
        await super().start()
        self.text = "dlist://" + ",".join(f"origin{number}.live.test:1935 5" for number in range(3))

    async def publish(self, servers: Sequence[str]) -> None:
        addresses = [server.partition(":")[0] for server in servers]
        self.dnsmasq.write_hosts((address, f"origin{number}.live.test") for number, address in enumerate(addresses))
        await asyncio.to_thread(self.dnsmasq.reload)

    def seen(self, servers: Sequence[str]) -> list[str]:
        return sorted(set(servers))


SOURCES: dict[str, type[Source]] = {
    "file": FileSource,
    "remotefile": RemoteFileSource,
    "dlist": DynamicListSource,
    "http": NamesSource,
    "https": NamesSource,
    "dns": DnsSource,
    "srv": SrvSource,
    "consul": ConsulSource,
    "nacos": NacosSource,
    "discovery": DiscoverySource,
    "etcd": EtcdSource,
}
