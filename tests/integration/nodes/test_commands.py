import pytest
from django.core.management import CommandError, call_command

from hashworld.nodes import clock, lands, leadership
from hashworld.nodes.leadership import Candidate, TermOver
from hashworld.nodes.models import Land, Leadership
from tests.integration.nodes.world import alive

pytestmark = pytest.mark.django_db(transaction=True)


def initland(capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    call_command("initland", *options)
    return capsys.readouterr().out.splitlines()


def test_initland_makes_the_lands_and_run_again_changes_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    nobody = ". nobody 1024 lands not alive              ########################"
    assert initland(capsys) == ["1024 lands: 1024 made, 0 moved.", nobody]
    assert initland(capsys) == ["1024 lands: 0 made, 0 moved.", nobody]


def test_initland_makes_what_is_missing_gives_it_to_its_owner_and_says_who_that_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    initland(capsys)
    Land.objects.filter(pk__lt=24).delete()
    node = alive("one", 8)
    assert initland(capsys) == [
        "1024 lands: 24 made, 1024 moved.",
        "A one    1024 lands, ideal 1024.0   +0.0 % ########################",
    ]
    assert node.lands.count() == 1024


def test_initland_leads_only_for_a_moment(capsys: pytest.CaptureFixture[str]) -> None:
    initland(capsys)
    assert leadership.master(clock.now()) is None
    master = Candidate("master/1")
    assert master.run_once()
    alive("one")
    initland(capsys)
    assert master.run_once()
    assert Leadership.objects.get().term == master.term
    assert Land.objects.filter(node__name="one").count() == 1024


def test_initland_shows_a_map_and_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert initland(capsys, "--show")[0].startswith("There are no lands yet")
    initland(capsys)
    alive("one")
    shown = initland(capsys, "--show")
    assert shown[:16] == ["." * 64] * 16
    assert [line.split()[:3] for line in shown[16:]] == [["A", "one", "0"], [".", "nobody", "1024"]]
    assert not Land.objects.exclude(node=None).exists()


def test_a_leadership_that_changes_hands_meanwhile_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def be_late() -> int:
        raise TermOver("term 3 leads no more")

    monkeypatch.setattr(lands, "replan", be_late)
    with pytest.raises(CommandError, match="changing hands, run it again: term 3 leads no more"):
        call_command("initland")
