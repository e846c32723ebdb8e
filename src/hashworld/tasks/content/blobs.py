"""Bodies in the database: for clusters whose nodes share no disk.

A blob and the content that names it are written, and freed, in one transaction.
"""

from collections.abc import Sequence

from hashworld.tasks import rows
from hashworld.tasks.content.place import Body, Place
from hashworld.tasks.errors import ContentDamaged
from hashworld.tasks.models import Blob, Content

#: Rows of one INSERT, so that a statement stays within MySQL's max_allowed_packet.
CHUNK = 50


class BlobStore:
    """A row of Blob for each body."""

    name = "database"

    def keep(self, bodies: Sequence[Body]) -> list[Place]:
        """The places that bodies will have once they are registered."""
        return [
            Place(b.sha256, b.size, len(b.compressed), self.name, data=b.compressed) for b in bodies
        ]

    def read(self, content: Content) -> bytes:
        """The compressed bytes; raises ContentDamaged when the row is missing."""
        data = Blob.objects.filter(pk=content.sha256).values_list("data", flat=True).first()
        if data is None:
            raise ContentDamaged(f"The body {content} is missing from the database.")
        return bytes(data)

    def close(self) -> None:
        """Nothing is open."""


def write(places: Sequence[Place]) -> None:
    """Insert the blobs of those places that bring their bytes; for a transaction's middle."""
    for chunk in rows.chunks((place for place in places if place.data), CHUNK):
        rows.insert(
            Blob, ("sha256", "data"), [(place.sha256, place.data) for place in chunk], ignore=True
        )
