"""What is to be done about a cause, in a sentence for who has to do it; and which entries of a story are causes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edge.service.story import Kind

#: What merely happened, and is no reason for anything that does not work.
EVENTS = frozenset(
    {Kind.NAMED, Kind.PUBLISHED, Kind.ASKED, Kind.RUNS, Kind.MOVED, Kind.REDIRECTED, Kind.JOINED, Kind.LEFT}
)
#: By these a stream has begun to run: what was told before is the past.
BEGINNINGS = frozenset({Kind.PUBLISHED, Kind.RUNS})
#: A part of the audience has trouble; the stream plays all the same.
OF_SOME = frozenset(
    {
        *(Kind.JUMPED, Kind.TOO_SLOW, Kind.EXPELLED, Kind.CLOCK),
        *(Kind.PROTOCOL, Kind.CONTAINER, Kind.BAD_NAME, Kind.BUSY),
    }
)

ADVICE: Mapping[Kind, str] = {
    Kind.BAD_NAME: "Correct the name in the URL: it is APP/STREAM, without empty parts, backslashes or dots alone.",
    Kind.FORBIDDEN: "Check what the word says: address, page, token and its date, key or password.",
    Kind.RULE_FAILED: "A rule of the server failed: its log has the traceback.",
    Kind.BUSY: "Stop the other publisher, or publish under another name.",
    Kind.OVERLOAD: "Send clients to another server, or raise the limit that the text names.",
    Kind.DRAINING: "This server is being stopped: use another one.",
    Kind.ABSENT: "Start the encoder, and compare the names at both ends letter by letter.",
    Kind.NOT_ASKED: "Play it here once, then ask again, or ask the origin.",
    Kind.CONTAINER: "Play it in another container, or let the encoder send another codec.",
    Kind.REPLACED: "Two encoders send under one name: stop one of them.",
    Kind.KICKED: "Where another encoder took the name, stop one of them; where an operator ended it, start it again.",
    Kind.ENDED: "Who asked is in the log of that server; it may be published and played again.",
    Kind.ENDED_BY_TIME: "Get a new token and come again: what was let in for a time ends with it.",
    Kind.IDLE: "The encoder was connected and sent nothing: look at its source and its uplink.",
    Kind.UNUSED: "Publish again when somebody is to play it, or raise -publish_kickoff_for_idle_s.",
    Kind.TOO_FAST: "Lower the bit rate of the encoder, or raise -max_publish_kbps.",
    Kind.PUBLISHER_LEFT: "Start the encoder again.",
    Kind.PUBLISHER_LOST: "The encoder's connection broke: look at its network; it should connect again by itself.",
    Kind.NO_MEDIA: "The encoder is connected and sends nothing: look at its source.",
    Kind.SILENT: "The encoder is connected and has stopped sending: look at its source and its uplink.",
    Kind.NO_KEYFRAME: "Set a keyframe interval of 2 s in the encoder: players begin at keyframes only.",
    Kind.NO_HEADER: "The encoder must send its codec's header before pictures: restart it, or set it to H.264.",
    Kind.CODEC: "Players may not know this codec: set the encoder to H.264 and AAC.",
    Kind.SLOW_LINE: "The media come slower than they are played: lower the bit rate, or give that line more room.",
    Kind.SLOW_PUSH: "Give the line to that server more room, or lower the bit rate of the encoder.",
    Kind.CLOCK: "The clocks of sound and picture differ, or jump: look at the encoder's clock and its inputs.",
    Kind.DOWN: "Start that server, and check its address and port and the firewall between.",
    Kind.TIMED_OUT: "That server does not answer in time: check its address, the firewall, and its load.",
    Kind.MUTE: "That server is connected and sends nothing of the stream: ask it why.",
    Kind.CLOSED: "That server, or something between, closes the connection: its log says why.",
    Kind.REFUSED: "That server says no: check the token and what it allows.",
    Kind.NOT_FOUND: "That server has no such stream: compare the names, and where the encoder publishes to.",
    Kind.WAITING: "Start the encoder, and compare the names at both ends letter by letter.",
    Kind.TLS: "Check the certificate of that server, its name and dates, the CAs, and the clocks of both machines.",
    Kind.FOREIGN: "What listens there is no media server: check the port.",
    Kind.LOOP: "Servers fetch the stream from each other: correct -proxy_to.",
    Kind.BAD_REDIRECT: "That server sends us on to a place that cannot be used: correct its redirects.",
    Kind.NAMING: "The naming service must answer: check its address and its log. Servers known before stay in use.",
    Kind.NO_SERVER: "The list of servers is empty, or none of them may be used: correct the list.",
    Kind.GAVE_UP: "The attempts before say why.",
    Kind.NO_ANSWER: "The next node does not say: ask it directly.",
    Kind.WAITS: "Set a keyframe interval of 2 s in the encoder.",
    Kind.JUMPED: "The network of some players is too slow for the bit rate.",
    Kind.TOO_SLOW: "The network of that player is too slow for the bit rate.",
    Kind.EXPELLED: "Who asked is in the log of that server; the client may come again.",
    Kind.PROTOCOL: "The client broke the protocol: use another encoder or player, or a newer one.",
    Kind.HANDSHAKE: "What connected does not speak a protocol of this port: check the URL's scheme and port.",
    Kind.CLIENT_TLS: "The client did not accept our certificate, or spoke no TLS: check its URL and its clock.",
    Kind.TOO_MANY: "Raise -max_connections or -max_connections_per_ip, or find who opens so many.",
}


def has_cause(kinds: Iterable[Kind]) -> bool:
    """Whether a story, the newest first, tells why its stream does not run: what came before it last ran is over."""
    for kind in kinds:
        if kind in BEGINNINGS:
            return False
        if kind not in EVENTS and kind not in OF_SOME:
            return True
    return False


def advice_of(kind: Kind) -> str:
    """A sentence, or "" for what is no cause."""
    return ADVICE.get(kind, "")
