"""`manage.py fetch`: fetch URLs now and wait for them."""

import json
import logging
import sys
from argparse import ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from django.core.management.base import CommandError, CommandParser
from django.db import OperationalError, ProgrammingError
from rich.console import Console

from hashworld.command import WRONG, TerseCommand
from hashworld.tasks import display, lines, progress, report
from hashworld.tasks.errors import ContentDamaged, InvalidInput
from hashworld.tasks.export import export
from hashworld.tasks.models import Duplicates, Job, Priority
from hashworld.tasks.outcomes import outcomes
from hashworld.tasks.progress import NoNodeAlive
from hashworld.tasks.spec import METHODS, JobSpec
from hashworld.tasks.submit import submit
from hashworld.tasks.taken import LineError, Submission

SOME_FAILED, NO_NODE, INTERRUPTED = 1, 3, 130
#: So many refused lines are shown.
SHOWN_LINES = 20

_EPILOG = """\
exit codes:
  0    every URL was fetched
  1    some were not, or some lines were refused
  2    there was nothing to fetch, or the input or an option was wrong
  3    no node is alive to fetch them
  130  interrupted; a job that was handed in goes on
"""


class Command(TerseCommand):
    """Hand in URLs, show how they fare, and tell how they ended."""

    help = "Fetch URLs and wait for them: given one by one, or as a list, one URL a line."

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        """With the sources of URLs in its usage, of which one is needed."""
        return super().create_parser(
            prog_name,
            subcommand,
            usage="%(prog)s [options] URL... | -f FILE | -",
            epilog=_EPILOG,
            formatter_class=RawDescriptionHelpFormatter,
            **options,
        )

    def add_arguments(self, parser: CommandParser) -> None:
        """The sources, the job's options, and what to do with the outcome."""
        add = parser.add_argument
        add("urls", nargs="*", metavar="URL", help="a URL, or - for a list on standard input")
        add("-f", "--file", help="a list: one URL a line, blank lines and # comments allowed")
        add("--name", default="", help="the job's name")
        add("--priority", choices=[p.label for p in Priority], default=Priority.NORMAL.label)
        add("--method", choices=METHODS, default="GET")
        add("--header", action="append", type=_header, default=[], metavar="'NAME: VALUE'")
        add("--max-attempts", type=int, default=4, help="tries for each URL, 4 unless told")
        add("--duplicates", choices=Duplicates.values, default=Duplicates.KEEP.value)
        add("--keep-days", type=int, metavar="DAYS", help="kept so long after its end; 0 for ever")
        add("--timeout", type=float, help="seconds for one URL in all, redirects included")
        add("--json", action="store_true", help="one JSON object a task on standard output")
        add("--output", type=Path, metavar="DIR", help="write bodies and index.jsonl to a folder")
        add("--no-wait", action="store_true", help="hand in and return")

    def handle(self, *args: Any, **options: Any) -> None:
        """Hand in, wait, tell; leaves by SystemExit unless everything was fetched."""
        _log_to_stderr()
        wait = not options["no_wait"]
        try:
            submission = self._run(options, wait)
        except InvalidInput as error:
            raise CommandError(str(error), returncode=WRONG) from error
        except NoNodeAlive as error:
            hint = f"{error}: start one with `make run`"
            raise CommandError(hint, returncode=NO_NODE) from error
        except (OperationalError, ProgrammingError) as error:
            hint = f"the database is not ready ({error}): `make run` prepares it"
            raise CommandError(hint, returncode=NO_NODE) from error
        if wait:
            self._tell(submission.job, options)
        if submission.refused or (wait and submission.job.succeed < submission.job.total):
            raise SystemExit(SOME_FAILED)

    def _run(self, options: dict[str, Any], wait: bool) -> Submission:
        """Check everything that can be wrong, then hand in, and wait if asked to."""
        _check_output(options)
        spec = _spec(options)
        spec.check()
        with _urls(options) as urls:
            if wait:
                progress.require_node(progress.START_PATIENCE)
            submission = self._submit(urls, spec)
        if wait:
            self._follow(submission.job)
        return submission

    def _submit(self, urls: Iterable[tuple[int, str]], spec: JobSpec) -> Submission:
        try:
            submission = submit(urls, spec)
        except KeyboardInterrupt:
            self._leave("interrupted; nothing was handed in")
        self._say(f"job {submission.job.pk}: {submission.accepted:,} URLs")
        if submission.duplicated:
            self._say(f"{submission.duplicated:,} were left out as duplicates")
        self._refusals(submission.errors, submission.refused)
        return submission

    def _follow(self, job: Job) -> None:
        try:
            with display.on(sys.stderr) as shown:
                for state in progress.follow(job):
                    shown.show(state)
        except KeyboardInterrupt:
            self._leave(f"job {job.pk} goes on; kill it on its page in the admin")

    def _tell(self, job: Job, options: dict[str, Any]) -> None:
        if options["json"]:
            for outcome in outcomes(job):
                self.stdout.write(json.dumps(outcome.as_dict(), ensure_ascii=False))
        else:
            report.print_job(job, Console(file=sys.stdout))
        if options["output"]:
            try:
                written = export(job, options["output"])
            except (OSError, ContentDamaged) as error:
                raise CommandError(f"--output: {error}") from error
            self._say(f"{written:,} bodies written to {options['output']}")

    def _refusals(self, errors: list[LineError], refused: int) -> None:
        for error in errors[:SHOWN_LINES]:
            self._say(f"line {error.line}: {error.value!r} refused: {error.reason}")
        if refused > SHOWN_LINES:
            self._say(f"{refused - SHOWN_LINES:,} more lines were refused")

    def _leave(self, reason: str) -> NoReturn:
        self._say(f"\n{reason}")
        raise SystemExit(INTERRUPTED)

    def _say(self, text: str) -> None:
        self.stderr.write(text, style_func=str)


def _check_output(options: dict[str, Any]) -> None:
    folder = options["output"]
    if options["no_wait"] and (options["json"] or folder):
        raise InvalidInput("--no-wait", "leaves nothing to write for --json and --output")
    if folder:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInput("--output", f"{folder}: {error.strerror}") from error


@contextmanager
def _urls(options: dict[str, Any]) -> Iterator[Iterable[tuple[int, str]]]:
    """The one source of URLs that was named, open."""
    urls, path = options["urls"], options["file"]
    if bool(urls) == bool(path):
        raise InvalidInput("urls", "give URLs, or a list with -f FILE, or - for standard input")
    if path == "-" or urls == ["-"]:
        yield lines.read(sys.stdin.buffer, "standard input")
    elif urls:
        yield enumerate(urls, 1)
    else:
        with _open(path) as source:
            # All of it is looked at first: a list that cannot be read changes nothing.
            if source.seekable():
                lines.check(source, path)
            yield lines.read(source, path)


def _open(path: str) -> BinaryIO:
    try:
        return open(path, "rb")
    except OSError as error:
        raise InvalidInput(path, error.strerror or str(error)) from error


def _spec(options: dict[str, Any]) -> JobSpec:
    labels = {priority.label: priority.value for priority in Priority}
    timeout = options["timeout"]
    return JobSpec(
        name=options["name"],
        method=options["method"],
        headers=dict(options["header"]),
        priority=labels[options["priority"]],
        duplicates=options["duplicates"],
        max_attempts=options["max_attempts"],
        keep_days=options["keep_days"],
        limits={} if timeout is None else {"total_timeout": timeout},
    )


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise ArgumentTypeError(f"{text!r} is not of the form 'Name: value'")
    return name.strip(), value.strip()


def _log_to_stderr() -> None:
    """Standard output is for the outcome alone."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout:
            handler.setStream(sys.stderr)
