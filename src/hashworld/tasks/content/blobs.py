"""Bodies in the database: for clusters whose nodes share no disk."""

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
        """Insert those bodies that are not there yet."""
        for chunk in rows.chunks(bodies, CHUNK):
            rows.insert(
                Blob,
                ("sha256", "data"),
                [(body.sha256, body.compressed) for body in chunk],
                ignore=True,
            )
        return [Place(b.sha256, b.size, len(b.compressed), self.name) for b in bodies]

    def read(self, content: Content) -> bytes:
        """The compressed bytes; raises ContentDamaged when the row is missing."""
        data = Blob.objects.filter(pk=content.sha256).values_list("data", flat=True).first()
        if data is None:
            raise ContentDamaged(f"The body {content} is missing from the database.")
        return bytes(data)

    def close(self) -> None:
        """Nothing is open."""
