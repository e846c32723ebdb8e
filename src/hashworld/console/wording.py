"""Times and sizes in words."""

from datetime import datetime

_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
#: What stands where there is nothing to say.
NONE = "\N{EN DASH}"
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


def duration(seconds: float) -> str:
    """A length of time in its two largest units, as in "2 h 5 min"."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    left = round(seconds)
    parts: list[str] = []
    for size, unit in _STEPS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if part)


def relative(moment: datetime, now: datetime) -> str:
    """A moment as seen from `now`, in one unit: "3 min ago", "in 5 s", "just now"."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 1:
        return "just now"
    return f"{roughly(seconds)} ago" if seconds > 0 else f"in {roughly(-seconds)}"


def roughly(seconds: float) -> str:
    """A length of time of a second or more in whole numbers of its largest unit."""
    size, unit = next((step for step in _STEPS if seconds >= step[0]), _STEPS[-1])
    return f"{int(seconds // size)} {unit}"


def words(name: str) -> str:
    """A name from the code as people read it: "connect_timeout" is "connect timeout"."""
    return name.replace("_", " ")


def size(count: float) -> str:
    """A number of bytes in decimal units, as in "1.2 MB"."""
    for unit in _UNITS:
        if count < 1000 or unit == _UNITS[-1]:
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"


def number(count: float) -> str:
    """A count with its thousands set apart."""
    return f"{count:,.0f}"


def short(count: float) -> str:
    """A count that must fit: "999", "12.3K", "4.5M"."""
    for limit, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (10_000, "K")):
        if count >= limit:
            scale = 1000 if unit == "K" else limit
            return f"{count / scale:.1f}{unit}"
    return number(count)


def rate(per_second: float) -> str:
    """Tasks a second, or a minute where a second sees less than one."""
    if not per_second:
        return "0/s"
    if per_second >= 1:
        return f"{per_second:,.0f}/s" if per_second >= 10 else f"{per_second:.1f}/s"
    return f"{per_second * 60:.1f}/min"
