"""Control by gRPC, loaded at the first connection that speaks HTTP/2: its library is as large as all of HTTP."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from edge.errors import RemoteProtocolError
from edge.net.aio import TaskOwner, spawn
from edge.runtime.late import Late

if TYPE_CHECKING:
    from edge.control.config import GrpcConfig
    from edge.control.server import ControlServers
    from edge.net.accepted import Accepted
    from edge.net.config import Http2Config
    from edge.net.context import NetContext

MODULES = ("edge.control.server",)
#: What calls in progress are given when their server is replaced, and when the node ends.
REPLACED_GRACE_S, CLOSED_GRACE_S = 30.0, 1.0


def _nobody(config: GrpcConfig) -> ControlServers:
    raise RuntimeError("nobody has said what control tells of")


class LateGrpc(Late["ControlServers"]):
    """The servers of gRPC of a node from before they are there.

    Attributes:
        maker: makes them, once they are loaded.
    """

    title, word = "control by gRPC", "grpc"

    def __init__(
        self, config: GrpcConfig, context: NetContext, *, owner: TaskOwner, on_ready: Callable[[], object]
    ) -> None:
        """See ``Late``; media go on where it cannot be loaded."""
        super().__init__(lambda: self.maker(self._config), owner=owner, on_ready=on_ready, on_failed=on_ready)
        self.maker: Callable[[GrpcConfig], ControlServers] = _nobody
        self._config = config
        self._context = context
        self._leaving: set[ControlServers] = set()

    def modules(self) -> Sequence[str]:
        """See ``Late``."""
        # The library tells what peers do wrong on the standard error, and headers that are no text with a traceback
        # each; what fails in calls the guard tells itself.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        logging.getLogger("grpc").setLevel(logging.CRITICAL)
        return MODULES

    @property
    def connection_count(self) -> int:
        """Connections that are open now."""
        return len(self.service.splicer) if self.service is not None else 0

    @property
    def failed_count(self) -> int:
        """Calls that ended with an exception of ours."""
        return self.service.failed_count if self.service is not None else 0

    def adopt(self, accepted: Accepted, config: Http2Config, *, is_public: bool) -> None:
        """Join an accepted connection to a server; ``is_public``: to that with health alone, whoever it is."""
        if self.service is None:
            self.start()
            error = RemoteProtocolError("see the log", reason="grpc_not_loaded", is_quiet=True)
            self._context.counters.report(error, f"[{accepted.address}]", peer=str(accepted.address))
            accepted.wire.close()
            return
        self.service.splicer.join(accepted, self.service.path(is_public=is_public), config)

    def reconfigure(self, config: GrpcConfig) -> None:
        """Serve connections that come from now on with new limits; nothing where they are those in force."""
        if config == self._config:
            return
        self._config = config
        if self.service is not None:
            spawn(self._replace(), name="replace-grpc", owner=self._owner)

    async def _replace(self) -> None:
        made = self._make()
        await made.start()
        before, self.service = self.service, made
        if before is None:
            return
        self._leaving.add(before)
        await before.close(grace_s=REPLACED_GRACE_S)
        self._leaving.discard(before)

    async def close(self) -> None:
        """See ``Late``; who has just asked for the end is told that it comes."""
        for service in list(self._leaving):
            await service.close()
        if self.service is not None:
            await self.service.close(grace_s=CLOSED_GRACE_S)
        await super().close()


def is_public(accepted: Accepted, *, is_internal_port_set: bool) -> bool:
    """Whether a connection may have no more than health: all but the internal port, or this machine without one."""
    if accepted.entrance.is_internal:
        return False
    return is_internal_port_set or not accepted.is_local
