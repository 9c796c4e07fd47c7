"""The contract of a naming service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from naming.masking import without_secrets
from naming.node import ServerNode


class NamingError(Exception):
    """A naming URL or its source cannot be used; the text says which part, without what is secret in it."""

    def __init__(self, text: str = "") -> None:
        super().__init__(without_secrets(text))


@dataclass(frozen=True, slots=True)
class NamingOptions:
    """Settings shared by the naming services; the fields bear the names of the flags that set them.

    Attributes:
        ns_access_interval: seconds between two questions to a source that is polled.
        dns_timeout_ms: how long one lookup of a name may take, in milliseconds.
        ns_max_servers: servers kept of one answer; bounds memory and work per selection.
        ns_ignore_empty_list: an empty answer keeps the last list.
        ns_fetch_timeout_ms: how long one fetch over HTTP may take as a whole, in milliseconds; 0: no bound.
        ns_max_body_bytes: largest list that is read, from a file or over HTTP.
        ns_ca_file, ns_cert_file, ns_key_file: PEM files for ``https://`` questions, see ``naming.tls``.
        remote_file_timeout_ms: how long one fetch of a ``remotefile`` may take, in milliseconds.
        remote_file_connect_timeout_ms: its TCP connect; -1: a third of the fetch.
        consul_...: the agent, the URL around the name of the service, the pace, and the file with the token.
        nacos_...: the servers, the paths of the API, user and password, encoded as in a URL, or the file with it.
        etcd_...: the servers, the user, and the file with the password.
        discovery_...: the URL that names the nodes, and what is asked of them.
    """

    ns_access_interval: int = 5
    dns_timeout_ms: int = 5000
    ns_max_servers: int = 1024
    ns_ignore_empty_list: bool = True
    ns_fetch_timeout_ms: int = 5000
    ns_max_body_bytes: int = 1048576
    ns_ca_file: str = ""
    ns_cert_file: str = ""
    ns_key_file: str = ""
    remote_file_timeout_ms: int = 1000
    remote_file_connect_timeout_ms: int = -1
    consul_agent_addr: str = "http://127.0.0.1:8500"
    consul_service_discovery_url: str = "/v1/health/service/"
    consul_url_parameter: str = "?stale&passing"
    consul_token_file: str = ""
    consul_connect_timeout_ms: int = 200
    consul_blocking_query_wait_secs: int = 60
    consul_retry_interval_ms: int = 500
    consul_enable_degrade_to_file_naming_service: bool = False
    consul_file_naming_service_dir: str = ""
    nacos_address: str = ""
    nacos_service_discovery_path: str = "/nacos/v1/ns/instance/list"
    nacos_service_auth_path: str = "/nacos/v1/auth/login"
    nacos_connect_timeout_ms: int = 200
    nacos_username: str = ""
    nacos_password: str = field(default="", repr=False)
    nacos_password_file: str = ""
    discovery_api_addr: str = ""
    discovery_timeout_ms: int = 3000
    discovery_env: str = "prod"
    discovery_status: str = "1"
    discovery_zone: str = ""
    etcd_address: str = "http://127.0.0.1:2379"
    etcd_connect_timeout_ms: int = 200
    etcd_user: str = ""
    etcd_password_file: str = ""


class AddressResolver(Protocol):
    """Turns a host name into numeric addresses."""

    async def resolve(self, host: str) -> Sequence[str]:
        """Return at least one numeric address, IPv4 before IPv6.

        Raises NamingError when there is none, or no answer in time.
        """
        ...


@dataclass(frozen=True, slots=True)
class NamingContext:
    """What a naming service is given to work with.

    Attributes:
        options: the settings.
        resolver: looks up host names.
        on_failure: told, in words, of each round that gave no answer.
        sleep: waits a number of seconds.
        on_skipped: told, in words, of parts of an answer that are left out; None: told as failures.
    """

    options: NamingOptions
    resolver: AddressResolver
    on_failure: Callable[[str], None]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    on_skipped: Callable[[str], None] | None = None

    def skip(self, detail: str) -> None:
        """Tell of a part that is left out; unlike a failure it does not end the wait for the first answer."""
        (self.on_skipped or self.on_failure)(detail)


class NamingService(Protocol):
    """Watches one name; made by its registered class from a ``NamingContext``.

    ``watch`` yields the full list each time it has a good answer (not only when
    it changed) and never ends; it raises only ``NamingError`` and only for a
    name that can never work. Outages are retried inside and yield nothing.
    """

    def check_name(self, name: str) -> None:
        """Raise NamingError when the text of ``name`` can never work; looks nothing up."""
        ...

    def watch(self, name: str) -> AsyncIterator[Sequence[ServerNode]]:
        """Follow ``name``, the text after ``scheme://``, verbatim."""
        ...
