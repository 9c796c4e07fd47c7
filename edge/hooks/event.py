"""What a call is about, whatever its form."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum


class Action(Enum):
    """The events, by the names that SRS gave them."""

    CONNECT = "on_connect"
    CLOSE = "on_close"
    PUBLISH = "on_publish"
    UNPUBLISH = "on_unpublish"
    PLAY = "on_play"
    STOP = "on_stop"
    #: A session goes on.
    UPDATE = "on_update"
    #: A segment was listed.
    HLS = "on_hls"
    #: The same, for whoever wants to fetch it.
    HLS_NOTIFY = "on_hls_notify"
    #: A recording was closed.
    DVR = "on_dvr"

    @property
    def closing(self) -> Action | None:
        """What ends that which this one opens."""
        return _CLOSINGS.get(self)


_CLOSINGS = {
    Action.CONNECT: Action.CLOSE,
    Action.PUBLISH: Action.UNPUBLISH,
    Action.PLAY: Action.STOP,
}

#: Of questions: nobody finds two of the same.
_DIGEST_BYTES = 32
#: What SRS calls the vhost of clients that name none.
DEFAULT_VHOST = "__defaultVhost__"


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment that was listed.

    Attributes:
        file, m3u8: paths of files; URLs' paths where there are none.
        url, m3u8_url: paths of the URLs, without the first slash.
    """

    seq_no: int
    duration_s: float
    file: str
    url: str
    m3u8: str
    m3u8_url: str
    cwd: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """All that may be told of something; each form takes of it what it has a field for.

    Attributes:
        server_id, service_id: of this node, and of its service.
        client_id: of the client's connection in this process.
        ip: the client's address; ``port`` its port, "" where that is not known.
        vhost: as SRS spells it.
        param: what the client said beside the stream's name, as sent, without a question mark.
        protocol: what the client speaks: ``rtmp``, ``http-flv``, ``hls`` ...
        of: of ``on_update``: the event that has opened the session.
        age_s: of the session, and ``at_ms`` how far its media have come.
        segment: of ``on_hls`` and ``on_hls_notify``.
    """

    action: Action
    client_id: str = ""
    ip: str = ""
    port: str = ""
    vhost: str = DEFAULT_VHOST
    app: str = ""
    stream: str = ""
    param: str = ""
    tc_url: str = ""
    page_url: str = ""
    swf_url: str = ""
    flash_version: str = ""
    user_agent: str = ""
    protocol: str = "rtmp"
    server_id: str = ""
    service_id: str = ""
    stream_id: str = ""
    send_bytes: int = 0
    recv_bytes: int = 0
    of: Action | None = None
    age_s: int = 0
    at_ms: int = 0
    segment: Segment | None = None

    @property
    def stream_url(self) -> str:
        """``vhost/app/stream``."""
        return f"{self.vhost}/{self.app}/{self.stream}"

    @property
    def question(self) -> bytes:
        """What makes two questions the same: all that the answer may depend on but the connection.

        A digest of it: clients choose how long what they say is, and many answers are remembered.
        """
        who = (self.ip, self.page_url, self.swf_url, self.flash_version, self.user_agent, self.protocol)
        text = repr((self.action.value, self.vhost, self.app, self.stream, self.param, self.tc_url, *who))
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()
