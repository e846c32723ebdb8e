"""Fetched bodies written to a folder, one file each, and an index beside them."""

import json
from pathlib import Path

from hashworld.tasks import content
from hashworld.tasks.models import Content, Job
from hashworld.tasks.outcomes import Outcome, outcomes

INDEX = "index.jsonl"
#: A file's extension is ours to choose: what a server calls its page must start no program.
EXTENSIONS = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/plain": ".txt",
    "text/css": ".css",
    "text/csv": ".csv",
    "application/json": ".json",
    "application/xml": ".xml",
    "text/xml": ".xml",
    "application/rss+xml": ".xml",
    "application/atom+xml": ".xml",
    "application/pdf": ".pdf",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
}


def export(job: Job, folder: Path) -> int:
    """Write every kept body of a job's tasks and the index; how many bodies.

    Raises ContentDamaged at a body that is not what was kept, and OSError.
    """
    written = 0
    with (folder / INDEX).open("w", encoding="utf-8") as index:
        for outcome in outcomes(job):
            name = _write(outcome, folder) if outcome.sha256 else None
            written += name is not None
            index.write(json.dumps({**outcome.as_dict(), "file": name}, ensure_ascii=False) + "\n")
    return written


def file_name(outcome: Outcome) -> str:
    """The name of a body's file: nothing in it comes from outside."""
    media_type = outcome.content_type.partition(";")[0].strip().lower()
    return f"{outcome.task}{EXTENSIONS.get(media_type, '.bin')}"


def _write(outcome: Outcome, folder: Path) -> str:
    name = file_name(outcome)
    (folder / name).write_bytes(content.read(Content.objects.get(sha256=outcome.sha256)))
    return name
