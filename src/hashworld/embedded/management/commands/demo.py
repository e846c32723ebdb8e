"""`manage.py demo`: pages of a site of its own, or the reader's, fetched before their eyes."""

import math
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from hashworld.embedded import demo, pages, roles, verdict, welcome
from hashworld.tasks import content, display, lines, report
from hashworld.tasks.errors import InvalidInput, TaskError
from hashworld.tasks.models import Content, Job
from hashworld.tasks.outcomes import outcomes, seconds_for
from hashworld.tasks.spec import JobSpec
from hashworld.tasks.submit import submit

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
#: Seconds in which the site's pages must all have ended.
SITE_LIMIT = 90.0
SHOWN_LOG_LINES = 25
#: Short, so that pages which hang or never end are given up within seconds.
SITE_OPTIONS = JobSpec(
    name="demo",
    max_attempts=3,
    retry_base=0.5,
    retry_cap=2.0,
    limits={"first_byte_timeout": 3.0, "total_timeout": 10.0, "max_body": 1024 * 1024},
)
FILE_OPTIONS = JobSpec(name="demo", max_attempts=2, limits={"total_timeout": 20.0})


class Command(BaseCommand):
    """Run everything in a throw-away folder, fetch, and check that all ended as it had to."""

    help = "Fetch a demo site, or the URLs of a file, with everything in a throw-away folder."

    def add_arguments(self, parser: CommandParser) -> None:
        """What to fetch, and what to keep."""
        add = parser.add_argument
        add("--count", type=int, default=3000, help="pages of the demo's site, 3000 unless told")
        add("--file", type=Path, help="fetch the URLs of this list, one a line, instead")
        add("--nodes", type=int, choices=roles.NODES, default=roles.default_nodes())
        add("--keep", type=Path, metavar="DIR", help="keep everything in this new folder")
        add("--serve", action="store_true", help="keep the admin up afterwards, until Ctrl-C")
        add("--within", type=Path, help="the folder made for this run; not for people")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the folder and start again in it; there, fetch and tell, and clean up."""
        if options["within"] is None:
            self._check_file(options["file"])
            demo.restart(_folder(options["keep"]), with_site=options["file"] is None)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            right = self._show(options)
        except KeyboardInterrupt:
            raise SystemExit(INTERRUPTED) from None
        except (demo.DemoFailed, TaskError) as error:
            self._last_words()
            raise CommandError(str(error), returncode=FAILED) from error
        finally:
            if not options["keep"]:
                shutil.rmtree(options["within"])
        if not right:
            raise SystemExit(FAILED)

    def _show(self, options: dict[str, Any]) -> bool:
        """Whether all ended as it had to."""
        path: Path | None = options["file"]
        console = Console(file=sys.stdout)
        self.stdout.write(f"HashWorld in {settings.DATA_DIR}: starting ...")
        self.stdout.flush()
        with demo.running(options["nodes"], with_site=path is None) as user:
            job = self._fetch_file(path) if path else self._fetch_site(options["count"])
            right = self._report(console, job) if path else self._check(console, job)
            if not right:
                self._last_words()
            self._where_next(console, user, options)
        return right

    def _fetch_site(self, count: int) -> Job:
        return self._fetch(
            enumerate(pages.mix(count, pages.HOSTS, demo.site_port()), 1), SITE_OPTIONS, SITE_LIMIT
        )

    def _fetch_file(self, path: Path) -> Job:
        with path.open("rb") as source:
            return self._fetch(lines.read(source, str(path)), FILE_OPTIONS, math.inf)

    def _fetch(self, urls: Iterable[tuple[int, str]], spec: JobSpec, limit: float) -> Job:
        submission = submit(urls, spec)
        for error in submission.errors[:10]:
            self.stdout.write(f"line {error.line}: {error.value!r} refused: {error.reason}")
        with display.on(sys.stdout) as shown:
            demo.follow(submission.job, shown, limit)
        return submission.job

    def _check(self, console: Console, job: Job) -> bool:
        verdicts = verdict.judge(outcomes(job))
        console.print(verdict.table(verdicts))
        for surprise in (outcome for each in verdicts for outcome in each.surprises):
            console.print(verdict.describe(surprise), style="red", markup=False)
        right = sum(each.right for each in verdicts)
        healed = sum(each.healed for each in verdicts)
        failed = sum(each.right for each in verdicts if each.kind.error)
        self._summary(console, job)
        console.print(f"{failed:,} failed as they had to, {healed:,} failed first and healed")
        passed = right == job.total
        console.print(
            f"{right:,} of {job.total:,} ended as expected", style="green" if passed else "bold red"
        )
        return passed

    def _report(self, console: Console, job: Job) -> bool:
        report.print_job(job, console)
        self._summary(console, job)
        return job.done == job.total

    def _summary(self, console: Console, job: Job) -> None:
        console.print(f"{job.total:,} URLs in, {job.done:,} at their end, {job.succeed:,} fetched")
        most, seconds = seconds_for(job, 0.95)
        speed = f"{most:,} of them within {seconds:.1f} s, {most / seconds:,.0f} pages/s"
        console.print(f"{speed}; all within {seconds_for(job, 1)[1]:.1f} s")
        bodies = [len(content.read(body)) for body in Content.objects.iterator()]
        console.print(
            f"{len(bodies):,} different bodies kept, {sum(bodies) / 2**20:,.1f} MB,"
            " each read back and its SHA-256 checked"
        )

    def _where_next(self, console: Console, user: str, options: dict[str, Any]) -> None:
        if options["serve"]:
            box = welcome.box(settings.ENV.web_bind, user, colour=console.is_terminal)
            self.stdout.write(f"{box}Ctrl-C ends it.")
            self.stdout.flush()
            signal.pause()
        if options["keep"]:
            self.stdout.write(f"To look at it: HASHWORLD_DATA_DIR={settings.DATA_DIR} make run")
            self.stdout.write(user)
        else:
            self.stdout.write("--serve keeps the admin up to look around, --keep DIR the data.")

    def _last_words(self) -> None:
        self.stderr.write("The last lines of the processes:")
        for line in demo.last_words(settings.DATA_DIR, SHOWN_LOG_LINES):
            self.stderr.write(line.rstrip(), style_func=str)

    def _check_file(self, path: Path | None) -> None:
        if path is None:
            return
        try:
            with path.open("rb") as source:
                lines.check(source, str(path))
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}", returncode=BAD_INPUT) from error
        except InvalidInput as error:
            raise CommandError(str(error), returncode=BAD_INPUT) from error


def _folder(keep: Path | None) -> Path:
    """A new, empty folder."""
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="hashworld-demo-"))
    try:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise CommandError(
                f"{keep} is not empty: give --keep a new folder", returncode=BAD_INPUT
            )
    except OSError as error:
        raise CommandError(f"--keep {keep}: {error.strerror}", returncode=BAD_INPUT) from error
    return keep.absolute()
