"""Whether tokens can be looked at here, and what is weak about the URL of their keys."""

from __future__ import annotations

import importlib
from urllib.parse import urlsplit

from edge.access.config import JWT_EXTRA_MISSING
from edge.net.address import is_loopback

MODULES = ("jwt", "cryptography")


def missing_extra() -> str:
    """What to say where the libraries are not there, "" where they are; loads them."""
    try:
        for name in MODULES:
            importlib.import_module(name)
    except ImportError as error:
        return f"{JWT_EXTRA_MISSING}: {error}"
    return ""


def doubt_of_url(url: str) -> str:
    """What is weak about ``url``; "" for nothing."""
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname != "localhost" and not is_loopback(parts.hostname or ""):
        return "keys that come without TLS may be anybody's; use https://"
    return ""
