"""The proof of parity in a bundle: some rows, and what Spark made of them. `nacre verify` scores them again."""

from __future__ import annotations

from nacre.proof.notes import NOTE, Proof, ProofRow

__all__ = ["NOTE", "Proof", "ProofRow"]
