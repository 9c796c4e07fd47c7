"""Which load balancers there are, and in which module each registers its name."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from lb.base import BalancerError, LoadBalancer, Traits

Entropy = Callable[[int], int]
"""``entropy(n)`` is a uniform integer in ``[0, n)``."""
Factory = Callable[[Mapping[str, str], Entropy], LoadBalancer]
_F = TypeVar("_F", bound=Factory)

# In the order in which messages list them.
_MODULES = {
    "rr": "lb.round_robin",
    "wrr": "lb.weighted",
    "random": "lb.randomized",
    "wr": "lb.randomized",
    "la": "lb.locality_aware",
    "p2c": "lb.p2c",
    "c_murmurhash": "lb.consistent_hash",
    "c_md5": "lb.consistent_hash",
    "c_ketama": "lb.consistent_hash",
}
_factories: dict[str, Factory] = {}
_traits: dict[str, Traits] = {}


def register(name: str, **traits: bool) -> Callable[[_F], _F]:
    """Make the decorated class the balancer ``name``, with these ``Traits``.

    ValueError for one that is not in the list, or is there twice.
    """
    if name not in _MODULES or name in _factories:
        raise ValueError(f"balancer {name!r} is not in the list, or registered twice")

    def add(factory: _F) -> _F:
        _factories[name] = factory
        _traits[name] = Traits(**traits)
        return factory

    return add


def known() -> tuple[str, ...]:
    """All balancers."""
    return tuple(_MODULES)


def is_known(spec: str) -> bool:
    """Whether ``spec`` (``name`` or ``name:params``, any case) names a balancer."""
    return spec.partition(":")[0].lower() in _MODULES


def create(spec: str, *, entropy: Entropy = random.randrange) -> LoadBalancer:
    """Make the balancer of ``name`` or ``name:k=v k=v``.

    Raises BalancerError for a name that is unknown, and for parameters that
    cannot be read or that the balancer refuses.
    """
    name, _, params = spec.partition(":")
    _load(name)
    return _factories[name.lower()](parse_params(params), entropy)


def traits_of(spec: str) -> Traits:
    """What kind of balancer ``spec`` names; raises BalancerError for a name that is unknown."""
    name = spec.partition(":")[0]
    _load(name)
    return _traits[name.lower()]


def _load(name: str) -> None:
    module = _MODULES.get(name.lower())
    if module is None:
        raise BalancerError(f'unknown load balancer "{name}" (valid: {", ".join(_MODULES)})')
    importlib.import_module(module)


def parse_params(text: str) -> dict[str, str]:
    """Read ``k=v`` pairs separated by blanks; raises BalancerError naming the bad one."""
    params = {}
    for pair in text.split():
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise BalancerError(f'bad balancer parameter "{pair}", expected name=value')
        params[key] = value
    return params


def refuse_unknown(balancer: str, params: Iterable[str], valid: tuple[str, ...]) -> None:
    """Raise BalancerError for the first parameter that is not in ``valid``, naming those that are.

    brpc ignores them, or logs them; a slip of the finger must show.
    """
    for name in params:
        if name not in valid:
            words = ", ".join(valid) or "none"
            raise BalancerError(f'unknown parameter "{name}" of load balancer "{balancer}" (valid: {words})')
