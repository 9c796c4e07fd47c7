"""What a flag says of its value beyond what it means: when a new one acts, and for whom it may differ."""

from __future__ import annotations

from enum import Enum


class Reload(Enum):
    """When a new value acts on a program that runs; the values are words for pages."""

    #: At once, on everything.
    LIVE = "live"
    #: On what comes from then on: connections, plays, publishes, pulls, requests.
    NEW = "new"
    #: It is read at the start.
    RESTART = "restart"

    @property
    def note(self) -> str:
        """The class in the words of the help."""
        return _NOTES[self]


class Scope(Enum):
    """For whom a value may differ."""

    PROCESS = "process"
    #: For the streams of one vhost. Today all of them have the value of the process.
    VHOST = "vhost"


_NOTES = {
    Reload.LIVE: "reloadable, acts at once",
    Reload.NEW: "reloadable, acts on what comes from then on",
    Reload.RESTART: "read at start",
}

#: For the definitions.
LIVE, NEW, RESTART = Reload.LIVE, Reload.NEW, Reload.RESTART
PROCESS, VHOST = Scope.PROCESS, Scope.VHOST
