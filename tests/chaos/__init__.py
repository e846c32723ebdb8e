"""Faults against real nodes: what is broken on purpose, and the ledgers that tell what came of it.

`python -m tests.chaos --quick` runs all of it; `tests/system/test_faults.py` uses the same parts.
"""
