"""What nodes say of themselves, and clients that are none do not."""

from __future__ import annotations

from edge.rtmp.identity import PROOF_PROPERTY, identity_of


def test_node_has_an_id_and_perhaps_a_proof() -> None:
    assert identity_of("") == identity_of("", "proof") == {}
    assert identity_of("n")["edgeId"] == "n" and PROOF_PROPERTY not in identity_of("n")
    assert identity_of("n", "proof") == {**identity_of("n"), PROOF_PROPERTY: "proof"}
