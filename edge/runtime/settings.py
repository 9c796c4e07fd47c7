"""All that the daemon is told at its start."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from edge.access.config import AccessConfig, GuardConfig
from edge.builtin.config import DebugConfig
from edge.control.config import GrpcConfig
from edge.flags.access import access_config, guard_config
from edge.flags.builtin import PagesConfig, logbook_config, pages_config
from edge.flags.debugging import debug_config
from edge.flags.gflags import Parsed
from edge.flags.hls import disk_config, hls_config
from edge.flags.hooks import hook_config, hook_limits
from edge.flags.httpd import grpc_config, http2_config, http_config
from edge.flags.hub import hub_config
from edge.flags.logging import LogConfig, log_config
from edge.flags.process import ProcessConfig, process_config
from edge.flags.quality import quality_config
from edge.flags.registry import pick
from edge.flags.rtmp import rtmp_config
from edge.flags.server import net_config
from edge.flags.tls import tls_config
from edge.flags.tracing import OtlpConfig, otlp_config
from edge.flags.upstream import upstream_config
from edge.hls.config import HlsConfig
from edge.hls_disk.config import DiskConfig
from edge.hooks.config import HookConfig, HookLimits
from edge.httpd.config import HttpConfig
from edge.hub.config import HubConfig
from edge.logbook.config import LogbookConfig
from edge.net.config import Http2Config, NetConfig, TlsConfig
from edge.quality.config import QualityConfig
from edge.rtmp.config import RtmpConfig
from edge.runtime.version import installed_version
from edge.service.config import LimitConfig, OverloadConfig
from edge.upstream.config import UpstreamConfig
from naming.base import NamingOptions


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of each layer, and what the program is.

    Attributes:
        version: of the installed distribution.
        hostname: of this machine; clients that name it as a vhost mean the default one.
        parsed: the flags that all of it was made of.
        not_acted_on: flags, or values of flags, that were set and do nothing yet.
    """

    net: NetConfig
    tls: TlsConfig
    rtmp: RtmpConfig
    hub: HubConfig
    access: AccessConfig
    guard: GuardConfig
    overload: OverloadConfig
    limits: LimitConfig
    upstream: UpstreamConfig
    http: HttpConfig
    http2: Http2Config
    grpc: GrpcConfig
    hls: HlsConfig
    hls_disk: DiskConfig
    hooks: HookConfig
    hook_limits: HookLimits
    quality: QualityConfig
    debug: DebugConfig
    log: LogConfig
    logbook: LogbookConfig
    pages: PagesConfig
    naming: NamingOptions
    otlp: OtlpConfig
    process: ProcessConfig
    version: str
    hostname: str
    parsed: Parsed
    not_acted_on: tuple[str, ...] = ()


def build_settings(parsed: Parsed, values_in_vain: tuple[str, ...] = ()) -> Settings:
    """Freeze the flags; ``values_in_vain`` joins the flags that do nothing yet."""
    program_version, hostname = installed_version(), socket.gethostname()
    flags = parsed.flags
    return Settings(
        net=net_config(flags),
        tls=tls_config(flags),
        rtmp=rtmp_config(flags),
        hub=hub_config(flags),
        access=access_config(flags),
        guard=guard_config(flags),
        overload=pick(OverloadConfig, flags),
        limits=pick(LimitConfig, flags),
        upstream=upstream_config(flags),
        http=http_config(flags, program_version, hostname),
        http2=http2_config(flags),
        grpc=grpc_config(flags),
        hls=hls_config(flags),
        hls_disk=disk_config(flags),
        hooks=hook_config(flags),
        hook_limits=hook_limits(flags),
        quality=quality_config(flags),
        debug=debug_config(flags),
        log=log_config(flags),
        logbook=logbook_config(flags),
        pages=pages_config(flags),
        naming=pick(NamingOptions, flags),
        otlp=otlp_config(flags),
        process=process_config(flags),
        version=program_version,
        hostname=hostname,
        parsed=parsed,
        not_acted_on=(*parsed.not_acted_on, *values_in_vain),
    )
