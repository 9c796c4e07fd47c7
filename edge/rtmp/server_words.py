"""The words in which servers of many makes refuse a stream, end one, or take their leave.

No standard says which a server uses. Our own nodes use UnpublishNotify and
StreamEOF, as nginx-rtmp does; film servers say Play.Stop and Play.Complete;
content networks answer in the commands of Flash Media Encoder.
"""

from __future__ import annotations

from typing import Final

UNPUBLISHED: Final = "NetStream.Play.UnpublishNotify"

FAILURES = frozenset(
    (
        "NetStream.Failed",
        "NetStream.Play.Failed",
        "NetStream.Play.StreamNotFound",
        "NetStream.Publish.BadName",
        "NetStream.Publish.Denied",
        "NetStream.Publish.Rejected",
    )
)
"""Refusals, whatever level they bear: some servers send them as ``status``."""

CLOSING = frozenset(
    (
        "NetConnection.Connect.Closed",
        "NetConnection.Connect.AppShutdown",
        "NetConnection.Connect.IdleTimeout",
        "NetConnection.Connect.NetworkChange",
    )
)
"""The server leaves, whatever level this bears: it was told to stop, or tidies up."""
ENDED_THERE: Final = "NetConnection.Connect.Closed"
"""Our code for a publish that the server has ended: as if it had left, so that it is offered again."""

PLAY_ENDS = frozenset((UNPUBLISHED, "NetStream.Play.Stop", "NetStream.Play.Complete", "NetStream.Unpublish.Success"))
"""What is played has ended: the publisher has left, or the film is over. Pauses and switches are not among them."""
PUBLISH_ENDS = frozenset(("NetStream.Unpublish.Success",))
"""The same of a publish that we have not ended ourselves."""
CLOSE_COMMAND: Final = "close"
"""The server asks us to close the connection, as RTMP 1.0 7.2.1 lets both sides do, and as librtmp obeys it."""
END_COMMANDS = frozenset(("onFCUnpublish", "onFCUnsubscribe", "onUnpublish", "closeStream", "deleteStream"))
"""Commands of the server by which it ends a message stream; most of them name no code."""
