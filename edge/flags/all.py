"""Importing this module defines every flag."""

from __future__ import annotations

from edge.flags import builtin, cli, httpd, hub, logging, naming_services, rtmp, server, tls, upstream

AREAS = (server, rtmp, hub, upstream, naming_services, httpd, tls, builtin, logging, cli)
