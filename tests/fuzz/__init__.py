"""Bundles spoilt at random, through the reader and both plans. `python -m tests.fuzz` or `make fuzz` runs it for a
while; `tests/test_fuzz.py` runs a sample. Every case is told by two numbers and can be run again: `--case SEED:N`."""
