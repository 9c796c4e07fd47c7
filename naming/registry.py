"""Which naming services there are: each module of this package registers its scheme."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import TypeVar

import naming
from naming.base import NamingContext, NamingError, NamingService

Factory = Callable[[NamingContext], NamingService]
_F = TypeVar("_F", bound=Factory)

# Every scheme of the product, in the order in which messages list them. ``bns`` is known and not built: it speaks to a
# directory inside Baidu through a library that is not public.
_KNOWN = (
    "list",
    "dlist",
    "file",
    "http",
    "https",
    "dns",
    "srv",
    "remotefile",
    "consul",
    "nacos",
    "discovery",
    "etcd",
    "redis",
    "bns",
)
_factories: dict[str, Factory] = {}


def register(scheme: str) -> Callable[[_F], _F]:
    """Make the decorated class the service of ``scheme``; two classes for one scheme are a bug."""
    if scheme not in _KNOWN:
        raise ValueError(f"scheme {scheme!r} is not in the list of known schemes")

    def add(factory: _F) -> _F:
        if scheme in _factories:
            raise ValueError(f"scheme {scheme!r} is registered twice")
        _factories[scheme] = factory
        return factory

    return add


def known() -> tuple[str, ...]:
    """All schemes that an address may name, built or not."""
    return _KNOWN


def built() -> tuple[str, ...]:
    """The schemes that work, in the order of ``known``."""
    _load()
    return tuple(scheme for scheme in _KNOWN if scheme in _factories)


def is_known(scheme: str) -> bool:
    """Whether ``scheme`` (any case) may be named."""
    return scheme.lower() in _KNOWN


def is_built(scheme: str) -> bool:
    """Whether ``scheme`` (any case) works."""
    return scheme.lower() in built()


def create(scheme: str, context: NamingContext) -> NamingService:
    """Make the service of ``scheme`` (any case).

    Raises NamingError for a scheme that is unknown, or known and not built.
    """
    _load()
    factory = _factories.get(scheme.lower())
    if factory is not None:
        return factory(context)
    if is_known(scheme):
        why = ", internal to Baidu" if scheme.lower() == "bns" else ""
        raise NamingError(f'not acted on yet: naming scheme "{scheme}"{why} (working: {", ".join(built())})')
    raise NamingError(f'unknown naming scheme "{scheme}" (valid: {", ".join(_KNOWN)})')


def _load() -> None:
    """Import every module of the package, so that a new service is one new file."""
    for module in pkgutil.iter_modules(naming.__path__):
        importlib.import_module(f"naming.{module.name}")
