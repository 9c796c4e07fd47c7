"""What a node of ours says of itself in the object of its ``connect``."""

from __future__ import annotations

from typing import Final

from edge.rtmp.commands import CAN_RECONNECT
from edge.rtmp.events import AmfObject
from edge.rtmp.pings import CLOCK_PROPERTY
from edge.rtmp.why import KNOWS_WHY

#: By it a node proves that it is of our fleet.
PROOF_PROPERTY: Final = "edgeProof"


def identity_of(edge_id: str, proof: str = "") -> AmfObject:
    """The properties of the node ``edge_id``, of which ``proof`` is one; none of "", which is no node."""
    if not edge_id:
        return {}
    said: AmfObject = {"edgeId": edge_id, CLOCK_PROPERTY: True, KNOWS_WHY: True, "capsEx": CAN_RECONNECT}
    return {**said, PROOF_PROPERTY: proof} if proof else said
