"""Importing this module defines every flag."""

from __future__ import annotations

from edge.flags import builtin, cli, httpd, hub, logging, rtmp, server, tls, upstream

AREAS = (server, rtmp, hub, upstream, httpd, tls, builtin, logging, cli)
