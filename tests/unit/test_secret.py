import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from hashworld.secret import read_or_make


def test_a_key_is_made_once_and_kept(tmp_path: Path) -> None:
    key = read_or_make(tmp_path / "key")
    assert len(key) >= 50
    assert read_or_make(tmp_path / "key") == key
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    read_or_make(tmp_path / "key")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_a_key_of_ones_own_is_taken(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("mine\n")
    assert read_or_make(tmp_path / "key") == "mine"


def test_every_installation_has_another(tmp_path: Path) -> None:
    assert read_or_make(tmp_path / "one") != read_or_make(tmp_path / "two")


def test_of_several_that_start_at_once_all_have_the_same(tmp_path: Path) -> None:
    meet = Barrier(4)

    def start(_: int) -> str:
        meet.wait(10)
        return read_or_make(tmp_path / "key")

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(start, range(4)))) == 1
