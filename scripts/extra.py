"""Prints what one extra of pyproject.toml names, and nothing of what the package itself needs."""

import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def requirements(extra: str) -> list[str]:
    """A requirement a line; raises KeyError for an extra that is not there."""
    project = tomllib.loads(PROJECT.read_text())["project"]
    return list(project["optional-dependencies"][extra])


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1])))
