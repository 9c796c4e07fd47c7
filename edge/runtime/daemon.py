"""Runs a node until it is told to stop; maps how it went to an exit code."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import logging
import os
import signal
from collections.abc import Sequence

from edge.errors import ConfigError, EdgeError, HandoverError
from edge.flags.process import ProcessConfig
from edge.net.aio import spawn
from edge.net.listener import PortBusyError
from edge.runtime import exit_codes, logs
from edge.runtime.activation import open_passed, passed_descriptors
from edge.runtime.assembly import Daemon, assemble
from edge.runtime.host import reachable_host
from edge.runtime.leaving import Leaving
from edge.runtime.loop import new_event_loop
from edge.runtime.node import Node
from edge.runtime.pid_file import InstanceRunningError, PidFile, PortFile
from edge.runtime.service_manager import ServiceManager, forget_descriptors
from edge.runtime.settings import Settings
from edge.upstream.config import UpstreamConfig
from naming.resolver import Resolver
from naming.url import without_secrets

logger = logging.getLogger(__name__)

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
_PID_FILE_LOOK_S = 0.1
_PORTS_LOOK_S = 0.5
# A resolver that is silent must not keep the start lines back for long.
_LOOKUP_TIMEOUT_MS = 1000


def run(settings: Settings) -> int:
    """Serve until a signal or an order ends it; returns the exit code."""
    loop = new_event_loop()
    asyncio.set_event_loop(loop)
    pid_file, port_file = PidFile(settings.process.pid_file), PortFile(settings.process.port_file)
    try:
        if pid_file.path and not settings.net.takeover:
            pid_file.acquire()
        return loop.run_until_complete(_serve(settings, loop, pid_file, port_file))
    except InstanceRunningError as error:
        logger.error("%s", error.detail)
        return exit_codes.BUSY
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        # One more of them now would end in another exit code what is at its end; closing the loop lets go of them.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
        loop.close()
        port_file.remove()
        pid_file.release()


async def _serve(settings: Settings, loop: asyncio.AbstractEventLoop, pid_file: PidFile, port_file: PortFile) -> int:
    manager = ServiceManager(os.environ, os.getpid())
    try:
        passed = open_passed(passed_descriptors(os.environ, os.getpid()))
        forget_descriptors(os.environ)
        daemon = assemble(settings, loop)
    except ConfigError as error:
        logger.error("%s", error.detail)
        return exit_codes.CONFIG
    node, process, taker, net = daemon.node, settings.process, None, settings.net
    leaving = Leaving(node, manager, process)
    stops, code = 0, exit_codes.OK

    def on_stop(number: signal.Signals) -> None:
        nonlocal stops
        stops += 1
        if stops > 1:
            logger.warning("second signal: stopping now")
            raise SystemExit(exit_codes.OK)
        leaving.begin(grace_of(number, process), number.name)

    def on_failed() -> None:
        nonlocal code
        code = exit_codes.CONFIG
        leaving.begin(0, "failure")

    def before_end() -> None:
        if leaving.is_handed_over or net.upgrade_socket:
            daemon.upgrader().close()

    def on_handed_over() -> None:
        pid_file.is_handed_over = port_file.is_handed_over = True
        leaving.hand_over()

    node.on_handed_over = on_handed_over
    leaving.before_end = before_end
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, on_stop, number)
    # Of this thread alone: it may read the stacks of others while they change, and crash.
    faulthandler.register(signal.SIGUSR2, all_threads=False)
    loop.add_signal_handler(signal.SIGUSR1, logs.reopen)
    try:
        if net.takeover:
            from edge.runtime.taking import take_over

            taker = await take_over(node, net.takeover, within_ms=net.upgrade_timeout_ms)
        await daemon.start(passed)
        if net.upgrade_socket:
            _hear_of_upgrades(daemon, net.upgrade_socket, None if taker is None else taker.old_pid)
    except (ConfigError, HandoverError, OSError) as error:
        logger.error("%s", error.detail if isinstance(error, EdgeError) else error)
        await node.close()
        is_busy = isinstance(error, PortBusyError | HandoverError)
        return exit_codes.BUSY if is_busy else exit_codes.CONFIG
    if taker is not None:
        taker.go_on()
        spawn(_take_pid_file(pid_file), name="pid-file", owner=node.tasks)
    node.on_failed = on_failed
    node.on_drain = leaving.carry_out
    if settings.http.http_preload:  # later there are connections, which are not to stay for good
        node.on_loaded = gc.freeze
    settle_collector()
    _be_found(daemon, manager, port_file, is_new_process=taker is not None)
    await announce(daemon)
    await leaving.run()
    manager.close()
    return code


def _hear_of_upgrades(daemon: Daemon, path: str, old_pid: int | None) -> None:
    """Raises OSError or ConfigError, but not with ``old_pid``: what has been taken over is not let go for that."""
    try:
        daemon.upgrader().listen(path, old_pid=old_pid)
    except (OSError, ConfigError) as error:
        if old_pid is None:
            raise
        logger.error("-upgrade_socket=%s cannot be used, so this process cannot be upgraded by it: %s", path, error)


def _be_found(daemon: Daemon, manager: ServiceManager, port_file: PortFile, *, is_new_process: bool) -> None:
    """Tell whoever has to know that it serves, and where; and of each reload from now on."""
    node = daemon.node
    ports = ports_of(node)
    status = f"serving on {' '.join(f'{role}={port}' for role, all_ports in ports.items() for port in all_ports)}"

    def on_hangup() -> None:
        manager.reloading()
        daemon.reloader.request("SIGHUP").add_done_callback(lambda _: manager.ready(status))

    node.loop.add_signal_handler(signal.SIGHUP, on_hangup)
    if port_file.path:
        port_file.write(ports)
        spawn(_follow_ports(node, port_file), name="port-file", owner=node.tasks)
    manager.ready(status, is_new_process=is_new_process)
    if manager.watchdog_ms:
        spawn(_feed_watchdog(manager), name="watchdog", owner=node.tasks)


def grace_of(number: signal.Signals, process: ProcessConfig) -> int | None:
    """How many seconds a signal gives those who are served; None: as long as it takes."""
    if number == signal.SIGQUIT or (number == signal.SIGTERM and process.graceful_quit_on_sigterm):
        return None
    return process.grace_term_s if number == signal.SIGTERM else 0


def ports_of(node: Node) -> dict[str, list[int]]:
    """The ports that it listens on, each once, by role."""
    ports: dict[str, list[int]] = {}
    for listener in node.listeners:
        of_role = ports.setdefault(listener.role, [])
        if listener.port not in of_role:
            of_role.append(listener.port)
    return ports


async def _take_pid_file(pid_file: PidFile) -> None:
    """Have it as soon as the process that has handed all over lets go of it."""
    while pid_file.path:
        try:
            pid_file.acquire()
            return
        except InstanceRunningError:
            await asyncio.sleep(_PID_FILE_LOOK_S)


async def _follow_ports(node: Node, port_file: PortFile) -> None:
    """Write the file again when a reload has changed the ports; those of a server that drains stay in it."""
    written = ports_of(node)
    while not node.is_draining:
        await asyncio.sleep(_PORTS_LOOK_S)
        ports = ports_of(node)
        if ports != written:
            port_file.write(ports)
            written = ports


async def _feed_watchdog(manager: ServiceManager) -> None:
    """Tell the service manager, from the loop that serves, that it turns."""
    while True:
        manager.alive()
        await asyncio.sleep(manager.watchdog_ms / 1000)


def settle_collector() -> None:
    """Keep the garbage collector from walking through all that was loaded, and all frames held.

    Connections and streams break their own cycles when they close, so what
    is collected is young; a full collection takes 50 ms with 200 streams.
    """
    gc.freeze()
    gc.set_threshold(10_000, 20, 1_000)
    gc.enable()


def role_of(config: UpstreamConfig) -> str:
    """Origin or edge, and of what: a typo in a flagfile makes the one of the other."""
    if not config.proxy_to:
        return "an origin"

    def named(target: str, balancer: str) -> str:
        return without_secrets(target) + (f" by {balancer}" if balancer else "")

    merge = f", plays through {named(config.cdn_merge_to, config.cdn_merge_lb)}" if config.cdn_merge_to else ""
    return f"an edge of {named(config.proxy_to, config.proxy_lb)}{merge}"


def _needs(flag: str, methods: Sequence[str]) -> str:
    """What stands behind an address that nobody is let in at without a credential; "" where none is asked for."""
    return f" (asks for a credential: -{flag}={','.join(methods)})" if methods else ""


async def announce(daemon: Daemon) -> None:
    """The start lines, and what a newcomer wants to know."""
    node, urls = daemon.node, daemon.facts.addresses()
    port, internal = urls.rtmp_port, urls.internal_port
    is_split = internal != port
    logger.info("Server[edge] is serving on port=%d%s.", port, f" and internal_port={internal}" if is_split else "")
    for listener in node.listeners:
        if listener.role == "merge":
            logger.info("Server[edge(cdn-merge)] is serving on port=%d.", listener.port)
    settings = node.settings
    logger.info("edge %s is %s.", settings.version, role_of(settings.upstream))
    node.access.tell_open_door(settings, port)
    host = await reachable_host(settings.hostname, settings.net.bind, Resolver(timeout_ms=_LOOKUP_TIMEOUT_MS))
    endings = [""] if not urls.is_tls_forced else []
    endings += ["s"] if urls.has_tls else []
    # Plain is taken on the internal port, whatever the others demand.
    page = "http" if is_split or not urls.is_tls_forced else "https"
    logger.info("Check out %s://%s:%d in web browser.", page, host, internal)
    publish = _needs("publish_auth", settings.access.publish_auth)
    play = _needs("play_auth", settings.access.play_auth)
    for ending in endings:
        logger.info("publish: rtmp%s://%s:%d/live/livestream%s", ending, host, port, publish)
    for ending in endings:
        logger.info("play:    rtmp%s://%s:%d/live/livestream%s", ending, host, port, play)
    if settings.http.http_flv:
        for ending in endings:
            logger.info("play:    http%s://%s:%d/live/livestream.flv%s", ending, host, port, play)
    if settings.hls.hls:
        for ending in endings:
            logger.info("play:    http%s://%s:%d/live/livestream.m3u8%s", ending, host, port, play)
    logger.info("look at: %s://%s:%d/console", page, host, internal)
