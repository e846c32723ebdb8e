"""Where the time of a fetch went."""

from hashworld.console.timings import phases
from hashworld.tasks.models import Attempt


def test_the_rest_of_the_total_is_redirects_and_body() -> None:
    attempt = Attempt(dns_ms=10, connect_ms=20, tls_ms=30, first_byte_ms=40, total_ms=200)
    found = phases(attempt)
    assert [phase.milliseconds for phase in found] == [10, 20, 30, 40, 100]
    assert found[-1].name == "redirects and body"
    assert sum(phase.share for phase in found) == 100


def test_a_phase_that_was_not_gone_through_is_left_out() -> None:
    found = phases(Attempt(first_byte_ms=40, total_ms=50))
    assert [phase.name for phase in found] == ["first byte", "redirects and body"]


def test_a_total_below_its_parts_does_not_overflow_the_bar() -> None:
    found = phases(Attempt(connect_ms=30, first_byte_ms=30, total_ms=50))
    assert [phase.share for phase in found] == [50, 50]


def test_what_was_not_measured_has_no_bar() -> None:
    assert phases(Attempt()) == []
