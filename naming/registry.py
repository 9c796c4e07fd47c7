"""Which naming services there are, and in which module each registers its scheme."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TypeVar

from naming.base import NamingContext, NamingError, NamingService

Factory = Callable[[NamingContext], NamingService]
_F = TypeVar("_F", bound=Factory)

# In the order in which messages list them. ``bns`` has no module: it speaks to a directory inside Baidu, through a
# library that is not public.
_MODULES = {
    "list": "naming.list",
    "dlist": "naming.dlist",
    "file": "naming.file",
    "http": "naming.dns",
    "https": "naming.dns",
    "dns": "naming.dns_records",
    "srv": "naming.srv",
    "remotefile": "naming.remotefile",
    "consul": "naming.consul",
    "nacos": "naming.nacos",
    "discovery": "naming.discovery",
    "etcd": "naming.etcd",
    "redis": "naming.dns",
    "bns": "",
}
_factories: dict[str, Factory] = {}


def register(scheme: str) -> Callable[[_F], _F]:
    """Make the decorated class the service of ``scheme``; ValueError for one without a module, or registered twice."""
    if not is_built(scheme) or scheme in _factories:
        raise ValueError(f"scheme {scheme!r} is not in the list, or registered twice")

    def add(factory: _F) -> _F:
        _factories[scheme] = factory
        return factory

    return add


def known() -> tuple[str, ...]:
    """All schemes that an address may name, built or not."""
    return tuple(_MODULES)


def built() -> tuple[str, ...]:
    """The schemes that work, in the order of ``known``."""
    return tuple(scheme for scheme, module in _MODULES.items() if module)


def is_known(scheme: str) -> bool:
    """Whether ``scheme`` (any case) may be named."""
    return scheme.lower() in _MODULES


def is_built(scheme: str) -> bool:
    """Whether ``scheme`` (any case) works."""
    return bool(_MODULES.get(scheme.lower()))


def create(scheme: str, context: NamingContext) -> NamingService:
    """Make the service of ``scheme`` (any case).

    Raises NamingError for a scheme that is unknown, or known and not built.
    """
    module = _MODULES.get(scheme.lower())
    if module is None:
        raise NamingError(f'unknown naming scheme "{scheme}" (valid: {", ".join(_MODULES)})')
    if not module:
        working = ", ".join(built())
        raise NamingError(f'not acted on yet: naming scheme "{scheme}", internal to Baidu (working: {working})')
    importlib.import_module(module)
    return _factories[scheme.lower()](context)
