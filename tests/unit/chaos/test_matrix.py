"""The table of faults names kinds and tests that there are, and a full run reaches all it says."""

import re
from pathlib import Path

from tests.chaos.__main__ import LONG
from tests.chaos.app import POINTS
from tests.chaos.nemesis.kinds import FAKETIME, KINDS
from tests.chaos.nemesis.plan import counted, plan

ROOT = Path(__file__).parents[3]
TABLE = (ROOT / "docs/faults.md").read_text()
NAMED = set(re.findall(r"`(\w+)`", TABLE))


def test_every_kind_of_fault_is_in_the_table() -> None:
    kinds = {kind.name for kind in KINDS}
    assert kinds <= NAMED
    optional = set() if FAKETIME.exists() else {"skew_clock_of_node"}
    assert {name for name in NAMED if not name.startswith("test_")} == kinds | optional


def test_every_test_of_the_table_exists() -> None:
    code = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = {name for name in NAMED if name.startswith("test_")}
    assert named == {name for name in named if f"def {name}(" in code}


def test_a_full_run_stops_nodes_at_every_point() -> None:
    counts = counted(plan(7, KINDS, int(LONG["faults"]), ("n1", "n2", "n3", "n4")))
    assert counts["crash_node_at_a_point"] + counts["freeze_node_at_a_point"] >= len(POINTS)
