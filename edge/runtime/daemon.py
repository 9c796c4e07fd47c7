"""Runs a node until it is told to stop; maps how it went to an exit code."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import logging
import signal

from edge.errors import ConfigError, EdgeError, HandoverError
from edge.net.listener import PortBusyError
from edge.runtime.assembly import Daemon, assemble
from edge.runtime.host import reachable_host
from edge.runtime.loop import new_event_loop
from edge.runtime.settings import Settings
from edge.upstream.config import UpstreamConfig
from naming.resolver import Resolver
from naming.url import without_secrets

logger = logging.getLogger(__name__)

EXIT_OK = 0
EXIT_ERROR = 1
EXIT_PORT_BUSY = 75

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
# A resolver that is silent must not keep the start lines back for long.
_LOOKUP_TIMEOUT_MS = 1000


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    loop = new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(_serve(settings, loop))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()
        # One more of them now would end in another exit code what is at its end.
        for number in _STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)


async def _serve(settings: Settings, loop: asyncio.AbstractEventLoop) -> int:
    stop = asyncio.Event()
    stops, code = 0, EXIT_OK

    def on_stop() -> None:
        nonlocal stops
        stops += 1
        stop.set()
        if stops > 1:
            logger.warning("second signal: stopping now")
            raise SystemExit(EXIT_OK)

    def on_failed() -> None:
        nonlocal code
        code = EXIT_ERROR
        stop.set()

    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, on_stop)
    # Of this thread alone: it may read the stacks of others while they change, and crash.
    faulthandler.register(signal.SIGUSR2, all_threads=False)
    try:
        daemon = assemble(settings, loop)
    except ConfigError as error:
        logger.error("%s", error.detail)
        return EXIT_ERROR
    node, taker, net = daemon.node, None, settings.net
    is_handed_over = False

    def on_handed_over() -> None:
        nonlocal is_handed_over
        is_handed_over = True
        stop.set()

    node.on_handed_over = on_handed_over
    try:
        if net.takeover:
            from edge.runtime.taking import take_over

            taker = await take_over(node, net.takeover, within_ms=net.upgrade_timeout_ms)
        await daemon.start()
        if net.upgrade_socket:
            daemon.upgrader().listen(net.upgrade_socket)
    except (ConfigError, HandoverError, OSError) as error:
        logger.error("%s", error.detail if isinstance(error, EdgeError) else error)
        await node.close()
        return EXIT_PORT_BUSY if isinstance(error, PortBusyError) else EXIT_ERROR
    if taker is not None:
        taker.go_on()
    loop.add_signal_handler(signal.SIGHUP, daemon.reloader.request, "SIGHUP")
    node.on_failed = on_failed
    if settings.http.http_preload:  # later there are connections, which are not to stay for good
        node.on_loaded = gc.freeze
    settle_collector()
    await announce(daemon)
    await stop.wait()
    logger.info("Server[edge] is going to quit")
    if is_handed_over or net.upgrade_socket:
        daemon.upgrader().close()
    await node.close(is_handed_over=is_handed_over)
    return code


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
    host = await reachable_host(settings.hostname, settings.net.bind, Resolver(timeout_ms=_LOOKUP_TIMEOUT_MS))
    endings = [""] if not urls.is_tls_forced else []
    endings += ["s"] if urls.has_tls else []
    # Plain is taken on the internal port, whatever the others demand.
    page = "http" if is_split or not urls.is_tls_forced else "https"
    logger.info("Check out %s://%s:%d in web browser.", page, host, internal)
    for ending in endings:
        logger.info("publish: rtmp%s://%s:%d/live/livestream", ending, host, port)
    for ending in endings:
        logger.info("play:    rtmp%s://%s:%d/live/livestream", ending, host, port)
    if settings.http.http_flv:
        for ending in endings:
            logger.info("play:    http%s://%s:%d/live/livestream.flv", ending, host, port)
    if settings.hls.hls:
        for ending in endings:
            logger.info("play:    http%s://%s:%d/live/livestream.m3u8", ending, host, port)
    logger.info("look at: %s://%s:%d/console", page, host, internal)
