"""All pairs of containers that can be fused: models of every kind, requests that hurt, and the two ways through a pair.

`python -m tests.pairs` walks them and writes docs/pairs.md. A kind that can be fused has an entry in `SAMPLES`.
"""
