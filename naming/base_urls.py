"""Base URLs of public servers, ``scheme://host[:port][/prefix]``, by the naming services that there are.

They are of HTTP, or of RTMP (``RTMP``), without a prefix; what is said of ``http://`` here goes for ``rtmp://`` then.

``list://`` and ``file://`` hold base URLs themselves, an item or a line each; nothing in them is looked up, since the
names are for clients far away. Any other service names servers; of one whose tag is a base URL that is meant, of
another ``http://host:port``, or ``https://`` on port 443.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from naming import registry
from naming.base import NamingContext, NamingError, NamingOptions
from naming.endpoint import check_host, is_ip
from naming.file import read_list
from naming.node import ServerNode
from naming.resolver import Resolver
from naming.threads import PatientCalls
from naming.watcher import Watcher

_log = logging.getLogger(__name__)

_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+;=:@%-]*)*", re.ASCII)
_OWN_LISTS = ("list", "file")
_TLS_PORT = 443

OnUpdate = Callable[[tuple[str, ...]], None]


class Family(NamedTuple):
    """Schemes of one protocol, without and with TLS, and whether a path may stand behind the server."""

    plain: str
    tls: str
    has_prefix: bool


HTTP = Family("http", "https", has_prefix=True)
RTMP = Family("rtmp", "rtmps", has_prefix=False)


def parse_base_url(text: str, family: Family = HTTP) -> str:
    """``text`` without a slash at its end, scheme and host in small letters; raises NamingError for anything else."""
    prefix = "[/prefix]" if family.has_prefix else ""
    bad = NamingError(f'bad base URL "{text}": expected {family.plain}[s]://host[:port]{prefix}')
    if not text.isprintable() or " " in text:  # urlsplit would leave some of it out
        raise bad
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise bad from None
    if parts.scheme not in (family.plain, family.tls) or parts.query or parts.fragment or "?" in text or "#" in text:
        raise bad
    if "@" in parts.netloc or port == 0 or not _PREFIX.fullmatch(parts.path):
        raise bad
    if parts.path.rstrip("/") and not family.has_prefix:
        raise bad
    if ":" in host:
        if not is_ip(host):
            raise bad
        host = f"[{host}]"
    else:
        check_host(host, text)
    return f"{parts.scheme}://{host}{f':{port}' if port is not None else ''}{parts.path.rstrip('/')}"


def parse_base_urls(texts: Iterable[str], family: Family = HTTP) -> tuple[list[str], list[str]]:
    """The base URLs of items, each once, and what is wrong with others; ``#`` begins a comment."""
    found: dict[str, None] = {}
    faults = []
    for text in texts:
        words = text.partition("#")[0].split()
        try:
            if words:
                found[parse_base_url(words[0], family)] = None
        except NamingError as error:
            faults.append(str(error))
    return list(found), faults


def base_url_of(node: ServerNode, family: Family = HTTP) -> str:
    """Where clients reach a server that a naming service knows."""
    with contextlib.suppress(NamingError):
        return parse_base_url(node.tag, family)
    host = node.name or (f"[{node.host}]" if ":" in node.host else node.host)
    return f"{family.tls}://{host}" if node.port == _TLS_PORT else f"{family.plain}://{host}:{node.port}"


def check_base_urls(text: str, family: Family = HTTP) -> None:
    """Raise NamingError unless ``text`` is the URL of a naming service that can name base URLs; asks nobody."""
    scheme, separator, name = text.partition("://")
    scheme = scheme.lower()
    if not separator or not registry.is_known(scheme):
        valid = ", ".join(registry.built())
        raise NamingError(
            f'"{text}" is no URL of a naming service (valid schemes: {valid}), '
            f"as list://{family.plain}://a,{family.plain}://b"
        )
    if scheme == "list":
        found, faults = parse_base_urls(name.split(","), family)
        if faults or not found:
            raise NamingError(faults[0] if faults else f'no base URL in "{text}"')
        return
    registry.create(scheme, NamingContext(NamingOptions(), Resolver(), lambda _: None)).check_name(name)


class BaseUrlWatcher:
    """Follows the base URLs that a naming URL stands for; outages and empty answers keep the last list.

    Attributes:
        urls: those in force.
    """

    def __init__(
        self,
        text: str,
        on_update: OnUpdate,
        *,
        family: Family = HTTP,
        options: NamingOptions | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``on_update`` is called on the loop with each list that differs; raises NamingError for a bad ``text``."""
        check_base_urls(text, family)
        self._family = family
        self._scheme, _, self._name = text.partition("://")
        self._scheme = self._scheme.lower()
        self._on_update = on_update
        self._options = options or NamingOptions()
        self._sleep = sleep
        self._fault = ""
        self.urls: tuple[str, ...] = ()

    async def run(self) -> None:
        """Follow until cancelled."""
        if self._scheme == "list":
            self._apply(parse_base_urls(self._name.split(","), self._family)[0])
        elif self._scheme == "file":
            await self._follow_file()
        else:
            await self._follow_service()

    async def _follow_file(self) -> None:
        calls = PatientCalls(name="naming-base-urls", timeout_ms=self._options.ns_fetch_timeout_ms)
        limit = self._options.ns_max_body_bytes
        while True:
            try:
                text = await calls.call(lambda: read_list(self._name, limit))
                found, faults = parse_base_urls(text.removeprefix("\ufeff").split("\n"), self._family)
                self._apply(found)
                self._tell(faults[0] if faults else "")
            except OSError as error:
                self._tell(f'cannot read "{self._name}": {error.strerror}')
            except NamingError as error:
                self._tell(str(error))
            await self._sleep(self._options.ns_access_interval)

    async def _follow_service(self) -> None:
        from naming.url import parse_address

        def take(nodes: Sequence[ServerNode]) -> None:
            self._apply(list(dict.fromkeys(base_url_of(node, self._family) for node in nodes)))

        watcher = Watcher(parse_address(f"{self._scheme}://{self._name}"), take, options=self._options)
        try:
            await watcher.start()
            await asyncio.Event().wait()
        finally:
            await watcher.close()

    def _apply(self, urls: Sequence[str]) -> None:
        found = tuple(sorted(urls[: self._options.ns_max_servers]))
        if found == self.urls or (not found and self._options.ns_ignore_empty_list):
            return
        self.urls = found
        self._on_update(found)

    def _tell(self, fault: str) -> None:
        """What is wrong with a file, once until it changes."""
        if fault and fault != self._fault:
            _log.warning("reason=ns_failed %s; keeping %d base URLs", fault, len(self.urls), extra={"cause": fault})
        self._fault = fault
