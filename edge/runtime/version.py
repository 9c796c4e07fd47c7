"""Which version this is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

_DISTRIBUTION = "edge-media"
_VERSION_OF_A_CHECKOUT = "0.0.0+source"
_PREFIX, _SUFFIX = f"{_DISTRIBUTION.replace('-', '_')}-", ".dist-info"


def installed_version() -> str:
    """Version of the distribution, or a fixed one when it is not installed.

    The name of its directory holds it (Binary distribution format, "The .dist-info
    directory"), which spares each start the import of importlib.metadata, a tenth of
    it. That one is asked where there is no such directory, as in an archive.
    """
    return _from_directories(sys.path) or _from_metadata()


def _from_directories(places: Iterable[str]) -> str:
    for place in places:
        try:
            names = os.listdir(place or ".")
        except OSError:  # an archive, or nothing
            continue
        for name in names:
            if name.startswith(_PREFIX) and name.endswith(_SUFFIX):
                return name[len(_PREFIX) : -len(_SUFFIX)]
    return ""


def _from_metadata() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(_DISTRIBUTION)
    except PackageNotFoundError:
        return _VERSION_OF_A_CHECKOUT
