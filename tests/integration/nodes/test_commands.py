import pytest
from django.core.management import call_command

from hashworld.nodes import heartbeat
from hashworld.nodes.models import Land

pytestmark = pytest.mark.django_db(transaction=True)


def initland(capsys: pytest.CaptureFixture[str]) -> str:
    call_command("initland")
    return capsys.readouterr().out


def test_initland_makes_the_lands_and_run_again_changes_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert initland(capsys) == "1024 lands: 1024 made, 0 moved.\n"
    assert initland(capsys) == "1024 lands: 0 made, 0 moved.\n"


def test_initland_makes_what_is_missing_and_gives_it_to_its_owner(
    capsys: pytest.CaptureFixture[str],
) -> None:
    initland(capsys)
    Land.objects.filter(pk__lt=24).delete()
    node = heartbeat.join("one", "1", 8)
    assert initland(capsys) == "1024 lands: 24 made, 1024 moved.\n"
    assert node.lands.count() == 1024
