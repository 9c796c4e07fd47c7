"""Importing this module defines every flag."""

from __future__ import annotations

from edge.flags import (
    access,
    builtin,
    cli,
    debugging,
    hls,
    hooks,
    httpd,
    hub,
    limits,
    logging,
    naming_services,
    process,
    quality,
    rtmp,
    server,
    tls,
    tracing,
    upstream,
    vhosts,
)

AREAS = (
    server,
    process,
    rtmp,
    hub,
    access,
    limits,
    upstream,
    naming_services,
    httpd,
    hls,
    hooks,
    quality,
    tls,
    builtin,
    debugging,
    tracing,
    logging,
    cli,
    vhosts,
)
