"""Reading every kept body again and comparing it with its SHA-256."""

from collections.abc import Iterator
from dataclasses import dataclass

from hashworld.tasks import content
from hashworld.tasks.errors import ContentDamaged
from hashworld.tasks.models import Content


@dataclass(frozen=True, slots=True)
class Checked:
    """One body that was read again; `damage` says what is wrong with it, empty if nothing."""

    content: Content
    damage: str = ""


def verify() -> Iterator[Checked]:
    """Check all bodies in the order in which they were kept."""
    for kept in Content.objects.order_by("pk").iterator(chunk_size=500):
        try:
            content.read(kept)
        except ContentDamaged as error:
            if Content.objects.filter(pk=kept.pk).exists():  # or it was freed meanwhile
                yield Checked(kept, str(error))
        else:
            yield Checked(kept)
