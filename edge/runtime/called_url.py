"""URLs of servers that this one calls: hooks, and keys of tokens."""

from __future__ import annotations

from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}


def fault_of(url: str) -> str:
    """Why a URL cannot be called, "" if it can."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "not a URL"
    if parts.scheme not in PORTS:
        return "not an http:// or https:// URL"
    if not parts.hostname or port == 0:
        return "no host or port"
    if any(sign <= " " for sign in url):
        return "it has a blank in it"
    return ""
