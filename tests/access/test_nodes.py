"""Nodes prove that they are of one fleet."""

from __future__ import annotations

import pytest

from edge.access import digest, nodes
from edge.access.nodes import NodeProofs, parse_secret, proof_sum
from tests.access.fakes import EXPIRY, KEY

VECTOR = "tHllyNrMU3uXbpD-F2hqmdVwRPv4Z5JJzdd_DGMSOdA"


def test_vector_of_a_proof() -> None:
    assert digest.write(proof_sum(KEY, "n-7f3a", "1893456000"), digest.BASE64URL) == VECTOR
    assert NodeProofs(KEY, lambda: float(EXPIRY)).accepts(f"1893456000.{VECTOR}", "n-7f3a")


def test_each_proof_is_another_one_and_counts_once() -> None:
    here, there = NodeProofs(KEY, lambda: float(EXPIRY)), NodeProofs(KEY, lambda: EXPIRY + 59.0)
    proofs = [here.make("n-7f3a") for _ in range(100)]
    assert len(set(proofs)) == 100
    assert all(there.accepts(proof, "n-7f3a") for proof in proofs)
    assert not any(there.accepts(proof, "n-7f3a") for proof in proofs), "replayed"


@pytest.mark.parametrize("skew_s", [-61, 61])
def test_AU25_proof_of_another_time_is_none(skew_s: int) -> None:
    proof = NodeProofs(KEY, lambda: float(EXPIRY + skew_s)).make("n-7f3a")
    assert not NodeProofs(KEY, lambda: float(EXPIRY)).accepts(proof, "n-7f3a")


def test_AU25_proof_with_another_secret_or_of_another_node_is_none() -> None:
    here = NodeProofs(KEY, lambda: float(EXPIRY))
    assert not here.accepts(NodeProofs(b"another secret of 16", lambda: float(EXPIRY)).make("n"), "n")
    assert not here.accepts(here.make("n"), "m")


@pytest.mark.parametrize("proof", ["", "x", "1893456000", f"1893456000.{VECTOR}x", f"-1.{VECTOR}", f"1e9.{VECTOR}"])
def test_AU25_what_is_no_proof_is_none(proof: str) -> None:
    assert not NodeProofs(KEY, lambda: float(EXPIRY)).accepts(proof, "n-7f3a")


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "MAX_REMEMBERED", 10)
    here = NodeProofs(KEY, lambda: float(EXPIRY))
    for _ in range(50):
        here.accepts(here.make("n"), "n")
    assert len(here._seen) == 10


def test_secret_is_one_line() -> None:
    assert parse_secret(f"# of all\n{KEY.decode()}\n") == KEY
    for text in ("", "short\n", f"{KEY.decode()}\n{KEY.decode()}\n"):
        with pytest.raises(ValueError, match="one line"):
            parse_secret(text)
