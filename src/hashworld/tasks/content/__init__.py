"""Fetched bodies: kept once per SHA-256, zstd-compressed, in one of several stores.

A store makes bytes durable and says where they are; only then may a row name the place.
Readers call `read` and never care which store it is.
"""

import hashlib
import sys
from collections.abc import Iterable, Sequence
from threading import local

from hashworld.tasks import rows
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

__all__ = ["Body", "Place", "Store", "compress", "known", "read", "register", "store_for"]


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
    """The ids of those bodies that are kept already, by SHA-256."""
    return dict(rows.select(("sha256", "id"), Content, "sha256", hashes))


def register(places: Sequence[Place], created_at: object) -> dict[str, int]:
    """Name the places of newly kept bodies; the contents' ids by SHA-256.

    Where another node was quicker with the same body, its row stands.
    """
    if not places:
        return {}
    rows.insert(
        Content,
        ("sha256", "size", "stored", "store", "pack", "offset", "created_at"),
        [(p.sha256, p.size, p.stored, p.store, p.pack, p.offset, created_at) for p in places],
        ignore=True,
    )
    return known(place.sha256 for place in places)


def read(content: Content) -> bytes:
    """The body; raises ContentDamaged when it is missing or is not what was kept."""
    stores: dict[str, Store] = {BlobStore.name: BlobStore(), PackStore.name: PackStore("")}
    data = stores[content.store].read(content)
    try:
        body = zstd.decompress(data)
    except zstd.ZstdError as error:
        raise ContentDamaged(f"The body {content} cannot be decompressed: {error}.") from error
    if hashlib.sha256(body).hexdigest() != content.sha256:
        raise ContentDamaged(f"The body {content} does not match its SHA-256.")
    return body
