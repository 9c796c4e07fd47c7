"""Which load balancers there are: each module of this package registers its name."""

from __future__ import annotations

import importlib
import pkgutil
import random
from collections.abc import Callable, Mapping
from typing import TypeVar

import lb
from lb.base import BalancerError, LoadBalancer

Entropy = Callable[[int], int]
"""``entropy(n)`` is a uniform integer in ``[0, n)``."""
Factory = Callable[[Mapping[str, str], Entropy], LoadBalancer]
_F = TypeVar("_F", bound=Factory)

# Every balancer of the product, in the order in which messages list them.
_KNOWN = ("rr", "wrr", "random", "wr", "la", "p2c", "c_murmurhash", "c_md5", "c_ketama")
_factories: dict[str, Factory] = {}


def register(name: str) -> Callable[[_F], _F]:
    """Make the decorated class the balancer ``name``; two classes for one name are a bug."""
    if name not in _KNOWN:
        raise ValueError(f"balancer {name!r} is not in the list of known balancers")

    def add(factory: _F) -> _F:
        if name in _factories:
            raise ValueError(f"balancer {name!r} is registered twice")
        _factories[name] = factory
        return factory

    return add


def known() -> tuple[str, ...]:
    """All balancers that may be named, built or not."""
    return _KNOWN


def built() -> tuple[str, ...]:
    """The balancers that work, in the order of ``known``."""
    _load()
    return tuple(name for name in _KNOWN if name in _factories)


def is_known(spec: str) -> bool:
    """Whether ``spec`` (``name`` or ``name:params``, any case) names a balancer."""
    return spec.partition(":")[0].lower() in _KNOWN


def is_built(spec: str) -> bool:
    """Whether ``spec`` (``name`` or ``name:params``, any case) names one that works."""
    return spec.partition(":")[0].lower() in built()


def create(spec: str, *, entropy: Entropy = random.randrange) -> LoadBalancer:
    """Make the balancer of ``name`` or ``name:k=v k=v``.

    Raises BalancerError for a name that is unknown, and for parameters that
    cannot be read or that the balancer refuses.
    """
    _load()
    name, _, params = spec.partition(":")
    factory = _factories.get(name.lower())
    if factory is not None:
        return factory(parse_params(params), entropy)
    raise BalancerError(f'unknown load balancer "{name}" (valid: {", ".join(_KNOWN)})')


def parse_params(text: str) -> dict[str, str]:
    """Read ``k=v`` pairs separated by blanks; raises BalancerError naming the bad one."""
    params = {}
    for pair in text.split():
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise BalancerError(f'bad balancer parameter "{pair}", expected name=value')
        params[key] = value
    return params


def _load() -> None:
    """Import every module of the package, so that a new balancer is one new file."""
    for module in pkgutil.iter_modules(lb.__path__):
        importlib.import_module(f"lb.{module.name}")
