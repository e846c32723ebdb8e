"""Packs give their space back, and never a body that is named."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings

from hashworld.nodes.models import Node
from hashworld.tasks import content, retention
from hashworld.tasks.content import compaction, packs
from hashworld.tasks.content.packs import PackStore
from hashworld.tasks.models import Content, Job, Pack
from tests.integration.tasks import bodies, world

pytestmark = pytest.mark.django_db(transaction=True)

FOREVER = float("inf")
TEXTS = [os.urandom(50) * 2 for _ in range(6)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of the test's own."""
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)
    return tmp_path / "packs"


@pytest.fixture
def job(node: Node) -> Job:
    """A finished job, its six bodies in one pack that has been quiet for long."""
    return bodies.fetch("packs", *TEXTS)


def rest(folder: Path) -> None:
    """Let all packs have been quiet for a day."""
    for path in folder.iterdir():
        os.utime(path, (day_ago := time.time() - 86_400, day_ago))


def drop(job: Job, number: int) -> None:
    retention.delete_tasks([task.pk for task in world.tasks(job)[:number]])


def readable(*texts: bytes) -> bool:
    return {content.read(kept) for kept in Content.objects.all()} == set(texts)


def tidy(folder: Path) -> int:
    rest(folder)
    return compaction.tidy(FOREVER)


def test_a_pack_with_nothing_named_in_it_is_removed(job: Job, folder: Path) -> None:
    [path] = folder.iterdir()
    size = path.stat().st_size
    drop(job, 6)
    assert tidy(folder) == size
    assert list(folder.iterdir()) == []
    assert not Pack.objects.exists()


def test_a_pack_that_is_mostly_dead_is_copied_and_removed(job: Job, folder: Path) -> None:
    [old] = folder.iterdir()
    size = old.stat().st_size
    drop(job, 4)
    won = tidy(folder)
    [new] = folder.iterdir()
    assert new.name != old.name
    assert won == size - new.stat().st_size > size / 2
    assert readable(*TEXTS[4:])
    assert not Pack.objects.exists()


def test_a_pack_that_is_mostly_alive_stays_and_is_looked_at_once(
    job: Job, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [path] = folder.iterdir()
    drop(job, 2)
    dead = Pack.objects.get().dead
    assert tidy(folder) == 0
    assert list(folder.iterdir()) == [path]
    assert readable(*TEXTS[2:])
    assert (Pack.objects.get().dead, Pack.objects.get().surveyed_at is None) == (dead, False)
    monkeypatch.delattr(compaction, "_tidy")
    assert tidy(folder) == 0


def test_what_a_crash_left_in_a_pack_unnamed_is_found(node: Node, folder: Path) -> None:
    store = PackStore("one")
    store.keep([content.Body("ab" * 32, 5, b"12345")])
    store.close()
    assert tidy(folder) == packs.HEADER + 5
    assert list(folder.iterdir()) == []


def test_a_pack_that_is_being_written_is_left_alone(node: Node, folder: Path) -> None:
    store = PackStore("one")
    store.keep([content.Body("ab" * 32, 5, b"12345")])
    assert tidy(folder) == 0
    assert len(list(folder.iterdir())) == 1
    store.close()
    assert tidy(folder) > 0


def test_a_pack_that_was_written_a_moment_ago_is_left_alone(job: Job, folder: Path) -> None:
    drop(job, 6)
    assert compaction.tidy(FOREVER) == 0
    assert len(list(folder.iterdir())) == 1


def test_files_that_are_no_packs_of_ours_are_left_alone(node: Node, folder: Path) -> None:
    folder.mkdir()
    for name in ("it's-0123456789ab.pack", "notes.txt", "one-0123.pack"):
        (folder / name).touch()
    assert tidy(folder) == 0
    assert len(list(folder.iterdir())) == 3


def damage(path: Path) -> None:
    """Break the second record's header."""
    _, _, end = next(packs.records(path))
    data = bytearray(path.read_bytes())
    data[end + 10] ^= 1
    path.write_bytes(data)


def test_a_damaged_pack_is_never_removed(job: Job, folder: Path) -> None:
    [path] = folder.iterdir()
    drop(job, 1)
    damage(path)
    assert tidy(folder) == 0
    assert list(folder.iterdir()) == [path]
    assert content.read(Content.objects.last()) == TEXTS[5]


def test_a_torn_tail_is_dead_like_the_rest(job: Job, folder: Path) -> None:
    [path] = folder.iterdir()
    drop(job, 6)
    with path.open("ab") as file:
        file.write(b"HWP1 torn")
    assert tidy(folder) > 0
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("part", ["_move", "_copy", "Path.unlink"])
def test_what_breaks_off_is_done_again(
    job: Job, folder: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr(compaction, "CHUNK", 1)
    drop(job, 3)
    calls: list[int] = []
    owner = compaction.Path if part == "Path.unlink" else compaction
    name = part.rpartition(".")[2]
    done: Callable[..., object] = getattr(owner, name)

    def break_off(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == (2 if part == "_move" else 1):
            raise OSError(5, "Input/output error")
        return done(*arguments)

    with monkeypatch.context() as broken:
        broken.setattr(owner, name, break_off)
        assert tidy(folder) == 0
    assert calls
    assert readable(*TEXTS[3:])
    assert tidy(folder) > 0
    tidy(folder)
    assert readable(*TEXTS[3:])
    whole = sum(packs.HEADER + kept.stored for kept in Content.objects.all())
    assert sum(path.stat().st_size for path in folder.iterdir()) == whole


def test_a_body_freed_while_its_pack_is_copied_stays_freed(
    job: Job, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(job, 4)
    move = compaction._move

    def freed_first(*arguments: object) -> None:
        drop(job, 1)
        move(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(compaction, "_move", freed_first)
    tidy(folder)
    assert readable(TEXTS[5])


def test_a_body_freed_and_fetched_anew_while_its_pack_is_copied_keeps_its_new_place(
    job: Job, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(job, 5)
    move = compaction._move

    def moved_elsewhere_first(*arguments: object) -> None:
        store = PackStore("two")
        [place] = store.keep([content.Body(Content.objects.get().sha256, 100, b"")])
        Content.objects.update(pack=place.pack, offset=place.offset)
        move(*arguments)  # type: ignore[arg-type]
        store.close()

    monkeypatch.setattr(compaction, "_move", moved_elsewhere_first)
    tidy(folder)
    assert Content.objects.get().pack.startswith("two-")


def test_a_pack_that_is_still_named_after_the_copy_stays(
    job: Job, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(job, 4)
    monkeypatch.setattr(compaction, "_copy", lambda path: None)
    assert tidy(folder) == 0
    assert readable(*TEXTS[4:])


def test_a_reader_finds_a_body_that_was_moved_after_its_row_was_read(
    job: Job, folder: Path
) -> None:
    drop(job, 4)
    before = list(Content.objects.all())
    tidy(folder)
    assert {content.read(kept) for kept in before} == set(TEXTS[4:])


def test_no_pack_is_begun_when_the_time_is_over(job: Job, folder: Path) -> None:
    drop(job, 6)
    rest(folder)
    assert compaction.tidy(time.monotonic()) == 0
    assert len(list(folder.iterdir())) == 1


def test_large_bodies_are_copied_in_small_parts(
    job: Job, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "CHUNK_BYTES", 10)
    monkeypatch.setattr(compaction, "CHUNK", 4)
    found = [compaction.Living(i, "", 1, 0, 6) for i in range(5)]
    assert [len(part) for part in compaction._parts(found)] == [2, 2, 1]
    drop(job, 3)
    tidy(folder)
    assert readable(*TEXTS[3:])
