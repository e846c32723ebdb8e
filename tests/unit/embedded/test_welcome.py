"""What a person is told when everything is up."""

import pytest

from hashworld.embedded import ports, welcome


@pytest.mark.parametrize(
    ("bind", "url"),
    [
        ("127.0.0.1:8000", "http://127.0.0.1:8000/admin/"),
        ("0.0.0.0:80", "http://127.0.0.1:80/admin/"),
        ("[::]:8000", "http://127.0.0.1:8000/admin/"),
        ("hashworld.example:8000", "http://hashworld.example:8000/admin/"),
    ],
)
def test_the_address_is_one_that_a_browser_reaches(bind, url):
    assert welcome.admin_url(bind) == url


def test_where_nobody_listens_nothing_answers():
    assert not welcome.answers(f"127.0.0.1:{ports.find_free()}")


def test_the_box_shows_address_and_user():
    box = welcome.box("127.0.0.1:8000", "User admin [yes]", colour=False)
    assert "│ http://127.0.0.1:8000/admin/ │" in box
    assert "User admin [yes]" in box
