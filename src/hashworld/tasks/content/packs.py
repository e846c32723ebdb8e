"""Bodies in packs: append-only files of the data folder, one writer each.

A record is a header (magic, SHA-256, sizes, CRC-32 of all of these) and the compressed bytes. A
flush appends its records and syncs the file once; after that, and only then, the database names
their places. What a crash left half written at the end of a pack was never named: it is
recognised by its length and cut off when the node starts again. Damage before a whole record is no
torn tail and is left as it is: `read` tells which bodies it hit.
"""

import fcntl
import os
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from mmap import ACCESS_READ, mmap
from pathlib import Path
from uuid import uuid4

import structlog
from django.conf import settings

from hashworld.tasks.content.place import Body, Place
from hashworld.tasks.errors import ContentDamaged
from hashworld.tasks.models import Content

log = structlog.get_logger(__name__)

MAGIC = b"HWP1"
#: magic, SHA-256, size of the body, size as stored; then the CRC-32 of these
_FIELDS = struct.Struct(">4s32sQQ")
_CRC = struct.Struct(">I")
HEADER = _FIELDS.size + _CRC.size
#: A pack that has grown to this many bytes is followed by a new one.
PACK_BYTES = 512 * 1024 * 1024


class PackStore:
    """Appends to packs of its own, named after the node; reads from any."""

    name = "packs"

    def __init__(self, node: str, folder: Path | None = None) -> None:
        self._node = node
        self._folder = folder or settings.DATA_DIR / "packs"
        self._file: int | None = None
        self._pack = ""
        self._end = 0

    def keep(self, bodies: Sequence[Body]) -> list[Place]:
        """Append bodies and sync; on an error nothing of them stays in the pack."""
        if not bodies:
            return []
        file = self._open()
        start = end = self._end
        places, parts = [], []
        for body in bodies:
            stored = len(body.compressed)
            places.append(Place(body.sha256, body.size, stored, self.name, self._pack, end))
            parts += [header(bytes.fromhex(body.sha256), body.size, stored), body.compressed]
            end += HEADER + stored
        try:
            _write(file, b"".join(parts), start)
            os.fdatasync(file)
        except OSError:
            with suppress(OSError):
                os.ftruncate(file, start)
            raise
        self._end = end
        return places

    def read(self, content: Content) -> bytes:
        """The compressed bytes; raises ContentDamaged when the pack does not have them."""
        try:
            with (self._folder / Path(content.pack).name).open("rb") as file:
                file.seek(content.offset)
                record = file.read(HEADER + content.stored)
        except OSError as error:
            raise ContentDamaged(
                f"The body {content} cannot be read from the pack {content.pack}: {error.strerror}."
            ) from error
        expected = header(bytes.fromhex(content.sha256), content.size, content.stored)
        if record[:HEADER] != expected or len(record) != HEADER + content.stored:
            raise ContentDamaged(f"The pack {content.pack} does not hold the body {content}.")
        return record[HEADER:]

    def mend(self) -> int:
        """Cut the torn tails of this node's earlier packs; the bytes cut off."""
        cut = 0
        ours = re.compile(rf"{re.escape(self._node)}-[0-9a-f]{{12}}\.pack")
        for path in self._folder.glob("*.pack"):
            # Another node's name may begin with this one's, and its pack grows while we look.
            if ours.fullmatch(path.name):
                with suppress(FileNotFoundError):  # removed meanwhile, with nothing named in it
                    cut += _mend(path)
        return cut

    def close(self) -> None:
        """Close the pack that is being written."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> int:
        if self._file is not None and self._end >= PACK_BYTES:
            self.close()
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._pack = f"{self._node}-{uuid4().hex[:12]}.pack"
            self._file = os.open(self._folder / self._pack, os.O_WRONLY | os.O_CREAT, 0o644)
            self._end = 0
            try:
                _lock(self._file)
            except OSError as error:
                # Nobody else can lock it either, and what is not locked is never tidied.
                log.warning("packs cannot be locked here", error=str(error))
            sync_folder(self._folder)
        return self._file


def _lock(file: int) -> bool:
    """Lock a pack for as long as its file is open; False where another has it open."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold a pack that nobody writes to; False while its writer has it open."""
    file = os.open(path, os.O_RDONLY)
    try:
        yield _lock(file)
    finally:
        os.close(file)


def _mend(path: Path) -> int:
    whole = end_of_records(path)
    torn = path.stat().st_size - whole
    if torn and goes_on(path, whole):
        log.error("a pack is damaged", pack=path.name, offset=whole)
        return 0
    if torn:
        os.truncate(path, whole)
        log.warning("cut the torn tail of a pack", pack=path.name, bytes=torn)
    return torn


def header(sha256: bytes, size: int, stored: int) -> bytes:
    """The header of a record."""
    fields = _FIELDS.pack(MAGIC, sha256, size, stored)
    return fields + _CRC.pack(zlib.crc32(fields))


def records(path: Path, offset: int = 0) -> Iterator[tuple[bytes, int, int]]:
    """(SHA-256, offset, end) of each whole record from `offset` on, up to the first broken one."""
    total = path.stat().st_size
    with path.open("rb") as file:
        while offset + HEADER <= total:
            file.seek(offset)
            head = file.read(HEADER)
            magic, sha256, _, stored = _FIELDS.unpack_from(head)
            end = offset + HEADER + stored
            (crc,) = _CRC.unpack_from(head, _FIELDS.size)
            if magic != MAGIC or zlib.crc32(head[: _FIELDS.size]) != crc or end > total:
                return
            yield sha256, offset, end
            offset = end


def end_of_records(path: Path) -> int:
    """Where the whole records of a pack end."""
    return max((end for _, _, end in records(path)), default=0)


def goes_on(path: Path, offset: int) -> bool:
    """Whether a whole record follows somewhere after a broken one."""
    if offset >= path.stat().st_size:
        return False
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        while (offset := data.find(MAGIC, offset + 1)) >= 0:
            if any(records(path, offset)):
                return True
    return False


def _write(file: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, offset)
        view, offset = view[written:], offset + written


def sync_folder(folder: Path) -> None:
    """A new file's name must be as durable as its bytes."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
