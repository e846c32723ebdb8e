"""Bodies in either store: what was kept comes back, and what was not is not made up."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from hashworld.nodes import clock
from hashworld.tasks import content
from hashworld.tasks.content import Body, Place, Store
from hashworld.tasks.errors import ContentDamaged
from hashworld.tasks.models import Blob, Content

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = b"hello " * 100


@pytest.fixture(params=["packs", "database"])
def store(request: pytest.FixtureRequest) -> Store:
    return content.store_for(request.param, "one")


def body(data: bytes = TEXT) -> Body:
    return Body(hashlib.sha256(data).hexdigest(), len(data), content.compress(data))


def kept(store: Store, *bodies: Body) -> list[Content]:
    content.register(store.keep(bodies), clock.now())
    store.close()
    return [Content.objects.get(sha256=each.sha256) for each in bodies]


def test_bodies_come_back_as_they_were(store: Store) -> None:
    texts = [TEXT, b"", b"\0\xff" * 5000]
    found = kept(store, *map(body, texts))
    assert [content.read(each) for each in found] == texts
    assert [each.size for each in found] == [600, 0, 10_000]
    assert all(each.stored < 200 for each in found)


def test_a_body_is_registered_once(store: Store) -> None:
    [first] = kept(store, body())
    [second] = kept(store, body())
    assert first.pk == second.pk
    assert Content.objects.count() == 1
    assert content.read(second) == TEXT
    assert content.known([body().sha256, "0" * 64]) == {body().sha256: first.pk}


@pytest.fixture(params=[True, False], ids=["with RETURNING", "without"])
def returning(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """MySQL cannot tell what an INSERT has inserted; MariaDB and SQLite can."""
    if connection.features.can_return_rows_from_bulk_insert:
        features = connection.features
        monkeypatch.setattr(features, "can_return_columns_from_insert", request.param)


@pytest.mark.usefixtures("returning")
def test_where_another_was_quicker_its_place_stands() -> None:
    now = clock.now()
    one, two = (Place("a" * 64, 5, 5, "packs", pack) for pack in ("one", "two"))
    assert list(content.register([one], now)) == [one.sha256]
    assert content.register([two], now) == {}
    assert Content.objects.get().pack == "one"


@pytest.mark.usefixtures("returning")
def test_what_is_new_of_a_set_is_told_from_what_another_has_kept() -> None:
    old, new = Place("a" * 64, 5, 5, "packs", "one"), Place("b" * 64, 5, 5, "packs", "two")
    content.register([old], clock.now())
    again = Place("a" * 64, 5, 5, "packs", "two")
    made = content.register([again, new], clock.now())
    assert made == {new.sha256: Content.objects.get(sha256=new.sha256).pk}


def test_a_content_tells_when_it_was_made() -> None:
    now = clock.now()
    content.register([Place("a" * 64, 5, 5, "packs")], now)
    assert Content.objects.get().created_at == now


def lose_pack(found: Content) -> None:
    pack_of(found).unlink()


def cut_pack(found: Content) -> None:
    path = pack_of(found)
    path.write_bytes(path.read_bytes()[:-1])


def lose_blob(_: Content) -> None:
    Blob.objects.all().delete()


def change(found: Content) -> None:
    """Let the store hold another whole body in its place."""
    other = content.compress(b"x" * 600)
    if found.store == "database":
        Blob.objects.update(data=other)
    else:
        path = pack_of(found)
        path.write_bytes(path.read_bytes()[: -found.stored] + other.ljust(found.stored, b"\0"))


def break_off(found: Content) -> None:
    """Let the compressed bytes be no zstd."""
    if found.store == "database":
        Blob.objects.update(data=b"broken")
    else:
        path = pack_of(found)
        path.write_bytes(path.read_bytes()[: -found.stored] + b"!" * found.stored)


def pack_of(found: Content) -> Path:
    return Path(settings.DATA_DIR) / "packs" / found.pack


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("packs", lose_pack),
        ("packs", cut_pack),
        ("packs", change),
        ("packs", break_off),
        ("database", lose_blob),
        ("database", change),
        ("database", break_off),
    ],
)
def test_a_damaged_body_is_told_and_never_shown(
    name: str, damage: Callable[[Content], None]
) -> None:
    [found] = kept(content.store_for(name, "one"), body())
    damage(found)
    with pytest.raises(ContentDamaged, match=found.sha256[:12]):
        content.read(found)


def test_a_pack_is_never_looked_for_outside_its_folder(tmp_path: Path) -> None:
    [found] = kept(content.store_for("packs", "one"), body())
    inside = pack_of(found)
    (tmp_path / "elsewhere.pack").write_bytes(inside.read_bytes())
    found.pack = str(tmp_path / "elsewhere.pack")
    found.save()
    with pytest.raises(ContentDamaged):
        content.read(found)


def test_the_same_body_twice_in_the_database_is_one_row() -> None:
    store = content.store_for("database", "one")
    kept(store, body())
    kept(store, body(), body(b"other"))
    assert Blob.objects.count() == Content.objects.count() == 2
