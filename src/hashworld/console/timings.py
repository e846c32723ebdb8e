"""Where the time of a fetch went."""

from dataclasses import dataclass

from hashworld.tasks.models import Attempt


@dataclass(frozen=True, slots=True)
class Phase:
    """One part of a fetch; `share` of the whole in percent."""

    name: str
    css: str
    milliseconds: float
    share: float


def phases(attempt: Attempt) -> list[Phase]:
    """The parts of the last hop in their order, then the rest up to the end.

    Each timing counts from the phase before it; the total counts all hops.
    """
    total = attempt.total_ms or 0
    parts = [
        ("name lookup", "dns", attempt.dns_ms or 0),
        ("connection", "connect", attempt.connect_ms or 0),
        ("TLS", "tls", attempt.tls_ms or 0),
        ("first byte", "first-byte", attempt.first_byte_ms or 0),
    ]
    rest = total - sum(spent for _, _, spent in parts)
    parts.append(("redirects and body", "body", max(rest, 0)))
    whole = sum(spent for _, _, spent in parts)
    return [Phase(name, css, spent, 100 * spent / whole) for name, css, spent in parts if spent > 0]
