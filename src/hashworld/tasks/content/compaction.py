"""Winning back the space of packs whose bodies were freed.

What a pack holds that is still named is told by the database, record by record; the account of
dead bytes only says where to look. A pack is looked at when nobody writes to it: its writer keeps
it locked for as long as it is open, and after that it must have been quiet for a while, so that no
flush that wrote to it can still be under way. The file goes last, when nothing names it any more;
what breaks off before that is done again.
"""

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog
from django.conf import settings

from hashworld.nodes import clock
from hashworld.tasks import rows
from hashworld.tasks.content import packs
from hashworld.tasks.content.packs import HEADER, PackStore
from hashworld.tasks.content.place import Body, Place
from hashworld.tasks.models import Content, Pack
from hashworld.transaction import retried

log = structlog.get_logger(__name__)

#: The seconds without a write after which a pack may be looked at.
QUIET = 3600.0
#: A pack with at least this part of dead bytes is copied and removed.
DEAD_SHARE = 0.5
#: What is looked up, and copied, at once.
CHUNK = 1000
CHUNK_BYTES = 16 * 1024 * 1024
NAME = re.compile(r"(?P<node>[A-Za-z0-9._-]+)-[0-9a-f]{12}\.pack")


@dataclass(frozen=True, slots=True)
class Living:
    """A record that a content names; offset and length in bytes."""

    id: int
    sha256: str
    size: int
    offset: int
    length: int


def tidy(until: float, folder: Path | None = None) -> int:
    """Remove or shrink the packs of this machine that are worth it; the bytes won back.

    Begins no other pack once the monotonic clock has passed `until`.
    """
    won = 0
    for path in _worth_it(folder or settings.DATA_DIR / "packs"):
        if time.monotonic() >= until:
            break
        try:
            won += _tidy(path)
        except OSError as error:
            log.warning("a pack could not be tidied", pack=path.name, error=str(error))
    return won


def _worth_it(folder: Path) -> list[Path]:
    """Quiet packs that were never looked at, or have much that is dead; the most dead first."""
    known = {pack.name: pack for pack in Pack.objects.all()}
    found: list[tuple[float, Path]] = []
    for path in folder.glob("*.pack"):
        status = path.stat()
        if not NAME.fullmatch(path.name) or time.time() - status.st_mtime < QUIET:
            continue
        pack = known.get(path.name)
        share = pack.dead / max(status.st_size, 1) if pack else 0.0
        if pack is None or pack.surveyed_at is None or share >= DEAD_SHARE:
            found.append((share, path))
    return [path for _, path in sorted(found, reverse=True)]


def _tidy(path: Path) -> int:
    with packs.locked(path) as locked:
        if not locked:
            return 0
        size, whole = path.stat().st_size, packs.end_of_records(path)
        if packs.goes_on(path, whole):
            log.error("a pack is damaged and is left as it is", pack=path.name, offset=whole)
            _note(path, dead=0)
            return 0
        alive = sum(living.length for living in _living(path))
        if alive and size - alive < DEAD_SHARE * size:
            _note(path, dead=size - alive)
            return 0
        if alive:
            _copy(path)
            if any(_living(path)):
                return 0
        path.unlink()
        packs.sync_folder(path.parent)
        Pack.objects.filter(pk=path.name).delete()
        log.info("removed a pack", pack=path.name, bytes=size, copied=alive)
        return size - alive


def _note(path: Path, dead: int) -> None:
    defaults = {"dead": dead, "surveyed_at": clock.now()}
    Pack.objects.update_or_create(pk=path.name, defaults=defaults)


def _living(path: Path) -> Iterator[Living]:
    """The records that contents name."""
    columns = ("sha256", "id", "size", "pack", "offset")
    for chunk in rows.chunks(packs.records(path), CHUNK):
        lengths = {(sha256.hex(), offset): end - offset for sha256, offset, end in chunk}
        hashes = {sha256 for sha256, _ in lengths}
        for sha256, id_, size, pack, offset in rows.select(columns, Content, "sha256", hashes):
            if pack == path.name and (length := lengths.get((sha256, offset))):
                yield Living(id_, sha256, size, offset, length)


def _copy(path: Path) -> None:
    """Write what is named into a new pack and name it there."""
    named = NAME.fullmatch(path.name)
    store = PackStore(named["node"] if named else "", path.parent)
    try:
        with path.open("rb") as file:
            for part in _parts(_living(path)):
                bodies = []
                for living in part:
                    file.seek(living.offset + HEADER)
                    data = file.read(living.length - HEADER)
                    bodies.append(Body(living.sha256, living.size, data))
                _move(path.name, part, store.keep(bodies))
    finally:
        store.close()


def _parts(found: Iterable[Living]) -> Iterator[list[Living]]:
    """What is copied at once: so many records, or as many as have so many bytes."""
    part: list[Living] = []
    size = 0
    for living in found:
        part.append(living)
        size += living.length
        if len(part) >= CHUNK or size >= CHUNK_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


@retried
def _move(old: str, part: list[Living], places: list[Place]) -> None:
    """Name the new places of those contents that are still in the old pack."""
    offsets = {living.id: place.offset for living, place in zip(part, places, strict=True)}
    sets = [rows.put("pack", places[0].pack), rows.case("offset", offsets)]
    rows.update(Content, offsets, sets, guard=f"pack = '{old}'")
