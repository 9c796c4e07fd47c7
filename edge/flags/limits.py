"""Flags of how many may be here at a time."""

from __future__ import annotations

from edge.flags.classes import NEW, VHOST
from edge.flags.registry import define_int32

_TOPIC = "hub"

define_int32(
    "max_players",
    0,
    "Most players at a time of a vhost, without a vhost file of all; another one is refused, LimitReached. Other nodes "
    "are none. 0 sets no limit.",
    topic=_TOPIC,
    reload=NEW,
    scope=VHOST,
    lower=0,
)
define_int32(
    "max_streams",
    0,
    "Most streams at a time, published or fetched, of a vhost, without a vhost file of all; who would begin another "
    "one is refused. 0 sets no limit.",
    topic=_TOPIC,
    reload=NEW,
    scope=VHOST,
    lower=0,
)
define_int32(
    "max_players_per_stream",
    0,
    "Most players of one stream at a time, beside other nodes; 0 sets no limit.",
    topic=_TOPIC,
    reload=NEW,
    scope=VHOST,
    lower=0,
)
define_int32(
    "max_publishers_per_ip",
    0,
    "Most streams that one address may publish at a time in a vhost, without a vhost file at all; 0 sets no limit.",
    topic=_TOPIC,
    reload=NEW,
    scope=VHOST,
    lower=0,
)
define_int32(
    "max_out_kbps",
    0,
    "While the players of a vhost, without a vhost file all, were sent more than this over the last 10 s no other is "
    "let in; nobody is cut off. 0 sets no limit.",
    topic=_TOPIC,
    unit="kbit/s",
    reload=NEW,
    scope=VHOST,
    lower=0,
)
