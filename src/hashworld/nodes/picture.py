"""The lands as text: a map with a letter for each node, and what each node owns."""

from collections import Counter
from collections.abc import Mapping
from string import ascii_lowercase, ascii_uppercase, digits

LETTERS = ascii_uppercase + ascii_lowercase + digits
NOBODY, BEYOND_LETTERS = ".", "*"
COLUMNS = 64
BAR = 24

Owners = Mapping[int, str | None]
Weights = Mapping[str, int]


def world(owners: Owners, weights: Weights) -> str:
    """The letter of each land's node, in the order of the lands' numbers."""
    letters = _letters(owners, weights)
    cells = "".join(letters[name] if (name := owners[land]) else NOBODY for land in sorted(owners))
    return "\n".join(cells[i : i + COLUMNS] for i in range(0, len(cells), COLUMNS))


def shares(owners: Owners, weights: Weights) -> str:
    """A line for each node: its lands, its ideal share, how far it is from that, and a bar.

    `owners` are names by land; `weights` those of the live nodes, whose ideal is their part of
    the sum.
    """
    letters = _letters(owners, weights)
    counts = Counter(name or "" for name in owners.values())
    wide = max(map(len, [*letters, "nobody"]))
    lines = [
        f"{letter} {name:{wide}} {_count(counts[name], _ideal(name, owners, weights), counts)}"
        for name, letter in letters.items()
    ]
    if counts[""]:
        lines.append(f"{NOBODY} {'nobody':{wide}} {_count(counts[''], None, counts)}")
    return "\n".join(line.rstrip() for line in lines)


def _letters(owners: Owners, weights: Weights) -> dict[str, str]:
    names = sorted({name for name in owners.values() if name} | set(weights))
    return {
        name: LETTERS[place] if place < len(LETTERS) else BEYOND_LETTERS
        for place, name in enumerate(names)
    }


def _ideal(name: str, owners: Owners, weights: Weights) -> float | None:
    return len(owners) * weights[name] / sum(weights.values()) if name in weights else None


def _count(count: int, ideal: float | None, counts: Counter[str]) -> str:
    bar = "#" * round(BAR * count / max(counts.values()))
    if ideal is None:
        return f"{count:4} lands {'not alive':22} {bar}"
    return f"{count:4} lands, ideal {ideal:6.1f} {100 * (count / ideal - 1):+6.1f} % {bar}"
