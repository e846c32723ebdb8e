"""`hashworld export`: the results of a job, to a file or to standard output."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from hashworld.cli.cluster import Cluster, Failed
from hashworld.cli.command import ClusterCommand
from hashworld.cli.numbers import number
from hashworld.command import WRONG


class Command(ClusterCommand):
    """Write the results of a job as they come, in bounded memory."""

    help = "Write the results of a job as NDJSON, CSV, or WARC with the bodies."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which job, how, and where to."""
        parser.add_argument("job", type=number, metavar="JOB")
        parser.add_argument("--format", choices=("ndjson", "csv", "warc"), default="ndjson")
        parser.add_argument("-o", "--output", type=Path, metavar="FILE")

    def act(self, cluster: Cluster, options: dict[str, Any]) -> None:
        """Write it; a file is whole or not there."""
        chunks = cluster.export(options["job"], options["format"])
        path: Path | None = options["output"]
        draft = path.with_name(f"{path.name}.part") if path else None
        try:
            with open(draft, "wb") if draft else nullcontext(sys.stdout.buffer) as target:
                for chunk in chunks:
                    target.write(chunk)
                target.flush()
            if draft and path:
                draft.replace(path)
        except BrokenPipeError:
            raise SystemExit(0) from None  # whoever read has enough
        except OSError as error:
            raise Failed(
                f"{path or 'standard output'} cannot be written: {error}", WRONG
            ) from error
        finally:
            if draft:
                draft.unlink(missing_ok=True)
