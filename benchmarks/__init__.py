"""How fast HashWorld is beside other tools, measured on this machine: `python -m benchmarks`.

Every script also runs alone (`python -m benchmarks.fetch --help`), on private servers that it
starts and stops, and ends with one line of JSON. What is measured and why: docs/performance.md.
"""
