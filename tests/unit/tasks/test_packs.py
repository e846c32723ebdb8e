"""Packs: what was synced is there, what was torn is cut, and what was damaged is told."""

import hashlib
import os
import zlib
from pathlib import Path

import pytest

from hashworld.tasks.content import packs
from hashworld.tasks.content.packs import HEADER, PackStore, records
from hashworld.tasks.content.place import Body, Place
from hashworld.tasks.errors import ContentDamaged
from hashworld.tasks.models import Content


def body(data: bytes) -> Body:
    return Body(hashlib.sha256(data).hexdigest(), len(data), zlib.compress(data))


def bodies(*texts: str) -> list[Body]:
    return [body(text.encode()) for text in texts]


def content(place: Place) -> Content:
    return Content(
        sha256=place.sha256,
        size=place.size,
        stored=place.stored,
        store=place.store,
        pack=place.pack,
        offset=place.offset,
    )


def read(store: PackStore, place: Place) -> str:
    return zlib.decompress(store.read(content(place))).decode()


@pytest.fixture
def store(tmp_path: Path) -> PackStore:
    return PackStore("one", tmp_path)


def only_pack(folder: Path) -> Path:
    [path] = folder.iterdir()
    return path


def test_bodies_come_back_by_their_places(store: PackStore, tmp_path: Path) -> None:
    places = store.keep(bodies("a", "b")) + store.keep(bodies("c" * 1000))
    assert [read(store, place) for place in places] == ["a", "b", "c" * 1000]
    assert {place.pack for place in places} == {only_pack(tmp_path).name}
    assert [found[:2] for found in records(only_pack(tmp_path))] == [
        (bytes.fromhex(place.sha256), place.offset) for place in places
    ]


def test_keeping_nothing_makes_no_pack(store: PackStore, tmp_path: Path) -> None:
    assert store.keep([]) == []
    assert list(tmp_path.iterdir()) == []


def test_bodies_are_synced_before_their_places_are_told(
    store: PackStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda file: synced.append(os.fstat(file).st_size))
    store.keep(bodies("a"))
    assert synced == [only_pack(tmp_path).stat().st_size]


def test_every_start_and_every_node_writes_a_pack_of_its_own(tmp_path: Path) -> None:
    for name in ("one", "one", "two"):
        store = PackStore(name, tmp_path)
        store.keep(bodies("a"))
        store.close()
    assert sorted(path.name.split("-")[0] for path in tmp_path.iterdir()) == ["one", "one", "two"]


def test_a_full_pack_is_followed_by_a_new_one(
    store: PackStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(packs, "PACK_BYTES", 100)
    places = [place for text in "abcd" for place in store.keep(bodies(text * 20))]
    assert len({place.pack for place in places}) > 1
    assert [read(store, place) for place in places] == [text * 20 for text in "abcd"]
    assert len(list(tmp_path.iterdir())) == len({place.pack for place in places})


def test_a_full_disk_leaves_the_pack_whole(
    store: PackStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    [before] = store.keep(bodies("before"))
    whole = only_pack(tmp_path).read_bytes()
    pwrite = os.pwrite

    def half_then_full(file: int, data: bytes, offset: int) -> int:
        if offset > len(whole):
            raise OSError(28, "No space left on device")
        return pwrite(file, data[:10], offset)

    with monkeypatch.context() as disk:
        disk.setattr(os, "pwrite", half_then_full)
        with pytest.raises(OSError, match="No space"):
            store.keep(bodies("lost"))
    assert only_pack(tmp_path).read_bytes() == whole
    [after] = store.keep(bodies("after"))
    assert [read(store, place) for place in (before, after)] == ["before", "after"]
    assert after.offset == len(whole)


def test_a_disk_that_does_not_sync_keeps_nothing(
    store: PackStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fdatasync", fail)
        with pytest.raises(OSError, match="Input/output"):
            store.keep(bodies("a"))
    assert only_pack(tmp_path).stat().st_size == 0


def test_writes_that_take_only_a_part_go_on(
    store: PackStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, offset: pwrite(file, data[:7], offset))
    places = store.keep(bodies("a" * 50, "b"))
    assert [read(store, place) for place in places] == ["a" * 50, "b"]


@pytest.mark.parametrize("torn", [1, HEADER - 1, HEADER, HEADER + 3])
def test_a_torn_tail_is_cut_off_at_the_next_start(
    store: PackStore, tmp_path: Path, torn: int
) -> None:
    [place] = store.keep(bodies("whole"))
    store.close()
    path = only_pack(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:torn])
    assert PackStore("one", tmp_path).mend() == torn
    assert path.read_bytes() == whole
    assert read(store, place) == "whole"
    assert PackStore("one", tmp_path).mend() == 0


def test_the_packs_of_others_are_not_mended(tmp_path: Path) -> None:
    for name in ("one-2", "one-0123456789ab", "onetwo", "two"):
        store = PackStore(name, tmp_path)
        store.keep(bodies("a"))
        store.close()
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes() + b"being written")
    assert PackStore("one", tmp_path).mend() == 0


def test_a_node_without_packs_has_nothing_to_mend(tmp_path: Path) -> None:
    assert PackStore("one", tmp_path / "packs").mend() == 0


def test_damage_in_the_middle_costs_no_body_behind_it(store: PackStore, tmp_path: Path) -> None:
    first, second = store.keep(bodies("first", "second"))
    store.close()
    path = only_pack(tmp_path)
    flip(path, first.offset + 5)
    assert PackStore("one", tmp_path).mend() == 0
    assert read(store, second) == "second"
    with pytest.raises(ContentDamaged):
        store.read(content(first))


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("offset", range(HEADER))
def test_a_flipped_bit_in_a_header_is_found(store: PackStore, tmp_path: Path, offset: int) -> None:
    [place] = store.keep(bodies("a"))
    flip(only_pack(tmp_path), offset)
    with pytest.raises(ContentDamaged, match=place.sha256[:12]):
        store.read(content(place))
    assert list(records(only_pack(tmp_path))) == []


def test_a_place_that_is_not_where_it_was_said_to_be_is_damage(store: PackStore) -> None:
    first, second = map(content, store.keep(bodies("a", "b")))
    first.offset = second.offset
    with pytest.raises(ContentDamaged):
        store.read(first)


def test_a_pack_that_is_gone_is_damage(store: PackStore, tmp_path: Path) -> None:
    [place] = store.keep(bodies("a"))
    only_pack(tmp_path).unlink()
    with pytest.raises(ContentDamaged, match="No such file"):
        store.read(content(place))
