"""HTTP and the pages, loaded when they are first asked for: what aiohttp brings is half as much memory again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from edge.net.aio import TaskOwner
from edge.net.last_words import answer_and_close, http_answer
from edge.runtime.http_modules import MODULES
from edge.runtime.late import Late

if TYPE_CHECKING:
    from edge.httpd.app import HttpService
    from edge.net.accepted import Accepted
    from edge.net.context import NetContext


class LateHttp(Late["HttpService"]):
    """The HTTP service of a node from before it is there."""

    title, word = "HTTP and its pages", "http"

    def __init__(
        self,
        make: Callable[[], HttpService],
        context: NetContext,
        *,
        owner: TaskOwner,
        on_ready: Callable[[], object],
        on_failed: Callable[[], object],
    ) -> None:
        """See ``Late``."""
        super().__init__(make, owner=owner, on_ready=on_ready, on_failed=on_failed)
        self._context = context

    def modules(self) -> Sequence[str]:
        """See ``Late``."""
        return MODULES

    @property
    def counters(self) -> Counter[str]:
        """Those of the service."""
        return self.service.counters if self.service is not None else Counter()

    @property
    def connection_count(self) -> int:
        """HTTP connections that are open now; those that wait are the listeners'."""
        return self.service.connection_count if self.service is not None else 0

    def adopt(self, accepted: Accepted, *, hides_pages: bool = False) -> None:
        """As ``HttpService.adopt``; where it could not be loaded, answer 503, and try again if it is time."""
        if self.service is not None:
            self.service.adopt(accepted, hides_pages=hides_pages)
        elif self.has_failed:
            self.start()
            answer = http_answer("503 Service Unavailable", "HTTP could not be loaded: see the log")
            answer_and_close(accepted, self._context, answer, "http_not_loaded")
        else:
            accepted.wire.close()
            raise RuntimeError("HTTP is not loaded yet")
