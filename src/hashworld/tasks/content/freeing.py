"""Freeing the bodies that nothing names any more.

A content lives as long as an attempt names it (a task names the content of one of its attempts).
Who is about to name one holds its row shared (`content.hold`); who frees takes the row for itself
and looks for attempts after that, so that the two cannot pass each other by.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Exists, OuterRef

from hashworld.tasks import counts, rows
from hashworld.tasks.content.packs import HEADER
from hashworld.tasks.counts import Count
from hashworld.tasks.models import Attempt, Blob, Content, Pack

CHUNK = 1000
#: The counts of what the cluster does are no node's.
NOBODY = 0


def free(content_ids: Iterable[int], now: datetime) -> int:
    """Free those of the contents that no attempt names; their number.

    For the transaction that took the attempts away, as its last step. Blobs go with their
    contents; in a pack the bytes are dead from then on and accounted as such.
    """
    return sum(_free(chunk, now) for chunk in rows.chunks(sorted(set(content_ids)), CHUNK))


def _free(content_ids: list[int], now: datetime) -> int:
    where, values = rows.within("id", content_ids)
    columns = ("id", "sha256", "stored", "pack")
    locked = rows.lock(columns, Content, where, values)
    attempts = Attempt.objects.filter(content_id=OuterRef("pk"))
    found = Content.objects.filter(Exists(attempts), pk__in=[row[0] for row in locked])
    named = set(found.values_list("pk", flat=True))
    unnamed = [row for row in locked if row[0] not in named]
    if not unnamed:
        return 0
    Content.objects.filter(pk__in=[pk for pk, *_ in unnamed]).delete()
    Blob.objects.filter(pk__in=[sha256 for _, sha256, *_ in unnamed]).delete()
    _bury((pack, HEADER + stored) for *_, stored, pack in unnamed)
    stored = sum(stored for _, _, stored, _ in unnamed)
    counts.add(now, [Count(NOBODY, counts.FREED, len(unnamed), stored)])
    return len(unnamed)


def _bury(records: Iterable[tuple[str, int]]) -> None:
    """Account records of packs as dead."""
    dead: dict[str, int] = {}
    for pack, size in records:
        if pack:
            dead[pack] = dead.get(pack, 0) + size
    rows.upsert(Pack, ("name",), ("dead",), sorted(dead.items()))
