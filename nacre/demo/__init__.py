"""`nacre demo`: the whole product on Abalone, and the proof that its numbers are Spark's and XGBoost's own."""

from __future__ import annotations


def main(argv: list[str]) -> int:
    """See `nacre.demo.command`; imported on use, so that each way's process loads only what it runs."""
    from nacre.demo.command import main as run

    return run(argv)
