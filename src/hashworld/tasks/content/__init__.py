"""Fetched bodies: kept once per SHA-256, zstd-compressed, in one of several stores.

A store makes bytes durable and says where they are; only then may a row name the place.
Readers call `read` and never care which store it is.
"""

import hashlib
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from threading import local

from django.db import connection

from hashworld.tasks import rows
from hashworld.tasks.content import blobs
from hashworld.tasks.content.blobs import BlobStore
from hashworld.tasks.content.packs import PackStore
from hashworld.tasks.content.place import Body, Place, Store
from hashworld.tasks.errors import ContentDamaged
from hashworld.tasks.models import Content

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEVEL = 1

__all__ = ["Body", "Place", "Store", "compress", "hold", "known", "read", "register", "store_for"]


_COLUMNS = ("sha256", "size", "stored", "store", "pack", "offset", "created_at")


class _Compressor(local):
    """One compressor for each thread: making it costs a third of what a page costs."""

    def __init__(self) -> None:
        self.zstd = zstd.ZstdCompressor(level=LEVEL)


_compressor = _Compressor()


def compress(body: bytes) -> bytes:
    """A body as the stores keep it: one zstd frame."""
    return _compressor.zstd.compress(body, zstd.ZstdCompressor.FLUSH_FRAME)


def store_for(name: str, node: str) -> Store:
    """The store that a node writes to: "packs" or "database"."""
    return BlobStore() if name == "database" else PackStore(node)


def known(hashes: Iterable[str]) -> dict[str, int]:
    """The ids of those bodies that are kept at this moment, by SHA-256."""
    return dict(rows.select(("sha256", "id"), Content, "sha256", hashes))


def hold(hashes: Iterable[str]) -> dict[str, int]:
    """The ids of those bodies that are kept, and stay so until this transaction ends.

    Whoever writes a row that names a content takes its id from here: `freeing.free` waits for
    the end of the transaction and then finds the row.
    """
    # With a column that the index lacks: InnoDB would lock the index's entries alone, by which
    # nobody who goes by the id is kept away.
    found = rows.select(("sha256", "id", "stored"), Content, "sha256", hashes, shared=True)
    return {sha256: id_ for sha256, id_, _ in found}


def register(places: Sequence[Place], created_at: datetime) -> dict[str, int]:
    """Name the places of newly kept bodies; the ids of the contents made here, by SHA-256.

    Where another node was quicker with the same body, its row stands.
    """
    if not places:
        return {}
    made = _insert(places, created_at)
    # After their contents: the same order as that in which both are freed.
    blobs.write([place for place in places if place.sha256 in made])
    return made


def _insert(places: Sequence[Place], created_at: datetime) -> dict[str, int]:
    stamp = rows.stamp(created_at)
    new = [(p.sha256, p.size, p.stored, p.store, p.pack, p.offset, stamp) for p in places]
    if connection.features.can_return_rows_from_bulk_insert:
        return dict(rows.insert_new(Content, _COLUMNS, new, ("sha256", "id")))
    rows.insert(Content, _COLUMNS, new, ignore=True)
    ours = {(place.sha256, place.pack, place.offset) for place in places}
    found = Content.objects.filter(sha256__in=[p.sha256 for p in places], created_at=created_at)
    named = found.values_list("id", "sha256", "pack", "offset")
    return {sha256: id_ for id_, sha256, *at in named if (sha256, *at) in ours}


def read(content: Content) -> bytes:
    """The body; raises ContentDamaged when it is missing or is not what was kept."""
    try:
        return _read(content)
    except ContentDamaged:
        # Since its row was read it may have been moved to another pack.
        moved = Content.objects.filter(pk=content.pk).first()
        if moved is None or (moved.pack, moved.offset) == (content.pack, content.offset):
            raise
    return _read(moved)


def _read(content: Content) -> bytes:
    stores: dict[str, Store] = {BlobStore.name: BlobStore(), PackStore.name: PackStore("")}
    data = stores[content.store].read(content)
    try:
        body = zstd.decompress(data)
    except zstd.ZstdError as error:
        raise ContentDamaged(f"The body {content} cannot be decompressed: {error}.") from error
    if hashlib.sha256(body).hexdigest() != content.sha256:
        raise ContentDamaged(f"The body {content} does not match its SHA-256.")
    return body
